"""Requests to GitHub by operation, counted by the double, and how long they take with a given latency."""

import asyncio
import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from storage_app.providers.github import GitHubStorageProvider
from tests.github_double import GitHubDouble
from tests.github_double.transport import DoubleTransport

Call = Callable[[GitHubStorageProvider], Awaitable[Any]]

FILES: Final = [(f"notes/{number}.md", b"Note %d\n" % number) for number in range(100)]
PATHS: Final = [path for path, _ in FILES]
CHANGED: Final = [(path, content + b"more\n") for path, content in FILES]
# What is done first to be warm, and what is counted.
OPERATIONS: Final[dict[str, tuple[Call | None, Call]]] = {
    "read a file, cold": (None, lambda p: p.read_file(PATHS[0])),
    "read it again": (lambda p: p.read_file(PATHS[0]), lambda p: p.read_file(PATHS[0])),
    "read 100 files, cold": (None, lambda p: p.read_files(PATHS)),
    "read 100 files again": (lambda p: p.read_files(PATHS), lambda p: p.read_files(PATHS)),
    "info, cold": (None, lambda p: p.get_file_info(PATHS[0])),
    "info of another": (lambda p: p.get_file_info(PATHS[0]), lambda p: p.get_file_info(PATHS[1])),
    "list recursively, cold": (None, lambda p: p.list_files(recursive=True)),
    "list recursively again": (lambda p: p.list_files(), lambda p: p.list_files(recursive=True)),
    "glob after it": (lambda p: p.list_files(), lambda p: p.list_files_glob("**/1*.md")),
    "exists after it": (lambda p: p.list_files(), lambda p: p.file_exists(PATHS[0])),
    "create a file, cold": (None, lambda p: p.write_file("new", b"x", "m", overwrite=False)),
    "change a file, cold": (None, lambda p: p.write_file(PATHS[0], b"x", "m")),
    "change a file, warm": (lambda p: p.list_files(), lambda p: p.write_file(PATHS[0], b"x", "m")),
    "write 100 files, cold": (None, lambda p: p.write_files_batch(CHANGED, "m")),
    "write 100 files, warm": (lambda p: p.list_files(), lambda p: p.write_files_batch(CHANGED, "m")),
    "write 100 files unchanged": (lambda p: p.list_files(), lambda p: p.write_files_batch(FILES, "m")),
    "write 10 files, cold": (None, lambda p: p.write_files_batch(CHANGED[:10], "m")),
    "delete 100 files, warm": (lambda p: p.list_files(), lambda p: p.delete_files_batch(PATHS, "m")),
    "health, cold": (None, lambda p: p.health_check()),
    "health again": (lambda p: p.health_check(), lambda p: p.health_check()),
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that each answer takes (default 0.1)")


def run(latency: float) -> Iterator[str]:
    yield f"{'operation':28} counted  free    time at {latency * 1000:.0f} ms a request"
    for name, (before, operation) in OPERATIONS.items():
        counted, free, seconds = asyncio.run(_measure(before, operation, latency))
        yield f"{name:28} {counted:7} {free:5} {seconds * 1000:9.1f} ms"
    yield f"cached read, median of 1,000: {asyncio.run(_cached_read()) * 1000:.3f} ms"


async def _measure(before: Call | None, operation: Call, latency: float) -> tuple[int, int, float]:
    with tempfile.TemporaryDirectory() as folder:
        double = _double(folder)
        async with _provider(double) as provider:
            if before:
                await before(provider)
            double.latency = latency
            with double.counting() as count:
                start = time.perf_counter()
                await operation(provider)
                seconds = time.perf_counter() - start
        double.close()
    return count.counted, count.free, seconds


async def _cached_read() -> float:
    with tempfile.TemporaryDirectory() as folder:
        double = _double(folder)
        async with _provider(double) as provider:
            await provider.read_file(PATHS[0])
            times = []
            for _ in range(1000):
                start = time.perf_counter()
                await provider.read_file(PATHS[0])
                times.append(time.perf_counter() - start)
        double.close()
    return statistics.median(times)


def _double(folder: str) -> GitHubDouble:
    double = GitHubDouble(Path(folder) / "repository.git")
    double.commit(dict(FILES), "The start")
    return double


def _provider(double: GitHubDouble) -> GitHubStorageProvider:
    return GitHubStorageProvider("acme/files", token=double.TOKEN, transport=DoubleTransport(double))
