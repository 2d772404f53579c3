"""The index from files and journal: a little of it after a kill, all of it where it was deleted or the power failed."""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from storage_app import strict_json
from storage_app.records.declarations import FREE_PREFIX, Ids
from storage_app.records.errors import DamagedError
from storage_app.records.file import effects, names, quarantine, walking
from storage_app.records.file.checkpoint import Checkpoint
from storage_app.records.file.index import prepare_connection
from storage_app.records.file.journal import Tail
from storage_app.records.file.placing import ENTRIES
from storage_app.records.file.rows import Rows
from storage_app.records.file.tables import COMMON, FORMAT, Table
from storage_app.records.ids import RecordId
from storage_app.records.operations import Prepared
from storage_app.records.streams import Numbers

if TYPE_CHECKING:
    from storage_app.records.file.project import Project, Session

Progress = Callable[[int, int | None], None]
log = logging.getLogger(__name__)
_BATCH: Final = 5000


def catch_up(project: "Project", session: "Session") -> None:
    """Takes in what was acknowledged, or was about to be, by a process that did not live to commit the index."""
    if project.journal.is_last(session.tail):
        return
    replay = None
    for frame in project.journal.following(session.tail):
        replay = replay or Replay(project, session.rows)
        replay.lsn = frame.lsn
        for effect in effects.from_bytes(frame.payload):
            replay.take(effect)
        session.tail = frame.after
    if replay is not None:
        project.journal.sync(session.tail)  # files may only show what the journal cannot lose any more
        replay.place_all()
        session.commit_derived()
        session.connection.execute("BEGIN IMMEDIATE")


def is_at(project: "Project", tail: Tail) -> bool:
    """Whether the index, with what follows it in the journal, comes to this tail; any other is not of this journal."""
    try:
        row = project.index.writer().execute("SELECT lsn, epoch, at, crc, format FROM here").fetchone()
    except sqlite3.Error:
        return False
    place = Tail(*row[:4])
    if row[4] != FORMAT:
        return False
    for frame in project.journal.following(place):
        place = frame.after
    return place == tail


