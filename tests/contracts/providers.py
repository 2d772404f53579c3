"""The providers that every clause runs on: one line each."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from storage_app.providers import StorageError, StorageErrorCode, StorageProvider
from storage_app.providers.local import LocalStorageProvider
from storage_app.providers.memory import MemoryStorageProvider
from storage_app.providers.scoped import ScopedStorageProvider
from tests.contracts.example_provider import SqliteStorageProvider
from tests.storage import github
from tests.storage.s3 import S3

# Gives an empty storage, and takes it away again; the folder is the test's own.
Opener = Callable[[pytest.FixtureRequest, Path], AbstractAsyncContextManager[StorageProvider]]


@dataclass(frozen=True)
class Backend:
    """`big` bytes is the largest file that the suite writes there, `many` the most files of one batch."""

    open: Opener
    big: int = 8 * 1024 * 1024 + 1
    many: int = 200


def _local(request: pytest.FixtureRequest, folder: Path) -> StorageProvider:
    return LocalStorageProvider(root_path=folder / "files")


def _scoped(request: pytest.FixtureRequest, folder: Path) -> StorageProvider:
    return ScopedStorageProvider(MemoryStorageProvider(), "some-project")


@asynccontextmanager
async def _github(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[StorageProvider]:
    """Below a folder of a repository that holds other things too."""
    with github.github(folder) as double:
        double.commit({"README.md": b"not ours", "kept/elsewhere": b"nor this"})
        async with github.provider_on(double, base_path="kept/here") as provider:
            yield provider


@asynccontextmanager
async def _object(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[StorageProvider]:
    """In a bucket that holds other things too."""
    server: S3 = request.getfixturevalue("s3")
    bucket = server.new_bucket()
    server.put(bucket, "README.md", b"not ours")
    server.put(bucket, "kept/elsewhere", b"nor this")
    async with server.provider(bucket, prefix="kept/here") as provider:
        yield provider
    assert server.keys(bucket, outside="kept/here/") == ["README.md", "kept/elsewhere"]
    assert server.unfinished_uploads(bucket) == []


@asynccontextmanager
async def _empty_github(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[StorageProvider]:
    with github.github(folder) as double:
        async with github.provider_on(double) as provider:
            yield provider


BACKENDS: Final[dict[str, Backend]] = {
    "memory": Backend(lambda request, folder: MemoryStorageProvider()),
    "local": Backend(_local),
    "scoped": Backend(_scoped),
    "github": Backend(_github),
    "empty github": Backend(_empty_github),
    "object": Backend(_object),
    "example": Backend(lambda request, folder: SqliteStorageProvider(str(folder / "files.sqlite3"))),
}

MESSAGE: Final = "What was done."


async def refused(call: Awaitable[object], code: StorageErrorCode) -> StorageError:
    """The error that the call ends with, which must have this code."""
    with pytest.raises(StorageError) as caught:
        await call
    assert caught.value.code is code, caught.value
    return caught.value
