"""The index: one SQLite database a project, derived from files and journal, and never synced.

It may be deleted at any time. Each use first asks whether the files at its path are still those that are open; if not,
IndexLostError says so, and whoever holds the lock makes it anew. After a loss of power it is not trusted either, unless
it had been closed cleanly.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from storage_app.records.file.faults import IndexLostError, IndexReplacedError
from storage_app.records.file.layer import FileLayer

_WRITER_CACHE: Final = 24_000  # KiB
_READER_CACHE: Final = 4_000
_MOST_IDLE: Final = 8
_SHORT_LOG: Final = 1000  # pages
_LONGEST_LOG: Final = 16_000  # pages; `fold_some` keeps it shorter, except in a bulk load
_Identity = tuple[int, int]


class Index:
    def __init__(self, layer: FileLayer, folder: str, timeout: float) -> None:
        self._layer = layer
        self._folder = folder
        self.path = f"{folder}/index.sqlite"
        self._wal = self.path + "-wal"
        self._timeout = timeout
        self._guard = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection | None = None
        self._identity: _Identity | None = None
        self.generation = 0

    def close(self) -> None:
        with self._guard:
            self._drop()

    def exists(self) -> bool:
        return self._layer.size(self.path) is not None

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection for the calling thread alone."""
        generation, connection = self._borrow()
        try:
            yield connection
        except BaseException:
            self._close(connection)
            raise
        with self._guard:
            if generation == self.generation and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        self._close(connection)

    def writer(self) -> sqlite3.Connection:
        """The one that writes; under the project's lock."""
        self._look()
        if self._writer is None:
            with self._guard:
                self._writer = self._connect(_WRITER_CACHE)
        return self._writer

    def replace(self, made: str) -> None:
        """The database at this path becomes the index; under the project's lock."""
        with self._guard:
            self._drop()
            self.remove_files()
            self._layer.rename(made, self.path)

    def remove(self) -> None:
        with self._guard:
            self._drop()
            self.remove_files()

    def remove_files(self) -> None:
        # The main file goes last: as long as it is there without its log, nobody may take it for whole.
        for suffix in ("-wal", "-shm", ""):
            self._layer.remove(self.path + suffix)

    def fold_some(self) -> bool:
        """The log's pages into the database, while others write; once all are in, the next writer begins it anew.
        False where somebody else is at it, or just was.
        """
        with self.reader() as connection:
            busy, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return not busy and pages > _SHORT_LOG

    def fold_log(self) -> None:
        """The log's pages into the database, and both durable; for a clean end."""
        connection = self.writer()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA synchronous = OFF")
        self._layer.sync_file(self.path)

    def _borrow(self) -> tuple[int, sqlite3.Connection]:
        self._look()
        with self._guard:
            if self._idle:
                return self.generation, self._idle.pop()
            return self.generation, self._connect(_READER_CACHE)

    def _look(self) -> None:
        """IndexLostError where the files are no longer those that are open."""
        identity = self._identity
        if identity is not None and self._inodes() == identity:
            return
        if identity is not None:
            with self._guard:
                self._drop()
            # The same file without its log may be half of an index, and is none.
            if self._inode() in (None, identity[0]):
                raise IndexLostError("the index was deleted, or its log")
            raise IndexReplacedError("the index was replaced")
        if not self.exists():
            raise IndexLostError("there is no index")

    def _connect(self, cache: int) -> sqlite3.Connection:
        before = self._inodes()
        connection = sqlite3.connect(
            f"file:{_uri(self.path)}?mode=rw",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        try:
            prepare_connection(connection, cache)
            connection.execute("SELECT lsn FROM here").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            code = error.sqlite_errorcode & 0xFF
            # Files that vanish while they are being opened are read errors to SQLite.
            vanished = code == sqlite3.SQLITE_IOERR and (before is None or self._inodes() != before)
            if vanished or code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_ERROR):
                raise IndexLostError(str(error)) from error
            raise
        except BaseException:
            connection.close()
            raise
        inodes = self._inodes()
        if inodes is None or (self._identity is not None and inodes != self._identity):
            connection.close()
            raise IndexLostError("the index was replaced while it was opened")
        self._identity = inodes
        return connection

    def _inodes(self) -> _Identity | None:
        try:
            return os.stat(self.path).st_ino, os.stat(self._wal).st_ino  # noqa: PTH116
        except OSError:
            return None

    def _inode(self) -> int | None:
        try:
            return os.stat(self.path).st_ino  # noqa: PTH116
        except OSError:
            return None

    def _drop(self) -> None:
        self.generation += 1
        connections = [*self._idle, *([self._writer] if self._writer else [])]
        self._idle, self._writer, self._identity = [], None, None
        for connection in connections:
            self._close(connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):  # its database may be damaged or gone, and nothing in it is needed any more
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        with suppress(sqlite3.Error):
            connection.close()


def prepare_connection(connection: sqlite3.Connection, cache: int) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{cache}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LONGEST_LOG}")


def _uri(path: str) -> str:
    path = os.path.abspath(path).replace(os.sep, "/")  # noqa: PTH100
    for character, escape in (("%", "%25"), ("?", "%3f"), ("#", "%23")):
        path = path.replace(character, escape)
    return path if path.startswith("/") else f"/{path}"
