"""The clocks of a job, settled: due times, leases, attempts and deadlines.

The sweep looks at nothing but alarms that have gone, and each job is decided on as it is at the moment of the write,
under the store's lock: one that was completed, renewed or claimed meanwhile is left alone. A claim settles a few
first, so that work goes on within the lease even while no sweep runs.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
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
    """Every project's jobs whose time has come, a batch of each in turn, so that one with very many keeps none of the
    others waiting; and workers nobody has heard of for a day."""
    store = record_store()
    counts: Counter[str] = Counter(due=0, requeued=0, timed_out=0, cancelled=0, failed=0, workers_forgotten=0)
    slugs = store.projects()
    turns = deque(_sweep(JobRecords(store, slug)) for slug in slugs)
    while turns and not deadline.passed:
        sweep = turns.popleft()
        if (settled := next(sweep, None)) is not None:
            counts.update(map(_word, settled))
            turns.append(sweep)
    for slug in slugs:
        if deadline.passed:
            break
        counts["workers_forgotten"] += workers.forget_silent(store, slug)
    return dict(counts)


def settle_due(records: JobRecords, limit: int) -> list[Job]:
    """The first of those whose alarm has gone."""
    return records.settle(records.now(), _settled, limit).jobs


def poison_limit() -> int:
    return int(settings.CONFIG.poison_limit)


def _sweep(records: JobRecords) -> Iterator[Sequence[Job]]:
    """Batch by batch."""
    now, cursor = records.now(), None
    while True:
        batch = records.settle(now, _settled, BATCH, cursor)
        yield batch.jobs
        if (cursor := batch.cursor) is None:
            return


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