def sequences(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, sequence FROM catalog WHERE sequence > 0").fetchall())


def build(
    project: "Project", found: Checkpoint, progress: Progress | None = None, after_power_loss: bool = False
) -> int:
    """The whole index anew; how many records. Files that the journal knows better are put right on the way."""
    made = f"{project.folder}/.index/building.sqlite"
    project.layer.make_folder(f"{project.folder}/.index")
    for suffix in ("", "-wal", "-shm", "-journal"):
        project.layer.remove(made + suffix)
    tail = project.journal.tail()
    project.journal.sync(tail)  # files may only show what the journal cannot lose any more
    connection = sqlite3.connect(made, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -32000")
        connection.execute("BEGIN")
        for statement in COMMON.split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO state VALUES ('here', '', 0, ?, ?, ?, ?, ?, 0, ?)", (*tail, tail.lsn, FORMAT))
        builder = _Builder(project, connection, found, tail, progress)
        count = builder.run(tables_of(project))
        connection.execute("COMMIT")
        prepare_connection(connection, 4000)
    finally:
        connection.close()
    project.index.replace(made)
    return count


def add_table(project: "Project", session: "Session", table: Table) -> None:
    """One collection that the index does not have yet, or has as it was declared differently."""
    connection = session.connection
    row = connection.execute("SELECT sequence FROM catalog WHERE name = ?", (table.collection.name,)).fetchone()
    if row is not None or project.layer.entries(f"{project.folder}/{names.to_name(table.collection.name)}"):
        connection.execute("ROLLBACK")
        build(project, project._read_checkpoint())
        session.connection = project.index.writer()
        session.rows = Rows(session.connection)
        session.connection.execute("BEGIN IMMEDIATE")
        return
    create_table(connection, table)
    for statement in table.index_creation():
        connection.execute(statement)


def create_table(connection: sqlite3.Connection, table: Table) -> None:
    for statement in table.creation():
        connection.execute(statement)
    born = connection.execute("SELECT born FROM here").fetchone()[0]
    connection.execute(
        "INSERT INTO state VALUES ('catalog', ?, 0, 0, ?, 0, 0, 0, NULL, NULL)", (table.collection.name, born)
    )
    connection.execute("INSERT INTO signatures VALUES (?, ?)", (table.collection.name, table.signature))


def sync_one_by_one(project: "Project", target: int) -> None:
    """Where the system cannot sync all at once: each file that the journal names, and each folder."""
    folders: set[str] = set()
    for frame in project.journal.frames(project._checkpoint.settled):
        if frame.lsn > target:
            break
        for effect in effects.from_bytes(frame.payload):
            for folder in _folders_of(effect):
                folders.add(f"{project.folder}/{folder}")
            _sync_effect(project, effect)
    for folder in sorted(_with_parents(project.folder, folders)):
        project.layer.sync_folder(folder)


class Replay:
    """Effects into rows; each may have happened already, in the index or in files, or half."""

    def __init__(self, project: "Project", rows: Rows) -> None:
        self._project = project
        self._rows = rows
        self.lsn = 0  # of the frame that is being taken in
        self._touched: dict[tuple[str, RecordId], tuple[set[str], set[str]]] = {}
        self._gaps: set[tuple[str, RecordId, str]] = set()

    def take(self, effect: effects.Effect) -> None:
        _TAKERS[type(effect)](self, effect)

    def place_all(self) -> None:
        for (name, id), (folders, streams) in self._touched.items():
            table = self._table(name)
            self._project.placing.refile(self._rows, table, id, folders, streams)
            if self._rows.find(table, id) is None and not walking.is_aside(self._rows.connection, name, id):
                self._rows.delete_streams(name, id)
        self._touched.clear()
        for name, id, stream in self._gaps:
            log.error("Stream %s of %s %r of project %s lost entries", stream, name, id, self._project.slug)

    def put(self, put: effects.Put) -> None:
        table = self._table(put.collection)
        prepared = Prepared(put.text, table.collection.keys(strict_json.loads_object(put.text)))
        before = self._rows.find(table, put.id)
        folder = before.folder if before else None
        self._note(put.collection, put.id, put.folder, put.left, folder)
        if put.folder is not None and put.folder != folder:
            if folder is not None:
                self._rows.left_folder(folder)
            self._rows.entered_folder(put.folder)
            folder = put.folder
        self._rows.put(table, put.id, put.version, prepared, folder, placed=False)
        if table.collection.ids is Ids.SEQUENCE:
            self._rows.numbered(table, int(put.id))

    def gone(self, gone: effects.Gone) -> None:
        table = self._table(gone.collection)
        row = self._rows.find(table, gone.id)
        streams = [stream.name for stream in self._rows.streams(gone.collection, gone.id)]
        self._note(gone.collection, gone.id, gone.folder, row.folder if row else None, streams=streams)
        self._rows.delete_streams(gone.collection, gone.id)
        self._gaps = {gap for gap in self._gaps if gap[:2] != (gone.collection, gone.id)}
        if row is not None:
            self._rows.delete(table, row)
            if row.folder is not None:
                self._rows.left_folder(row.folder)

    def added(self, added: effects.Added) -> None:
        table = self._table(added.collection)
        # The record may come later in the journal: its file was lost with the power, the stream's was not.
        row = self._rows.find(table, added.id)
        self._note(added.collection, added.id, row.folder if row else None)
        stream = self._rows.stream(added.collection, added.id, added.stream)
        stream = stream or self._rows.new_stream(added.collection, added.id, added.stream)
        place = (added.collection, added.id, added.stream)
        if added.first > stream.last + 1 or place in self._gaps:
            self._gaps.add(place)  # no harm if the record is deleted further on, and the stream's file was with it
            return
        lines = added.lines[stream.last + 1 - added.first :]
        if lines:
            self._rows.add_lines(added.collection, stream, lines)
            enter_numbers(self._rows, stream.number, lines)
        self._rows.stream_changed(added.collection, added.stream)
        if row is not None:
            self._rows.place(table, row, row.folder, placed=False)

    def numbered(self, numbered: effects.Numbered) -> None:
        self._rows.numbered(self._table(numbered.collection), numbered.last)

    def set_aside(self, aside: effects.SetAside) -> None:
        self.place_all()
        table = self._table(aside.collection)
        row = self._rows.find(table, aside.id)
        kept = quarantine.from_text(aside.text)
        folder = quarantine.folder(kept.quarantine_id)
        path = f"{self._project.folder}/{folder}"
        self._project.layer.make_folder(path)
        self._project.layer.create(f"{path}/record.new", aside.text.encode() + b"\n")
        self._project.layer.rename(f"{path}/record.new", f"{path}/record.json")
        self._rows.connection.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?)", kept.row())
        if row is not None:
            self._rows.delete(table, row)
            if row.folder is not None:
                self._rows.left_folder(row.folder)
        for left in {aside.folder, row.folder if row else None} - {None}:
            assert left is not None
            streams = self._rows.streams(aside.collection, aside.id)
            self._project.placing.move_streams(streams, aside.id, left, folder)
            self._project.placing.remove(left, aside.id, ())

    def released(self, released: effects.Released) -> None:
        self.place_all()
        self._rows.connection.execute("DELETE FROM quarantine WHERE quarantine_id = ?", (released.quarantine_id,))
        remove_tree(self._project, f"{self._project.folder}/{quarantine.folder(released.quarantine_id)}")

    def wiped(self, wiped: effects.Wiped) -> None:
        """What the files still have of it goes, and the index begins anew with what came afterwards."""
        self._touched.clear()
        tables = [self._table(name) for (name,) in self._rows.connection.execute("SELECT name FROM catalog").fetchall()]
        for table in tables:
            for statement in table.removal():
                self._rows.connection.execute(statement)
        for name in ("signatures", "changes", "streams", "entries", "sources", "quarantine"):
            self._rows.connection.execute(f"DELETE FROM {name}")  # noqa: S608
        self._rows.connection.execute("DELETE FROM state WHERE kind <> 'here'")
        # Whoever watches has seen numbers up to this one, and must see no smaller one.
        self._rows.connection.execute("UPDATE state SET e = max(e, ?) WHERE kind = 'here'", (self.lsn,))
        for entry in self._project.layer.entries(self._project.folder):
            if entry.is_dir(follow_symlinks=False) and entry.name not in (".store", ".index"):
                remove_tree(self._project, entry.path)
        self._rows.forget()
        for table in tables:
            create_table(self._rows.connection, table)
            for statement in table.index_creation():
                self._rows.connection.execute(statement)

    def _note(self, name: str, id: RecordId, *folders: str | None, streams: Iterable[str] = ()) -> None:
        known = self._touched.setdefault((name, id), (set(), set()))
        known[0].update(folder for folder in folders if folder is not None)
        known[1].update(streams)

    def _table(self, name: str) -> Table:
        return known_table(self._project, self._rows.connection, name)


_TAKERS: Final[dict[type, Callable[..., None]]] = {
    effects.Put: Replay.put,
    effects.Gone: Replay.gone,
    effects.Added: Replay.added,
    effects.Numbered: Replay.numbered,
    effects.SetAside: Replay.set_aside,
    effects.Released: Replay.released,
    effects.Wiped: Replay.wiped,
}


def known_table(project: "Project", connection: sqlite3.Connection, name: str) -> Table:
    """The table of a collection that the journal names; made where the index does not have it yet."""
    table = project.table_of(name)
    if table is None:
        raise DamagedError(f"the journal of {project.slug} names {name!r}, which is not declared here")
    if connection.execute("SELECT 1 FROM catalog WHERE name = ?", (name,)).fetchone() is None:
        create_table(connection, table)
        for statement in table.index_creation():
            connection.execute(statement)
    return table


def enter_numbers(rows: Rows, stream: int, lines: Iterable[str]) -> None:
    """Which numbers each source has sent, from the entries themselves."""
    sent: dict[str, list[int]] = {}
    for line in lines:
        entry = strict_json.loads_object(line)
        number: Any = entry.get("number")
        if number is not None:
            sent.setdefault(str(entry.get("source", "")), []).append(number)
    for source, numbers in sent.items():
        row = rows.connection.execute(
            "SELECT numbers FROM sources WHERE stream = ? AND source = ?", (stream, source)
        ).fetchone()
        known_ranges: Any = strict_json.loads(row[0]) if row else []
        known = Numbers(known_ranges)
        for number in numbers:
            known.add(number)
        rows.connection.execute(
            "INSERT OR REPLACE INTO sources VALUES (?, ?, ?)", (stream, source, strict_json.dumps(known.ranges()))
        )


@dataclass
class _Builder:
    project: "Project"
    connection: sqlite3.Connection
    checkpoint: Checkpoint
    tail: Tail
    progress: Progress | None
    rows: Rows = field(init=False)

    def run(self, tables: list[Table]) -> int:
        self.rows = Rows(self.connection)
        touched = self._touched()
        for aside in quarantine.load(self.project.layer, self.project.folder):
            self.connection.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?)", aside.row())
        count = 0
        apart: list[tuple[Table, walking.Found, RecordId]] = []
        for table in tables:
            create_table(self.connection, table)
            for statement in table.first_indexes():
                self.connection.execute(statement)
            entered, streams = walking.fill(self.project, self.rows, table, touched, self._report(count))
            count += entered
            apart += [(table, *stream) for stream in streams]
            last = self.checkpoint.sequences.get(table.collection.name, 0)
            if table.collection.ids is Ids.SEQUENCE:
                last = max(last, walking.highest(self.connection, table))
                self.rows.numbered(table, last)
            for statement in table.further_indexes():
                self.connection.execute(statement)
        replay = Replay(self.project, self.rows)
        for frame in self.project.journal.frames(self.checkpoint.settled):
            replay.lsn = frame.lsn
            for effect in effects.from_bytes(frame.payload):
                replay.take(effect)
        replay.place_all()
        for table, found, id in apart:
            self._settle_stream(table, found, id)
        self.rows.finish(self.tail.lsn)
        return int(self.connection.execute("SELECT coalesce(sum(records), 0) FROM catalog").fetchone()[0])

    def _settle_stream(self, table: Table, found: walking.Found, id: RecordId) -> None:
        """A stream that was not beside its record has been moved there by now, or its record is gone."""
        name = table.collection.name
        row = self.rows.find(table, id)
        if row is None and not walking.is_aside(self.connection, name, id):
            self.rows.delete_streams(name, id)
        if row is None or row.folder != found.folder:
            self.project.layer.remove(found.path)

    def _touched(self) -> walking.Expected:
        """Records that the journal will put right."""
        found: walking.Expected = {}
        for frame in self.project.journal.frames(self.checkpoint.settled):
            for effect in effects.from_bytes(frame.payload):
                if isinstance(effect, (effects.Put, effects.Gone, effects.Added, effects.SetAside)):
                    found[f"{effect.collection}/{names.to_name(str(effect.id))}"] = effect.id
        return found

    def _report(self, before: int) -> Progress | None:
        progress = self.progress
        return None if progress is None else lambda done, total: progress(before + done, total)


