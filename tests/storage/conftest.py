"""GitHub, its clock, and a provider on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage_app.providers.github import GitHubStorageProvider
from tests.github_double import GitHubDouble
from tests.storage import github
from tests.storage.github import QuickClock
from tests.storage.s3 import S3, s3_server


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def quick_clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def double(tmp_path: Path, quick_clock: QuickClock) -> Iterator[GitHubDouble]:
    """Holds one file, so that it is not empty."""
    with github.github(tmp_path, quick_clock) as double:
        double.commit({"README.md": b"# Files\n"}, "The start")
        yield double


@pytest.fixture
async def provider(
    anyio_backend: str, double: GitHubDouble, quick_clock: QuickClock
) -> AsyncIterator[GitHubStorageProvider]:
    async with github.provider_on(double, quick_clock) as provider:
        yield provider


@pytest.fixture
async def other(
    anyio_backend: str, double: GitHubDouble, quick_clock: QuickClock
) -> AsyncIterator[GitHubStorageProvider]:
    """Another process's: it shares nothing but the repository."""
    async with github.provider_on(double, quick_clock) as provider:
        yield provider
