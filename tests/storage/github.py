"""GitHub for a test: the double, judged at the end, and providers on it whose clock never waits."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from storage_app.providers.github import Clock, GitHubStorageProvider
from tests.github_double import GitHubDouble
from tests.github_double.transport import DoubleTransport

REPOSITORY: Final = "acme/files"


class QuickClock(Clock):
    """Time passes when somebody sleeps, or when told to. `slept` is what was waited."""

    def __init__(self) -> None:
        self.time = time.time()
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def chance(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await super().sleep(0)

    def advance(self, seconds: float) -> None:
        self.time += seconds


@contextmanager
def github(folder: Path, clock: Clock | None = None) -> Iterator[GitHubDouble]:
    """At the end every answer was as GitHub describes it, every planned fault hit, and git finds nothing wrong."""
    clock = clock or QuickClock()
    double = GitHubDouble(folder / "repository.git", clock.now)
    try:
        yield double
        assert double.violations == []
        assert double.faults.unused() == []
        assert double.repository.problems() == []
    finally:
        double.close()


def provider_on(double: GitHubDouble, clock: Clock | None = None, **options: Any) -> GitHubStorageProvider:
    options.setdefault("token", double.TOKEN)
    options.setdefault("transport", DoubleTransport(double))
    return GitHubStorageProvider(REPOSITORY, clock=clock or QuickClock(), **options)
