"""What the operating system and SQLite say, as the errors of the contract."""

import errno
import sqlite3
from contextlib import AbstractContextManager
from typing import Final

from storage_app.records.errors import (
    LockTimeoutError,
    ReadOnlyError,
    RecordStoreError,
    StorageFullError,
    StoragePermissionError,
    UnavailableError,
)


class IndexLostError(Exception):
    """The index is gone or no longer one; it is made again from the files. Never leaves the package."""


class IndexReplacedError(IndexLostError):
    """There is another one, which somebody made anew."""


def translated() -> AbstractContextManager[None]:
    return _TRANSLATING


def from_system(error: OSError) -> RecordStoreError:
    kind = _SYSTEM.get(error.errno or 0, UnavailableError)
    place = f" ({error.filename})" if error.filename else ""
    return kind(f"{_SENTENCES[kind]}: {error.strerror or error}{place}", errno=error.errno)


def from_sqlite(error: sqlite3.Error) -> Exception:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in _LOST:
        return IndexLostError(str(error))
    kind = _SQLITE.get(code, UnavailableError)
    return kind(f"{_SENTENCES[kind]}: the index says {error}")


class _Translating(AbstractContextManager[None]):
    """One object for all, since every call passes here and a generator costs five times as much."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise from_system(error) from error
        if isinstance(error, sqlite3.Error):
            raise from_sqlite(error) from error


_TRANSLATING: Final = _Translating()
_SYSTEM: Final[dict[int, type[RecordStoreError]]] = {
    errno.ENOSPC: StorageFullError,
    errno.EDQUOT: StorageFullError,
    errno.EFBIG: StorageFullError,
    errno.EACCES: StoragePermissionError,
    errno.EPERM: StoragePermissionError,
    errno.EROFS: ReadOnlyError,
}
_SQLITE: Final[dict[int, type[RecordStoreError]]] = {
    sqlite3.SQLITE_FULL: StorageFullError,
    sqlite3.SQLITE_PERM: StoragePermissionError,
    sqlite3.SQLITE_AUTH: StoragePermissionError,
    sqlite3.SQLITE_READONLY: ReadOnlyError,
    sqlite3.SQLITE_BUSY: LockTimeoutError,
    sqlite3.SQLITE_LOCKED: LockTimeoutError,
}
_LOST: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SENTENCES: Final[dict[type[RecordStoreError], str]] = {
    StorageFullError: "No space left for records",
    StoragePermissionError: "No permission to the store's files",
    ReadOnlyError: "The store's file system is read-only",
    LockTimeoutError: "The index was locked for too long",
    UnavailableError: "The store's files cannot be used",
}
