"""A part of a storage as a storage of its own: every path lies below a base path, and none can name what does not."""

from collections.abc import AsyncIterable, Awaitable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from storage_app import paths
from storage_app.providers.base import StorageProvider
from storage_app.providers.errors import StorageError
from storage_app.providers.streams import StorageStream
from storage_app.providers.types import (
    FileChange,
    StorageCapability,
    StorageCommit,
    StorageFile,
    StorageFileInfo,
    StorageHealth,
    StorageVersion,
)

T = TypeVar("T")
V = TypeVar("V", StorageFile, StorageFileInfo, StorageVersion)


class ScopedStorageProvider(StorageProvider):
    """`close` ends this view alone; the provider below is its owner's to close."""

    def __init__(self, inner: StorageProvider, base_path: str) -> None:
        super().__init__()
        self._inner = inner
        self._base = paths.normalised(base_path)
        self.provider_name = inner.provider_name
        self.hash_kind = inner.hash_kind
        self.remembers_batches = inner.remembers_batches

    @property
    def capabilities(self) -> StorageCapability:
        return self._inner.capabilities

    async def apply_batch_once(
        self, changes: Sequence[FileChange], message: str, *, batch_id: str, since: datetime
    ) -> StorageCommit:
        checked = [self._change(change) for change in changes]
        inside = [replace(change, path=self._inside(change.path)) for change in checked]
        doing = self._inner.apply_batch_once(inside, message, batch_id=batch_id, since=since)
        return self._commit(await self._call(doing))

    def refresh(self) -> None:
        self._inner.refresh()

    def statistics(self) -> dict[str, Any]:
        return self._inner.statistics()

    async def _read(self, path: str) -> StorageFile:
        return self._outside(await self._call(self._inner.read_file(self._inside(path))))

    async def _info(self, path: str) -> StorageFileInfo:
        return self._outside(await self._call(self._inner.get_file_info(self._inside(path))))

    async def _list(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        place = self._inside(folder) if folder else self._base
        found = await self._call(self._inner.list_files(place, recursive=recursive))
        return [self._outside(info) for info in found]

    async def _apply(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        inside = [replace(change, path=self._inside(change.path)) for change in changes]
        return self._commit(await self._call(self._inner.apply_batch(inside, message)))

    async def _open(self, path: str, start: int, length: int | None, version: str | None) -> StorageStream:
        opening = self._inner.open_stream(self._inside(path), start=start, length=length, version=version)
        stream = await self._call(opening)
        stream.info = self._outside(stream.info)
        return stream

    async def _write_stream(
        self, path: str, pieces: AsyncIterable[bytes], message: str, overwrite: bool, expected_sha: str | None
    ) -> StorageCommit:
        writing = self._inner.write_stream(
            self._inside(path), pieces, message, overwrite=overwrite, expected_sha=expected_sha
        )
        return self._commit(await self._call(writing))

    async def _versions(self, path: str, limit: int) -> list[StorageVersion]:
        versions = await self._call(self._inner.list_versions(self._inside(path), limit=limit))
        return [self._outside(version) for version in versions]

    async def _read_version(self, path: str, version: str) -> StorageFile:
        return self._outside(await self._call(self._inner.read_version(self._inside(path), version)))

    async def _health(self) -> StorageHealth:
        return await self._inner.health_check()

    def _no_commit(self, message: str) -> StorageCommit:
        return self._inner._no_commit(message)

    def _inside(self, path: str) -> str:
        return f"{self._base}/{path}"

    def _outside(self, value: V) -> V:
        return replace(value, path=self._shortened(value.path))

    def _shortened(self, path: str) -> str:
        return path.removeprefix(f"{self._base}/")

    def _commit(self, commit: StorageCommit) -> StorageCommit:
        return replace(commit, files=[self._shortened(path) for path in commit.files])

    async def _call(self, awaitable: Awaitable[T]) -> T:
        try:
            return await awaitable
        except StorageError as error:
            raise self._translated(error) from error

    def _translated(self, error: StorageError) -> StorageError:
        """As if there were nothing but this part."""
        path = self._shortened(error.path) if error.path else error.path
        details = {name: self._detail(name, value) for name, value in error.details.items()}
        return StorageError(error.code, error.message, path, details, retryable=error.retryable)

    def _detail(self, name: str, value: Any) -> Any:
        if name == "paths":
            return [self._shortened(path) for path in value]
        return self._shortened(value) if name == "other" else value
