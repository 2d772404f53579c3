"""Record stores against what the machine can do: ratios, interleaved, with medians and spread."""

import contextlib
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from storage_app.records import registry
from storage_app.records.base import RecordStore
from tests import databases
from tests.benchmarks import yardsticks
from tests.benchmarks.choices import at_least, numbers, some_of
from tests.benchmarks.workload import JOBS, PROJECT, SHARED_PROJECT, Workload

BACKENDS: Final = ("memory", "file", "file-synced", "sqlite", "postgresql")
_LARGEST_NAIVE: Final = 100_000
Step = Callable[[], object]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--backends", type=some_of(BACKENDS), default="file,sqlite,postgresql", help="of " + ", ".join(BACKENDS)
    )
    parser.add_argument("--sizes", type=numbers, default="1000,10000", help="records waiting: 1000,100000,1000000")
    parser.add_argument("--rounds", type=at_least(1), default=7, help="how often each is measured in turn (7)")
    parser.add_argument("--only", default="", help="operations, by the beginning of their names")
    parser.add_argument(
        "--processes", type=at_least(0), default=4, help="for the claims of several at once (4; 0 for none)"
    )
    parser.add_argument("--claims", type=at_least(1), default=20_000, help="how many those claim (20000)")
    parser.add_argument("--naive", action="store_true", help="with the naive form, up to 100,000 records")
    parser.add_argument("--json", action="store_true", help="JSON lines")


def run(
    *,
    backends: Sequence[str],
    sizes: Sequence[int],
    rounds: int,
    only: str,
    processes: int,
    claims: int,
    naive: bool,
    json: bool,
) -> Iterator[str]:
    """A line for each measure."""
    wanted = tuple(name for name in only.split(",") if name)
    for name in backends:
        with contextlib.ExitStack() as stack:
            server = _Server(stack)
            places = [_Place(stack, server, size, naive) for size in sizes]
            for line in _backend(places, name, rounds, wanted, (processes, claims)):
                yield _shown(line, json)


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
    takes: int = 0  # how many of those that wait one step claims
    most_rounds: int = 1000


@dataclass(frozen=True)
class Line:
    """A rate, as a ratio to its yardstick's, and how many times as long it takes as at the first size."""

    backend: str
    size: int
    name: str
    rate: float
    yardstick: str = ""
    ratio: float = 0.0
    low: float = 0.0
    high: float = 0.0
    longer: float | None = None
    more: dict[str, Any] = field(default_factory=dict)


class _Server:
    """One PostgreSQL server for the run, begun when first asked for; a database for each size."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._socket_folder = ""

    def database(self, name: str) -> databases.Settings:
        if not self._socket_folder:
            self._socket_folder = self._stack.enter_context(databases.postgresql_server())
        with psycopg.connect(host=self._socket_folder, user="postgres", dbname="postgres", autocommit=True) as first:
            first.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return databases.postgresql_settings(self._socket_folder, name)


class _Place:
    """Where the stores and yardsticks of one size stand; each made when first asked for."""

    def __init__(self, stack: contextlib.ExitStack, server: _Server, size: int, naive: bool) -> None:
        self.size = size
        self.with_naive = naive and size <= _LARGEST_NAIVE
        self._stack = stack
        self._server = server
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-records-")))
        self._made: dict[str, Any] = {}

    def options(self, name: str) -> tuple[str, dict[str, Any]]:
        """The registry's name and the options of a backend."""
        if name == "file":
            return "file", {"root": self._folder / "records"}
        if name == "memory":
            return "memory", {}
        if name == "file-synced":
            registry.register(name, "tests.benchmarks.synced_files:open_store")
            return name, {"root": self._folder / "synced"}
        registry.register(name, "tests.databases:open_store")
        return name, {"settings": self.settings(name)}

    def settings(self, name: str) -> databases.Settings:
        if name not in self._made:
            if name == "sqlite":
                self._made[name] = databases.sqlite_settings(self._folder / "records.sqlite3")
            else:
                self._made[name] = self._server.database(f"records_{self.size}")
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


