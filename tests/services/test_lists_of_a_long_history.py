"""No question of the list of jobs walks over the history: its work is bounded however many jobs there are.

Counted in steps of the engine and rows that it looked at, never in seconds: eight times the jobs, the same work.
"""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest
from django.db import connections, transaction

from jobs_app.domain import job_transitions, lease, new_job
from jobs_app.domain.job import By, Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.new_job import NewJob
from jobs_app.services import jobs
from jobs_app.services.jobs import ORDERS, JobFilter
from jobs_app.stores.job_records import JobPage, JobRecords
from jobs_app.stores.jobs import JOBS, to_document
from storage_app.records.base import RecordStore
from storage_app.records.database import selects
from storage_app.records.database.store import DatabaseRecordStore
from storage_app.records.file import selecting
from storage_app.records.file.store import FileRecordStore
from storage_app.records.operations import Durability
from storage_app.records.times import from_instant

SMALL, LARGE = "small", "large"
SIZES: Final = {SMALL: 250, LARGE: 2000}
LIMIT, SCAN_LIMIT, FEW = 10, 100, 60
SEVERAL: Final = 5  # eight times as many jobs are no more than that many times the work
STEPS: Final = 10  # of SQLite's machine, as fine as they are counted
START: Final = 1_800_000_000_000_000
LOST: Final = JobFilter(text="lost:>7")
RARE: Final = {
    "ingestion id": JobFilter(ingestion_task_id="ingest-7"),
    "priority": JobFilter(priority=77),
    "tag": JobFilter(tag="rare"),
    "type": JobFilter(content_type="rare"),
    "words": JobFilter(text="veryrare"),
    "name": JobFilter(text="name:veryrare"),
    "duration": JobFilter(text="duration:>1d"),
    "completed": JobFilter(text="completed:>2030-01-01"),
    "run": JobFilter(text="run:rare"),
}
COMMON: Final = {
    "all": JobFilter(),
    "failed": JobFilter(statuses=[JobState.FAILED]),
    "three states": JobFilter(statuses=[JobState.FAILED, JobState.PENDING, JobState.COMPLETED]),
    "a state of none": JobFilter(statuses=[JobState.TIMEOUT]),
    "type": JobFilter(content_type="pdf"),
    "worker": JobFilter(worker_id="w3"),
    "worker of none": JobFilter(worker_id="nobody"),
    "type and worker": JobFilter(content_type="pdf", worker_id="w3"),
    "tag": JobFilter(tag="t1"),
    "tag of none": JobFilter(tag="none"),
    "priority": JobFilter(priority=-1),
    "created after": JobFilter(created_after=from_instant(START)),
    "created before": JobFilter(created_before=from_instant(START)),
    "created between": JobFilter(
        created_after=from_instant(START) - timedelta(days=30) + timedelta(minutes=20),
        created_before=from_instant(START) - timedelta(days=30) + timedelta(minutes=230),
    ),
    **{
        text: JobFilter(text=text)
        for text in (
            "report",
            "report 17",
            "xylophone",
            "zq",
            "error:page",
            "error:segfault",
            "path:in",
            "options.lang:de",
            "options.lang:fr",
            "options.n:99999",
            "document:none",
            "retries:>5",
            "duration:>1s",
            "completed:<2001-01-01",
            "id:0000",
            "cause:none",
            "type:pdf OR tag:t1",
            "-type:pdf -tag:t1",
            "status:failed page",
        )
    },
}


