"""Requests to GitHub by operation, counted by the double, beside what the API allows at best."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from storage_app.providers.github import GitHubStorageProvider
from tests.github_double import GitHubDouble
from tests.github_double.transport import DoubleTransport

Call = Callable[[GitHubStorageProvider], Awaitable[Any]]

FILES: Final = [(f"notes/{number}.md", b"Note %d\n" % number) for number in range(100)]
PATHS: Final = [path for path, _ in FILES]
CHANGED: Final = [(path, content + b"more\n") for path, content in FILES]


class Operation(NamedTuple):
    """`best` is the number of counted requests that the API allows, `naive` what one endpoint after the other takes.
    `before` is done first to be warm.
    """

    name: str
    best: int
    naive: int
    call: Call
    before: Call | None = None


OPERATIONS: Final = (
    Operation("read a file, cold", 1, 1, lambda p: p.read_file(PATHS[0])),
    Operation("read it again", 0, 1, lambda p: p.read_file(PATHS[0]), lambda p: p.read_file(PATHS[0])),
    Operation("read 100 files, cold", 3, 100, lambda p: p.read_files(PATHS)),
    Operation("read 100 files again", 0, 100, lambda p: p.read_files(PATHS), lambda p: p.read_files(PATHS)),
    Operation("info, cold", 2, 1, lambda p: p.get_file_info(PATHS[0])),
    Operation("info of another", 0, 1, lambda p: p.get_file_info(PATHS[1]), lambda p: p.get_file_info(PATHS[0])),
    Operation("list recursively, cold", 1, 2, lambda p: p.list_files(recursive=True)),
    Operation("list recursively again", 0, 2, lambda p: p.list_files(recursive=True), lambda p: p.list_files()),
    Operation("glob after it", 0, 2, lambda p: p.list_files_glob("**/1*.md"), lambda p: p.list_files()),
    Operation("exists after it", 0, 1, lambda p: p.file_exists(PATHS[0]), lambda p: p.list_files()),
    Operation("create a file, cold", 1, 2, lambda p: p.write_file("new", b"x", "m", overwrite=False)),
    Operation("change a file, cold", 2, 2, lambda p: p.write_file(PATHS[0], b"x", "m")),
    Operation("change a file, warm", 1, 2, lambda p: p.write_file(PATHS[0], b"x", "m"), lambda p: p.list_files()),
    Operation("write 100 files, cold", 2, 104, lambda p: p.write_files_batch(CHANGED, "m")),
    Operation("write 100, warm", 1, 104, lambda p: p.write_files_batch(CHANGED, "m"), lambda p: p.list_files()),
    Operation("write 100 unchanged", 0, 104, lambda p: p.write_files_batch(FILES, "m"), lambda p: p.list_files()),
    Operation("write 10 files, cold", 2, 14, lambda p: p.write_files_batch(CHANGED[:10], "m")),
    Operation("delete 100 files, warm", 1, 4, lambda p: p.delete_files_batch(PATHS, "m"), lambda p: p.list_files()),
    Operation("health, cold", 1, 1, lambda p: p.health_check()),
    Operation("health again", 0, 1, lambda p: p.health_check(), lambda p: p.health_check()),
)


def lines(latency: float) -> Iterator[str]:
    yield f"GitHub, counted requests at {latency * 1000:.0f} ms each"
    yield f"  {'operation':24} {'ours':>5} {'free':>5} {'best':>5} {'naive':>6} {'time':>10}"
    for operation in OPERATIONS:
        counted, free, seconds = asyncio.run(_measured(operation, latency))
        more = "" if counted <= operation.best else "  more than the best"
        yield (
            f"  {operation.name:24} {counted:5} {free:5} {operation.best:5} {operation.naive:6} "
            f"{seconds * 1000:7.1f} ms{more}"
        )
    yield f"  cached read: {asyncio.run(_cached_read()) * 1000:.3f} ms, median of 1,000"


async def _measured(operation: Operation, latency: float) -> tuple[int, int, float]:
    with tempfile.TemporaryDirectory() as folder:
        double = _double(folder)
        async with _provider(double) as provider:
            if operation.before:
                await operation.before(provider)
            double.latency = latency
            with double.counting() as count:
                start = time.perf_counter()
                await operation.call(provider)
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
