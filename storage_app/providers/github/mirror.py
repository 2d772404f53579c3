"""What we know of the branch: its head, which grows old, and trees and blobs, which never do."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from storage_app import hashes
from storage_app.providers.errors import StorageErrorCode
from storage_app.providers.github import api as github
from storage_app.providers.github import lookups, refusals, tree, trees
from storage_app.providers.github.api import GitHubApi
from storage_app.providers.github.caches import Cache
from storage_app.providers.github.heads import Head
from storage_app.providers.github.lookups import Found, State
from storage_app.providers.github.refusals import GitHubError, Kind
from storage_app.providers.github.tree import Folder

T = TypeVar("T")

BLOB_BYTES: Final = 128 * 1024 * 1024
TREE_ENTRIES: Final = 500_000
MOST_TREES: Final = 20
MOST_LOOKED_UP: Final = 10_000
MOST_LINKS: Final = 200


@dataclass(frozen=True)
class View:
    """Some paths of one commit, or all of them where `root` is there. The commit is "" in an empty repository."""

    commit: str
    root: Folder | None = None
    found: Mapping[str, Found] = field(default_factory=dict)

    def knows(self, path: str) -> bool:
        return self.root is not None or path in self.found

    def at(self, path: str) -> Found:
        if self.root is None:
            return self.found[path]
        there = self.root.find(path)
        return "folder" if isinstance(there, Folder) else there


class Mirror:
    def __init__(self, api: GitHubApi, branch: str, cache_ttl: float, cache_maxsize: int) -> None:
        self.api, self.branch, self.ttl = api, branch, cache_ttl
        self.head = Head(api.clock)
        self.blobs: Cache[str, bytes] = Cache(cache_maxsize, BLOB_BYTES, len)
        self.trees: Cache[str, Folder] = Cache(MOST_TREES, TREE_ENTRIES, lambda root: root.count + 1)
        self.links: dict[str, str] = {}  # where symbolic links lead, by the hash of their text
        self._looked_up = View("")
        self._asking = asyncio.Lock()
        self._asked = self._answered = 0

    async def current(self, max_age: float) -> str | None:
        """The head, asked for where what we know is older; None where nothing is known to ask about."""
        if self.head.commit is None or (max_age > 0 and self.head.is_younger_than(max_age)):
            return self.head.commit
        before = self._asked
        async with self._asking:
            # Callers that waited for one another share an answer that was asked for after they came.
            if self._answered <= before:
                await self._ask()
            return self.head.commit

    async def probe(self) -> str:
        """The head, asked for now, whatever is known."""
        async with self._asking:
            await self._ask()
        return self.head.commit or ""

    async def whole(self, max_age: float) -> View:
        """The head with its whole tree."""
        commit = await self.current(max_age)
        if commit is None:
            async with self._asking:
                if self.head.commit is None:
                    await self._ask_with_tree()
            commit = self.head.commit or ""
        return View(commit, await self.tree_of(commit))

    async def tree_of(self, commit: str) -> Folder:
        if not commit:
            return Folder()
        root = self.trees.get(commit)
        if root is None:
            root = await self._loading(trees.of_commit(self.api, commit, may_lag=self.head.is_own(commit)))
            self.trees.put(commit, root)
        return root

    async def some(self, paths: Sequence[str], max_age: float, *, with_text: bool = False) -> View:
        """The head, and what is at these paths: out of what is known, or all in one request."""
        if self.head.commit is not None and (self._knows(self.head.commit, paths) or not self.head.commit):
            commit = await self.current(max_age) or ""
            if not commit or self._knows(commit, paths):
                return self._view(commit)
        if not await self.api.has_token():
            return await self.whole(max_age)  # GraphQL knows no anonymous callers
        view, _ = await self.look(paths, with_text=with_text)
        return view

    async def look(self, paths: Sequence[str], *, with_text: bool = False) -> tuple[View, State]:
        """Asks GitHub, whatever is known. A replica that lags behind our own commits is given time."""
        delays = list(trees.LAG_DELAYS)
        while True:
            asked_at = self.api.clock.monotonic()
            state = await self._loading(lookups.state(self.api, self.branch, paths, with_text=with_text))
            for sha, content in state.texts.items():
                self.blobs.put(sha, content)
            if self.head.heard(state.commit, asked_at):
                self._keep(state.commit, state.found)
                return View(state.commit, self.trees.get(state.commit), state.found), state
            if self.head.commit and self._knows(self.head.commit, paths):
                return self._view(self.head.commit), state
            if not delays:
                message = "GitHub does not know yet what was just written."
                raise GitHubError(StorageErrorCode.CONFLICT, message, None, {"reason": "replica_lag"}, retryable=True)
            await self.api.clock.sleep(delays.pop(0))

    async def blob(self, sha: str, path: str) -> bytes:
        content = self.blobs.get(sha)
        if content is None:
            content = await self._blob(sha, path)
            self.blobs.put(sha, content)
        return content

    async def follow_links(self, root: Folder) -> None:
        """Learns where the links lead, so that they can be followed without asking; each is asked for once."""
        wanted = {entry.sha for _, entry in root.walk() if entry.mode == tree.SYMLINK and entry.sha not in self.links}
        for sha in sorted(wanted)[:MOST_LINKS]:
            self.links[sha] = (await self._blob(sha, "")).decode("utf-8", "replace")

    def made(self, commit: str, parent: str, root: Folder | None, found: Mapping[str, Found]) -> None:
        """A commit of our own; what is known of it without asking."""
        if root is not None:
            self.trees.put(commit, root)
        self._looked_up = View(commit, None, dict(found))
        self.head.made(commit, parent)

    def forget(self, prefix: str) -> None:
        """The next call asks for the head; content below the prefix is fetched anew."""
        self.head.forget()
        root = self.trees.get(self.head.commit or "")
        if not prefix or root is None:
            self.blobs.clear()
            self.trees.clear()
            self._looked_up = View("")
            return
        for path, entry in root.walk():
            if path.startswith(prefix):
                self.blobs.drop(entry.sha)

    def looked_up(self, commit: str) -> Mapping[str, Found]:
        return self._looked_up.found if self._looked_up.commit == commit else {}

    async def _ask(self) -> None:
        self._asked += 1
        number, asked_at = self._asked, self.api.clock.monotonic()
        try:
            commit = await self._loading(trees.head(self.api, self.branch, self.head.commit))
        except GitHubError as error:
            if error.kind is not Kind.EMPTY:
                raise
            commit = ""
        self.head.heard(commit, asked_at)
        self._answered = number

    async def _ask_with_tree(self) -> None:
        asked_at = self.api.clock.monotonic()
        try:
            commit, root = await self._loading(trees.of_branch(self.api, self.branch))
        except GitHubError as error:
            if error.kind is not Kind.EMPTY:
                raise
            commit, root = "", None
        if commit is None:
            await self._ask()
            return
        if root is not None:
            self.trees.put(commit, root)
        self.head.heard(commit, asked_at)

    async def _blob(self, sha: str, path: str) -> bytes:
        delays = list(trees.LAG_DELAYS) if self.head.is_own(self.head.commit or "") else []
        while True:
            try:
                loading = self.api.rest("GET", f"/git/blobs/{sha}", accept=github.RAW, path=path)
                content = (await self._loading(loading)).content
                break
            except GitHubError as error:
                if error.code is not StorageErrorCode.NOT_FOUND or not delays:
                    raise
                await self.api.clock.sleep(delays.pop(0))
        if hashes.git_hash(content) != f"git:{sha}":
            raise refusals.not_understood(path)
        return content

    async def _loading(self, request: Awaitable[T]) -> T:
        """What is asked for here is there, unless the repository or the branch is not: no missing file."""
        try:
            return await request
        except GitHubError as error:
            if error.code is StorageErrorCode.NOT_FOUND and error.kind is not Kind.EMPTY:
                error.details.setdefault("reason", "repository_missing")
            raise

    def _knows(self, commit: str, paths: Sequence[str]) -> bool:
        found = self.looked_up(commit)
        return commit in self.trees or all(path in found for path in paths)

    def _view(self, commit: str) -> View:
        root = Folder() if not commit else self.trees.get(commit)
        return View(commit, root, self.looked_up(commit))

    def _keep(self, commit: str, found: Mapping[str, Found]) -> None:
        kept = {**self.looked_up(commit), **found}
        self._looked_up = View(commit, None, kept if len(kept) <= MOST_LOOKED_UP else dict(found))
