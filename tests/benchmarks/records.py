"""Record stores against what the machine can do: ratios, interleaved, with medians and spread."""

import contextlib
import json
import multiprocessing
import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from storage_app.records import registry
from storage_app.records.base import RecordStore
from tests import databases
from tests.benchmarks import yardsticks
from tests.benchmarks.workload import JOBS, PROJECT, Workload

BACKENDS: Final = ("memory", "file", "sqlite", "postgresql")
Step = Callable[[], object]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--backends", default="file,sqlite,postgresql", help="of " + ", ".join(BACKENDS))
    parser.add_argument("--sizes", default="1000,10000", help="records waiting: 1000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured in turn (7)")
    parser.add_argument("--only", default="", help="operations, by the beginning of their names")
    parser.add_argument("--processes", type=int, default=4, help="for the claims of several at once (4; 0 for none)")
    parser.add_argument("--naive", action="store_true", help="with the naive form, which is slow at 100,000")
    parser.add_argument("--json", action="store_true", help="JSON lines")


def run(*, backends: str, sizes: str, rounds: int, only: str, processes: int, naive: bool, json: bool) -> Iterator[str]:
    """A line for each measure."""
    wanted = tuple(name for name in only.split(",") if name)
    for size in map(int, sizes.split(",")):
        with contextlib.ExitStack() as stack:
            place = _Place(stack, size, naive)
            for name in backends.split(","):
                yield from _backend(place, name, rounds, wanted, json)
                if processes and not wanted:
                    yield _shown(_several(place, name, processes), json)


@dataclass(frozen=True)
class Measure:
    """An operation and what it is measured by, `steps` of each in turn."""

    name: str
    ours: Step
    yardstick: str
    theirs: Step
    steps: int = 100
    per_step: int = 1  # records in one step of ours
    theirs_per_step: int = 1


@dataclass(frozen=True)
class Line:
    backend: str
    size: int
    name: str
    rate: float
    yardstick: str = ""
    ratio: float = 0.0
    low: float = 0.0
    high: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)


class _Place:
    """Where stores and yardsticks of one run stand; each made when first asked for."""

    def __init__(self, stack: contextlib.ExitStack, size: int, naive: bool) -> None:
        self.size = size
        self.with_naive = naive
        self._stack = stack
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-records-")))
        self._socket_folder = ""
        self._made: dict[str, Any] = {}

    def options(self, name: str) -> tuple[str, dict[str, Any]]:
        """The registry's name and the options of a backend."""
        if name == "file":
            return "file", {"root": str(self._folder / "records")}
        if name == "memory":
            return "memory", {}
        registry.register(name, "tests.databases:open_store")
        return name, {"settings": self.settings(name)}

    def settings(self, name: str) -> databases.Settings:
        if name not in self._made:
            if name == "sqlite":
                self._made[name] = databases.sqlite_settings(self._folder / "records.sqlite3")
            else:
                self._socket_folder = self._stack.enter_context(databases.postgresql_server())
                self._made[name] = databases.postgresql_settings(self._socket_folder)
            databases.make(self._made[name], [JOBS])
        return self._made[name]  # type: ignore[no-any-return]  # made above

    def file_replace(self) -> Any:
        return self._once("raw files", lambda: yardsticks.FileReplace(self._new_folder("raw")))

    def sqlite(self) -> Any:
        return self._once(
            "sqlite by hand", lambda: yardsticks.SQLiteByHand(self._folder / "byhand.sqlite3", min(self.size, 100_000))
        )

    def postgresql(self) -> Any:
        settings = self.settings("postgresql")
        return self._once("postgresql by hand", lambda: yardsticks.PostgreSQLByHand(settings, min(self.size, 100_000)))

    def naive(self) -> Any:
        return self._once("naive", lambda: yardsticks.Naive(self._folder / "naive", self.size))

    def _new_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            self._made[name] = made = make()
            if hasattr(made, "close"):
                self._stack.callback(made.close)
        return self._made[name]


def _backend(place: _Place, name: str, rounds: int, wanted: tuple[str, ...], as_json: bool) -> Iterator[str]:
    registered, options = place.options(name)
    with registry.open_store(registered, [JOBS], **options) as store:
        began = time.perf_counter()
        work = Workload(store, place.size)
        yield _shown(Line(name, place.size, "fill", place.size / (time.perf_counter() - began)), as_json)
        for measure in _measures(place, name, work):
            if not wanted or measure.name.startswith(wanted):
                if measure.name.startswith("claim"):
                    work.top_up(measure.steps * measure.per_step * (rounds + 1))
                yield _shown(_measured(measure, name, place.size, rounds), as_json)


