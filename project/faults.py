"""What an error of the database or the disk means for whoever asked: try again, wait for a person, or a bug of ours.

Told by the codes that SQLite, PostgreSQL and the system give, never by the words of a message.
"""

import errno
import sqlite3

from django.db import DatabaseError, InterfaceError, OperationalError

SENTENCES = {
    "lock_timeout": "Something else holds the database for too long. Nothing was changed; try again in a moment.",
    "store_unavailable": "The database does not answer for now. Try again in a moment.",
    "read_only": "Nothing can be written for now: the database or its disk is read-only.",
    "storage_full": "The disk is full. Nothing was changed.",
    "store_damaged": "The database is damaged and needs a person.",
}
SQLITE = {
    sqlite3.SQLITE_BUSY: "lock_timeout",
    sqlite3.SQLITE_LOCKED: "lock_timeout",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_FULL: "storage_full",
    sqlite3.SQLITE_IOERR: "store_unavailable",
    sqlite3.SQLITE_CANTOPEN: "store_unavailable",
    sqlite3.SQLITE_PROTOCOL: "store_unavailable",
    sqlite3.SQLITE_CORRUPT: "store_damaged",
    sqlite3.SQLITE_NOTADB: "store_damaged",
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html; no code at all is a connection that broke
POSTGRESQL = {
    "55P03": "lock_timeout",
    "40P01": "lock_timeout",
    "57014": "lock_timeout",
    "25006": "read_only",
    "53100": "storage_full",
    "XX001": "store_damaged",
    "XX002": "store_damaged",
}
SYSTEM = {errno.ENOSPC: "storage_full", errno.EDQUOT: "storage_full", errno.EROFS: "read_only"}


def of(error: BaseException) -> tuple[str, str] | None:
    """Code and sentence; None for what is no fault of database or disk."""
    code = _code(error)
    return None if code is None else (code, SENTENCES[code])


def _code(error: BaseException) -> str | None:
    if isinstance(error, OSError):
        return SYSTEM.get(error.errno or 0)
    if isinstance(error, InterfaceError):
        return "store_unavailable"
    if not isinstance(error, DatabaseError):
        return None
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        # the low byte is the kind; a statement that is wrong, or asks for a table that is not there, is a bug
        return SQLITE.get(getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF)
    # both drivers class some of these as errors of their own, such as damage: there the code alone counts
    if not isinstance(error, OperationalError):
        return POSTGRESQL.get(getattr(cause, "sqlstate", None) or "")
    return POSTGRESQL.get(getattr(cause, "sqlstate", None) or "", "store_unavailable")
