"""Reading and changing rows of the index inside one transaction, with the sums that go with them."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage_app import strict_json
from storage_app.records.declarations import Collection, Key
from storage_app.records.file import names, word_rows
from storage_app.records.file.tables import Table
from storage_app.records.ids import RecordId
from storage_app.records.operations import Prepared, Record

SHARD_FILES: Final = 4000
_FILLED_AGAIN: Final = 2000  # a folder with fewer files than this may be filled once more


@dataclass(slots=True)
class _Sums:
    """Changes of a collection's sums, entered once at the end of the transaction."""

    records: int = 0
    entries: int = 0
    bytes: int = 0
    sequence: int = 0
    changed: bool = False


@dataclass(eq=False, slots=True)
class Row:
    collection: Collection
    number: int  # SQLite's rowid
    id: RecordId
    version: int
    text: str  # empty: it was walked over, and does not match
    folder: str | None
    placed: bool
    _document: dict[str, Any] | None = None
    _keys: Mapping[str, Key] | None = None

    @property
    def document(self) -> dict[str, Any]:
        if self._document is None:
            self._document = strict_json.loads_own(self.text)
        return self._document

    @property
    def keys(self) -> Mapping[str, Key]:
        if self._keys is None:
            self._keys = self.collection.keys(self.document)
        return self._keys

    def record(self) -> Record:
        return Record(self.id, self.version, strict_json.loads_own(self.text))


@dataclass(slots=True)
class StreamRow:
    """`last` entries are known, `filed` of them are in the file, which is `bytes` long."""

    number: int
    name: str
    last: int
    filed: int
    bytes: int


