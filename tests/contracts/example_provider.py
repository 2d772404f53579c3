"""A complete provider in a hundred lines, as an example: files in one SQLite database.

The base has checked and normalised every path before it calls what stands here, and made lists, globs and batches of
it. A write is one transaction, so that a batch is whole or absent, and no condition is checked before its write.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from storage_app import hashes
from storage_app.hashes import HashKind
from storage_app.providers import (
    FileChange,
    FileWrite,
    StorageCapability,
    StorageCommit,
    StorageError,
    StorageErrorCode,
    StorageFile,
    StorageFileInfo,
    StorageHealth,
    StorageProvider,
    checks,
    errors,
)
from storage_app.ulids import new_ulid

T = TypeVar("T")


class SqliteStorageProvider(StorageProvider):
    provider_name = "sqlite"

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path_of_database = Path(path)
        with closing(self._connected()) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, content BLOB, sha TEXT, changed REAL)"
            )

    @property
    def capabilities(self) -> StorageCapability:
        return (
            StorageCapability.ATOMIC_BATCH_WRITE
            | StorageCapability.CONTENT_HASH_NATIVE
            | StorageCapability.SUPPORTS_GLOB
        )

    async def _read(self, path: str) -> StorageFile:
        return await self._in_a_thread(lambda database: _file(database, path))

    async def _info(self, path: str) -> StorageFileInfo:
        def info(database: sqlite3.Connection) -> StorageFileInfo:
            if _below(database, path):
                return StorageFileInfo(path, None, 0, is_directory=True)
            return _info_of(_file(database, path))

        return await self._in_a_thread(info)

    async def _list(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        start = f"{folder}/" if folder else ""
        paths = await self._in_a_thread(lambda database: _below(database, folder))
        if recursive:
            return [await self._info(path) for path in paths]
        names = {path[len(start) :].partition("/")[0] for path in paths}
        return [await self._info(start + name) for name in names]

    async def _apply(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        now = datetime.now(UTC)

        def apply(database: sqlite3.Connection) -> list[str]:
            with database:
                database.execute("BEGIN IMMEDIATE")
                real = [change for change in changes if _settle(database, change)]
                checks.refuse_what_is_in_the_way(
                    changes, lambda path: _found(database, path) is not None, lambda path: _below(database, path)
                )
                for change in real:
                    _put(database, change, now)
                return [change.path for change in real]

        files = await self._in_a_thread(apply)
        return StorageCommit(new_ulid() if files else "", message, "example", now, files)

    async def _health(self) -> StorageHealth:
        count = await self._in_a_thread(lambda database: len(_below(database, "")))
        return StorageHealth(True, details={"files": count})

    def _no_commit(self, message: str) -> StorageCommit:
        return StorageCommit("", message, "example", datetime.now(UTC), [])

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path_of_database, timeout=5, isolation_level=None)

    async def _in_a_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """No method blocks the loop, and every error is a StorageError."""

        def call() -> T:
            with closing(self._connected()) as database:
                return work(database)

        try:
            return await asyncio.to_thread(call)
        except sqlite3.Error as error:
            raise StorageError(StorageErrorCode.INTERNAL_ERROR, "The database failed.") from error


def _found(database: sqlite3.Connection, path: str) -> StorageFile | None:
    row = database.execute("SELECT content, sha, changed FROM files WHERE path = ?", [path]).fetchone()
    return StorageFile.of(path, row[0], row[1], datetime.fromtimestamp(row[2], UTC)) if row else None


def _file(database: sqlite3.Connection, path: str) -> StorageFile:
    file = _found(database, path)
    if file is None:
        raise errors.not_found(path)
    return file


def _below(database: sqlite3.Connection, folder: str) -> list[str]:
    """`0` follows `/`, so these are the names that begin with the folder and a slash."""
    where = ("WHERE path > ? AND path < ?", [f"{folder}/", f"{folder}0"]) if folder else ("", [])
    return [path for (path,) in database.execute(f"SELECT path FROM files {where[0]}", where[1])]


def _settle(database: sqlite3.Connection, change: FileChange) -> bool:
    """Whether the change is to be made; every provider decides by the same function."""
    file = _found(database, change.path)
    new = hashes.sha256_hash(change.content) if isinstance(change, FileWrite) else ""
    return checks.settle(
        change, new, HashKind.SHA256, (lambda kind: hashes.compute(kind, file.content)) if file else None
    )


def _put(database: sqlite3.Connection, change: FileChange, now: datetime) -> None:
    if isinstance(change, FileWrite):
        row = [change.path, change.content, hashes.sha256_hash(change.content), now.timestamp()]
        database.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", row)
    else:
        database.execute("DELETE FROM files WHERE path = ?", [change.path])


def _info_of(file: StorageFile) -> StorageFileInfo:
    return StorageFileInfo(file.path, file.sha, file.size, False, file.last_modified)
