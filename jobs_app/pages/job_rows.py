"""A job as a line of a list: the same in the list of jobs, on the overview and in the trash."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState

SHORT_ERROR = 200


@dataclass(frozen=True, slots=True)
class JobRow:
    """`took` is the time of the last attempt, of one under way so far; `is_cancelling` waits for its worker."""

    id: str
    name: str
    state: JobState
    content_type: str
    worker_id: str | None
    priority: int
    attempt: int
    percent: float | None  # how far a job under way is, where its worker says so
    message: str
    error: str
    is_cancelling: bool
    is_due: bool
    not_before: datetime | None
    created_at: datetime
    ended_at: datetime | None
    took: timedelta | None


def row(job: Job, now: datetime) -> JobRow:
    told = job.progress if job.status is JobState.PROCESSING else None
    return JobRow(
        id=job.id,
        name=job.name,
        state=job.status,
        content_type=job.content_type,
        worker_id=job.worker_id,
        priority=job.priority,
        attempt=job.attempt,
        percent=told.percent if told else None,
        message=told.message if told else "",
        error=first_line(job.error_message),
        is_cancelling=job.cancel is not None and not job.status.is_final,
        is_due=job.is_due(now),
        not_before=job.not_before,
        created_at=job.created_at,
        ended_at=job.completed_at,
        took=job.processing_duration(now),
    )


def first_line(message: str | None) -> str:
    """The start of an error: where one fits."""
    line = next(iter((message or "").strip().splitlines()), "")
    return line if len(line) <= SHORT_ERROR else f"{line[:SHORT_ERROR]}…"
