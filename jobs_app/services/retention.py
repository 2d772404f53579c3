"""How long ended jobs are kept: by state, counted from the finish; and the trash, from the deletion.

A record goes with its events, attempts and log in one atomic step, and only if at that moment it still is what it was
when it was found: a job retried meanwhile stays. What lies outside the record follows afterwards, through `CASCADE`;
which jobs are about to go is written down before, so that nothing is left behind by a process that ends in between.
"""

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.services import access, workspaces
from jobs_app.stores.departures import DEPARTURES, is_still_there
from jobs_app.stores.jobs import ATTEMPTS, EVENTS, JOBS, LOGS, TRASHED
from storage_app import strict_json
from storage_app.providers.errors import StorageError
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store
from storage_app.records.operations import Record
from storage_app.records.times import to_text

BATCH: Final = 200
PREVIEW_BATCH: Final = 20
PREVIEW_LIMIT: Final = timedelta(seconds=10)
ENDED: Final = tuple(state.value for state in JobState if state.is_final)

# What belongs to a job outside its record; each entry takes the project's slug and the job's id, and may run twice.
CASCADE: list[Callable[[str, str], object]] = [workspaces.remove]
log = logging.getLogger("holdfast.retention")


@dataclass(frozen=True, slots=True)
class Doomed:
    """What the next run would remove of one state; `complete` is false where counting ended before all was seen."""

    state: str
    days: int
    jobs: int
    bytes: int
    complete: bool


def run(deadline: Deadline) -> Counts:
    """Every project, state by state, once those were seen off who went before."""
    store = record_store()
    counts: Counter[str] = Counter(dict.fromkeys((*ENDED, TRASHED), 0))
    for slug in store.projects():
        _see_off_all(store, slug, deadline)
        for state, days in _periods().items():
            counts[state] += _removed(store, slug, state, days, deadline)
    return dict(counts)


def preview(actor: Actor, slug: str) -> list[Doomed]:
    """The dry run: what would go now, in jobs and in bytes of records, events, attempts and logs."""
    project = access.project_for(actor, slug, Scope.READ)
    deadline, store = Deadline(PREVIEW_LIMIT), record_store()
    return [_doomed(store, project.slug, state, days, deadline) for state, days in _periods().items()]


@contextlib.contextmanager
def departing(slug: str, job_ids: Sequence[str]) -> Iterator[None]:
    """Round the removal of records: whatever these jobs had outside them goes as well, now or with the next run."""
    store = record_store()
    plan = store.insert(slug, DEPARTURES.name, {"jobs": list(job_ids)})
    yield
    _see_off(store, slug, plan)


def _periods() -> dict[str, int]:
    """Days by state; a state that is kept for ever is not in it."""
    days: Mapping[str, int] = settings.CONFIG.retention_days
    return {state: days[state] for state in (*ENDED, TRASHED) if days[state]}


def _removed(store: RecordStore, slug: str, state: str, days: int, deadline: Deadline) -> int:
    removed, cursor = 0, None
    conditions, order = _over(state, store.now() - timedelta(days=days))
    while not deadline.passed:
        page = store.query(slug, JOBS.name, conditions, order=order, limit=BATCH, cursor=cursor)
        ids = [str(record.id) for record in page.records]
        if ids:
            with departing(slug, ids):
                found = {**conditions, "id__in": ids}
                removed += len(store.delete_where(slug, JOBS.name, found, order=order, limit=BATCH).records)
        cursor = page.next_cursor
        if cursor is None:
            break
    return removed


def _see_off_all(store: RecordStore, slug: str, deadline: Deadline) -> None:
    cursor = None
    while not deadline.passed:
        page = store.query(slug, DEPARTURES.name, {"jobs__isnull": False}, order="id", limit=BATCH, cursor=cursor)
        for plan in page.records:
            _see_off(store, slug, plan)
        cursor = page.next_cursor
        if cursor is None:
            return


def _see_off(store: RecordStore, slug: str, plan: Record) -> None:
    """Harmless twice, and beside another who does the same. A job that is still there keeps what it has."""
    try:
        for id in plan.document["jobs"]:
            if not is_still_there(store, slug, JOBS.name, id):
                for remove in CASCADE:
                    remove(slug, id)
    except StorageError as error:
        log.warning("Files of jobs of %s that are gone stay until the next run: %s", slug, error)
        return
    with contextlib.suppress(store_errors.RecordNotFoundError):
        store.delete(slug, DEPARTURES.name, plan.id)


def _doomed(store: RecordStore, slug: str, state: str, days: int, deadline: Deadline) -> Doomed:
    jobs, size, cursor = 0, 0, None
    conditions, order = _over(state, store.now() - timedelta(days=days))
    while not deadline.passed:
        page = store.query(slug, JOBS.name, conditions, order=order, limit=PREVIEW_BATCH, cursor=cursor)
        jobs, size = jobs + len(page.records), size + sum(_size(store, slug, record) for record in page.records)
        cursor = page.next_cursor
        if cursor is None:
            return Doomed(state, days, jobs, size, complete=True)
    return Doomed(state, days, jobs, size, complete=False)


def _over(state: str, before: datetime) -> tuple[dict[str, object], str]:
    """Conditions and order of what has been kept long enough."""
    if state == TRASHED:
        # No index of its own: the trash holds a week's deletions, and is walked once a day.
        return {"status": TRASHED, "trashed.at__lte": to_text(before)}, "created_at"
    return {"status": state, "completed_at__lte": before}, "completed_at"


def _size(store: RecordStore, slug: str, record: Record) -> int:
    size = len(strict_json.dumps_bytes(record.document))
    for stream in (EVENTS, ATTEMPTS, LOGS):
        after: int | None = 0
        while after is not None:
            try:
                page = store.read_stream(slug, JOBS.name, record.id, stream, after=after, limit=1000)
            except store_errors.RecordNotFoundError:
                return size  # somebody removed it meanwhile
            size += sum(len(strict_json.dumps_bytes(entry.data)) for entry in page.entries)
            after = page.after
    return size