def _measures(place: _Place, name: str, work: Workload) -> Iterator[Measure]:
    if name == "postgresql":
        hand: Any = place.postgresql()
        label, raw, raw_label = "FOR UPDATE SKIP LOCKED by hand", hand.commit, "one commit"
    elif name == "sqlite":
        hand = place.sqlite()
        label, raw, raw_label = "SQL by hand", hand.commit, "one commit"
    else:
        hand = place.sqlite()
        label, raw, raw_label = "SQLite by hand", place.file_replace().replace, "durable file replace"
    yield Measure("reindex", work.reindex, raw_label, raw, 1, place.size)  # first, while there are just so many
    yield Measure("create", work.create, raw_label, raw)
    yield Measure("create many", work.create_many, "our own create", work.create, 1, 1000)
    yield Measure("claim", work.claim, raw_label, raw)
    yield Measure("claim+complete", work.claim_and_complete, raw_label, raw)
    yield Measure("claim+complete by hand", work.claim_and_complete, label, _topped(hand, 1))
    yield Measure("claim+complete ten", work.claim_and_complete_ten, f"{label}, ten", _topped(hand, 10), 15, 10, 10)
    yield Measure("update", work.update, raw_label, raw)
    yield Measure("get", work.get, raw_label, raw)
    yield Measure("page", work.page, "a page by hand", hand.page, 30)
    yield Measure("deep page", work.deep_page, "our own page", work.page, 30)
    yield Measure("count", work.count, "a page by hand", hand.page)
    if place.with_naive:
        naive = place.naive()
        yield Measure("create, naive", work.create, "naive create", naive.create, 5)
        yield Measure("claim+complete, naive", work.claim_and_complete, "naive", naive.claim_and_complete, 3)


def _topped(hand: Any, count: int) -> Step:
    """Never runs dry: a claim of nothing would be quick."""

    left = 0

    def step() -> None:
        nonlocal left
        if left < count:
            hand.fill(2000)
            left = 2000
        hand.claim_and_complete(count)
        left -= count

    return step


def _measured(measure: Measure, backend: str, size: int, rounds: int) -> Line:
    measure.ours()
    measure.theirs()
    rates: list[tuple[float, float]] = []
    for _ in range(rounds):
        ours = _rate(measure.ours, measure.steps) * measure.per_step
        rates.append((ours, _rate(measure.theirs, measure.steps) * measure.theirs_per_step))
    ratios = sorted(ours / theirs for ours, theirs in rates)
    return Line(
        backend,
        size,
        measure.name,
        statistics.median(ours for ours, _ in rates),
        measure.yardstick,
        statistics.median(ratios),
        ratios[len(ratios) // 4],
        ratios[-1 - len(ratios) // 4],
    )


def _rate(step: Step, steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps / (time.perf_counter() - began)


def _several(place: _Place, name: str, processes: int) -> Line:
    """Claims of several processes at once: none twice, and how long the slowest hundredth took."""
    registered, options = place.options(name)
    with registry.open_store(registered, [JOBS], **options) as store:
        Workload(store, 0).top_up(_CLAIMED, exactly=True)
        if not store.capabilities.shared:
            return Line(name, place.size, f"claim, {processes} processes", 0.0, more={"shared": False})
        began = time.perf_counter()
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            parts = pool.starmap(_claim_all, [(registered, options)] * processes)
        elapsed = time.perf_counter() - began
        left = store.count(PROJECT, JOBS.name, {"status": "pending"})
    ids = [id for part in parts for id, _ in part]
    times = sorted(seconds for part in parts for _, seconds in part)
    more = {
        "claimed": len(ids),
        "twice": len(ids) - len(set(ids)),
        "left": left,
        "p50_ms": round(times[len(times) // 2] * 1000, 2),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
    }
    return Line(name, place.size, f"claim, {processes} processes", len(ids) / elapsed, more=more)


_CLAIMED: Final = 2000


def _claim_all(registered: str, options: dict[str, Any]) -> list[tuple[Any, float]]:
    if "settings" in options:
        registry.register(registered, "tests.databases:open_store")
    taken: list[tuple[Any, float]] = []
    with registry.open_store(registered, [JOBS], **options) as store:
        while True:
            began = time.perf_counter()
            records = _claim(store)
            if not records:
                return taken
            taken.append((records[0].id, time.perf_counter() - began))


def _claim(store: RecordStore) -> list[Any]:
    conditions, change = {"status": "pending"}, {"status": "processing"}
    return list(store.claim_first(PROJECT, JOBS.name, conditions, change, order=("-priority", "id")))


def _shown(line: Line, as_json: bool) -> str:
    if as_json:
        return json.dumps({**line.__dict__, **line.more, "more": None})
    compared = f"{line.ratio:6.2f} ({line.low:.2f} to {line.high:.2f}) x {line.yardstick}" if line.yardstick else ""
    further = "  ".join(f"{name} {value}" for name, value in line.more.items())
    return f"{line.backend:11}{line.size:>9,}  {line.name:24}{line.rate:>11,.0f}/s  {compared}{further}"


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    add_arguments(parser)
    databases.set_up()
    for text in run(**vars(parser.parse_args())):
        print(text, flush=True)
