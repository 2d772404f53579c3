"""The clocks of a job, settled: due times, leases, attempts and deadlines.

The sweep looks at nothing but alarms that have gone, and each job is decided on as it is at the moment of the write,
under the store's lock: one that was completed, renewed or claimed meanwhile is left alone. A claim settles a few
first, so that work goes on within the lease even while no sweep runs.
"""

from collections import Counter
from datetime import datetime
from typing import Final

from django.conf import settings

from jobs_app.domain import job_transitions
from jobs_app.domain.job import Job, Step
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.services import workers
from jobs_app.stores.job_records import JobRecords
from storage_app.records.configured import record_store

BEFORE_A_CLAIM: Final = 100
BATCH: Final = 500


def run(deadline: Deadline) -> Counts:
    """Every project's jobs whose time has come, and workers nobody has heard of for a day."""
    store = record_store()
    counts: Counter[str] = Counter(due=0, requeued=0, timed_out=0, cancelled=0, failed=0, workers_forgotten=0)
    for slug in store.projects():
        if deadline.passed:
            break
        counts.update(_sweep(JobRecords(store, slug), deadline))
        counts["workers_forgotten"] += workers.forget_silent(store, slug)
    return dict(counts)


def settle_due(records: JobRecords, limit: int) -> list[Job]:
    """The first of those whose alarm has gone."""
    return records.settle(records.now(), _settled, limit).jobs


def poison_limit() -> int:
    return int(settings.CONFIG.poison_limit)


def _sweep(records: JobRecords, deadline: Deadline) -> Counter[str]:
    counts: Counter[str] = Counter()
    now, cursor = records.now(), None
    while not deadline.passed:
        batch = records.settle(now, _settled, BATCH, cursor)
        counts.update(_word(job) for job in batch.jobs)
        cursor = batch.cursor
        if cursor is None:
            break
    return counts


def _settled(job: Job, now: datetime) -> Step | None:
    return job_transitions.settle(job, now, poison_limit())


def _word(job: Job) -> str:
    match job.status:
        case JobState.TIMEOUT:
            return "timed_out"
        case JobState.CANCELLED:
            return "cancelled"
        case JobState.FAILED:
            return "failed"
        case _:
            return "due" if job.attempt == 0 or job.not_before is not None else "requeued"
