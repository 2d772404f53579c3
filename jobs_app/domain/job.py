"""What a job is: its fields, what follows from them, and when the clock alone changes something about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jobs_app.domain.access import Actor
from jobs_app.domain.failure import Cause, cause_of
from jobs_app.domain.job_states import JobState
from jobs_app.domain.library import Use

PRIORITIES = range(-100, 101)
DEFAULT_MAX_RETRIES = 3


@dataclass(frozen=True, slots=True)
class By:
    """Who did something to a job."""

    kind: str
    name: str

    @classmethod
    def actor(cls, actor: Actor) -> "By":
        return cls(actor.kind.value, actor.name)

    @classmethod
    def worker(cls, worker_id: str) -> "By":
        return cls("worker", worker_id)


@dataclass(frozen=True, slots=True)
class Progress:
    percent: float | None
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A person wants the job to end; `told_at` is when its worker first heard of it."""

    at: datetime
    by: By
    why: str
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trashed:
    at: datetime
    by: By
    ingestion_task_id: str | None  # free for others while the job lies in the trash


@dataclass(frozen=True, slots=True)
class Settled:
    """How the last holder ended its attempt; the same call with the same token gets the same answer."""

    token_digest: str
    call: str


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    version: int
    name: str
    created_at: datetime
    status: JobState = JobState.PENDING
    ingestion_task_id: str | None = None
    run_id: str | None = None
    document_id: str | None = None
    source_file_path: str | None = None
    content_type: str = ""
    task_options: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    tags: Sequence[str] = ()
    uses: Sequence[Use] = ()
    worker_id: str | None = None
    not_before: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    timeout_at: datetime | None = None
    attempt_timeout_seconds: int | None = None
    lease_expires_at: datetime | None = None
    lease_seconds: int = 0
    heartbeat_at: datetime | None = None
    progress: Progress | None = None
    error_message: str | None = None
    traceback: str | None = None
    result_data: Any = None
    attempt: int = 0
    retry_count: int = 0
    max_retries: int = DEFAULT_MAX_RETRIES
    lost_count: int = 0
    waiting_since: datetime | None = None  # when it became due, or will
    created_by: By = By("system", "")
    cancel: CancelRequest | None = None
    trashed: Trashed | None = None
    token_digest: str | None = None
    settled: Settled | None = None
    request_digest: str | None = None

    @property
    def attempt_ends_at(self) -> datetime | None:
        """The second clock: no heartbeat moves it."""
        if self.started_at is None or self.attempt_timeout_seconds is None:
            return None
        return self.started_at + timedelta(seconds=self.attempt_timeout_seconds)

    @property
    def can_retry(self) -> bool:
        return self.status in (JobState.FAILED, JobState.TIMEOUT) and self.retry_count < self.max_retries

    @property
    def has_failed(self) -> bool:
        return self.status in (JobState.FAILED, JobState.TIMEOUT)

    @property
    def cause(self) -> Cause | None:
        """Of its failure, or of the last failed attempt of one that is tried again; for one that ran out of time before
        anybody said a word, that."""
        if self.has_failed:
            return cause_of(self.error_message or "Timed out before a worker took it.", self.traceback)
        return None if self.status.is_final or not self.error_message else cause_of(self.error_message, self.traceback)

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over, although nobody may have settled it yet."""
        return self.status is JobState.TIMEOUT or (not self.status.is_final and passed(self.timeout_at, now))

    def processing_duration(self, now: datetime) -> timedelta | None:
        """Of the last attempt; of one under way, so far."""
        return (self.completed_at or now) - self.started_at if self.started_at else None

    def waiting_duration(self, now: datetime) -> timedelta | None:
        """From when it was last due to when it was started or ended; of one that waits, so far."""
        if self.waiting_since is None:
            return None
        return max((self.started_at or self.completed_at or now) - self.waiting_since, timedelta(0))

    def is_due(self, now: datetime) -> bool:
        """Whether a worker may have it."""
        return (
            self.status is JobState.PENDING
            and self.trashed is None
            and (self.not_before is None or self.not_before <= now)
        )

    def next_alarm(self, now: datetime) -> datetime | None:
        """The next moment at which the clock alone changes something about this job."""
        if self.trashed is not None:
            return None
        clocks: list[datetime | None] = []
        if self.status is JobState.PENDING:
            clocks = [self.timeout_at, None if self.is_due(now) else self.not_before]
        if self.status is JobState.PROCESSING:
            clocks = [self.timeout_at, self.attempt_ends_at, self.lease_expires_at]
        return min((clock for clock in clocks if clock is not None), default=None)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a job's story."""

    at: datetime
    type: str
    source: JobState | None
    target: JobState
    by: By
    why: str = ""
    attempt: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One worker's try, kept when it ended."""

    number: int
    worker_id: str
    planned_at: datetime | None
    started_at: datetime
    ended_at: datetime
    outcome: str
    error_message: str | None = None
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The job as it will be, and what is kept of the change in the same atomic write."""

    job: Job
    event: Event | None = None
    attempt: Attempt | None = None


def passed(clock: datetime | None, now: datetime) -> bool:
    return clock is not None and clock <= now
