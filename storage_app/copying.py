"""Files from one storage to another, in pieces, verified at both ends."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from storage_app import hashes
from storage_app.hashes import Hasher
from storage_app.providers.base import StorageProvider
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.streams import StorageStream
from storage_app.providers.types import StorageFileInfo


@dataclass(frozen=True)
class Copied:
    """`changed` is False where the target had this very content already."""

    path: str
    size: int
    sha: str
    changed: bool


async def copy(source: StorageProvider, path: str, target: StorageProvider, to: str, message: str) -> Copied:
    """What was read has the hash that the source tells, and what was written is what was read. A file that is not what
    its storage says is never written: the error comes before the write ends.
    """
    async with await source.open_stream(path) as stream:
        size = stream.info.size
        hashers = {kind: Hasher(kind, size) for kind in {source.hash_kind, target.hash_kind}}
        checker = hashers[source.hash_kind] if stream.info.sha else None
        commit = await target.write_stream(to, _checked(stream, list(hashers.values()), checker), message)
    sha = hashers[target.hash_kind].result()
    if await target.get_file_hash(to) != sha:
        raise _damaged(to, "What the target has is not what was written; somebody else may have written it.")
    return Copied(to, size, sha, commit.changed)


async def is_same(source: StorageProvider, info: StorageFileInfo, target: StorageProvider, to: str) -> bool:
    """Whether the target has this content already. Where the hashes are of two kinds, the content is hashed anew."""
    try:
        there = await target.get_file_info(to)
    except StorageError as error:
        if error.is_absence:
            return False
        raise
    if there.is_directory or there.size != info.size:
        return False
    sha = info.sha or await source.get_file_hash(info.path)
    if there.sha is not None and hashes.comparable(sha, there.sha):
        return sha == there.sha
    async with await source.open_stream(info.path) as stream:
        hasher = Hasher(target.hash_kind, stream.info.size)
        async for piece in stream:
            hasher.update(piece)
    return hasher.result() == there.sha


async def is_sound(provider: StorageProvider, info: StorageFileInfo) -> bool:
    """Whether the file can be read whole, and has the hash that the storage tells."""
    async with await provider.open_stream(info.path) as stream:
        hasher = Hasher(provider.hash_kind, stream.info.size)
        async for piece in stream:
            hasher.update(piece)
        return hasher.result() == stream.info.sha


async def _checked(stream: StorageStream, hashers: list[Hasher], checker: Hasher | None) -> AsyncIterator[bytes]:
    async for piece in stream:
        for hasher in hashers:
            hasher.update(piece)
        yield piece
    if checker is not None and checker.result() != stream.info.sha:
        raise _damaged(stream.info.path, "What was read is not what the storage says it has.")


def _damaged(path: str, message: str) -> StorageError:
    return StorageError(StorageErrorCode.INTERNAL_ERROR, message, path, {"reason": "hash_differs"})