def _backend(
    places: list[_Place], name: str, rounds: int, wanted: tuple[str, ...], several: tuple[int, int]
) -> Iterator[Line]:
    """All sizes at once, each operation in turn at each of them, so that a busy moment meets them all."""
    with contextlib.ExitStack() as stack:
        stores = [_opened(stack, place, name) for place in places]
        works = []
        for place, store in zip(places, stores, strict=True):
            began = time.perf_counter()
            works.append(Workload(store, place.size))
            yield Line(name, place.size, "fill", place.size / (time.perf_counter() - began))
        for measures in _rows([list(_measures(place, name, work)) for place, work in zip(places, works, strict=True)]):
            if not wanted or measures[0].name.startswith(wanted):
                for work, measure in zip(works, measures, strict=False):
                    work.ready(measure.steps * measure.takes * (rounds + 1))
                yield from _measured(measures, name, [place.size for place in places], rounds)
    for place in places:
        if not wanted or "memory".startswith(wanted):
            yield from _memory(place, name)
        if several[0] and (not wanted or "claim, several".startswith(wanted)):
            yield _several(place, name, *several)


def _opened(stack: contextlib.ExitStack, place: _Place, name: str) -> RecordStore:
    registered, options = place.options(name)
    return stack.enter_context(registry.open_store(registered, [JOBS], **options))


def _rows(columns: list[list[Measure]]) -> Iterator[list[Measure]]:
    """The same operation at every size that has it."""
    for measure in columns[0]:
        yield [same for column in columns for same in column if same.name == measure.name]


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
    yield Measure(
        "reindex", work.reindex, raw_label, raw, 1, place.size, most_rounds=2
    )  # first, while there are just so many
    yield Measure("create", work.create, raw_label, raw)
    yield Measure("create many", work.create_many, "our own create", work.create, 1, 1000)
    yield Measure("claim", work.claim, raw_label, raw, takes=1)
    yield Measure("claim+complete", work.claim_and_complete, raw_label, raw, takes=1)
    yield Measure("claim+complete by hand", work.claim_and_complete, label, _topped(hand, 1), takes=1)
    ten = work.claim_and_complete_ten
    yield Measure("claim+complete ten", ten, f"{label}, ten", _topped(hand, 10), 15, 10, 10, takes=10)
    yield Measure("update", work.update, raw_label, raw)
    yield Measure("get", work.get, raw_label, raw)
    yield Measure("page", work.page, "a page by hand", hand.page, 30)
    yield Measure("deep page", work.deep_page, "our own page", work.page, 30)
    yield Measure("count", work.count, "a page by hand", hand.page)
    yield Measure("count by status", work.count_by_status, "a page by hand", hand.page)
    if place.with_naive:
        naive = place.naive()
        yield Measure("create, naive", work.create, "naive create", naive.create, 5)
        yield Measure("claim+complete, naive", work.claim_and_complete, "naive", naive.claim_and_complete, 3, takes=1)


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


