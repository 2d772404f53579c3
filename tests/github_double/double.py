"""The double as a test holds it: an ASGI app with a repository, switches, and a count of what was asked."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.github_double import service
from tests.github_double.limits import Limits
from tests.github_double.messages import Answer, Asked
from tests.github_double.repository import EXECUTABLE, FILE, SUBMODULE, SYMLINK, GitRepository
from tests.github_double.service import Served
from tests.github_double.world import Token, World


class Count:
    """What was asked within a block."""

    def __init__(self) -> None:
        self.served: list[Served] = []

    @property
    def counted(self) -> int:
        return sum(each.counted for each in self.served)

    @property
    def free(self) -> int:
        return len(self.served) - self.counted

    @property
    def operations(self) -> Counter[str]:
        return Counter(f"{each.operation} {each.status}" for each in self.served)


class GitHubDouble:
    TOKEN = "ghp_valid"

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.repository = GitRepository(folder)
        self.world = World(self.repository, clock, Limits(clock), tokens={self.TOKEN: Token()})
        self.log: list[Served] = []
        self.violations: list[str] = []
        self.latency = 0.0
        self._lock = threading.Lock()

    def close(self) -> None:
        self.repository.close()

    @property
    def faults(self) -> Any:
        return self.world.faults

    @property
    def limits(self) -> Limits:
        return self.world.limits

    def head(self, branch: str = "main") -> str:
        head = self.repository.head(branch)
        assert head, "the branch is there"
        return head

    def files(self, branch: str = "main") -> dict[str, bytes]:
        return self.repository.files(branch)

    def messages(self, branch: str = "main") -> list[str]:
        """Of the whole history, the newest first, without what we add below."""
        shas = self.repository.history(self.head(branch))
        return [self.repository.commit(sha).message.decode().partition("\n\nBatch-Id:")[0] for sha in shas]

    def commit(
        self,
        files: Mapping[str, bytes | None],
        message: str = "From elsewhere",
        branch: str = "main",
        executable: bool = False,
    ) -> str:
        """A commit that somebody else makes: contents, or None for what goes."""
        mode = EXECUTABLE if executable else FILE
        written = {
            path: None if content is None else (mode, self.repository.write_blob(content))
            for path, content in files.items()
        }
        return self._commit(written, message, branch)

    def link(self, path: str, target: str, branch: str = "main") -> str:
        return self._commit({path: (SYMLINK, self.repository.write_blob(target.encode()))}, "A link", branch)

    def submodule(self, path: str, branch: str = "main") -> str:
        return self._commit({path: (SUBMODULE, "1" * 40)}, "A submodule", branch)

    @contextmanager
    def counting(self) -> Iterator[Count]:
        count, start = Count(), len(self.log)
        yield count
        count.served = self.log[start:]

    def answer(self, asked: Asked) -> tuple[Answer, float]:
        """The answer, and how long it takes to come."""
        with self._lock:
            answer = service.serve(self.world, asked, self.log, self.violations)
            fault = self.world.fault
            return answer, self.latency + (fault.delay if fault else 0.0)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "this server speaks HTTP only"
        asked = _asked(scope, await _body(receive))
        answer, seconds = self.answer(asked)
        if seconds:
            await asyncio.sleep(seconds)
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        content = answer.content
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _commit(self, changes: Mapping[str, tuple[int, str] | None], message: str, branch: str) -> str:
        head = self.repository.head(branch)
        tree = self.repository.write_tree(self.repository.tree_of(head) if head else None, changes)
        signature = self.world.signature()
        commit = self.repository.write_commit(tree, [head] if head else [], message, signature)
        self.repository.move(branch, commit)
        return commit


def _asked(scope: MutableMapping[str, Any], body: bytes) -> Asked:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    path = unquote(scope.get("raw_path", scope["path"].encode()).decode("ascii").partition("?")[0])
    return Asked(scope["method"], path, query, headers, body)


async def _body(receive: Any) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
