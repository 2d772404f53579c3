"""Puts a record's files where they belong, as the index has them.

Nothing is synced here: until the files are durable, the journal has what they hold. Every step may be done twice.
"""

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from storage_app.records.file import envelope, names
from storage_app.records.file.layer import FileLayer
from storage_app.records.file.rows import Row, Rows, StreamRow, base_folder, split_folder
from storage_app.records.file.tables import Table
from storage_app.records.ids import RecordId

RECORD: Final = ".json"
ENTRIES: Final = ".jsonl"
_TEMPORARY: Final = ".tmp"
_FEWEST_SPARES: Final = 16
_MOST_SPARES: Final = 64
_CHUNK: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Waiting:
    """A record's text in a temporary file, to be renamed once the journal has it."""

    temporary: str
    path: str


class Placing:
    """Used under the project's lock, but for `write_temporary` and the spares, which are each process's own.

    A spare is a file with nothing that anybody asks for: an old file of a record that moved, or one made beforehand.
    A file system overwrites an old file sooner than it finds a new one.
    """

    def __init__(self, layer: FileLayer, project: str, folder: str, temporary: str) -> None:
        self._layer = layer
        self._project = project
        self._folder = folder
        self._temporary = temporary
        self._own = f"{temporary}/{os.getpid()}-{secrets.token_hex(4)}"
        self._made = 0
        self._spares: list[str] = []
        self._known_folders: set[str] = set()

    def path(self, folder: str, id: RecordId) -> str:
        return f"{self._folder}/{folder}/{names.to_name(str(id))}{RECORD}"

    def stream_path(self, folder: str, id: RecordId, stream: str) -> str:
        # No id's name has a tilde followed by a letter in it, and so no record's stream is another's.
        return f"{self._folder}/{folder}/{names.to_name(str(id))}~{stream}{ENTRIES}"

    def prepare(self, collection: str, id: RecordId, version: int, text: str, folder: str) -> Waiting:
        """Here a full disk shows, while nothing has happened yet."""
        self._make_folder(folder)
        return Waiting(self.write_temporary(collection, id, version, text), self.path(folder, id))

    def write_temporary(self, collection: str, id: RecordId, version: int, text: str) -> str:
        """Another process may remove it, until it is renamed under the lock."""
        temporary = self._temporary_file()
        self._layer.create(temporary, envelope.enclose(self._project, collection, id, version, text))
        return temporary

    def rename(self, waiting: Waiting) -> None:
        try:
            self._layer.rename(waiting.temporary, waiting.path)
        except FileNotFoundError:
            # Somebody removed the folder since it was last seen here, as deleting a project does.
            self.forget_folders()
            self._layer.make_folder(waiting.path.rpartition("/")[0])
            self._layer.rename(waiting.temporary, waiting.path)

    def remove_temporaries(self) -> int:
        """What a killed process left; how many."""
        return sum(
            self._layer.remove(entry.path)
            for entry in self._layer.entries(self._temporary)
            if entry.name.endswith(_TEMPORARY)
        )

    def is_short_of_spares(self) -> bool:
        """Only of use to those who write much."""
        return self._made > _FEWEST_SPARES and len(self._spares) < _FEWEST_SPARES

    def make_spares(self) -> None:
        """Beforehand, without the lock."""
        while len(self._spares) < _MOST_SPARES:
            path = self._new_name()
            self._layer.create(path, b"")
            self._spares.append(path)

    def spare(self, temporary: str) -> None:
        """A temporary file that is not needed; used again, or found and removed by whoever loads the project next."""
        self._spares.append(temporary)

    def move_streams(self, streams: Iterable[StreamRow], id: RecordId, old: str, new: str) -> None:
        for stream in streams:
            if stream.filed:
                self._move(self.stream_path(old, id, stream.name), self.stream_path(new, id, stream.name))

    def file_entries(self, rows: Rows, stream: StreamRow, id: RecordId, folder: str) -> None:
        """Appends what the stream's file does not have yet."""
        self._append_lines(rows, stream, self.stream_path(folder, id, stream.name))

    def _append_lines(self, rows: Rows, stream: StreamRow, path: str) -> None:
        size = stream.bytes
        lines: list[str] = []
        waiting = 0
        for line in rows.lines(stream, stream.filed):
            lines.append(line + "\n")
            waiting += len(line)
            if waiting > _CHUNK:
                size += self._extend(path, size, lines)
                lines, waiting = [], 0
        if lines:
            size += self._extend(path, size, lines)
        rows.filed(stream, stream.last, size)

    def remove(self, folder: str, id: RecordId, streams: Iterable[str]) -> None:
        self._layer.remove(self.path(folder, id))
        for stream in streams:
            self._layer.remove(self.stream_path(folder, id, stream))

    def retire(self, folder: str, id: RecordId) -> None:
        """The record moved; its old file becomes a spare."""
        if len(self._spares) >= _MOST_SPARES:
            self._layer.remove(self.path(folder, id))
            return
        name = self._new_name()
        with suppress(FileNotFoundError):
            self._layer.rename(self.path(folder, id), name)
            self._spares.append(name)

    def refile(
        self,
        rows: Rows,
        table: Table,
        id: RecordId,
        elsewhere: Iterable[str | None],
        streams: Iterable[str] = (),
        durable: bool = False,
        ready: tuple[int, str] | None = None,
    ) -> None:
        """Makes all files of a record as the index has them, whatever an interruption left.

        `elsewhere` are folders in which it may have left some, `streams` names of streams that may be there and gone.
        `durable` is for a text that the journal does not have. A file that is right already is not written, for then
        the journal may not have its text either. `ready` is a temporary file that holds a version of it already.
        """
        row = rows.find(table, id)
        others = {folder for folder in elsewhere if folder is not None}
        known = rows.streams(table.collection.name, id)
        gone = [*streams, *(stream.name for stream in known)]
        if row is None:
            for folder in others:
                self.remove(folder, id, gone)
            return
        folder = self.target(rows, row)
        if ready is None or ready[0] != row.version or not self._renamed(ready[1], self.path(folder, id)):
            self._write_if_different(row, folder, durable)
        if row.folder is not None:
            others.add(row.folder)
        for stream in known:
            self._refile_stream(rows, stream, id, folder, others)
        for other in others - {folder}:
            self.retire(other, id)
            for stream_name in gone:
                self._layer.remove(self.stream_path(other, id, stream_name))
        rows.place(table, row, folder, placed=True)

    def forget_folders(self) -> None:
        """After a failure: folders that were there may be gone."""
        self._known_folders.clear()

    def target(self, rows: Rows, row: Row) -> str:
        """The folder that a record's files belong to; counted there if it is another than the one they are in."""
        base = base_folder(row.collection, row.keys)
        if row.folder is not None:
            if split_folder(row.folder)[0] == base:
                return row.folder
            rows.left_folder(row.folder)
        return rows.folder_with_room(base)

    def _write_if_different(self, row: Row, folder: str, durable: bool) -> None:
        path, name = self.path(folder, row.id), row.collection.name
        if self._layer.read(path) == envelope.enclose(self._project, name, row.id, row.version, row.text):
            return
        waiting = self.prepare(name, row.id, row.version, row.text, folder)
        if durable:
            self._layer.sync_file(waiting.temporary)
        self.rename(waiting)
        if durable:
            self._layer.sync_folder(path.rpartition("/")[0])

    def write_stream_anew(self, rows: Rows, stream: StreamRow, id: RecordId, folder: str) -> None:
        self._write_stream_anew(rows, stream, self.stream_path(folder, id, stream.name))

    def _refile_stream(self, rows: Rows, stream: StreamRow, id: RecordId, folder: str, others: set[str]) -> None:
        path = self.stream_path(folder, id, stream.name)
        for other in others - {folder}:
            if (self._layer.size(path) or 0) < stream.bytes:
                self._move(self.stream_path(other, id, stream.name), path)
        if (self._layer.size(path) or 0) < stream.bytes:
            self._write_stream_anew(rows, stream, path)
        if stream.filed < stream.last or (self._layer.size(path) or 0) != stream.bytes:
            self._extend_in_folder(path, stream.bytes, b"")
            self.file_entries(rows, stream, id, folder)

    def _write_stream_anew(self, rows: Rows, stream: StreamRow, path: str) -> None:
        """The journal has only the last entries of a stream, so the file is durable before it takes a name."""
        temporary = f"{self._temporary}/stream.tmp"
        self._layer.create(temporary, b"")
        stream.filed = stream.bytes = 0
        self._append_lines(rows, stream, temporary)
        self._layer.sync_file(temporary)
        self._layer.make_folder(path.rpartition("/")[0])
        self._layer.rename(temporary, path)

    def _extend(self, path: str, size: int, lines: list[str]) -> int:
        data = "".join(lines).encode()
        self._extend_in_folder(path, size, data)
        return len(data)

    def _extend_in_folder(self, path: str, size: int, data: bytes) -> None:
        try:
            self._layer.extend(path, size, data)
        except FileNotFoundError:
            self._layer.make_folder(path.rpartition("/")[0])
            self._layer.extend(path, size, data)

    def _move(self, old: str, new: str) -> None:
        if self._layer.size(old) is not None:
            self._layer.make_folder(new.rpartition("/")[0])
            self._layer.rename(old, new)

    def _renamed(self, temporary: str, path: str) -> bool:
        """Unless somebody cleaned up meanwhile."""
        if self._layer.size(temporary) is None:
            return False
        self.rename(Waiting(temporary, path))
        return True

    def _temporary_file(self) -> str:
        try:
            return self._spares.pop()
        except IndexError:
            return self._new_name()

    def _new_name(self) -> str:
        self._made += 1
        return f"{self._own}-{self._made}{_TEMPORARY}"

    def _make_folder(self, folder: str) -> None:
        if folder not in self._known_folders:
            self._layer.make_folder(f"{self._folder}/{folder}")
            if len(self._known_folders) > 10_000:
                self._known_folders.clear()
            self._known_folders.add(folder)