@pytest.fixture
def store(record_store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> RecordStore:
    """With two projects, and limits that already the smaller one exceeds."""
    for module in (selects, selecting):
        monkeypatch.setattr(module, "_FEW", FEW)
        monkeypatch.setattr(module, "_FEW_CANDIDATES", FEW)
    for slug, size in SIZES.items():
        documents = [to_document(job, from_instant(START)) for job in map(made, range(size))]
        record_store.insert_many(slug, JOBS.name, documents, durability=Durability.KILL_SAFE)
    return record_store


def made(number: int) -> Job:
    """The seventh has whatever is rare."""
    at = from_instant(START) - timedelta(days=30) + timedelta(minutes=number)
    rare = number == 7
    new = NewJob(
        name="a veryrare one" if rare else f"report {number}",
        ingestion_task_id=f"ingest-{number}",
        run_id="rare" if rare else f"run-{number // 500}",
        source_file_path=f"in/{number}.pdf",
        content_type="rare" if rare else ("pdf", "html")[number % 2],
        task_options={"lang": "de" if number % 2 else "en", "n": number},
        priority=77 if rare else -(number % 3),
        tags=["rare"] if rare else [f"t{number % 3}"],
    )
    pending = new_job.make(new, "", at, By("system", "")).job
    if number % 4 == 0:
        return pending
    claimed = job_transitions.claim(pending, at, f"w{number % 5}", lease.digest("token"), 60).job
    if number % 4 == 1:
        failure = Failure(f"ValueError: no such page {number}", retryable=False)
        return job_transitions.fail(claimed, at + timedelta(seconds=9), failure, timedelta(0)).job
    ended = from_instant(START) + timedelta(days=9999) if rare else at + timedelta(seconds=5)
    return job_transitions.complete(claimed, ended, {"n": number}).job


def asked(store: RecordStore, slug: str, wanted: JobFilter, order: str, cursor: str | None = None) -> JobPage:
    return JobRecords(store, slug).find(jobs.conditions(wanted), order, LIMIT, cursor, SCAN_LIMIT)


@pytest.mark.parametrize("record_store", ["sqlite", "postgresql", "file"], indirect=True)
def test_no_filter_order_or_search_walks_over_the_history(store: RecordStore) -> None:
    counted = work(store)
    heavy = []
    for name, wanted in {**COMMON, **RARE}.items():
        for order in ("-created_at", "priority", "-completed_at"):
            small, large = (counted(partial(walked, store, slug, wanted, order)) for slug in (SMALL, LARGE))
            if large > SEVERAL * small:
                heavy.append(f"{name} by {order}: {small} for {SIZES[SMALL]}, {large} for {SIZES[LARGE]}")
    assert not heavy, "\n".join(heavy)
    small, large = (counted(partial(searched_whole, store, slug)) for slug in (SMALL, LARGE))
    assert large > SEVERAL * small, "the count would not see a walk"


@pytest.mark.parametrize("record_store", ["sqlite", "postgresql", "file"], indirect=True)
def test_what_is_rare_is_found_at_once_in_every_order(store: RecordStore) -> None:
    for name, wanted in RARE.items():
        for order in ORDERS:
            page = asked(store, LARGE, wanted, order)
            assert (len(page.jobs), page.is_complete, page.next_cursor) == (1, True, None), f"{name} by {order}"
    assert not asked(store, LARGE, LOST, "created_at").is_complete  # no index knows


def walked(store: RecordStore, slug: str, wanted: JobFilter, order: str) -> None:
    """The first page, the one that follows it, and the way back."""
    page = asked(store, slug, wanted, order)
    if page.next_cursor:
        page = asked(store, slug, wanted, order, page.next_cursor)
    if page.previous_cursor:
        asked(store, slug, wanted, order, page.previous_cursor)


def searched_whole(store: RecordStore, slug: str) -> None:
    """For what no index knows, with no limit to the search."""
    store.query(slug, JOBS.name, {"lost_count__gt": 7}, order="id", limit=LIMIT)


def work(store: RecordStore) -> Callable[[Callable[[], object]], int]:
    """What counts the work of a call."""
    if isinstance(store, FileRecordStore):
        return _steps_in_files(store)
    assert isinstance(store, DatabaseRecordStore)
    alias = store._database._connections.alias
    if connections[alias].vendor == "postgresql":
        return _rows_in_postgresql(store, alias)
    return _steps(connections[alias].connection)


def _steps(*opened: Any) -> Callable[[Callable[[], object]], int]:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += STEPS
        return 0

    def counted(call: Callable[[], object]) -> int:
        nonlocal steps
        steps = 0
        for connection in opened:
            connection.set_progress_handler(step, STEPS)
        try:
            call()
        finally:
            for connection in opened:
                connection.set_progress_handler(None, STEPS)
        return steps

    return counted


def _steps_in_files(store: FileRecordStore) -> Callable[[Callable[[], object]], int]:
    store._settler.stop()  # it would be counted too
    idle = []
    for slug in SIZES:
        with store._project(slug).index.reader() as connection:
            idle.append(connection)
    return _steps(*idle)


def _rows_in_postgresql(store: DatabaseRecordStore, alias: str) -> Callable[[Callable[[], object]], int]:
    """Rows that a node of a plan gave or threw away, summed over all plans."""
    with connections[alias].cursor() as cursor:
        cursor.execute("ANALYZE")
    original, rows = store._database.read, 0

    def explained(sql: str, parameters: Sequence[Any] = (), planned: bool = False) -> list[tuple[Any, ...]]:
        nonlocal rows
        if sql.startswith("EXPLAIN"):  # a guess, which looks at no row
            return original(sql, parameters, planned)
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            # as dear as in a large table, whose size is what decides
            cursor.execute("SET LOCAL enable_seqscan=off; SET LOCAL cpu_tuple_cost=10")
            if planned:
                cursor.execute("SET LOCAL enable_sort=off; SET LOCAL enable_bitmapscan=off")
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", parameters)
            plan = cursor.fetchone()[0]
            rows += _rows(json.loads(plan)[0]["Plan"] if isinstance(plan, str) else plan[0]["Plan"])
        return original(sql, parameters, planned)

    def counted(call: Callable[[], object]) -> int:
        nonlocal rows
        rows = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store._database, "read", explained)
            call()
        return rows

    return counted


def _rows(node: dict[str, Any]) -> int:
    thrown = sum(number for name, number in node.items() if name.startswith("Rows Removed"))
    below = sum(map(_rows, node.get("Plans", ())))
    return int((node["Actual Rows"] + thrown) * node["Actual Loops"]) + below