def _measured(measures: list[Measure], backend: str, sizes: list[int], rounds: int) -> Iterator[Line]:
    for measure in measures:
        measure.ours()
        measure.theirs()
    rates: list[list[tuple[float, float]]] = []
    for _ in range(min(rounds, measures[0].most_rounds)):
        rates.append([_rates(measure) for measure in measures])
    for column, (measure, size) in enumerate(zip(measures, sizes, strict=False)):
        mine = [row[column] for row in rates]
        ratios = sorted(ours / theirs for ours, theirs in mine)
        yield Line(
            backend,
            size,
            measure.name,
            statistics.median(ours for ours, _ in mine),
            measure.yardstick,
            statistics.median(ratios),
            ratios[len(ratios) // 4],
            ratios[-1 - len(ratios) // 4],
            statistics.median(row[0][0] / row[column][0] for row in rates) if column else None,
        )


def _rates(measure: Measure) -> tuple[float, float]:
    ours = _rate(measure.ours, measure.steps) * measure.per_step
    return ours, _rate(measure.theirs, measure.steps) * measure.theirs_per_step


def _rate(step: Step, steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps / (time.perf_counter() - began)


def _memory(place: _Place, name: str) -> Iterator[Line]:
    """Of a fresh process that used every operation on what is there, and of one that made its index anew."""
    registered, options = place.options(name)
    for title, used in (("memory", _used), ("memory, reindex", _reindexed)):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            resident = pool.apply(used, (registered, options))
        yield Line(name, place.size, title, 0.0, more={"resident_mb": resident >> 20})


def _used(registered: str, options: dict[str, Any]) -> int:
    with _open_here(registered, options) as store:
        work = Workload(store, 0)
        work.ready(200)
        for step in (work.create, work.create_many, work.claim_and_complete, work.page, work.count_by_status):
            for _ in range(20):
                step()
    return _peak_memory()


def _reindexed(registered: str, options: dict[str, Any]) -> int:
    with _open_here(registered, options) as store:
        store.rebuild_index(PROJECT)
    return _peak_memory()


def _peak_memory() -> int:
    """Bytes. `getrusage` would name the parent's peak, where that was higher when this process began."""
    if (status := Path("/proc/self/status")).exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _several(place: _Place, name: str, processes: int, claims: int) -> Line:
    """Claims of several processes at once, in a project of their own: none twice, and the slowest hundredth."""
    registered, options = place.options(name)
    context = multiprocessing.get_context("spawn")
    with registry.open_store(registered, [JOBS], **options) as store:
        if not store.capabilities.shared:
            return Line(name, place.size, "claim, several", 0.0, more={"shared": False})
        Workload(store, claims, SHARED_PROJECT).settle()
        with context.Pool(processes, initializer=_meet_at, initargs=(context.Barrier(processes),)) as pool:
            parts = pool.starmap(_claim_all, [(registered, options)] * processes, chunksize=1)
        left = store.count(SHARED_PROJECT, JOBS.name, {"status": "pending"})
    ids = [id for _, part in parts for id, _ in part]
    times = sorted(seconds for _, part in parts for _, seconds in part)
    elapsed = max(seconds for seconds, _ in parts)
    more = {
        "processes": processes,
        "claimed": len(ids),
        "twice": len(ids) - len(set(ids)),
        "left": left,
        "p50_ms": round(times[len(times) // 2] * 1000, 2),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
    }
    return Line(name, place.size, "claim, several", len(ids) / elapsed, more=more)


def _claim_all(registered: str, options: dict[str, Any]) -> tuple[float, list[tuple[Any, float]]]:
    """How long it went on, and each record with the seconds it took."""
    taken: list[tuple[Any, float]] = []
    with _open_here(registered, options) as store:
        store.count(SHARED_PROJECT, JOBS.name)
        _barrier.wait(60)
        start = time.perf_counter()
        while True:
            began = time.perf_counter()
            records = _claim(store)
            if not records:
                return time.perf_counter() - start, taken
            taken.append((records[0].id, time.perf_counter() - began))


_barrier: Any = None  # of this process, given when it begins


def _meet_at(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _open_here(registered: str, options: dict[str, Any]) -> RecordStore:
    """In a process that was just begun, which knows no backend of the benchmark's own."""
    if "settings" in options:
        registry.register(registered, "tests.databases:open_store")
    elif registered == "file-synced":
        registry.register(registered, "tests.benchmarks.synced_files:open_store")
    return registry.open_store(registered, [JOBS], **options)


def _claim(store: RecordStore) -> list[Any]:
    conditions, change = {"status": "pending"}, {"status": "processing"}
    return list(store.claim_first(SHARED_PROJECT, JOBS.name, conditions, change, order=("-priority", "id")))


def _shown(line: Line, as_json: bool) -> str:
    if as_json:
        return json.dumps({**line.__dict__, **line.more, "more": None})
    parts = [f"{line.backend:11}{line.size:>9,}  {line.name:24}"]
    if line.rate:
        parts.append(f"{line.rate:>11,.0f}/s")
    if line.yardstick:
        parts.append(f"{line.ratio:6.2f} ({line.low:.2f} to {line.high:.2f}) x {line.yardstick}")
    if line.longer is not None:
        parts.append(f"{line.longer:.2f} x its time at the first size")
    parts += [f"{name} {value}" for name, value in line.more.items()]
    return "  ".join(parts)


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    add_arguments(parser)
    databases.set_up()
    for text in run(**vars(parser.parse_args())):
        print(text, flush=True)
