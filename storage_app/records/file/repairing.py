"""What can be wrong with one file or one row, and how each is put right."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from storage_app.records import times
from storage_app.records.declarations import Ids
from storage_app.records.file import effects, envelope, names, quarantine, walking
from storage_app.records.file.changes import Changes
from storage_app.records.file.placing import Waiting
from storage_app.records.file.recovery import enter_numbers
from storage_app.records.file.rows import Row, Rows, base_folder, split_folder
from storage_app.records.file.tables import Table
from storage_app.records.file.walking import Found
from storage_app.records.ids import RecordId

if TYPE_CHECKING:
    from storage_app.records.file.project import Project, Session


class FaultKind(StrEnum):
    UNREADABLE = "unreadable"  # no record of this collection
    EDITED = "edited"  # another document than the index has
    INDEX_MISSING = "index_missing"  # a file that the index does not know
    FILE_MISSING = "file_missing"  # a row without a file
    DUPLICATE = "duplicate"  # a record's second file
    LEFTOVER = "leftover"  # of something that is not there any more


@dataclass(frozen=True)
class Fault:
    kind: FaultKind
    id: RecordId | None
    detail: str
    found: Found | None = None
    data: bytes = b""
    enclosed: envelope.Enclosed | None = None


def record_fault(project: "Project", connection: sqlite3.Connection, table: Table, found: Found) -> Fault | None:
    data = project.layer.read(found.path)
    if data is None:
        return None
    rows = Rows(connection)
    try:
        enclosed = envelope.opened(data, project.slug, table.collection)
    except envelope.UnreadableError as error:
        id = walking.id_of(table, found)
        row = rows.find(table, id) if id is not None else None
        if row is not None and not row.placed:
            return None  # its file is about to be written anyway
        return Fault(FaultKind.UNREADABLE, id, f"{found.path}: {error}", found, data)
    id, row = enclosed.id, rows.find(table, enclosed.id)
    if row is None:
        kind = (
            FaultKind.LEFTOVER if walking.is_aside(connection, table.collection.name, id) else FaultKind.INDEX_MISSING
        )
        return Fault(kind, id, found.path, found, data, enclosed)
    if row.folder != found.folder or names.to_name(str(id)) != found.stem:
        return Fault(FaultKind.DUPLICATE, id, found.path, found, data, enclosed)
    if row.placed and (row.version, row.text) != (enclosed.version, enclosed.prepared.text):
        return Fault(FaultKind.EDITED, id, found.path, found, data, enclosed)
    if row.placed and split_folder(found.folder)[0] != base_folder(table.collection, row.keys):
        return Fault(FaultKind.EDITED, id, f"{found.path} is in the wrong folder", found, data, enclosed)
    return None


def stream_fault(project: "Project", connection: sqlite3.Connection, table: Table, found: Found) -> Fault | None:
    assert found.stream is not None
    if project.layer.size(found.path) is None:
        return None
    rows = Rows(connection)
    id = walking.id_of(table, found) or walking.id_beside(project, table, found)
    row = rows.find(table, id) if id is not None else None
    if id is None or row is None or row.folder != found.folder:
        return Fault(FaultKind.LEFTOVER, id, f"{found.path} belongs to no record here", found)
    if not row.placed:
        return None
    stream = rows.stream(table.collection.name, id, found.stream)
    data = project.layer.read(found.path)
    if data is None or (stream is not None and data == _file_of(rows.lines(stream, 0))):
        return None
    return Fault(FaultKind.EDITED, id, found.path, found, data)


def missing_fault(project: "Project", connection: sqlite3.Connection, table: Table, id: RecordId) -> Fault | None:
    rows = Rows(connection)
    row = rows.find(table, id)
    if row is None or not row.placed:
        return None
    if row.folder is None or project.layer.size(project.placing.path(row.folder, id)) is None:
        return Fault(FaultKind.FILE_MISSING, id, f"the file of {id!r} is gone")
    for stream in rows.streams(table.collection.name, id):
        if (project.layer.size(project.placing.stream_path(row.folder, id, stream.name)) or 0) < stream.bytes:
            return Fault(FaultKind.FILE_MISSING, id, f"the file of the stream {stream.name} of {id!r} is gone or short")
    return None


def mend(session: "Session", table: Table, fault: Fault) -> None:
    if fault.found is not None and fault.found.stream is not None:
        _mend_stream(session, table, fault, fault.found)
    elif fault.kind is FaultKind.FILE_MISSING and fault.id is not None:
        _write_again(session, table, fault.id)
    elif fault.kind is FaultKind.UNREADABLE:
        _set_aside(session, table, fault)
    elif fault.kind is FaultKind.LEFTOVER:
        _set_file_aside(session, table, fault, "A file of a record that is in quarantine")
    elif fault.kind is FaultKind.DUPLICATE:
        _settle_duplicate(session, table, fault)
    else:
        _take_in(session, table, fault)


class _TakingIn(Changes):
    """What a file holds becomes the record; the file is written anew where the record belongs."""

    def __init__(self, session: "Session", table: Table, id: RecordId, left: str, version: int, text: str) -> None:
        super().__init__()
        self._table, self._id, self._left = table, id, left
        if table.collection.ids is Ids.SEQUENCE:
            session.rows.numbered(table, int(id))
        self.effects.append(effects.Put(table.collection.name, id, version, text, None, left))

    def place(self, session: "Session", waiting: list[Waiting]) -> None:
        session.project.placing.refile(session.rows, self._table, self._id, [self._left])


def _take_in(session: "Session", table: Table, fault: Fault) -> None:
    assert fault.enclosed is not None
    assert fault.found is not None
    enclosed, found, rows = fault.enclosed, fault.found, session.rows
    row = rows.find(table, enclosed.id)
    taken = walking.taken(rows, table, enclosed)
    if taken is not None:
        _set_aside(session, table, fault, taken)
        return
    if row is None:
        version = enclosed.version
        rows.insert(table, enclosed.id, version, enclosed.prepared, found.folder, placed=False)
        rows.entered_folder(found.folder)
    else:
        version = max(row.version + 1, enclosed.version)
        rows.update(table, row, version, enclosed.prepared, row.folder, placed=False)
    changes = _TakingIn(session, table, enclosed.id, found.folder, version, enclosed.prepared.text)
    session.commit(changes, durable=True)
    if found.path != session.project.placing.path(found.folder, enclosed.id):
        session.project.layer.remove(found.path)


def _settle_duplicate(session: "Session", table: Table, fault: Fault) -> None:
    assert fault.enclosed is not None
    assert fault.found is not None
    row = session.rows.find(table, fault.enclosed.id)
    assert row is not None
    assert row.folder is not None
    project, enclosed = session.project, fault.enclosed
    path = project.placing.path(row.folder, row.id)
    if project.layer.size(path) is None and enclosed.version >= row.version:
        _take_in(session, table, fault)  # moved or renamed by hand
    elif enclosed.version < row.version or enclosed.prepared.text == row.text:
        project.layer.remove(fault.found.path)
    elif enclosed.version > row.version:
        _take_in(session, table, fault)
    else:
        _set_file_aside(session, table, fault, f"Another file has record {row.id!r} at the same version")


class _SettingFileAside(Changes):
    """A file to quarantine, and with it the record that it should have been."""

    def __init__(self, table: Table, aside: quarantine.Aside, found: Found, data: bytes) -> None:
        super().__init__()
        self._aside, self._found, self._data, self._table = aside, found, data, table
        if aside.id is not None:
            self.effects.append(
                effects.SetAside(
                    table.collection.name, aside.id, aside.quarantine_id, found.folder, quarantine.to_text(aside, data)
                )
            )

    def place(self, session: "Session", waiting: list[Waiting]) -> None:
        project = session.project
        walking.write_aside(project, self._aside, self._data)
        if self._aside.id is not None:
            folder = quarantine.folder(self._aside.quarantine_id)
            streams = session.rows.streams(self._table.collection.name, self._aside.id)
            project.placing.move_streams(streams, self._aside.id, self._found.folder, folder)
        project.layer.remove(self._found.path)


def _set_aside(session: "Session", table: Table, fault: Fault, reason: str | None = None) -> None:
    """The record with its file: whoever asks for it is told that it is in quarantine."""
    assert fault.found is not None
    rows, found = session.rows, fault.found
    row = rows.find(table, fault.id) if fault.id is not None else None
    if row is not None and row.folder == found.folder:
        rows.delete(table, row)
        rows.left_folder(found.folder)
    if table.collection.ids is Ids.SEQUENCE and fault.id is not None:
        rows.numbered(table, int(fault.id))
    _commit_aside(session, table, fault, reason or fault.detail, row)


def _set_file_aside(session: "Session", table: Table, fault: Fault, reason: str) -> None:
    """The file alone; the record of this id, if there is one, goes on."""
    _commit_aside(session, table, Fault(fault.kind, None, reason, fault.found, fault.data), reason, None)


def _commit_aside(session: "Session", table: Table, fault: Fault, reason: str, row: Row | None) -> None:
    assert fault.found is not None
    aside = quarantine.Aside(
        walking.quarantine_id(session.project, fault.found, fault.data),
        table.collection.name,
        fault.id,
        row.version if row else 1,
        reason,
        times.now(),
        quarantine.decoded(fault.data),
        row.text if row else None,
    )
    session.rows.touch(table)
    session.connection.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?)", aside.row())
    session.commit(_SettingFileAside(table, aside, fault.found, fault.data), durable=True)


def _write_again(session: "Session", table: Table, id: RecordId) -> None:
    row = session.rows.find(table, id)
    if row is not None:
        session.project.placing.refile(session.rows, table, id, [], durable=True)
        session.commit_derived()


def _mend_stream(session: "Session", table: Table, fault: Fault, found: Found) -> None:
    """An edited file is taken in if its entries are whole and numbered without a gap; else it is written again."""
    assert found.stream is not None
    rows, name = session.rows, table.collection.name
    lines, size = walking.entries_of(fault.data)
    if fault.kind is FaultKind.LEFTOVER or fault.id is None:
        data = session.project.layer.read(found.path) or b""
        _set_file_aside(session, table, Fault(fault.kind, None, fault.detail, found, data), fault.detail)
        return
    stream = rows.stream(name, fault.id, found.stream)
    if stream is not None and size != len(fault.data):
        session.project.placing.write_stream_anew(rows, stream, fault.id, found.folder)
        session.commit_derived()
        return
    if stream is None:
        stream = rows.new_stream(name, fault.id, found.stream)
    rows.forget_entries(name, stream)
    rows.add_lines(name, stream, lines)
    rows.filed(stream, len(lines), size)
    rows.stream_changed(name, found.stream)
    enter_numbers(rows, stream.number, lines)
    session.commit_derived()


def _file_of(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
