"""Files in a GitHub repository: each write one commit, each read from one commit."""

import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from storage_app import paths
from storage_app.hashes import HashKind
from storage_app.providers import errors
from storage_app.providers.base import StorageProvider
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.github import lookups, options, tree, versions
from storage_app.providers.github.api import GitHubApi
from storage_app.providers.github.clock import Clock
from storage_app.providers.github.endpoints import Endpoints
from storage_app.providers.github.mirror import Mirror
from storage_app.providers.github.plans import Job
from storage_app.providers.github.snapshots import GitHubSnapshot
from storage_app.providers.github.tokens import AppToken, FileToken, StaticToken, TokenSource
from storage_app.providers.github.tree import Entry
from storage_app.providers.github.writing import Outcome, Writer
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

LARGEST_FILE: Final = 100 * 1024 * 1024  # GitHub's own limit


class GitHubStorageProvider(StorageProvider):
    """`cache_ttl` is how old the known head of the branch may be (0: always asked); all else is kept by its hash, and
    `cache_maxsize` is the number of contents kept. Existence and listings always ask, which is free when nothing moved.

    One of `token`, `token_file` and the three options of an App's installation, or none of them.
    """

    provider_name = "github"
    hash_kind = HashKind.GIT
    remembers_batches = True

    def __init__(
        self,
        repository: str,
        base_path: str = "",
        branch: str = "main",
        token: str | None = None,
        cache_ttl: float = 300,
        cache_maxsize: int = 1000,
        timeout: float = 30.0,
        api_url: str | None = None,
        *,
        token_file: str | Path | None = None,
        app_id: str | None = None,
        app_private_key: str | None = None,
        installation_id: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        clock = clock or Clock()
        endpoints = Endpoints.of(api_url, repository)
        base = paths.normalised_folder(base_path)
        self._prefix = f"{base}/" if base else ""
        app = (app_id, app_private_key, installation_id)
        tokens = _token_source(token, token_file, app, endpoints, clock)
        self._api = GitHubApi(endpoints, tokens, clock, timeout, transport)
        self._mirror = Mirror(self._api, branch, cache_ttl, cache_maxsize)
        self._writer = Writer(self._api, self._mirror)

    @property
    def capabilities(self) -> StorageCapability:
        return (
            StorageCapability.ATOMIC_BATCH_WRITE
            | StorageCapability.VERSIONING
            | StorageCapability.CONTENT_HASH_NATIVE
            | StorageCapability.RATE_LIMITED
            | StorageCapability.SUPPORTS_GLOB
        )

    async def read_file_if_exists(self, path: str) -> StorageFile | None:
        try:
            return await self.read_file(path)
        except StorageError as error:
            if error.is_absence:
                return None
            raise

    async def file_exists(self, path: str) -> bool:
        path = self._path(path)
        return (await self._snapshot(0)).file_exists(path)

    async def read_files(self, wanted: Sequence[str]) -> dict[str, StorageFile]:
        """Many files of one commit in few requests; those that are not there are left out."""
        normalised = [self._path(path) for path in wanted]
        full = [self._prefix + path for path in normalised]
        if all(path in self._mirror.looked_up(self._mirror.head.commit or "") for path in full):
            await self._mirror.some(full, self._mirror.ttl)
        else:
            await self._mirror.some(full, self._mirror.ttl, with_text=True)
        found = {}
        for path in normalised:
            file = await self.read_file_if_exists(path)
            if file is not None:
                found[path] = file
        return found

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[GitHubSnapshot]:
        """The head as it is now, to read from it as often as needed."""
        self._check_open()
        yield await self._snapshot(0)

    def invalidate_cache(self, prefix: str = "") -> None:
        """The next call asks GitHub where the branch is; content below the prefix is fetched anew."""
        self._mirror.forget(self._prefix + prefix if prefix else "")

    def refresh(self) -> None:
        self._mirror.head.forget()

    def statistics(self) -> dict[str, Any]:
        """Requests, cache hits and limits, for people and metrics."""
        blobs, requests = self._mirror.blobs, self._api.requests
        return {
            "requests": {"counted": requests["counted"], "free": requests["free"]},
            "cache": {"hits": blobs.hits, "misses": blobs.misses, "contents": len(blobs)},
            "rate_limits": self._api.limits.state(),
        }

    async def apply_batch_once(
        self, changes: Sequence[FileChange], message: str, *, batch_id: str, since: datetime
    ) -> StorageCommit:
        """As `apply_batch`, told twice or by two processes and done once.

        The id stands in the commit, so that whoever finds a batch begun and not ended can say it again; `since` is when
        it was first begun: no earlier commit is looked at.
        """
        self._check_open()
        if not _BATCH_ID.fullmatch(batch_id):
            raise ValueError("a batch id has 1 to 64 letters, digits and dashes")
        checked = [self._change(change) for change in changes]
        twice = [path for path, times in Counter(change.path for change in checked).items() if times > 1]
        if twice:
            raise errors.invalid_path(twice[0], "is named twice in one batch")
        if not checked:
            return self._no_commit(message)
        outcome = await self._writer.write_once(self._job(checked, message, batch_id), since)
        return self._commit(outcome, message)

    async def inspect(self) -> dict[str, Any]:
        """What the token may do here: two requests, so only on demand."""
        self._check_open()
        repository = (await self._api.rest("GET", "")).json()
        branch = (await self._api.rest("GET", f"/branches/{self._mirror.branch}")).json()
        can_push = bool((repository.get("permissions") or {}).get("push"))
        return {
            "can_push": can_push and not repository.get("archived"),
            "private": repository.get("private"),
            "protected": bool(branch.get("protected")),
            "token_expires": self._api.token_expires,
            "clock_skew_seconds": self._api.limits.skew,
        }

    async def _read(self, path: str) -> StorageFile:
        full = self._prefix + path
        view = await self._mirror.some([full], self._mirror.ttl, with_text=True)
        found = view.at(full)
        if isinstance(found, Entry) and found.is_file:
            return StorageFile.of(path, await self._mirror.blob(found.sha, path), f"git:{found.sha}")
        if isinstance(found, Entry) and found.mode == tree.SYMLINK:
            return await (await self._snapshot(self._mirror.ttl)).read_file(path)
        raise errors.not_found(path)

    async def _info(self, path: str) -> StorageFileInfo:
        return (await self._snapshot(self._mirror.ttl)).get_file_info(path)

    async def _list(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        return (await self._snapshot(0)).list_files(folder, recursive=recursive)

    async def _apply(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        outcome = await self._writer.write(self._job(changes, message, str(uuid.uuid4())))
        return self._commit(outcome, message)

    def _job(self, changes: Sequence[FileChange], message: str, batch_id: str) -> Job:
        for change in changes:
            if isinstance(change, FileWrite) and len(change.content) > LARGEST_FILE:
                text = f"The file is larger than {LARGEST_FILE} bytes, the most GitHub takes."
                raise StorageError(StorageErrorCode.CONTENT_TOO_LARGE, text, change.path, {"limit": LARGEST_FILE})
        return Job.of(changes, message, batch_id, self._prefix)

    def _commit(self, outcome: Outcome | None, message: str) -> StorageCommit:
        if outcome is None:
            return self._no_commit(message)
        made = outcome.made
        return StorageCommit(made.commit, message, made.author, made.timestamp, outcome.paths)

    async def _versions(self, path: str, limit: int) -> list[StorageVersion]:
        full = self._prefix + path
        commit = (await self._mirror.some([full], self._mirror.ttl)).commit
        return await versions.of_file(self._mirror, commit, full, path, limit) if commit else []

    async def _read_version(self, path: str, version: str) -> StorageFile:
        if not _COMMIT.fullmatch(version):
            raise errors.not_found(path)
        found = await lookups.at_commit(self._api, version, self._prefix + path)
        if not isinstance(found, Entry) or not found.is_file:
            raise errors.not_found(path)
        return StorageFile.of(path, await self._mirror.blob(found.sha, path), f"git:{found.sha}")

    async def _health(self) -> StorageHealth:
        """One request, free when nothing moved."""
        head = await self._mirror.current(0)
        if head is None:
            head = await self._mirror.probe()
        details = {"head": head, "token_expires": self._api.token_expires, **self.statistics()}
        return StorageHealth(True, details=details)

    async def _close(self) -> None:
        await self._api.close()

    async def _snapshot(self, max_age: float) -> GitHubSnapshot:
        view = await self._mirror.whole(max_age)
        assert view.root is not None
        await self._mirror.follow_links(view.root)
        return GitHubSnapshot(self._mirror, view, self._prefix)

    def _no_commit(self, message: str) -> StorageCommit:
        return StorageCommit("", message, "", datetime.now(UTC), [])


def _token_source(
    token: str | None,
    token_file: str | Path | None,
    app: tuple[str | None, str | None, str | None],
    endpoints: Endpoints,
    clock: Clock,
) -> TokenSource:
    options.check_token({"token": token, "token_file": token_file, **dict(zip(options.APP, app, strict=True))})
    if token_file is not None:
        return FileToken(Path(token_file))
    app_id, private_key, installation_id = app
    if app_id and private_key and installation_id:
        return AppToken(app_id, private_key, installation_id, endpoints.rest, endpoints.name, clock)
    return StaticToken(token)


_COMMIT: Final = re.compile("[0-9a-f]{40}")
_BATCH_ID: Final = re.compile("[0-9A-Za-z-]{1,64}")
