"""Reading a collection's files into the index, and what is done with those that are no records."""

import hashlib
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from storage_app import strict_json
from storage_app.records import times
from storage_app.records.declarations import Ids
from storage_app.records.errors import InvalidError
from storage_app.records.file import envelope, names, quarantine
from storage_app.records.file.layer import FileLayer
from storage_app.records.file.placing import ENTRIES, RECORD
from storage_app.records.file.rows import Rows, base_folder, split_folder
from storage_app.records.file.tables import Table
from storage_app.records.ids import RecordId

if TYPE_CHECKING:
    from storage_app.records.file.project import Project

Progress = Callable[[int, int | None], None]
_DEEPEST: Final = 2
_EVERY: Final = 1000
_READERS: Final = 4
_PARCEL: Final = 32  # files that one of them reads in one go
_MOST_AHEAD: Final = 1024 * 1024


@dataclass(frozen=True)
class Found:
    """A file of a collection; `stem` is the name without its ending (and without the stream)."""

    path: str
    folder: str
    stem: str
    stream: str | None = None


Expected = dict[str, RecordId]  # by collection and name


def fill(
    project: "Project", rows: Rows, table: Table, expected: Expected, progress: Progress | None
) -> tuple[int, list[tuple[Found, RecordId]]]:
    """All records of a collection that its files hold, and streams found apart from their records.

    `expected` are the records that the journal has anyway: what is wrong with their files is no damage.
    """
    with ThreadPoolExecutor(_READERS, "record reader") as readers:
        return _filled(project, rows, table, expected, progress, readers)


def _filled(
    project: "Project",
    rows: Rows,
    table: Table,
    expected: Expected,
    progress: Progress | None,
    readers: ThreadPoolExecutor,
) -> tuple[int, list[tuple[Found, RecordId]]]:
    apart: list[tuple[Found, RecordId]] = []
    done = 0
    name = table.collection.name
    for records, streams in folders(project, table):
        ids: dict[str, RecordId] = {}
        entered = 0
        for found, data in _read_ahead(readers, project.layer, records):
            entered_id = _enter(project, rows, table, found, data, f"{name}/{found.stem}" in expected)
            if entered_id is not None:
                ids[found.stem] = entered_id
                entered += 1
            done += 1
            if progress and done % _EVERY == 0:
                progress(done, None)
        if entered:
            rows.count_in_folder(records[0].folder, entered)
        for found in streams:
            id = ids.get(found.stem, expected.get(f"{name}/{found.stem}"))
            if id is not None:
                _enter_stream(project, rows, table, found, id)
            if found.stem not in ids and id is not None:
                apart.append((found, id))
    _enter_waiting_streams(project, rows, table)
    if progress:
        progress(done, None)
    return done, apart


def folders(project: "Project", table: Table) -> Iterator[tuple[list[Found], list[Found]]]:
    """Record files and stream files, folder by folder."""
    top = names.to_name(table.collection.name)
    pending = [(top, 0)]
    while pending:
        folder, depth = pending.pop()
        records, streams, below = [], [], []
        for entry in project.layer.entries(f"{project.folder}/{folder}"):
            if entry.is_dir(follow_symlinks=False):
                if depth < _DEEPEST:
                    below.append((f"{folder}/{entry.name}", depth + 1))
            elif entry.name.endswith(RECORD):
                records.append(Found(entry.path, folder, entry.name.removesuffix(RECORD)))
            elif entry.name.endswith(ENTRIES):
                stem, _, stream = entry.name.removesuffix(ENTRIES).rpartition("~")
                streams.append(Found(entry.path, folder, stem, stream))
        pending += reversed(below)
        yield records, streams


def highest(connection: sqlite3.Connection, table: Table) -> int:
    """The largest number among the records and in quarantine."""
    records = connection.execute(f"SELECT max(id) FROM {table.name}").fetchone()[0]  # noqa: S608
    aside = connection.execute(
        "SELECT max(id) FROM quarantine WHERE collection = ? AND typeof(id) = 'integer'", (table.collection.name,)
    ).fetchone()[0]
    return max(records or 0, aside or 0)


def name_within(project: "Project", path: str) -> str | None:
    """The collection that a folder with a shortened name belongs to, by any file in it."""
    for base, folders_, files in os.walk(path):
        folders_.sort()
        for file in sorted(files):
            if file.endswith(RECORD):
                try:
                    fields = strict_json.loads_object(project.layer.read(os.path.join(base, file)) or b"")  # noqa: PTH118
                except strict_json.StrictJSONError:
                    continue
                name = fields.get("collection")
                if isinstance(name, str) and names.to_name(name) == os.path.basename(path):  # noqa: PTH119
                    return name
    return None


