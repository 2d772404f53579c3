"""How fast a worker gets things done, told by the last few jobs it completed: as many reads as there are workers,
however much any of them has done.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.services.project_jobs import jobs_of

LOOKED_AT: Final = 20
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """`an_hour` is counted where few were done, and reckoned from the last ones where there were more."""

    an_hour: int
    is_counted: bool
    typical: timedelta | None  # the median of how long each took


def of(actor: Actor, slug: str, worker_ids: Iterable[str]) -> Mapping[str, Pace]:
    _, records = jobs_of(actor, slug, Scope.READ)
    moment = records.now()

    def last_of(worker_id: str) -> list[Job]:
        done = {"status": JobState.COMPLETED.value, "worker_id": worker_id}
        return records.find(done, "-created_at", LOOKED_AT).jobs

    return {worker_id: pace(last_of(worker_id), moment) for worker_id in worker_ids}


def pace(last: Sequence[Job], now: datetime) -> Pace:
    ends = [job.completed_at for job in last if job.completed_at is not None and now - job.completed_at < HOUR]
    took = [job.processing_duration(now) for job in last]
    seconds = [span.total_seconds() for span in took if span is not None]
    is_counted = len(ends) < LOOKED_AT
    share = 1.0 if is_counted else max((now - min(ends)) / HOUR, 1 / 3600)
    return Pace(
        round(len(ends) / share), is_counted, timedelta(seconds=statistics.median(seconds)) if seconds else None
    )
