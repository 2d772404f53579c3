"""Reading and listing what is in the folder now. Readers take no lock: a file comes into place by one rename."""

import contextlib
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from storage_app import hashes, paths
from storage_app.hashes import HashKind
from storage_app.providers import errors
from storage_app.providers.folder.hashing import HashCache
from storage_app.providers.folder.places import Places
from storage_app.providers.types import StorageFile, StorageFileInfo

MISSING: Final = (FileNotFoundError, NotADirectoryError)


class Entry(NamedTuple):
    path: str
    status: os.stat_result
    is_link: bool

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


class Browser:
    def __init__(self, places: Places) -> None:
        self._places = places
        self._hashes = HashCache()

    def read(self, path: str) -> StorageFile:
        with self.opened(path) as fd:
            modified = _modified(os.fstat(fd))
            with os.fdopen(fd, "rb", buffering=0, closefd=False) as file:
                content = file.readall()
        return StorageFile.of(path, content, hashes.sha256_hash(content), modified)

    def info(self, path: str) -> StorageFileInfo:
        try:
            found = self._places.stat(path)
        except MISSING:
            raise errors.not_found(path) from None
        if stat.S_ISDIR(found.st_mode):
            if not self.holds_a_file(path):
                raise errors.not_found(path)
            return StorageFileInfo(path, None, 0, is_directory=True)
        with self.opened(path) as fd:
            return self.info_of(path, fd)

    def info_of(self, path: str, fd: int) -> StorageFileInfo:
        found = os.fstat(fd)
        return StorageFileInfo(path, self.hash(fd, HashKind.SHA256), found.st_size, False, _modified(found))

    def hash(self, fd: int, kind: HashKind) -> str:
        """The position of the descriptor is moved."""
        return self._hashes.of_file(fd, kind)

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[int]:
        fd = self.open(path)
        try:
            yield fd
        finally:
            os.close(fd)

    def open(self, path: str) -> int:
        try:
            return self._places.open_file(path)
        except (*MISSING, IsADirectoryError):
            raise errors.not_found(path) from None

    def is_file(self, path: str) -> bool:
        try:
            return stat.S_ISREG(self._places.stat(path).st_mode)
        except MISSING:
            return False

    def listed(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        if recursive:
            return [self._info_of_entry(entry) for entry in self.files_below(folder)]
        return [
            StorageFileInfo(entry.path, None, 0, is_directory=True) if entry.is_folder else self._info_of_entry(entry)
            for entry in self._entries(folder)
            if not entry.is_folder or self.holds_a_file(entry.path)
        ]

    def holds_a_file(self, folder: str) -> bool:
        return next(self.files_below(folder), None) is not None

    def files_below(self, folder: str) -> Iterator[Entry]:
        folders = [folder]
        while folders:
            for entry in self._entries(folders.pop()):
                if not entry.is_folder:
                    yield entry
                elif not entry.is_link:  # it may lead in a circle, and what it leads to is found anyway
                    folders.append(entry.path)

    def _entries(self, folder: str) -> list[Entry]:
        """Files and folders directly in it under names that are paths, and links inside as what they lead to."""
        try:
            with self._places.folder(folder) as place, os.scandir(place.name if place.fd is None else place.fd) as seen:
                found = [(entry.name, _status(entry)) for entry in seen]
        except MISSING:
            return []
        start = f"{folder}/" if folder else ""
        entries = (
            self._entry(start + name, status) for name, status in found if status and paths.is_valid(start + name)
        )
        return [entry for entry in entries if entry]

    def _entry(self, path: str, status: os.stat_result) -> Entry | None:
        is_link = stat.S_ISLNK(status.st_mode)
        if is_link:
            try:
                status = self._places.stat(path)
            except OSError:  # it leads outside, nowhere or in a circle: nothing can be read there
                return None
        if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
            return None
        return Entry(path, status, is_link)

    def _info_of_entry(self, entry: Entry) -> StorageFileInfo:
        sha = self._hashes.known(entry.status, HashKind.SHA256)
        return StorageFileInfo(entry.path, sha, entry.status.st_size, False, _modified(entry.status))


def _status(entry: "os.DirEntry[str]") -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # gone since the folder was read
        return None


def _modified(found: os.stat_result) -> datetime:
    return datetime.fromtimestamp(found.st_mtime, UTC)