def set_aside(project: "Project", rows: Rows, table: Table, found: Found, reason: str, data: bytes) -> None:
    """A file that is no record goes to quarantine, durably, before it is removed."""
    aside = quarantine.Aside(
        quarantine_id(project, found, data),
        table.collection.name,
        id_of(table, found),
        1,
        reason,
        times.now(),
        quarantine.decoded(data),
    )
    write_aside(project, aside, data)
    folder = f"{project.folder}/{quarantine.folder(aside.quarantine_id)}"
    project.layer.sync_file(f"{folder}/record.json")
    for path in (folder, f"{project.folder}/{quarantine.FOLDER}", project.folder):
        project.layer.sync_folder(path)
    for entry in project.layer.entries(f"{project.folder}/{found.folder}"):
        if entry.name.startswith(f"{found.stem}~") and entry.name.endswith(ENTRIES):
            project.layer.rename(entry.path, f"{folder}/{entry.name}")
    project.layer.remove(found.path)
    rows.connection.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?)", aside.row())


def quarantine_id(project: "Project", found: Found, data: bytes) -> str:
    """From the file's place and contents, so that setting it aside twice is the same as once."""
    place = found.path.removeprefix(project.folder).encode()
    return f"file-{hashlib.sha256(place + bytes(1) + data).hexdigest()[:32]}"


def write_aside(project: "Project", aside: quarantine.Aside, raw: bytes | None = None) -> None:
    folder = f"{project.folder}/{quarantine.folder(aside.quarantine_id)}"
    project.layer.make_folder(folder)
    project.layer.create(f"{folder}/record.new", quarantine.to_text(aside, raw).encode() + b"\n")
    project.layer.rename(f"{folder}/record.new", f"{folder}/record.json")


def entries_of(data: bytes) -> tuple[list[str], int]:
    """The whole lines at the start of a stream's file, and how many bytes they take."""
    lines: list[str] = []
    size = 0
    for raw in data.split(b"\n")[:-1]:
        try:
            entry = strict_json.loads_object(raw)
        except strict_json.StrictJSONError:
            break
        if entry.get("position") != len(lines) + 1 or not isinstance(entry.get("data"), dict):
            break
        lines.append(raw.decode())
        size += len(raw) + 1
    return lines, size


def _read_ahead(
    readers: ThreadPoolExecutor, layer: FileLayer, records: list[Found]
) -> Iterator[tuple[Found, bytes | None]]:
    """Each file with what it holds. A disk that is asked for one file after the other gives a part of what it could,
    so the next ones are asked for while these are taken in.
    """
    parcels = (records[start : start + _PARCEL] for start in range(0, len(records), _PARCEL))
    asked = ((parcel, readers.submit(_contents, layer, parcel)) for parcel in parcels)
    waiting = deque(islice(asked, _READERS))
    while waiting:
        parcel, reading = waiting.popleft()
        contents = reading.result()
        waiting += islice(asked, 1)
        for place, found in enumerate(parcel):
            yield found, contents[place] if place < len(contents) else layer.read(found.path)


def _contents(layer: FileLayer, parcel: list[Found]) -> list[bytes | None]:
    """Of the first only, where they are large."""
    contents: list[bytes | None] = []
    size = 0
    for found in parcel:
        if size > _MOST_AHEAD:
            break
        data = layer.read(found.path)
        size += len(data or b"")
        contents.append(data)
    return contents


def _enter(
    project: "Project", rows: Rows, table: Table, found: Found, data: bytes | None, expected: bool
) -> RecordId | None:
    if data is None:
        return None
    try:
        enclosed = envelope.opened(data, project.slug, table.collection)
    except envelope.UnreadableError as error:
        if not expected:
            set_aside(project, rows, table, found, str(error), data)
        return None
    id = enclosed.id
    if is_aside(rows.connection, table.collection.name, id) and not expected:
        return None
    if names.to_name(str(id)) != found.stem:
        if expected:
            return None  # files are used again, and a loss of power may show one under the name of another
        path = project.placing.path(found.folder, id)
        if project.layer.size(path) is not None or rows.find(table, id) is not None:
            set_aside(project, rows, table, found, f"A copy of record {id!r} under another name", data)
            return None
        project.layer.rename(found.path, path)
    row = rows.find(table, id)
    if row is None:
        owner = taken(rows, table, enclosed)
        if owner is not None and not expected:
            set_aside(project, rows, table, found, owner, data)
            return None
        right = split_folder(found.folder)[0] == base_folder(table.collection, enclosed.prepared.keys)
        rows.insert(table, id, enclosed.version, enclosed.prepared, found.folder, placed=right)
        return id
    return _settle_duplicate(project, rows, table, found, enclosed, data, expected)


