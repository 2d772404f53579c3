"""The file store against the disk's own limit and against the naive form, interleaved in one run.

Each function takes sizes, runs in a folder that it is given, and returns figures; printing is for the caller. All
times are seconds; a rate is one by it.
"""

import json
import multiprocessing
import os
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Kind, Order
from storage_app.records.file.layer import FileLayer
from storage_app.records.file.store import FileRecordStore

PROJECT: Final = "bench"
JOBS: Final = Collection(
    "jobs",
    fields=(
        Field("status", Kind.TEXT),
        Field("content_type", Kind.TEXT),
        Field("priority", Kind.INTEGER),
        Field("created_at", Kind.TIME),
        Field("worker_id", Kind.TEXT),
    ),
    partition="status",
    orders=(Order(("-priority", "id"), within=("status",)),),
    counters=(("status", "content_type"),),
)
LATEST_FIRST: Final = "-created_at"
CLAIM_ORDER: Final = ("-priority", "id")
BODY_BYTES: Final = 600
_BATCH: Final = 1000
_LISTED: Final = ("name", "status", "content_type", "priority", "created_at")


@dataclass(frozen=True)
class Figure:
    """Times of one operation; the spread is the middle half's."""

    name: str
    median: float
    low: float
    high: float
    count: int

    @property
    def per_second(self) -> float:
        return 1 / self.median


@dataclass(frozen=True)
class Contest:
    """Figures of one interleaved run, and how many times faster than the named yardstick each is."""

    figures: dict[str, Figure]

    def ratio(self, name: str, yardstick: str) -> float:
        return self.figures[yardstick].median / self.figures[name].median


def job(number: int, status: str = "pending") -> dict[str, Any]:
    """About 600 bytes, as a job of the product is."""
    return {
        "name": f"job {number}",
        "status": status,
        "content_type": ("application/pdf", "text/plain", "image/png")[number % 3],
        "priority": number % 7 - 3,
        "created_at": f"2026-01-{number % 28 + 1:02d}T{number % 24:02d}:00:00.000000Z",
        "worker_id": None,
        "task_options": {"lang": "de", "pages": [1, 2, 3]},
        "source_file_path": f"inbox/{number:08d}/" + "x" * 320,
    }


def opened(root: Path) -> FileRecordStore:
    return FileRecordStore([JOBS], root=root, lock_timeout=60)


def filled(root: Path, records: int) -> None:
    """A settled store of this size, most of it long done, so that claims find what a real queue has."""
    with opened(root) as store:
        for start in range(0, records, _BATCH):
            numbers = range(start, min(start + _BATCH, records))
            store.insert_many(PROJECT, "jobs", [job(number, "completed") for number in numbers])
        store.settle()


# One process, against the disk


def against_the_disk(folder: Path, records: int, rounds: int) -> Contest:
    """Raw durable replaces and each operation of the store in turn, on a store that already holds `records`."""
    filled(folder / "store", records)
    raw = RawReplace(folder / "raw")
    with opened(folder / "store") as store:
        operations = Operations(store, start=records)
        waiting = 3 * rounds + 100
        for start in range(0, waiting, _BATCH):
            store.insert_many(PROJECT, "jobs", [job(number) for number in range(start, min(start + _BATCH, waiting))])
        store.settle()
        return interleaved(
            {
                "raw durable replace": raw.replace,
                "raw append and sync": RawAppend(folder / "raw.log").append,
                "create": operations.create,
                "claim and complete": operations.claim_and_complete,
                "claim": operations.claim,
            },
            rounds,
        )


def two_designs(folder: Path, records: int, rounds: int) -> Contest:
    """As it is, and with each file and folder synced at each write in place of the journal."""
    for name in ("journal", "files"):
        filled(folder / name, records)
    with (
        opened(folder / "journal") as journal,
        FileRecordStore([JOBS], root=folder / "files", layer=SyncEachFile()) as files,
    ):
        operations = {}
        for name, store in (("journal", journal), ("each file synced", files)):
            these = Operations(store, start=records)
            store.insert_many(PROJECT, "jobs", [job(number) for number in range(2 * rounds)])
            store.settle()
            operations[f"{name}: create"] = these.create
            operations[f"{name}: claim and complete"] = these.claim_and_complete
        return interleaved(operations, rounds)


class SyncEachFile(FileLayer):
    """The other design: no journal to rely on, so each file is durable before its write is acknowledged."""

    def create(self, path: str, data: bytes) -> None:
        super().create(path, data)
        self.sync_file(path)

    def rename(self, old: str, new: str) -> None:
        super().rename(old, new)
        self.sync_folder(os.path.dirname(new))  # noqa: PTH120 - text paths, as the layer has them

    def sync(self, fd: int, path: str) -> None:
        if "/journal." not in path:
            super().sync(fd, path)


