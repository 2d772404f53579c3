"""Jobs over HTTP: each call against a trivial one of the same server, by 1, 8 and 64 workers at once, on each store.

A round measures all calls one after the other, each against its yardstick in the same round; ratios are medians with
the spread of the rounds, since the machine has moods.
"""

import concurrent.futures
import http.client
import json
import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.choices import at_least, numbers, some_of
from tests.durability import live_load
from tests.live_server import DATABASE_STORE, FILE_STORE, Installation, installed

STORES: Final = {"memory": {"HOLDFAST_RECORD_STORE": "memory"}, "file": FILE_STORE, "database": DATABASE_STORE}
SLUG: Final = "bench"
BATCH: Final = 1000
PAGES: Final = {
    "newest": "?limit=50",
    "oldest": "?order=created_at&limit=50",
    "by state": "?status=pending&limit=50",
    "by type": "?content_type=pdf&limit=50",
    "by tag": "?tag=t7&limit=50",
    "by words": "?q=report+777&limit=50",
}
Ask = Callable[["Line"], None]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--stores", type=some_of(STORES), default="file,database", help=f"of {', '.join(STORES)}")
    parser.add_argument("--workers", type=numbers, default="1,8,64", help="at once (1,8,64)")
    parser.add_argument("--rounds", type=at_least(1), default=5)
    parser.add_argument("--calls", type=at_least(1), default=200, help="of each kind in a round (200)")
    parser.add_argument(
        "--size", type=at_least(0), default=1000, help="jobs that are there already (1000; 1000000 takes long)"
    )
    parser.add_argument(
        "--polls", type=at_least(0), default=50, help="waiting claims whose answer is timed (50; 0 for none)"
    )


def run(
    *, stores: Sequence[str], workers: Sequence[int], rounds: int, calls: int, size: int, polls: int
) -> Iterator[str]:
    """Lines of the report."""
    for store in stores:
        with _installed(store) as installation:
            site = _Site(installation)
            yield f"{store}: {size:,} jobs made in {site.fill(size):.0f} s"
            for crowd in workers:
                yield from site.rates(crowd, rounds, calls)
            yield from site.pages(rounds)
            site.close()
        if polls and store != "memory":  # which is one process's own
            with _installed(store) as installation:
                found = live_load.long_poll_latencies(installation, rounds=polls)
                yield f"  waiting claim, job made by another server: {live_load.percentiles(found)}"


@contextmanager
def _installed(store: str) -> Iterator[Installation]:
    folder = tempfile.TemporaryDirectory(prefix="bench-jobs-")
    with folder as name, installed(Path(name) / "data", **STORES[store]) as one:
        yield one


