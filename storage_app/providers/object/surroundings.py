"""What lies at, above and below the paths of a batch, in as few questions as tell it.

Of a folder in which a batch names several files one page of its listing may tell all. A file that this process knows
nothing of is likely a new one: what is above and below it is asked together with the file itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from storage_app import paths
from storage_app.providers import checks
from storage_app.providers.errors import StorageError
from storage_app.providers.object.bucket import Bucket, Found
from storage_app.providers.types import FileChange, FileDelete, FileWrite

T = TypeVar("T")
U = TypeVar("U")

AT_ONCE: Final = 16  # requests of one batch
LISTED_FROM: Final = 4  # files of one folder
MOST_LISTED: Final = 1000  # what one answer of S3 holds

Folders = Mapping[str, Mapping[str, Found]]  # a folder, and everything below it


class Surroundings:
    def __init__(self, bucket: Bucket, changes: Sequence[FileChange]) -> None:
        self._bucket, self._changes = bucket, changes
        self._deleted = {change.path for change in changes if isinstance(change, FileDelete)}
        self.found: dict[str, Found | None] = {}
        self._above: dict[str, Found | None] = {}
        self._below: dict[str, list[str]] = {}

    async def look(self) -> None:
        """What is at each path; of those that are likely new also what would be in the way."""
        await self._bucket.be_sure()
        folders = await self._whole_folders()
        told = {change.path: _told(change, folders) for change in self._changes}
        self.found = {path: found for path, (is_told, found) in told.items() if is_told}
        asked = [path for path in told if path not in self.found]
        likely_new = [path for path in asked if path not in self._deleted and not self._bucket.knows(path)]
        found, _ = await asyncio.gather(by_path(self._bucket.find, asked), self._look_around(likely_new, folders))
        self.found |= found
        await self._look_around(self._new(), folders)

    def refuse_what_is_in_the_way(self) -> None:
        """By the rule that is kept here, what is there already has nothing above it or below."""
        new = set(self._new())
        checks.refuse_what_is_in_the_way(
            [change for change in self._changes if isinstance(change, FileDelete) or change.path in new],
            lambda folder: bool(self.found.get(folder) or self._above.get(folder)),
            lambda path: self._below.get(path, []),
        )

    def _new(self) -> list[str]:
        writes = (change.path for change in self._changes if isinstance(change, FileWrite))
        return [path for path in writes if self.found[path] is None]

    async def _whole_folders(self) -> Folders:
        counts: dict[str, int] = {}
        for change in self._changes:
            if folder := change.path.rpartition("/")[0]:
                counts[folder] = counts.get(folder, 0) + 1
        many = [folder for folder, number in counts.items() if number >= LISTED_FROM]
        listed = await by_path(self._all_below, many)
        return {folder: found for folder, found in listed.items() if found is not None}

    async def _all_below(self, folder: str) -> Mapping[str, Found] | None:
        """None where there is too much for one page, or a name that cannot be listed."""
        found: dict[str, Found] = {}
        try:
            async for meta in self._bucket.below(folder):
                if len(found) == MOST_LISTED:
                    return None
                found[meta["path"]] = Found(meta["path"], meta, None, None)
        except StorageError as error:
            if error.reason == "unreadable_name":
                return None
            raise
        return found

    async def _look_around(self, new: Iterable[str], folders: Folders) -> None:
        new = [path for path in new if path not in self._below]
        for path in list(new):
            within = folders.get(path.rpartition("/")[0])
            if within is not None:
                self._below[path] = [name for name in within if name.startswith(f"{path}/")]
        named = {change.path for change in self._changes}
        above = {folder for path in new for folder in paths.parents(path)} - named - self._above.keys()
        asked = [path for path in new if path not in self._below]
        found, below = await asyncio.gather(by_path(self._bucket.find, sorted(above)), by_path(self._one_below, asked))
        self._above |= found
        self._below |= below

    async def _one_below(self, folder: str) -> list[str]:
        async for meta in self._bucket.below(folder):
            if meta["path"] not in self._deleted:
                return [meta["path"]]
        return []


def _told(change: FileChange, folders: Folders) -> tuple[bool, Found | None]:
    """What a listing says of the file where that is enough: it says no hash, and refusals rest on the file itself."""
    within = folders.get(change.path.rpartition("/")[0])
    if within is None or change.expected_sha is not None:
        return False, None
    found = within.get(change.path)
    is_enough = (found is None) is isinstance(change, FileWrite)
    return is_enough, found if is_enough else None


async def by_path(call: Callable[[str], Awaitable[T]], wanted: Iterable[str]) -> dict[str, T]:
    """What each path gives; the first error where there is one."""
    wanted = list(wanted)
    found: dict[str, T] = {}
    for path, result in zip(wanted, await bounded([call(path) for path in wanted]), strict=True):
        if isinstance(result, BaseException):
            raise result
        found[path] = result
    return found


async def bounded(calls: Sequence[Awaitable[U]]) -> list[U | BaseException]:
    """What each gave or raised; a few at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(call: Awaitable[U]) -> U:
        async with turn:
            return await call

    return await asyncio.gather(*(one(call) for call in calls), return_exceptions=True)