def many_against_one(folder: Path, records: int, rounds: int) -> Contest:
    """A thousand in one call, each counted as a thousandth, and one call each."""
    filled(folder / "store", records)
    with opened(folder / "store") as store:
        operations = Operations(store, start=records)
        times: dict[str, list[float]] = {"create": [], "create many": []}
        for _ in range(rounds):
            times["create"] += [_timed(operations.create) for _ in range(20)]
            times["create many"].append(_timed(operations.create_many) / _BATCH)
            store.settle()  # its files are written, so that no later call pays for them unseen
        return Contest({name: figure(name, values) for name, values in times.items()})


def against_the_naive_form(folder: Path, records: int, rounds: int) -> Contest:
    """One JSON file a job in a folder for its status, and index files rewritten whole at each change."""
    filled(folder / "store", records)
    naive = NaiveForm(folder / "naive", records)
    with opened(folder / "store") as store:
        operations = Operations(store, start=records)
        store.insert_many(PROJECT, "jobs", [job(number) for number in range(2 * rounds)])
        store.settle()
        return interleaved(
            {
                "naive create": naive.create,
                "naive claim and complete": naive.claim_and_complete,
                "create": operations.create,
                "claim and complete": operations.claim_and_complete,
            },
            rounds,
        )


# Size


def at_size(folder: Path, records: int, rounds: int) -> Contest:
    """Every operation at one size; two such runs tell whether the size matters."""
    if not (folder / "store").exists():
        filled(folder / "store", records)
    dice = random.Random(records)
    with opened(folder / "store") as store:
        operations = Operations(store, start=records)
        store.insert_many(PROJECT, "jobs", [job(number) for number in range(2 * rounds + 10)])
        store.settle()
        deep = _deep_cursor(store, dice)
        return interleaved(
            {
                "create": operations.create,
                "claim": operations.claim,
                "claim and complete": operations.claim_and_complete,
                "update": operations.update,
                "get": operations.get,
                "first page": lambda: store.query(PROJECT, "jobs", {"status": "completed"}, order=LATEST_FIRST),
                "deep page": lambda: store.query(PROJECT, "jobs", order=LATEST_FIRST, cursor=deep),
                "count": lambda: store.count(PROJECT, "jobs", {"status": "completed"}),
                "count by status": lambda: store.count_by(PROJECT, "jobs", ["status"]),
            },
            rounds,
        )


def rebuild(folder: Path) -> Figure:
    """Seconds a record, for a new index of the store in this folder."""
    with opened(folder / "store") as store:
        started = time.perf_counter()
        count = store.rebuild_index(PROJECT)
        return figure("rebuild", [(time.perf_counter() - started) / count])


def resident_memory(folder: Path) -> int:
    """Bytes of a fresh process that has used every operation on the store in this folder."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_memory_of_use, (str(folder),))


# Several processes


@dataclass(frozen=True)
class Emptied:
    """What processes claimed together."""

    seconds: float
    claims: int
    twice: int
    left: int
    p50: float
    p99: float
    longest: float


def emptied_together(folder: Path, jobs: int, processes: int, complete: bool = True) -> Emptied:
    """All claim until nothing is left, each timing each claim."""
    with opened(folder / "store") as store:
        for start in range(0, jobs, _BATCH):
            store.insert_many(PROJECT, "jobs", [job(number) for number in range(start, min(start + _BATCH, jobs))])
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    started = time.perf_counter()
    with context.Pool(processes, initializer=_meet_at, initargs=(barrier,)) as pool:
        parts = pool.map(_claim_all, [(str(folder), complete)] * processes, chunksize=1)
    seconds = time.perf_counter() - started
    ids = [id for part, _ in parts for id in part]
    times = sorted(seconds for _, part in parts for seconds in part)
    with opened(folder / "store") as store:
        left = store.count(PROJECT, "jobs", {"status": "pending"})
    return Emptied(
        seconds,
        len(ids),
        len(ids) - len(set(ids)),
        left,
        times[len(times) // 2],
        times[len(times) * 99 // 100],
        times[-1],
    )


# What is measured


class Operations:
    def __init__(self, store: RecordStore, start: int) -> None:
        self._store = store
        self._number = start
        self._ids: list[Any] = []

    def create(self) -> None:
        self._number += 1
        self._ids.append(self._store.insert(PROJECT, "jobs", job(self._number, "created")).id)

    def create_many(self) -> None:
        self._number += _BATCH
        self._store.insert_many(PROJECT, "jobs", [job(self._number + more, "created") for more in range(_BATCH)])

    def claim(self) -> Any:
        change = {"status": "processing", "worker_id": "w1"}
        (record,) = self._store.claim_first(PROJECT, "jobs", {"status": "pending"}, change, order=CLAIM_ORDER)
        return record.id

    def claim_and_complete(self) -> None:
        id = self.claim()
        self._store.update(PROJECT, "jobs", id, {"status": "completed"}, guard={"status": "processing"})

    def update(self) -> None:
        self._store.update(PROJECT, "jobs", self._ids[len(self._ids) // 2], {"priority": self._number % 7})

    def get(self) -> None:
        self._store.get(PROJECT, "jobs", self._ids[len(self._ids) // 2])


class RawReplace:
    """Write beside, sync, rename, sync the folder: the least that makes one file durable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self._number = 0

    def replace(self) -> None:
        self._number += 1
        durable_replace(self._folder / f"{self._number:08d}.json", b"x" * BODY_BYTES)


