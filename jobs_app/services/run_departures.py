"""What a run leaves behind: its documents and artifacts follow it, batch after batch, also after a restart.

A plan is written in the same step in which the run goes, or before documents are copied for one that is still to come:
whoever is stopped in between leaves the plan, and the clock finds it.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from jobs_app.domain.maintenance import Deadline
from jobs_app.services.project_runs import ProjectRuns
from jobs_app.stores.artifacts import ARTIFACTS
from jobs_app.stores.departures import DEPARTURES, is_still_there
from jobs_app.stores.documents import DOCUMENTS
from jobs_app.stores.runs import RUNS
from storage_app.records.errors import RecordNotFoundError
from storage_app.records.operations import Delete, Insert, Record
from storage_app.records.times import to_text

BATCH: Final = 500
AT_ONCE: Final = timedelta()


def plan(ours: ProjectRuns, run_id: str, *, after: timedelta = AT_ONCE) -> Insert:
    """For `apply`: what belongs to this run goes, unless by then there is such a run."""
    id = ours.store.new_id(DEPARTURES.name)
    return Insert(DEPARTURES.name, {"run": run_id, "after": to_text(ours.store.now() + after)}, id)


def dropping(plan: Insert) -> Delete:
    """For `apply`, together with what makes the plan needless."""
    return Delete(DEPARTURES.name, plan.id or "")


def see_off_all(ours: ProjectRuns, deadline: Deadline) -> int:
    """How many records of runs that are gone were removed before the time was up."""
    return sum(_see_off(ours, due, deadline) for due in _due(ours))


def _due(ours: ProjectRuns) -> Iterator[Record]:
    conditions = {"run__isnull": False, "after__lte": to_text(ours.store.now())}
    cursor: str | None = None
    while True:
        page = ours.store.query(ours.slug, DEPARTURES.name, conditions, order="id", limit=BATCH, cursor=cursor)
        yield from page.records
        cursor = page.next_cursor
        if cursor is None:
            return


def _see_off(ours: ProjectRuns, due: Record, deadline: Deadline) -> int:
    """Harmless twice, and beside another who does the same."""
    run_id, removed = str(due.document["run"]), 0
    if not is_still_there(ours.store, ours.slug, RUNS.name, run_id):
        for collection in (ARTIFACTS, DOCUMENTS):
            while batch := ours.store.query(ours.slug, collection.name, {"run_id": run_id}, limit=BATCH).records:
                if deadline.passed:
                    return removed
                goes = [Delete(collection.name, record.id, optional=True) for record in batch]
                removed += sum(gone is not None for gone in ours.store.apply(ours.slug, goes))
    with suppress(RecordNotFoundError):
        ours.store.delete(ours.slug, DEPARTURES.name, due.id)
    return removed
