"""Retrying tens of thousands of failed jobs as one operation, its runner killed half way, on each store.

How soon the call is answered, how progress shows, how long the whole takes with and without the kill, and how many
jobs were done twice or left out, by the story of each.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.choices import at_least, some_of
from tests.benchmarks.failed_jobs import SLUG
from tests.live_server import DATABASE_STORE, FILE_STORE, Installation, installed
from tests.project.servers import ROOT

STORES: Final = {"file": FILE_STORE, "database": DATABASE_STORE}
PATIENCE: Final = 1200.0  # seconds
LOOK_EVERY: Final = 0.25


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--stores", type=some_of(STORES), default="file,database", help=f"of {', '.join(STORES)}")
    parser.add_argument("--jobs", type=at_least(1), default=50_000, help="that failed (50,000)")
    parser.add_argument("--kills", type=at_least(0), default=1, help="of the runner, spread over the work (1)")


def run(*, stores: Sequence[str], jobs: int, kills: int) -> Iterator[str]:
    """Lines of the report; ends with an error where a job was done twice or left out."""
    for store in stores:
        with _installed(store) as installation:
            yield from _Operation(store, installation, jobs, kills).report()


@contextmanager
def _installed(store: str) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="bench-bulk-") as name, installed(Path(name), **STORES[store]) as one:
        yield one


class _Operation:
    def __init__(self, store: str, installation: Installation, jobs: int, kills: int) -> None:
        self._store, self._installation, self._jobs, self._kills = store, installation, jobs, kills
        token = installation.project(SLUG)
        self._make()
        self._api = installation.serve().api(token, SLUG)
        self._api.get("/jobs").raise_for_status()  # a server's very first answer takes longer than any other
        self._looks: list[float] = []

    def report(self) -> Iterator[str]:
        runner = self._runner()
        try:
            began = time.perf_counter()
            answer = self._api.post("/jobs/actions", json={"action": "retry", "filter": {"status": ["failed"]}})
            answered = time.perf_counter() - began
            assert answer.status_code == 202, answer.text
            id = str(answer.json()["operation_id"])
            yield f"{self._store}: {self._jobs:,} failed jobs, answered 202 in {answered * 1000:.0f} ms"
            for number in range(1, self._kills + 1):
                self._watch(id, self._jobs * number // (self._kills + 1))
                runner.kill()
                runner.wait()
                died = time.perf_counter()
                done = self._look(id)["done"]
                yield f"  runner killed at {died - began:.1f} s with {done:,} done"
                runner = self._runner()
                self._watch(id, done + 1)
                yield f"  the next one goes on {time.perf_counter() - died:.1f} s later"
            ended = self._watch(id, self._jobs)
            whole = time.perf_counter() - began
        finally:
            runner.kill()
            runner.wait()
        median, worst = statistics.median(self._looks), max(self._looks)
        yield f"  done in {whole:.1f} s, {self._jobs / whole:,.0f}/s; {len(self._looks)} looks at its progress"
        yield f"  a look takes {median * 1000:.0f} ms (median), {worst * 1000:.0f} ms at most"
        yield f"  the operation says: {ended['state']}, {ended['changed']:,} changed, {ended['refused']:,} refused"
        found = self._said("judge", id)
        yield f"  the jobs say: {', '.join(f'{number:,} {name}' for name, number in found.items())}"
        if not found["jobs"] == found["retried_once"] == found["items_of_different_jobs"] == found["items"]:
            raise SystemExit(f"{self._store}: not every job was retried just once")

    def _make(self) -> None:
        self._said("make", str(self._jobs))

    def _said(self, *arguments: str) -> dict[str, int]:
        command = [sys.executable, "-m", "tests.benchmarks.failed_jobs", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self._installation.environ, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, int] = json.loads(done.stdout)
        return found

    def _runner(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "project.consumer"]
        with (self._installation.data / "consumer.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self._installation.environ, stdout=log, stderr=log)

    def _watch(self, id: str, until: int) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            operation = self._look(id)
            if operation["done"] >= until and (until < self._jobs or operation["state"] == "done"):
                return operation
            assert time.monotonic() < deadline, f"the operation does not go on: {operation}"
            time.sleep(LOOK_EVERY)

    def _look(self, id: str) -> dict[str, Any]:
        began = time.perf_counter()
        operation: dict[str, Any] = self._api.get(f"/operations/{id}").raise_for_status().json()
        self._looks.append(time.perf_counter() - began)
        return operation
