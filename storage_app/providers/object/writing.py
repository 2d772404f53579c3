"""From changes to objects, in the order that loses nothing: look, refuse, write, delete.

Conditions are the store's own: a write that expects something names the state that the look before gave, so of two one
wins. What the store has no conditions for is done right after a look, under a lock of this process: deletes, and that
no name is a file and a folder. A write of another process between the two is not seen.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from storage_app import hashes
from storage_app.hashes import HashKind
from storage_app.providers import checks, errors
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.object.bodies import Body
from storage_app.providers.object.bucket import Bucket, Found
from storage_app.providers.object.surroundings import Surroundings, bounded
from storage_app.providers.types import FileChange, FileDelete, FileWrite

if TYPE_CHECKING:
    from obstore import PutMode

MOST_LOST_RACES: Final = 20
_LOST: Final = (StorageErrorCode.ALREADY_EXISTS, StorageErrorCode.CONFLICT)
_UNKNOWN: Final = (StorageErrorCode.NETWORK_ERROR, *_LOST)


class Writer:
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def apply(self, changes: Sequence[FileChange], bodies: Mapping[str, Body], commit: str) -> list[str]:
        """The paths that changed, in the order given. `bodies` are of the writes, by path."""
        async with self._locked(change.path for change in changes):
            around = Surroundings(self._bucket, changes)
            await around.look()
            real = [change for change in changes if await self._to_do(change, bodies, around.found[change.path])]
            if real:
                around.refuse_what_is_in_the_way()
            return await self._done(real, bodies, around.found, commit)

    @asynccontextmanager
    async def _locked(self, changed: Iterable[str]) -> AsyncIterator[None]:
        """In one order, so that two batches never wait for each other."""
        locks = [self._locks.setdefault(path, asyncio.Lock()) for path in sorted(changed)]
        async with AsyncExitStack() as stack:
            for lock in locks:
                await stack.enter_async_context(lock)
            yield

    async def _to_do(self, change: FileChange, bodies: Mapping[str, Body], found: Found | None) -> bool:
        """Whether the change changes anything; raises where it may not be."""
        body = bodies.get(change.path)
        other_size = found is not None and body is not None and found.size != body.size
        known: dict[HashKind, str] = {}
        if found and (change.expected_sha is not None or (body and not other_size)):
            kinds = {HashKind.SHA256, hashes.kind_of(change.expected_sha or "") or HashKind.SHA256}
            known = {kind: await self._bucket.hash_of(found, kind) for kind in kinds}
        return checks.settle(
            change,
            body.sha if body else "",
            HashKind.SHA256,
            known.__getitem__ if found else None,
            other_size=other_size,
        )

    async def _done(
        self, changes: Sequence[FileChange], bodies: Mapping[str, Body], found: Mapping[str, Found | None], commit: str
    ) -> list[str]:
        """Deletes come last: where it breaks off, what was moved is there twice rather than nowhere."""
        writes = [change for change in changes if isinstance(change, FileWrite)]
        deletes = [change.path for change in changes if isinstance(change, FileDelete)]
        results = await bounded(
            [self._write(change, bodies[change.path], found[change.path], commit) for change in writes]
        )
        done = {change.path for change, result in zip(writes, results, strict=True) if result is True}
        failed = next((result for result in results if isinstance(result, BaseException)), None)
        if failed is None and deletes:
            try:
                await self._bucket.delete(deletes)
                done.update(deletes)
            except StorageError as error:
                failed = error
        if failed is not None:
            raise _with_paths(failed, [change.path for change in changes if change.path in done], len(changes))
        return [change.path for change in changes if change.path in done]

    async def _write(self, change: FileWrite, body: Body, found: Found | None, commit: str) -> bool:
        """Whether it was written: somebody may have written the same meanwhile."""
        for _ in range(MOST_LOST_RACES):
            try:
                await self._bucket.put(change.path, body, commit, _mode(change, found))
            except StorageError as error:
                if error.code not in _UNKNOWN:
                    raise
                # The answer to the first try may be lost, and the client's second find what that one wrote.
                found = await self._looked_again(change.path, error)
                if found and found.commit == commit:
                    return True
                if error.code not in _LOST:
                    raise
                if not await self._to_do(change, {change.path: body}, found):
                    return False
            else:
                return True
        raise errors.conflict(change.path, change.expected_sha, found.sha if found else None)

    async def _looked_again(self, path: str, failed: StorageError) -> Found | None:
        try:
            return await self._bucket.find(path)
        except StorageError as error:
            raise failed from error


def _mode(change: FileWrite, found: Found | None) -> "PutMode":
    if change.expected_sha is not None and found:
        return found.state  # type: ignore[return-value] # a TypedDict without the keys that are None
    return "overwrite" if change.overwrite else "create"


def _with_paths(failed: BaseException, done: list[str], changes: int) -> BaseException:
    if isinstance(failed, StorageError) and changes > 1:
        failed.details["paths"] = done
    return failed