class Rows:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._execute = connection.execute
        self._sums: dict[str, _Sums] = {}
        self._streams_changed: set[tuple[str, str]] = set()
        self._folders: dict[tuple[str, int], int] = {}
        self._counts: dict[Table, dict[tuple[int, tuple[Key, ...]], int]] = {}

    # Records

    def find(self, table: Table, id: RecordId) -> Row | None:
        row = self._execute(table.row, (id,)).fetchone()
        return None if row is None else Row(table.collection, row[0], id, row[1], row[2], row[3], bool(row[4]))

    def holder(self, table: Table, field: str, value: Key) -> RecordId | None:
        statement = f"SELECT id FROM {table.name} WHERE {table.columns[field]} = ? LIMIT 1"  # noqa: S608
        row = self._execute(statement, (value,)).fetchone()
        return row[0] if row else None

    def insert(
        self, table: Table, id: RecordId, version: int, prepared: Prepared, folder: str | None, placed: bool
    ) -> None:
        values = (id, version, prepared.text, folder, placed, *table.values(prepared.keys))
        number = self._execute(table.insert, values).lastrowid
        if table.tag_fields:
            self._tag(table, number, {}, prepared.keys)
        if table.counted:
            self._count(table, {}, prepared.keys)
        if table.has_words and number is not None:
            word_rows.change(self.connection, table, number, {}, prepared.keys)
        sums = self._sum(table)
        sums.records += 1
        sums.bytes += _size(prepared.text)

    def update(
        self, table: Table, row: Row, version: int, prepared: Prepared, folder: str | None, placed: bool
    ) -> None:
        keys, before = prepared.keys, row.keys
        changed = tuple(name for name in table.stored if keys[name] != before[name])
        values = [table.value(name, keys) for name in changed]
        self._execute(table.update(changed), (version, prepared.text, folder, placed, *values, row.number))
        if table.tag_fields:
            self._tag(table, row.number, before, keys)
        if table.counted and changed:
            self._count(table, before, keys)
        if table.has_words:
            word_rows.change(self.connection, table, row.number, before, keys)
        self._sum(table).bytes += _size(prepared.text) - _size(row.text)

    def put(
        self, table: Table, id: RecordId, version: int, prepared: Prepared, folder: str | None, placed: bool
    ) -> None:
        row = self.find(table, id)
        if row is None:
            self.insert(table, id, version, prepared, folder, placed)
        else:
            self.update(table, row, version, prepared, folder, placed)

    def place(self, table: Table, row: Row, folder: str | None, placed: bool) -> None:
        statement = f"UPDATE {table.name} SET folder = ?, placed = ? WHERE rowid = ?"  # noqa: S608
        self._execute(statement, (folder, placed, row.number))

    def delete(self, table: Table, row: Row) -> None:
        if table.tag_fields:
            self._tag(table, row.number, row.keys, {})
        if table.counted:
            self._count(table, row.keys, {})
        if table.has_words:
            word_rows.change(self.connection, table, row.number, row.keys, {})
        self._execute(table.delete, (row.number,))
        sums = self._sum(table)
        sums.records -= 1
        sums.bytes -= _size(row.text)

    def unplaced(self, table: Table, limit: int) -> list[RecordId]:
        statement = f"SELECT id FROM {table.name} WHERE placed = 0 LIMIT ?"  # noqa: S608
        return [row[0] for row in self._execute(statement, (limit,))]

    # Sequences

    def sequence(self, table: Table) -> int:
        row = self._execute("SELECT sequence FROM catalog WHERE name = ?", (table.collection.name,)).fetchone()
        known = self._sums.get(table.collection.name)
        return max(row[0] if row else 0, known.sequence if known else 0)

    def numbered(self, table: Table, last: int) -> None:
        sums = self._sum(table)
        sums.sequence = max(sums.sequence, last)

    # Streams

    def streams(self, collection: str, id: RecordId) -> list[StreamRow]:
        statement = "SELECT stream, name, last, filed, bytes FROM streams WHERE collection = ? AND id = ? ORDER BY name"
        return [StreamRow(*row) for row in self._execute(statement, (collection, id))]

    def stream(self, collection: str, id: RecordId, name: str) -> StreamRow | None:
        statement = "SELECT stream, name, last, filed, bytes FROM streams WHERE collection = ? AND id = ? AND name = ?"
        row = self._execute(statement, (collection, id, name)).fetchone()
        return StreamRow(*row) if row else None

    def new_stream(self, collection: str, id: RecordId, name: str) -> StreamRow:
        statement = "INSERT INTO streams (collection, id, name, last, filed, bytes) VALUES (?, ?, ?, 0, 0, 0)"
        number = self._execute(statement, (collection, id, name)).lastrowid
        assert number is not None
        return StreamRow(number, name, 0, 0, 0)

    def add_lines(self, collection: str, stream: StreamRow, lines: Sequence[str]) -> None:
        self.connection.executemany(
            "INSERT INTO entries (stream, position, line) VALUES (?, ?, ?)",
            [(stream.number, stream.last + number, line) for number, line in enumerate(lines, 1)],
        )
        stream.last += len(lines)
        self._execute("UPDATE streams SET last = ? WHERE stream = ?", (stream.last, stream.number))
        self._sum_of(collection).entries += len(lines)

    def stream_changed(self, collection: str, name: str) -> None:
        self._streams_changed.add((collection, name))

    def filed(self, stream: StreamRow, filed: int, size: int) -> None:
        stream.filed, stream.bytes = filed, size
        self._execute("UPDATE streams SET filed = ?, bytes = ? WHERE stream = ?", (filed, size, stream.number))

    def lines(self, stream: StreamRow, after: int) -> Iterator[str]:
        statement = "SELECT line FROM entries WHERE stream = ? AND position > ? ORDER BY position"
        return (row[0] for row in self._execute(statement, (stream.number, after)))

    def numbers(self, stream: StreamRow, source: str) -> list[list[int]]:
        statement = "SELECT numbers FROM sources WHERE stream = ? AND source = ?"
        row = self._execute(statement, (stream.number, source)).fetchone()
        ranges: Any = strict_json.loads(row[0]) if row else []
        return list(ranges)

    def set_numbers(self, stream: StreamRow, source: str, ranges: list[list[int]]) -> None:
        statement = "INSERT OR REPLACE INTO sources (stream, source, numbers) VALUES (?, ?, ?)"
        self._execute(statement, (stream.number, source, strict_json.dumps(ranges)))

    def forget_entries(self, collection: str, stream: StreamRow) -> None:
        self._sum_of(collection).entries -= stream.last
        for name in ("entries", "sources"):
            self._execute(f"DELETE FROM {name} WHERE stream = ?", (stream.number,))  # noqa: S608
        stream.last = 0

    def delete_streams(self, collection: str, id: RecordId) -> None:
        for stream in self.streams(collection, id):
            self._sum_of(collection).entries -= stream.last
            self._streams_changed.add((collection, stream.name))
            for name in ("entries", "sources", "streams"):
                self._execute(f"DELETE FROM {name} WHERE stream = ?", (stream.number,))  # noqa: S608

    # Folders

    def folder_with_room(self, base: str) -> str:
        """A folder for one more file, under the base itself or numbered, and the file counted."""
        shard, files = self._execute(_FILLING, (base, base)).fetchone() or (0, 0)
        if files + self._folders.get((base, shard), 0) >= SHARD_FILES:
            shard = self._next_to_fill(base)
        self._count_file(base, shard, 1)
        return base if shard == 0 else f"{base}/~{shard:04d}"

    def entered_folder(self, folder: str) -> None:
        self._count_file(*split_folder(folder), 1)

    def left_folder(self, folder: str) -> None:
        self._count_file(*split_folder(folder), -1)

    def count_in_folder(self, folder: str, files: int) -> None:
        self._count_file(*split_folder(folder), files)

    # Catalog

    def finish(self, lsn: int) -> None:
        """Enters what was summed up, and that these collections and streams changed at this number."""
        for name, sums in self._sums.items():
            self._execute(_SUMS, (sums.sequence, lsn, sums.records, sums.entries, sums.bytes, name))
        for table, counts in self._counts.items():
            self.connection.executemany(
                table.count_upsert,
                [table.counted_row(number, values, more) for (number, values), more in counts.items() if more],
            )
        for collection, stream in self._streams_changed:
            self._execute("INSERT OR REPLACE INTO changes VALUES (?, ?, ?)", (collection, stream, lsn))
        if self._folders:
            self.connection.executemany(
                "INSERT INTO state (kind, name, place, a) VALUES ('folders', ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET a = a + excluded.a",
                [(base, shard, files) for (base, shard), files in self._folders.items() if files],
            )
        self.forget()

    def forget(self) -> None:
        """What was summed up so far is void."""
        self._sums, self._streams_changed, self._folders, self._counts = {}, set(), {}, {}

    def touch(self, table: Table) -> None:
        self._sum(table)

    def _next_to_fill(self, base: str) -> int:
        """Looked for once in some thousand files: a folder that was emptied meanwhile, else a new one."""
        shards = self._execute("SELECT shard, files FROM folders WHERE base = ?", (base,)).fetchall()
        counted = {shard: files for (other, shard), files in self._folders.items() if other == base}
        for shard, files in shards:
            counted[shard] = counted.get(shard, 0) + files
        few = [shard for shard, files in counted.items() if files < _FILLED_AGAIN]
        shard = min(few) if few else max(counted) + 1
        insert = "INTO state (kind, name, place, a) VALUES ('folders', ?, ?, ?)"
        self._execute(f"INSERT OR REPLACE {insert}", (base, -1, shard))
        self._execute(f"INSERT OR IGNORE {insert}", (base, shard, 0))
        return shard

    def _count(self, table: Table, before: Mapping[str, Key], after: Mapping[str, Key]) -> None:
        counts = self._counts.setdefault(table, {})
        for number, fields in enumerate(table.counted):
            old = (number, tuple([before[name] for name in fields])) if before else None
            new = (number, tuple([after[name] for name in fields])) if after else None
            if old == new:
                continue
            if old is not None:
                counts[old] = counts.get(old, 0) - 1
            if new is not None:
                counts[new] = counts.get(new, 0) + 1

    def _count_file(self, base: str, shard: int, files: int) -> None:
        self._folders[base, shard] = self._folders.get((base, shard), 0) + files

    def _sum(self, table: Table) -> _Sums:
        return self._sum_of(table.collection.name)

    def _sum_of(self, name: str) -> _Sums:
        if (sums := self._sums.get(name)) is None:
            sums = self._sums[name] = _Sums()
        return sums

    def _tag(self, table: Table, number: int | None, before: Mapping[str, Key], after: Mapping[str, Key]) -> None:
        for name in table.tag_fields:
            old, new = before.get(name), after.get(name)
            if old == new:
                continue
            for statement, elements in (
                (f"DELETE FROM {table.tags} WHERE field = ? AND element = ? AND row = ?", old),  # noqa: S608
                (f"INSERT INTO {table.tags} VALUES (?, ?, ?)", new),  # noqa: S608
            ):
                if isinstance(elements, tuple):
                    self.connection.executemany(
                        statement, [(name, element, number) for element in dict.fromkeys(elements)]
                    )


_FILLING: Final = (
    "SELECT place, a FROM state WHERE kind = 'folders' AND name = ? AND place = "
    "coalesce((SELECT a FROM state WHERE kind = 'folders' AND name = ? AND place = -1), 0)"
)
_SUMS: Final = (
    "UPDATE state SET a = max(a, ?), b = ?, c = c + ?, d = d + ?, e = e + ? "
    "WHERE kind = 'catalog' AND name = ? AND place = 0"
)


def base_folder(collection: Collection, keys: Mapping[str, Key]) -> str:
    """The folder of a record by its partition value, before numbered ones within."""
    folder = names.to_name(collection.name)
    if collection.partition is None:
        return folder
    value = keys[collection.partition]
    return f"{folder}/{names.NO_VALUE if value is None else names.to_name(str(value))}"


def split_folder(folder: str) -> tuple[str, int]:
    """Base and number; the number of the base itself is 0."""
    base, _, last = folder.rpartition("/")
    return (base, int(last[1:])) if is_shard(last) else (folder, 0)


def is_shard(name: str) -> bool:
    """Whether a folder's name is a number of ours; no value and no collection has such a name."""
    return name[:1] == "~" and name[1:].isdigit()


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
