"""Files in a folder of this machine. The work is done by `folder/`, in a bounded pool of threads off the event loop."""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Final, ParamSpec, Protocol, TypeVar

from storage_app.providers import errors
from storage_app.providers.base import StorageProvider
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.folder.faults import translated
from storage_app.providers.folder.locks import LOCK_TIMEOUT, LockTimeoutError
from storage_app.providers.folder.temporaries import Temporary
from storage_app.providers.folder.threads import Threads
from storage_app.providers.folder.tree import Prepared, Tree
from storage_app.providers.streams import PIECE, StorageStream, span
from storage_app.providers.types import (
    FileChange,
    FileWrite,
    StorageCapability,
    StorageCommit,
    StorageFile,
    StorageFileInfo,
    StorageHealth,
)
from storage_app.ulids import new_ulid

P = ParamSpec("P")
T = TypeVar("T")

AUTHOR: Final = "Holdfast"


class LocalStorageProvider(StorageProvider):
    provider_name = "local"

    def __init__(self, root_path: str | Path, create_root: bool = True, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        super().__init__()
        root = Path(root_path)
        _check_root(root, create_root)
        self._tree = Tree(root, lock_timeout=lock_timeout)
        self._threads = Threads()

    @property
    def capabilities(self) -> StorageCapability:
        return StorageCapability.ATOMIC_BATCH_WRITE | StorageCapability.SUPPORTS_GLOB

    async def _read(self, path: str) -> StorageFile:
        return await self._run(path, self._tree.read, path)

    async def _info(self, path: str) -> StorageFileInfo:
        return await self._run(path, self._tree.info, path)

    async def _list(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        try:
            return await self._run(folder, self._listed_now, folder, recursive)
        except StorageError as error:
            if error.is_absence:
                return []
            raise

    async def _open(self, path: str, start: int, length: int | None, version: str | None) -> StorageStream:
        if version is not None:
            self._check_versioning()
        file, info = await self._run(path, self._open_now, path)
        return _FileStream(info, *span(info.size, start, length), file, partial(self._run, path))

    async def _apply(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        return await self._run(changes[0].path if len(changes) == 1 else None, self._apply_now, changes, message)

    async def _write_stream(
        self, path: str, pieces: AsyncIterable[bytes], message: str, overwrite: bool, expected_sha: str | None
    ) -> StorageCommit:
        temporary = await self._run(path, self._tree.new_temporary)
        try:
            async for piece in _joined(pieces):
                await self._run(path, temporary.write, piece)
            await self._run(path, temporary.finish)
            change = Prepared(FileWrite(path, b"", overwrite, expected_sha), temporary)
            return await self._run(path, self._commit, [change], message)
        finally:
            await self._run(path, temporary.discard)

    async def _health(self) -> StorageHealth:
        return await self._run(None, self._health_now)

    async def _close(self) -> None:
        self._tree.close()
        self._threads.close()

    def _listed_now(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        found = self._tree.listed(folder, recursive)
        if not found and not self._tree.root.is_dir():
            raise errors.root_missing()
        return found

    def _open_now(self, path: str) -> tuple[FileIO, StorageFileInfo]:
        """An object, not a bare descriptor: nobody closes that when the one who waits for it is cancelled."""
        fd, info = self._tree.open(path)
        return FileIO(fd), info

    def _apply_now(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        temporaries: list[Temporary] = []
        try:
            prepared = [self._prepare(change, temporaries) for change in changes]
            return self._commit(prepared, message)
        finally:
            for temporary in temporaries:
                temporary.discard()

    def _prepare(self, change: FileChange, temporaries: list[Temporary]) -> Prepared:
        if not isinstance(change, FileWrite):
            return Prepared(change)
        temporary = self._tree.new_temporary()
        temporaries.append(temporary)
        temporary.write(change.content)
        temporary.finish()
        return Prepared(change, temporary)

    def _commit(self, changes: Sequence[Prepared], message: str) -> StorageCommit:
        files = self._tree.commit(changes)
        return StorageCommit(new_ulid() if files else "", message, AUTHOR, datetime.now(UTC), files)

    def _health_now(self) -> StorageHealth:
        root = self._tree.root
        if not root.is_dir():
            raise errors.root_missing()
        if not os.access(root, os.W_OK | os.X_OK):
            return StorageHealth(False, "The root folder takes no writes.")
        self._tree.listed("", False)
        usage = shutil.disk_usage(root)
        return StorageHealth(True, details={"free_bytes": usage.free, "total_bytes": usage.total})

    def _no_commit(self, message: str) -> StorageCommit:
        return StorageCommit("", message, AUTHOR, datetime.now(UTC), [])

    async def _run(self, path: str | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's answer from a thread, its errors as those of a storage."""
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads.pool(), self._done, call, path)

    def _done(self, call: Callable[[], T], path: str | None) -> T:
        """In a thread. No file is said to be missing while the root is."""
        try:
            return call()
        except (OSError, LockTimeoutError, StorageError) as error:
            known = error if isinstance(error, StorageError) else translated(error, path)
            if known.is_absence and not self._tree.root.is_dir():
                raise errors.root_missing() from error
            if known is error:
                raise
            raise known from error


class _FileStream(StorageStream):
    """Holds a descriptor, so a rename over the file does not touch what is read."""

    def __init__(self, info: StorageFileInfo, start: int, end: int, file: FileIO, run: "_Run") -> None:
        super().__init__(info, start, end)
        self._file = file
        self._reading = threading.Lock()  # a thread may still read when the stream is closed
        self._run = run

    async def _read(self) -> AsyncIterator[bytes]:
        position = self.start
        while position < self.end:
            piece = await self._run(self._read_at, position, min(PIECE, self.end - position))
            if not piece:
                message = "The file was made shorter while it was read."
                raise StorageError(StorageErrorCode.INTERNAL_ERROR, message, self.info.path, {"reason": "io_error"})
            position += len(piece)
            yield piece

    async def aclose(self) -> None:
        with self._reading:
            self._file.close()

    def _read_at(self, position: int, length: int) -> bytes:
        with self._reading:
            self._file.seek(position)
            return self._file.read(length)


class _Run(Protocol):
    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


def _check_root(root: Path, create: bool) -> None:
    try:
        if create:
            root.mkdir(parents=True, exist_ok=True)
        elif not root.is_dir():
            raise errors.root_missing()
    except OSError as error:
        raise translated(error, None) from error


async def _joined(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Small pieces made large, as each costs a way to a thread and back."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        if len(waiting) >= PIECE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
