"""What a database refuses or fails at, as errors of the record store: the only place that knows its codes."""

import sqlite3
from typing import Final

from django.db import utils

from storage_app.records.errors import (
    DamagedError,
    LockTimeoutError,
    ReadOnlyError,
    RecordStoreError,
    StorageFullError,
    StoragePermissionError,
    UnavailableError,
)


def mapped(error: utils.Error) -> RecordStoreError:
    """The store's error for one that Django raised."""
    code = _code(error)
    kind, sentence = _KINDS.get(code) or _KINDS.get(code[:2]) or (UnavailableError, "the database cannot be reached")
    return kind(f"{sentence} ({type(error).__name__}{f', {code}' if code else ''})")


def is_conflict(error: utils.Error) -> bool:
    """Another transaction was in the way, or a unique value was taken in between: the same again may well succeed."""
    return isinstance(error, utils.IntegrityError) or _code(error) in _CONFLICTS


def _code(error: utils.Error) -> str:
    """PostgreSQL's SQLSTATE, or SQLite's primary result code by name; empty where the connection itself failed."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return _SQLITE_CODES.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, "")
    return getattr(cause, "sqlstate", None) or ""


_SQLITE_CODES: Final = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "readonly",
    sqlite3.SQLITE_PERM: "permission",
    sqlite3.SQLITE_AUTH: "permission",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_ERROR: "damaged",  # a table or column that is not there
}
# Serialization, deadlock; a plan that a migration made impossible, a prepared statement that is not there; a row that
# was not what it was taken for (`rows._verifying`).
_CONFLICTS: Final = frozenset({"40001", "40P01", "0A000", "26000", "22012"})
_TABLES: Final = "the tables of the record store are not as they should be; has `manage.py migrate` run?"
_KINDS: Final[dict[str, tuple[type[RecordStoreError], str]]] = {
    "busy": (LockTimeoutError, "others held the database for too long"),
    "full": (StorageFullError, "the disk of the database is full"),
    "readonly": (ReadOnlyError, "the database takes no writes"),
    "permission": (StoragePermissionError, "the database does not permit this"),
    "damaged": (DamagedError, _TABLES),
    "55P03": (LockTimeoutError, "others held the record for too long"),
    "40001": (LockTimeoutError, "others kept changing the same records"),
    "40P01": (LockTimeoutError, "others kept changing the same records"),
    "23505": (LockTimeoutError, "others kept taking the same values"),
    "53100": (StorageFullError, "the disk of the database is full"),
    "25006": (ReadOnlyError, "the database takes no writes"),
    "42501": (StoragePermissionError, "the database does not permit this"),
    "28": (StoragePermissionError, "the database does not let us in"),
    "42P01": (DamagedError, _TABLES),
    "42703": (DamagedError, _TABLES),
    "XX001": (DamagedError, "the database is damaged"),
    "XX002": (DamagedError, "an index of the database is damaged"),
}
