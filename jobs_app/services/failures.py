"""Failures of one cause as one row: how many jobs stand failed by it now, how often it was seen and when, and what can
be done to all of them at once.

Counts come from counters: that of jobs by state and cause, and the group's own, which is written with each failure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.failure_group import FailureGroup
from jobs_app.domain.job_states import JobState
from jobs_app.domain.operation import Action
from jobs_app.errors import InvalidError, NotFoundError
from jobs_app.services import job_actions
from jobs_app.services.job_actions import Choice, Done
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores import failure_groups
from jobs_app.stores.failure_groups import FAILURE_GROUPS
from jobs_app.stores.job_records import translated
from jobs_app.stores.jobs import JOBS
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store

SPANS: Final[Mapping[str, timedelta]] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
ORDERS: Final = ("-last_seen_at", "last_seen_at", "-count", "count")
KEPT: Final = timedelta(days=90)
FAILED: Final = (JobState.FAILED, JobState.TIMEOUT)
TRIED_AGAIN: Final = (JobState.PENDING, JobState.PROCESSING)


@dataclass(frozen=True, slots=True)
class Failure:
    """`standing` jobs are failed or timed out by it at this moment, `tried_again` ones wait for or are at another try;
    `cells` are failures by span (`1h`, `24h`, `7d`)."""

    fingerprint: str
    group: FailureGroup
    standing: int
    tried_again: int
    cells: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FailurePage:
    failures: list[Failure]
    next_cursor: str | None


def of(
    actor: Actor, slug: str, order: str = "-last_seen_at", cursor: str | None = None, limit: int = 50
) -> FailurePage:
    """All causes ever seen (and not forgotten), the last seen first."""
    _, records = jobs_of(actor, slug, Scope.READ)
    if order not in ORDERS:
        raise InvalidError.at("order", f"choose one of {', '.join(ORDERS)}")
    store = record_store()
    with translated():
        page = store.query(slug, FAILURE_GROUPS.name, order=order, limit=limit, cursor=cursor)
    groups = {str(record.id): failure_groups.from_record(record) for record in page.records}
    counts, now = _jobs_by_state(store, slug, list(groups)), records.now()
    found = [_failure(fingerprint, group, counts[fingerprint], now) for fingerprint, group in groups.items()]
    return FailurePage(found, page.next_cursor)


def get(actor: Actor, slug: str, fingerprint: str) -> Failure:
    _, records = jobs_of(actor, slug, Scope.READ)
    group = _group(slug, fingerprint)
    counts = _jobs_by_state(record_store(), slug, [fingerprint])
    return _failure(fingerprint, group, counts[fingerprint], records.now())


def retry(actor: Actor, slug: str, fingerprint: str, reason: str = "") -> Done:
    """Every job that stands failed by it goes back to the queue: few at once, many as an operation."""
    return _act(actor, slug, fingerprint, Action.RETRY, reason)


def delete(actor: Actor, slug: str, fingerprint: str, reason: str = "") -> Done:
    """Every job that stands failed by it goes to the trash."""
    return _act(actor, slug, fingerprint, Action.DELETE, reason)


def cancel(actor: Actor, slug: str, fingerprint: str, reason: str = "") -> Done:
    """No more tries for those of its jobs that wait for another one, or are at it. What stands failed has ended."""
    return _act(actor, slug, fingerprint, Action.CANCEL, reason)


def remove_forgotten() -> int:
    """Groups that were not seen for long and that no job stands failed by."""
    store, removed = record_store(), 0
    for slug in store.projects():
        before = {"last_seen_at__lte": store.now() - KEPT}
        old = store.query(slug, FAILURE_GROUPS.name, before, order="last_seen_at", limit=1000).records
        counts = _jobs_by_state(store, slug, [str(record.id) for record in old])
        for record in old:
            if not counts[str(record.id)]:
                try:
                    store.delete(slug, FAILURE_GROUPS.name, record.id, guard=before)
                except (store_errors.GuardFailedError, store_errors.RecordNotFoundError):
                    continue  # seen again just now, or gone already
                removed += 1
    return removed


def _act(actor: Actor, slug: str, fingerprint: str, action: Action, reason: str) -> Done:
    project, _ = jobs_of(actor, slug, Scope.WRITE)
    _group(project.slug, fingerprint)
    states = TRIED_AGAIN if action is Action.CANCEL else FAILED
    wanted = JobFilter(statuses=states, text=f"cause:{fingerprint}")
    return job_actions.act(actor, slug, action, Choice(filter=wanted), reason)


def _group(slug: str, fingerprint: str) -> FailureGroup:
    try:
        return failure_groups.from_record(record_store().get(slug, FAILURE_GROUPS.name, fingerprint))
    except (store_errors.RecordNotFoundError, store_errors.InvalidError) as error:
        raise NotFoundError(f"There is no failure {fingerprint[:80]!r} here.") from error


def _failure(fingerprint: str, group: FailureGroup, jobs: Mapping[JobState, int], now: datetime) -> Failure:
    cells = {name: group.within(now, span) for name, span in SPANS.items()}
    standing, tried_again = (sum(jobs[state] for state in states) for states in (FAILED, TRIED_AGAIN))
    return Failure(fingerprint, group, standing, tried_again, cells)


def _jobs_by_state(store: RecordStore, slug: str, fingerprints: Sequence[str]) -> dict[str, Counter[JobState]]:
    """Of each cause, those that stand failed by it or are tried again; all read from counters at once."""
    counts: dict[str, Counter[JobState]] = {fingerprint: Counter() for fingerprint in fingerprints}
    states = [state.value for state in (*FAILED, *TRIED_AGAIN)]
    asked = {"failure__in": list(fingerprints), "status__in": states}
    for (fingerprint, state), number in store.count_by(slug, JOBS.name, ["failure", "status"], asked).items():
        counts[str(fingerprint)][JobState(str(state))] = number
    return counts