def _settle_duplicate(
    project: "Project", rows: Rows, table: Table, found: Found, enclosed: envelope.Enclosed, data: bytes, expected: bool
) -> RecordId | None:
    """A crash leaves a record in two folders at most: the higher version wins, the other goes."""
    row = rows.find(table, enclosed.id)
    assert row is not None
    assert row.folder is not None
    if enclosed.version == row.version and enclosed.prepared.text != row.text and not expected:
        set_aside(project, rows, table, found, f"Another file has record {row.id!r} at the same version", data)
        return None
    if enclosed.version <= row.version:
        if not expected:
            project.layer.remove(found.path)
        return None
    rows.update(table, row, enclosed.version, enclosed.prepared, found.folder, placed=False)
    if not expected:
        streams = rows.streams(table.collection.name, row.id)
        project.placing.move_streams(streams, row.id, row.folder, found.folder)
        project.layer.remove(project.placing.path(row.folder, row.id))
    rows.left_folder(row.folder)
    return row.id


def taken(rows: Rows, table: Table, enclosed: envelope.Enclosed) -> str | None:
    """Why a record cannot be one: another has a value that is unique."""
    for unique in table.collection.unique_fields:
        value = enclosed.prepared.keys[unique.name]
        if value is not None:
            holder = rows.holder(table, unique.name, value)
            if holder is not None and holder != enclosed.id:
                return f"Record {holder!r} has the same {unique.name}"
    return None


def _enter_stream(project: "Project", rows: Rows, table: Table, found: Found, id: RecordId) -> None:
    from storage_app.records.file.recovery import enter_numbers

    assert found.stream is not None
    name = table.collection.name
    lines, size = entries_of(project.layer.read(found.path) or b"")
    known = rows.stream(name, id, found.stream)
    if known is not None and known.last >= len(lines):
        return
    if known is not None:
        rows.connection.execute("DELETE FROM entries WHERE stream = ?", (known.number,))
        rows.connection.execute("DELETE FROM sources WHERE stream = ?", (known.number,))
        known.last = 0
    stream = known or rows.new_stream(name, id, found.stream)
    rows.add_lines(name, stream, lines)
    rows.filed(stream, len(lines), size)
    enter_numbers(rows, stream.number, lines)


def _enter_waiting_streams(project: "Project", rows: Rows, table: Table) -> None:
    """Streams wait in quarantine beside their records."""
    statement = "SELECT quarantine_id, id FROM quarantine WHERE collection = ? AND id IS NOT NULL"
    for quarantine_id, id in rows.connection.execute(statement, (table.collection.name,)).fetchall():
        folder = quarantine.folder(quarantine_id)
        for entry in project.layer.entries(f"{project.folder}/{folder}"):
            if entry.name.endswith(ENTRIES):
                stem, _, stream = entry.name.removesuffix(ENTRIES).rpartition("~")
                _enter_stream(project, rows, table, Found(entry.path, folder, stem, stream), id)


def is_aside(connection: sqlite3.Connection, collection: str, id: RecordId) -> bool:
    statement = "SELECT 1 FROM quarantine WHERE collection = ? AND id = ?"
    return connection.execute(statement, (collection, id)).fetchone() is not None


def id_of(table: Table, found: Found) -> RecordId | None:
    """By the name of the file, since what is in it cannot be believed."""
    name = names.from_name(found.stem)
    if name is None:
        return None
    id: Any = int(name) if table.collection.ids is Ids.SEQUENCE and name.isdecimal() and name.isascii() else name
    try:
        return table.collection.check_id(id)
    except InvalidError:
        return None


def id_beside(project: "Project", table: Table, found: Found) -> RecordId | None:
    """For a shortened name: by the record in the same folder."""
    data = project.layer.read(f"{project.folder}/{found.folder}/{found.stem}{RECORD}")
    if data is None:
        return None
    try:
        return envelope.opened(data, project.slug, table.collection).id
    except envelope.UnreadableError:
        return None