class RawAppend:
    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT)
        os.pwrite(self._fd, bytes(16 * 1024 * 1024), 0)
        os.fsync(self._fd)
        self._place = 0

    def append(self) -> None:
        os.pwrite(self._fd, b"x" * BODY_BYTES, self._place)
        os.fdatasync(self._fd)
        self._place = (self._place + BODY_BYTES) % (15 * 1024 * 1024)


class NaiveForm:
    """What one writes first: a file a job in the folder of its status, and one index with what lists show of each."""

    def __init__(self, folder: Path, records: int) -> None:
        self._folder = folder
        self._index = {str(number): self._entry(number, "completed") for number in range(records)}
        for status in ("pending", "processing", "completed"):
            (folder / status).mkdir(parents=True)
        self._save_index()
        self._number = records

    def create(self) -> None:
        self._number += 1
        self._save(self._number, "pending")

    def claim_and_complete(self) -> None:
        index: dict[str, dict[str, Any]] = json.loads((self._folder / "index.json").read_text())
        number = min(int(id) for id, entry in index.items() if entry["status"] == "pending")
        for old, new in (("pending", "processing"), ("processing", "completed")):
            self._save(number, new)
            (self._folder / old / f"{number}.json").unlink()

    def _save(self, number: int, status: str) -> None:
        durable_replace(self._folder / status / f"{number}.json", json.dumps(job(number, status)).encode())
        self._index[str(number)] = self._entry(number, status)
        self._save_index()

    def _save_index(self) -> None:
        durable_replace(self._folder / "index.json", json.dumps(self._index).encode())

    def _entry(self, number: int, status: str) -> dict[str, Any]:
        return {name: value for name, value in job(number, status).items() if name in _LISTED}


def durable_replace(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(fd, data)
    os.fsync(fd)
    os.close(fd)
    temporary.rename(path)
    fd = os.open(path.parent, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def interleaved(operations: Mapping[str, Callable[[], object]], rounds: int, run: int = 10) -> Contest:
    """In turn, a few of each at a time: what slows the machine down slows them all down."""
    times: dict[str, list[float]] = {name: [] for name in operations}
    for _ in range(max(rounds // run, 1)):
        for name, operation in operations.items():
            times[name] += [_timed(operation) for _ in range(run)]
    return Contest({name: figure(name, values) for name, values in times.items()})


def figure(name: str, times: Iterable[float]) -> Figure:
    ordered = sorted(times)
    quarter = len(ordered) // 4
    return Figure(name, statistics.median(ordered), ordered[quarter], ordered[-1 - quarter], len(ordered))


def _timed(operation: Callable[[], object]) -> float:
    started = time.perf_counter()
    operation()
    return time.perf_counter() - started


def _deep_cursor(store: RecordStore, dice: random.Random) -> str | None:
    """Somewhere in the middle: a page from a random place on."""
    cursor = None
    for _ in range(dice.randrange(3, 6)):
        cursor = store.query(PROJECT, "jobs", order=LATEST_FIRST, cursor=cursor, limit=1000).next_cursor or cursor
    return cursor


def _memory_of_use(folder: str) -> int:
    contest = at_size(Path(folder), 0, 200)
    assert contest.figures
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


_barrier: Any = None


def _meet_at(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _claim_all(task: tuple[str, bool]) -> tuple[list[Any], list[float]]:
    folder, complete = task
    ids: list[Any] = []
    times: list[float] = []
    with opened(Path(folder) / "store") as store:
        store.count(PROJECT, "jobs")
        _barrier.wait()
        while True:
            started = time.perf_counter()
            change = {"status": "processing", "worker_id": str(os.getpid())}
            found = store.claim_first(PROJECT, "jobs", {"status": "pending"}, change, order=CLAIM_ORDER)
            times.append(time.perf_counter() - started)
            if not found:
                return ids, times
            ids.append(found[0].id)
            if complete:
                store.update(PROJECT, "jobs", found[0].id, {"status": "completed"}, guard={"status": "processing"})