class Line:
    """One connection of one worker, with the jobs in its hands."""

    def __init__(self, port: int, token: str, name: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.name = name
        self.held: list[tuple[str, str]] = []

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        self._connection.request(method, path, None if body is None else json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} was answered {answer.status}: {content[:300]!r}")
        return json.loads(content)

    def close(self) -> None:
        self._connection.close()


JOBS: Final = f"/api/v1/projects/{SLUG}/jobs"


def trivial(line: Line) -> None:
    line.ask("GET", "/healthz")


def me(line: Line) -> None:
    line.ask("GET", "/api/v1/me")


def create(line: Line) -> None:
    line.ask("POST", JOBS, {"name": "a job", "content_type": "none"})


def claim(line: Line) -> None:
    (job,) = line.ask("POST", f"{JOBS}/claim", {"worker_id": line.name, "content_types": ["work"]})["jobs"]
    line.held.append((job["id"], job["lease_token"]))


def heartbeat(line: Line) -> None:
    id, token = line.held[-1]
    line.ask("POST", f"{JOBS}/{id}/heartbeat", {"lease_token": token, "progress": 50})


def complete(line: Line) -> None:
    id, token = line.held.pop()
    line.ask("POST", f"{JOBS}/{id}/complete", {"lease_token": token, "result_data": {"pages": 3}})


# In this order each finds what it needs: claims fill the hands, completions empty them.
CALLS: Final[tuple[Ask, ...]] = (create, claim, heartbeat, complete)


class _Site:
    def __init__(self, installation: Installation) -> None:
        self._token = installation.project(SLUG)
        self._port = installation.serve().port
        self._line = Line(self._port, self._token, "chief")

    def close(self) -> None:
        self._line.close()

    def fill(self, size: int) -> float:
        began = time.perf_counter()
        for start in range(0, size, BATCH):
            self._make([_job(number) for number in range(start, min(start + BATCH, size))])
        return time.perf_counter() - began

    def rates(self, crowd: int, rounds: int, calls: int) -> Iterator[str]:
        lines = [Line(self._port, self._token, f"w{number}") for number in range(crowd)]
        each = max(calls // crowd, 2)
        seen: dict[str, list[float]] = {}
        for _ in range(rounds):
            for start in range(0, each * crowd, BATCH):
                todo = min(BATCH, each * crowd - start)
                self._make([{"name": "work", "content_type": "work", "priority": 100}] * todo)
            for asked in (trivial, me, *CALLS):
                seen.setdefault(asked.__name__, []).append(_rate(lines, asked, each))
        for line in lines:
            line.close()
        for name, rates in seen.items():
            rate = statistics.median(rates)
            yield f"  {crowd:>3} at once {name:<9} {rate:7,.0f}/s  {_ratios(rates, seen['trivial'])}"

    def pages(self, rounds: int) -> Iterator[str]:
        for name, query in {**PAGES, "deep": self._deep(), "one job": self._one()}.items():
            times = [self._timed(f"{JOBS}{query}") for _ in range(rounds * 10)]
            quick = [self._timed("/healthz") for _ in range(rounds * 10)]
            ranked = sorted(times)
            p95 = ranked[int(len(ranked) * 0.95)]
            ratio = statistics.median(times) / statistics.median(quick)
            median = statistics.median(times)
            yield f"  page {name:<9} median {median:6.1f} ms, p95 {p95:6.1f} ms, {ratio:5.1f} x trivial"

    def _timed(self, path: str) -> float:
        began = time.perf_counter()
        self._line.ask("GET", path)
        return (time.perf_counter() - began) * 1000

    def _deep(self) -> str:
        """In the middle of what is there, reached by a moment between the first and the last."""
        first = self._line.ask("GET", f"{JOBS}?order=created_at&limit=1")["items"][0]["created_at"]
        last = self._line.ask("GET", f"{JOBS}?limit=1")["items"][0]["created_at"]
        middle = _between(first, last)
        page = self._line.ask("GET", f"{JOBS}?created_before={middle}&limit=1")
        cursor = page["next_cursor"]
        return f"?created_before={middle}&limit=50" + (f"&cursor={cursor}" if cursor else "")

    def _one(self) -> str:
        return f"/{self._line.ask('GET', f'{JOBS}?order=created_at&limit=1')['items'][0]['id']}"

    def _make(self, new: list[dict[str, Any]]) -> None:
        if new:
            self._line.ask("POST", f"{JOBS}/batch", {"jobs": new})


def _rate(lines: list[Line], ask: Ask, each: int) -> float:
    def work(line: Line) -> None:
        for _ in range(each):
            ask(line)

    with concurrent.futures.ThreadPoolExecutor(len(lines)) as pool:
        began = time.perf_counter()
        list(pool.map(work, lines))
        return len(lines) * each / (time.perf_counter() - began)


def _ratios(rates: list[float], yardstick: list[float]) -> str:
    found = [rate / other for rate, other in zip(rates, yardstick, strict=True)]
    return f"{statistics.median(found):.2f} of trivial ({min(found):.2f} to {max(found):.2f})"


def _between(first: str, last: str) -> str:
    begin, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
    return (begin + (end - begin) / 2).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _job(number: int) -> dict[str, Any]:
    return {
        "name": f"report {number % 1000}",
        "content_type": ("pdf", "html", "text")[number % 3],
        "tags": [f"t{number % 100}"],
        "priority": -(number % 50),
        "source_file_path": f"in/{number}.bin",
    }