def tables_of(project: "Project") -> list[Table]:
    """Those declared, and the free collections that have a folder."""
    tables = {table.collection.name: table for table in project.declared()}
    for entry in project.layer.entries(project.folder):
        name = names.from_name(entry.name)
        name = name if name is not None else walking.name_within(project, entry.path)
        if name is not None and name.startswith(FREE_PREFIX) and (table := project.table_of(name)):
            tables.setdefault(name, table)
    for name in project._read_checkpoint().sequences:
        if (table := project.table_of(name)) is not None:
            tables.setdefault(name, table)
    return list(tables.values())


def remove_tree(project: "Project", path: str) -> None:
    for entry in project.layer.entries(path):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(project, entry.path)
        else:
            project.layer.remove(entry.path)
    project.layer.remove_folder(path)


def _folders_of(effect: effects.Effect) -> Iterator[str]:
    for name in ("folder", "left"):
        folder = getattr(effect, name, None)
        if folder is not None:
            yield folder
    if isinstance(effect, (effects.SetAside, effects.Released)):
        yield quarantine.folder(effect.quarantine_id)


def _sync_effect(project: "Project", effect: effects.Effect) -> None:
    if isinstance(effect, (effects.Put, effects.Added)):
        folder = getattr(effect, "folder", None) or _folder_now(project, effect)
        if folder is not None:
            project.layer.sync_file(project.placing.path(folder, effect.id))
            stem = f"{names.to_name(str(effect.id))}~"
            for entry in project.layer.entries(f"{project.folder}/{folder}"):
                if entry.name.startswith(stem) and entry.name.endswith(ENTRIES):
                    project.layer.sync_file(entry.path)
    if isinstance(effect, effects.SetAside):
        folder = f"{project.folder}/{quarantine.folder(effect.quarantine_id)}"
        for entry in project.layer.entries(folder):
            project.layer.sync_file(entry.path)


def _folder_now(project: "Project", effect: effects.Put | effects.Added) -> str | None:
    table = project.table_of(effect.collection)
    if table is None:
        return None
    with project.index.reader() as connection:
        row = Rows(connection).find(table, effect.id)
    return row.folder if row else None


def _with_parents(top: str, folders: Iterable[str]) -> set[str]:
    found = {top}
    for folder in folders:
        while folder not in found and len(folder) > len(top):
            found.add(folder)
            folder = os.path.dirname(folder)  # noqa: PTH120
    return found
