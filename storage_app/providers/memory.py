"""Files in this process's memory, for tests: the same clauses as every other provider, and a history besides."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from storage_app import hashes, paths
from storage_app.hashes import HashKind
from storage_app.providers import checks, errors
from storage_app.providers.base import StorageProvider
from storage_app.providers.types import (
    FileChange,
    FileWrite,
    StorageCapability,
    StorageCommit,
    StorageFile,
    StorageFileInfo,
    StorageHealth,
    StorageVersion,
)
from storage_app.ulids import new_ulid

AUTHOR: Final = "Holdfast"


class MemoryStorageProvider(StorageProvider):
    """Safe for threads, gone with the process."""

    provider_name = "memory"

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._kept = _Kept()

    @property
    def capabilities(self) -> StorageCapability:
        return (
            StorageCapability.ATOMIC_BATCH_WRITE
            | StorageCapability.VERSIONING
            | StorageCapability.CONTENT_HASH_NATIVE
            | StorageCapability.SUPPORTS_GLOB
        )

    async def _read(self, path: str) -> StorageFile:
        with self._lock:
            return self._kept.file(path)

    async def _info(self, path: str) -> StorageFileInfo:
        with self._lock:
            if path in self._kept.folders:
                return StorageFileInfo(path, None, 0, is_directory=True)
            return _info_of(self._kept.file(path))

    async def _list(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        start = f"{folder}/" if folder else ""
        with self._lock:
            if folder and folder not in self._kept.folders:
                return []
            below = [file for path, file in self._kept.files.items() if path.startswith(start)]
        if recursive:
            return [_info_of(file) for file in below]
        folders = {file.path[len(start) :].partition("/")[0] for file in below if "/" in file.path[len(start) :]}
        return [
            *(_info_of(file) for file in below if "/" not in file.path[len(start) :]),
            *(StorageFileInfo(start + name, None, 0, is_directory=True) for name in folders),
        ]

    async def _apply(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        hashed = [
            _Hashed(change, hashes.sha256_hash(change.content) if isinstance(change, FileWrite) else "")
            for change in changes
        ]
        with self._lock:
            real = [each for each in hashed if self._settle(each)]
            if not real:
                return self._no_commit(message)
            checks.refuse_what_is_in_the_way(changes, self._kept.files.__contains__, self._kept.below)
            commit = StorageCommit(new_ulid(), message, AUTHOR, datetime.now(UTC), [each.change.path for each in real])
            for change, sha in real:
                content = change.content if isinstance(change, FileWrite) else None
                self._kept.put(change.path, content, sha, commit)
            return commit

    def _settle(self, hashed: "_Hashed") -> bool:
        file = self._kept.files.get(hashed.change.path)
        actual = (lambda kind: hashes.compute(kind, file.content)) if file else None
        return checks.settle(hashed.change, hashed.sha, HashKind.SHA256, actual)

    async def _versions(self, path: str, limit: int) -> list[StorageVersion]:
        with self._lock:
            states = self._kept.history.get(path, [])[-limit:]
        return [
            StorageVersion(
                commit.sha, path, file.sha if file else None, commit.message, commit.author, commit.timestamp
            )
            for commit, file in reversed(states)
        ]

    async def _read_version(self, path: str, version: str) -> StorageFile:
        """Commits are ULIDs, so the state at a version is the last one that is not later."""
        with self._lock:
            if version not in self._kept.commits:
                raise errors.not_found(path)
            states = [file for commit, file in self._kept.history.get(path, []) if commit.sha <= version]
        if not states or states[-1] is None:
            raise errors.not_found(path)
        return states[-1]

    async def _health(self) -> StorageHealth:
        with self._lock:
            return StorageHealth(True, details={"files": len(self._kept.files)})

    def _no_commit(self, message: str) -> StorageCommit:
        return StorageCommit("", message, AUTHOR, datetime.now(UTC), [])


class _Hashed(NamedTuple):
    change: FileChange
    sha: str


@dataclass
class _Kept:
    """`folders` counts the files below each, so that a folder is there as long as one is."""

    files: dict[str, StorageFile] = field(default_factory=dict)
    folders: Counter[str] = field(default_factory=Counter)
    history: dict[str, list[tuple[StorageCommit, StorageFile | None]]] = field(default_factory=dict)
    commits: set[str] = field(default_factory=set)

    def file(self, path: str) -> StorageFile:
        if path not in self.files:
            raise errors.not_found(path)
        return self.files[path]

    def below(self, folder: str) -> list[str]:
        return [path for path in self.files if path.startswith(f"{folder}/")] if folder in self.folders else []

    def put(self, path: str, content: bytes | None, sha: str, commit: StorageCommit) -> None:
        """The content, or None for a delete."""
        difference = (content is not None) - (path in self.files)
        for folder in paths.parents(path):
            self.folders[folder] += difference
            if not self.folders[folder]:
                del self.folders[folder]
        file = None if content is None else StorageFile.of(path, content, sha, commit.timestamp)
        if file:
            self.files[path] = file
        else:
            del self.files[path]
        self.history.setdefault(path, []).append((commit, file))
        self.commits.add(commit.sha)


def _info_of(file: StorageFile) -> StorageFileInfo:
    return StorageFileInfo(file.path, file.sha, file.size, False, file.last_modified)
