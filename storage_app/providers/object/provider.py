"""The contract of a storage, over a bucket."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from storage_app.providers import errors
from storage_app.providers.base import StorageProvider, buffered
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.object import addresses
from storage_app.providers.object.bodies import Body
from storage_app.providers.object.bucket import Bucket
from storage_app.providers.object.writing import Writer
from storage_app.providers.streams import StorageStream, span
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

if TYPE_CHECKING:
    from obstore import ObjectMeta

AUTHOR: Final = "Holdfast"
LARGEST_CONDITIONAL: Final = 5 * 1024**3  # what S3 takes in one piece, and parts cannot have a condition


class ObjectStorageProvider(StorageProvider):
    """`service` is `s3`, `gcs` or `azure` (there `access_key` is the account and `bucket` the container); with
    `endpoint` any server that speaks the service's language. Without keys those of the machine are used, with
    `anonymous` none. `timeout` is the longest silence of the server, in seconds.
    """

    provider_name = "object"

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        service: str = "s3",
        endpoint: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        anonymous: bool = False,
        timeout: float = 30.0,
    ) -> None:
        super().__init__()
        options = {
            "bucket": bucket,
            "prefix": prefix,
            "service": service,
            "endpoint": endpoint,
            "region": region,
            "access_key": access_key,
            "secret_key": secret_key,
            "anonymous": anonymous,
        }
        addresses.check({**options, "timeout": timeout})
        self._where = {"service": service, "bucket": bucket}
        self._bucket = Bucket(options, timeout)
        self._writer = Writer(self._bucket)

    @property
    def capabilities(self) -> StorageCapability:
        return StorageCapability.SUPPORTS_GLOB

    async def _read(self, path: str) -> StorageFile:
        """The hash is of what came, whatever the metadata says."""
        found, pieces = await self._bucket.get(path)
        content = await buffered(path, pieces)
        sha = (await Body.of(content)).sha
        self._bucket.remember(path, found.meta["e_tag"], sha)
        return StorageFile.of(path, content, sha, found.meta["last_modified"])

    async def _info(self, path: str) -> StorageFileInfo:
        found = await self._bucket.find(path)
        if found:
            return _info(found.meta, await self._bucket.hash_of(found))
        async for _ in self._bucket.below(path):
            return StorageFileInfo(path, None, 0, is_directory=True)
        raise errors.not_found(path)

    async def _list(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        if recursive:
            return [self._listed(meta) async for meta in self._bucket.below(folder)]
        objects, folders = await self._bucket.listed(folder)
        return [
            *map(self._listed, objects),
            *(StorageFileInfo(path, None, 0, is_directory=True) for path in folders),
        ]

    async def _open(self, path: str, start: int, length: int | None, version: str | None) -> StorageStream:
        if version is not None:
            self._check_versioning()
        if start == 0 and length is None:
            found, pieces = await self._bucket.get(path)
            info = _info(found.meta, await self._bucket.hash_of(found))
            return _ObjectStream(info, 0, info.size, pieces)
        found = await self._bucket.existing(path)
        info = _info(found.meta, await self._bucket.hash_of(found))
        begin, end = span(info.size, start, length)
        if begin == end:  # what the service would refuse
            return _ObjectStream(info, begin, end, None)
        return _ObjectStream(info, begin, end, await self._bucket.range_of(found, begin, end))

    async def _apply(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        bodies = {change.path: await Body.of(change.content) for change in changes if isinstance(change, FileWrite)}
        return await self._committed(changes, bodies, message)

    async def _write_stream(
        self, path: str, pieces: AsyncIterable[bytes], message: str, overwrite: bool, expected_sha: str | None
    ) -> StorageCommit:
        with Body() as body:
            await body.fill(pieces)
            if body.size > LARGEST_CONDITIONAL and (expected_sha is not None or not overwrite):
                what = f"A write with a condition takes at most {LARGEST_CONDITIONAL} bytes in an object store."
                raise StorageError(StorageErrorCode.CONTENT_TOO_LARGE, what, path, {"limit": LARGEST_CONDITIONAL})
            return await self._committed([FileWrite(path, b"", overwrite, expected_sha)], {path: body}, message)

    async def _committed(self, changes: Sequence[FileChange], bodies: dict[str, Body], message: str) -> StorageCommit:
        commit = new_ulid()
        done = await self._writer.apply(changes, bodies, commit)
        return StorageCommit(commit if done else "", message, AUTHOR, datetime.now(UTC), done)

    async def _health(self) -> StorageHealth:
        """Whether it takes writes cannot be told without writing."""
        await self._bucket.look()
        return StorageHealth(True, details=self._where)

    async def _close(self) -> None:
        self._bucket.close()

    def _no_commit(self, message: str) -> StorageCommit:
        return StorageCommit("", message, AUTHOR, datetime.now(UTC), [])

    def _listed(self, meta: "ObjectMeta") -> StorageFileInfo:
        return _info(meta, self._bucket.known_hash(meta))


class _ObjectStream(StorageStream):
    """One answer of the service, which goes on with the object it began with."""

    def __init__(self, info: StorageFileInfo, start: int, end: int, content: AsyncIterator[bytes] | None) -> None:
        super().__init__(info, start, end)
        self._content = content

    async def _read(self) -> AsyncIterator[bytes]:
        if self._content is None:
            return
        position = self.start
        async for piece in self._content:
            position += len(piece)
            yield piece
        if position != self.end:
            message = "The object store sent less than the file holds."
            raise StorageError(StorageErrorCode.NETWORK_ERROR, message, self.info.path)

    async def aclose(self) -> None:
        self._content = None


def _info(meta: "ObjectMeta", sha: str | None) -> StorageFileInfo:
    return StorageFileInfo(meta["path"], sha, meta["size"], False, meta["last_modified"])
