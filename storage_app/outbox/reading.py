"""A storage as it will be: what is pending shines through reads, listings, globs and hashes. For sync code."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Final, TypeVar

from storage_app import file_storages, globs, paths
from storage_app.hashes import HashKind
from storage_app.outbox import leases, pending
from storage_app.outbox.tables import PendingAction, PendingChange
from storage_app.providers import errors
from storage_app.providers.base import StorageProvider
from storage_app.providers.errors import StorageError
from storage_app.providers.factory import Storages
from storage_app.providers.streams import BytesStream, StorageStream, span
from storage_app.providers.types import StorageCapability, StorageFile, StorageFileInfo, StorageVersion

T = TypeVar("T")
ASKED_AT_ONCE: Final = 8


class PendingView:
    """What a project has in a storage. Answers and errors are those of the provider, as if all had been sent."""

    def __init__(self, alias: str, project: str) -> None:
        self.alias, self.project = alias, project

    @property
    def capabilities(self) -> StorageCapability:
        return self._ask_storages(lambda storages: storages.for_project(self.alias, self.project).capabilities)

    @cached_property
    def hash_kind(self) -> HashKind:
        """Known while the storage is away too: what is pending is read back all the same."""
        return self._ask_storages(lambda storages: storages.hash_kind(self.alias))

    def read_file(self, path: str) -> StorageFile:
        path = _path(path)
        row = self._visible(path)
        if row is None:
            return self._ask(lambda provider: provider.read_file(path))
        return StorageFile.of(path, bytes(row.content or b""), self._sha(row), row.changed_at)

    def get_file_info(self, path: str) -> StorageFileInfo:
        path = _path(path)
        row = self._visible(path)
        if row is not None:
            return self._info(row)
        try:
            info = self._ask(lambda provider: provider.get_file_info(path))
        except StorageError as error:
            if error.is_absence and self._is_pending_folder(path):
                return StorageFileInfo(path, None, 0, is_directory=True)
            raise
        if info.is_directory and not self.list_files(path):
            raise errors.not_found(path)
        return info

    def get_file_infos(self, wanted: Sequence[str]) -> dict[str, StorageFileInfo | StorageError]:
        """Of many at once, several at the same time; where there is none, the error that says why."""
        rows = pending.all_visible(self.alias, self.project)
        found: dict[str, StorageFileInfo | StorageError] = {}
        for path in wanted:
            if (row := rows.get(path)) is not None:
                found[path] = errors.not_found(path) if row.action == PendingAction.DELETE else self._info(row)
        rest = [path for path in wanted if path not in found]
        return found | (self._ask(lambda provider: _infos(provider, rest)) if rest else {})

    def file_exists(self, path: str) -> bool:
        """Asks anew where the storage keeps what it knows for a while: more hangs on this than on a look."""
        path = _path(path)
        row = pending.visible(self.alias, self.project, path)
        if row is not None:
            return row.action == PendingAction.WRITE
        return self._ask(lambda provider: provider.file_exists(path))

    def get_file_hash(self, path: str) -> str:
        sha = self.get_file_info(path).sha
        if sha is None:
            raise errors.not_found(path)
        return sha

    def open_stream(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> StorageStream:
        """To be read by `file_storages.pieces_of`, or by `arun` piece by piece."""
        path = _path(path)
        row = self._visible(path) if version is None else None
        if row is None:
            return self._ask(lambda it: it.open_stream(path, start=start, length=length, version=version))
        return BytesStream(self._info(row), bytes(row.content or b""), *span(row.size, start, length))

    def list_files(self, path_prefix: str = "", *, recursive: bool = False) -> list[StorageFileInfo]:
        folder = _folder(path_prefix)
        rows = pending.all_visible(self.alias, self.project)
        found = self._ask(lambda provider: provider.list_files(folder, recursive=recursive))
        return self._overlaid(found, folder, rows, recursive) if rows else found

    def list_pending(self, path_prefix: str = "") -> list[StorageFileInfo]:
        """As `list_files` of what is pending alone, while the storage does not answer."""
        return self._overlaid([], _folder(path_prefix), pending.all_visible(self.alias, self.project), recursive=False)

    def list_files_glob(self, pattern: str) -> list[StorageFileInfo]:
        rows = pending.all_visible(self.alias, self.project)
        found = self._ask(lambda provider: provider.list_files_glob(pattern))
        if not rows:
            return found
        matcher = globs.Glob(pattern)
        matching = {path: row for path, row in rows.items() if matcher.matches(path)}
        return self._overlaid(found, "", matching, recursive=True)

    def list_versions(self, path: str, *, limit: int = 100) -> list[StorageVersion]:
        """Of the storage alone: what is pending is no version yet."""
        return self._ask(lambda provider: provider.list_versions(path, limit=limit))

    def read_version(self, path: str, version: str) -> StorageFile:
        return self._ask(lambda provider: provider.read_version(path, version))

    def _visible(self, path: str) -> PendingChange | None:
        """What is pending of the path; one that deletes it is as if nothing were there."""
        row = pending.visible(self.alias, self.project, path)
        if row is not None and row.action == PendingAction.DELETE:
            raise errors.not_found(path)
        return row

    def _is_pending_folder(self, path: str) -> bool:
        rows = pending.all_visible(self.alias, self.project)
        return any(row.action == PendingAction.WRITE and at.startswith(f"{path}/") for at, row in rows.items())

    def _overlaid(
        self, found: list[StorageFileInfo], folder: str, rows: dict[str, PendingChange], recursive: bool
    ) -> list[StorageFileInfo]:
        start = f"{folder}/" if folder else ""
        below = {path: row for path, row in rows.items() if path.startswith(start)}
        shown = {info.path: info for info in found if info.path not in below}
        deleted = [path for path, row in below.items() if row.action == PendingAction.DELETE]
        written = {path: row for path, row in below.items() if row.action == PendingAction.WRITE}
        if not recursive:
            for name in {_child(path, start) for path in deleted if "/" in path[len(start) :]}:
                if name in shown and not self.list_files(name, recursive=True):
                    del shown[name]
        for path, row in written.items():
            child = path if recursive else _child(path, start)
            shown[child] = self._info(row) if child == path else StorageFileInfo(child, None, 0, is_directory=True)
        return [shown[path] for path in sorted(shown)]

    def _info(self, row: PendingChange) -> StorageFileInfo:
        return StorageFileInfo(row.path, self._sha(row), row.size, False, row.changed_at)

    def _sha(self, row: PendingChange) -> str:
        return row.git if self.hash_kind is HashKind.GIT else row.sha256

    def _ask(self, call: Callable[[StorageProvider], Awaitable[T]]) -> T:
        # After what is pending was looked up: what is no longer pending by then was sent before.
        sent = leases.line(self.alias).sent

        def work(storages: Storages) -> Awaitable[T]:
            provider = storages.for_project(self.alias, self.project)
            if _seen.get(self.alias, 0) != sent:
                provider.refresh()
                _seen[self.alias] = sent
            return call(provider)

        return file_storages.run(work)

    def _ask_storages(self, look: Callable[[Storages], T]) -> T:
        async def work(storages: Storages) -> T:
            return look(storages)

        return file_storages.run(work)


# How often something had been sent when this process last looked; touched on the storages' loop alone.
_seen: Final[dict[str, int]] = {}


async def _infos(provider: StorageProvider, wanted: Sequence[str]) -> dict[str, StorageFileInfo | StorageError]:
    free = asyncio.Semaphore(ASKED_AT_ONCE)

    async def info(path: str) -> StorageFileInfo | StorageError:
        async with free:
            try:
                return await provider.get_file_info(path)
            except StorageError as error:
                return error

    return dict(zip(wanted, await asyncio.gather(*map(info, wanted)), strict=True))


def _child(path: str, start: str) -> str:
    return start + path[len(start) :].partition("/")[0]


def _path(path: str) -> str:
    try:
        return paths.normalised(path)
    except paths.InvalidPathError as error:
        raise errors.invalid_path(path, str(error)) from error


def _folder(path: str) -> str:
    try:
        return paths.normalised_folder(path)
    except paths.InvalidPathError as error:
        raise errors.invalid_path(path, str(error)) from error
