"""Everything that can happen to a job, as functions without I/O from a job to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from jobs_app.domain.job import Attempt, By, CancelRequest, Event, Job, Progress, Settled, Step, Trashed, passed
from jobs_app.domain.job_states import JobState, Transition, TransitionRefusedError, next_state

CLOCK = By("system", "Holdfast")
CHANGEABLE = frozenset(
    {"name", "priority", "tags", "task_options", "timeout_at", "not_before", "max_retries", "attempt_timeout_seconds"}
)

# What a data fix may put right in any state. The rest follows from what happened, and `move` makes things happen.
CORRECTABLE = CHANGEABLE | {
    "content_type",
    "document_id",
    "error_message",
    "ingestion_task_id",
    "lost_count",
    "result_data",
    "retry_count",
    "run_id",
    "source_file_path",
    "traceback",
}


# Which transition a person means who wants a job of one state to be in another.
MOVES: Mapping[tuple[JobState, JobState], Transition] = {
    (JobState.PENDING, JobState.CANCELLED): Transition.CANCELLED,
    (JobState.PENDING, JobState.TIMEOUT): Transition.TIMED_OUT,
    (JobState.PROCESSING, JobState.PENDING): Transition.RELEASED,
    (JobState.PROCESSING, JobState.COMPLETED): Transition.COMPLETED,
    (JobState.PROCESSING, JobState.FAILED): Transition.FAILED,
    (JobState.PROCESSING, JobState.TIMEOUT): Transition.TIMED_OUT,
    (JobState.PROCESSING, JobState.CANCELLED): Transition.CANCELLED,
    (JobState.FAILED, JobState.PENDING): Transition.RETRIED,
    (JobState.TIMEOUT, JobState.PENDING): Transition.RETRIED,
}


class StateRefusedError(Exception):
    """The job is in a state that does not allow this; it is no matter of going to another one."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Failure:
    message: str
    traceback: str | None = None
    retryable: bool = True


def claim(job: Job, now: datetime, worker_id: str, token_digest: str, lease_seconds: int) -> Step:
    status = next_state(job.status, Transition.CLAIMED)
    claimed = replace(
        job,
        status=status,
        worker_id=worker_id,
        attempt=job.attempt + 1,
        started_at=now,
        heartbeat_at=now,
        progress=None,
        lease_seconds=lease_seconds,
        lease_expires_at=now + timedelta(seconds=lease_seconds),
        token_digest=token_digest,
        settled=None,
    )
    return Step(claimed, _event(job, claimed, now, Transition.CLAIMED, By.worker(worker_id)))


def beat(job: Job, now: datetime, lease_seconds: int | None, percent: float | None, message: str | None) -> Step:
    """The holder is alive. Told to cancel, it has the rest of one more lease; no beat after that prolongs it."""
    cancel = job.cancel
    told_before = cancel is not None and cancel.told_at is not None
    lease_ends = job.lease_expires_at if told_before else now + timedelta(seconds=lease_seconds or job.lease_seconds)
    progress = job.progress
    if percent is not None or message is not None:
        progress = Progress(
            percent if percent is not None else progress.percent if progress else None,
            message if message is not None else progress.message if progress else "",
            now,
        )
    return Step(
        replace(
            job,
            heartbeat_at=now,
            lease_seconds=lease_seconds or job.lease_seconds,
            lease_expires_at=lease_ends,
            progress=progress,
            cancel=replace(cancel, told_at=now) if cancel is not None and not told_before else cancel,
        )
    )


def complete(job: Job, now: datetime, result_data: Any) -> Step:
    """Also where a cancel was asked for: the work is done, and that is an end."""
    status = next_state(job.status, Transition.COMPLETED)
    done = replace(job, status=status, result_data=result_data, error_message=None, traceback=None)
    return _ended(job, _final(done, now), now, Transition.COMPLETED, _holder(job), call="complete")


def fail(job: Job, now: datetime, failure: Failure, wait: timedelta) -> Step:
    """Put off by `wait` where it may be tried again, else failed; cancelled where that was asked for."""
    told = replace(job, error_message=failure.message, traceback=failure.traceback)
    outcome = {"error_message": failure.message, "traceback": failure.traceback}
    if job.cancel is not None:
        return _cancelled(told, now, _holder(job), "", "fail", **outcome)
    if failure.retryable and job.retry_count < job.max_retries:
        next_state(job.status, Transition.PUT_OFF)
        waiting = _pending(replace(told, retry_count=job.retry_count + 1), now + wait, now)
        return _ended(job, waiting, now, Transition.PUT_OFF, _holder(job), failure.message, "fail", **outcome)
    failed = _final(replace(told, status=next_state(job.status, Transition.FAILED)), now)
    return _ended(job, failed, now, Transition.FAILED, _holder(job), failure.message, "fail", **outcome)


def release(job: Job, now: datetime) -> Step:
    """Given back without a word against the job: no retry is counted."""
    if job.cancel is not None:
        return _cancelled(job, now, _holder(job), call="release")
    next_state(job.status, Transition.RELEASED)
    return _ended(job, _pending(job, None, now), now, Transition.RELEASED, _holder(job), call="release")


def take_back(job: Job, now: datetime, by: By, why: str) -> Step:
    """As `release`, but somebody else's doing: whoever held the job finds its lease lost."""
    if job.cancel is not None:
        return _cancelled(job, now, by, why)
    next_state(job.status, Transition.RELEASED)
    return _ended(job, _pending(job, None, now), now, Transition.RELEASED, by, why)


def cancel(job: Job, now: datetime, by: By, why: str) -> Step | None:
    """At once while it waits; a worker is asked, and None is said where it was asked before."""
    status = next_state(job.status, Transition.CANCELLED)
    if job.status is JobState.PENDING:
        cancelled = _final(replace(job, status=status), now)
        return Step(cancelled, _event(job, cancelled, now, Transition.CANCELLED, by, why))
    if job.cancel is not None:
        return None
    asked = replace(job, cancel=CancelRequest(now, by, why))
    return Step(asked, Event(now, "cancel_requested", job.status, asked.status, by, why, job.attempt))


def retry(job: Job, now: datetime, by: By, why: str, *, beyond_limit: bool) -> Step:
    """Back to the queue with a clean slate of lost workers. A deadline that has passed is lifted, or it would end the
    job again at once."""
    status = next_state(job.status, Transition.RETRIED)
    if not (job.can_retry or beyond_limit):
        raise TransitionRefusedError(
            job.status, status, f"all {job.max_retries} retries are used up, and only a person may go beyond that"
        )
    deadline_lifted = passed(job.timeout_at, now)
    waiting = replace(
        _pending(job, None, now),
        retry_count=job.retry_count + 1,
        lost_count=0,
        completed_at=None,
        timeout_at=None if deadline_lifted else job.timeout_at,
        settled=None,
    )
    event = _event(job, waiting, now, Transition.RETRIED, by, why)
    return Step(waiting, replace(event, details={"deadline_lifted": True}) if deadline_lifted else event)


def settle(job: Job, now: datetime, poison_limit: int) -> Step | None:
    """What the clocks make of the job; None where none of them has run out."""
    if job.status is JobState.PENDING and job.trashed is None:
        return _settle_pending(job, now)
    if job.status is JobState.PROCESSING:
        return _settle_processing(job, now, poison_limit)
    return None


def change(job: Job, now: datetime, by: By, changes: Mapping[str, Any]) -> Step:
    """Other values for what may still be changed, as long as no worker has seen it."""
    unknown = changes.keys() - CHANGEABLE
    assert not unknown, f"not fields that can be changed: {sorted(unknown)}"
    if job.status is not JobState.PENDING:
        raise StateRefusedError(f"Only a pending job can be changed; this one is {job.status}.")
    changed = replace(job, **changes)
    if "not_before" in changes:
        changed = replace(changed, waiting_since=max(now, changed.not_before or now))
    event = Event(now, "changed", job.status, job.status, by, details={"fields": sorted(changes)})
    return Step(changed, event)


def correct(job: Job, now: datetime, by: By, why: str, changes: Mapping[str, Any]) -> Step:
    """A data fix: other values, whatever state the job is in."""
    unknown = changes.keys() - CORRECTABLE
    assert not unknown, f"not fields that can be corrected: {sorted(unknown)}"
    corrected = replace(job, **changes)
    if "not_before" in changes and job.status is JobState.PENDING:
        corrected = replace(corrected, waiting_since=max(now, corrected.not_before or now))
    event = Event(now, "corrected", job.status, job.status, by, why, details={"fields": sorted(changes)})
    return Step(corrected, event)


def move(job: Job, now: datetime, by: By, target: JobState, why: str) -> Step:
    """A data fix: to another state, by the transition that leads there and by no other way. What a worker holds is
    ended over its head; whatever it still says of the job is refused."""
    transition = MOVES.get((job.status, target))
    if transition is None:
        raise TransitionRefusedError(job.status, target)
    if transition is Transition.RETRIED:
        return retry(job, now, by, why, beyond_limit=True)
    if transition is Transition.RELEASED:
        next_state(job.status, transition)
        return _ended(job, _pending(job, None, now), now, transition, by, why)
    ended = _final(replace(job, status=next_state(job.status, transition)), now)
    if job.status is JobState.PENDING:
        return Step(ended, _event(job, ended, now, transition, by, why))
    message = None if target is JobState.COMPLETED else why
    told = replace(ended, error_message=None, traceback=None) if message is None else replace(ended, error_message=why)
    return _ended(job, told, now, transition, by, why, error_message=message)


def trash(job: Job, now: datetime, by: By, why: str) -> Step:
    if job.status is JobState.PROCESSING:
        raise StateRefusedError("A processing job cannot be deleted; cancel it first.")
    gone = replace(job, trashed=Trashed(now, by, job.ingestion_task_id), ingestion_task_id=None)
    return Step(gone, Event(now, "deleted", job.status, job.status, by, why))


def restore(job: Job, now: datetime, by: By) -> Step:
    if job.trashed is None:
        raise StateRefusedError("The job is not in the trash.")
    back = replace(job, trashed=None, ingestion_task_id=job.trashed.ingestion_task_id)
    return Step(back, Event(now, "restored", job.status, job.status, by))


def _settle_pending(job: Job, now: datetime) -> Step | None:
    if passed(job.timeout_at, now):
        ended = _final(replace(job, status=next_state(job.status, Transition.TIMED_OUT)), now)
        why = "its deadline passed before a worker took it"
        return Step(ended, _event(job, ended, now, Transition.TIMED_OUT, CLOCK, why))
    return Step(job) if passed(job.not_before, now) else None


def _settle_processing(job: Job, now: datetime, poison_limit: int) -> Step | None:
    reasons = {
        "its deadline passed": job.timeout_at,
        "the attempt took too long": job.attempt_ends_at,
        "the lease ended": job.lease_expires_at,
    }
    why = next((why for why, clock in reasons.items() if passed(clock, now)), None)
    if why is None:
        return None
    if job.cancel is not None:
        return _cancelled(job, now, CLOCK, f"asked to cancel, and {why}")
    if why == "the lease ended":
        return _lost(job, now, poison_limit)
    ended = replace(job, status=next_state(job.status, Transition.TIMED_OUT), error_message=f"Timed out: {why}.")
    return _ended(job, _final(ended, now), now, Transition.TIMED_OUT, CLOCK, why, error_message=why)


def _lost(job: Job, now: datetime, poison_limit: int) -> Step:
    lost = replace(job, lost_count=job.lost_count + 1)
    why = f"worker {job.worker_id} was not heard of in time"
    if lost.lost_count < poison_limit:
        next_state(job.status, Transition.LEASE_LOST)
        return _ended(job, _pending(lost, None, now), now, Transition.LEASE_LOST, CLOCK, why, error_message=why)
    message = f"lost {lost.lost_count} times"
    failed = replace(lost, status=next_state(job.status, Transition.GAVE_UP), error_message=message)
    return _ended(job, _final(failed, now), now, Transition.GAVE_UP, CLOCK, f"{message}: {why}", error_message=why)


def _cancelled(job: Job, now: datetime, by: By, why: str = "", call: str = "", **outcome: str | None) -> Step:
    status = next_state(job.status, Transition.CANCELLED)
    reason = why or (job.cancel.why if job.cancel else "")
    return _ended(job, _final(replace(job, status=status), now), now, Transition.CANCELLED, by, reason, call, **outcome)


def _pending(job: Job, not_before: datetime | None, now: datetime) -> Job:
    return replace(
        job,
        status=JobState.PENDING,
        worker_id=None,
        started_at=None,
        not_before=not_before,
        waiting_since=not_before or now,
        lease_expires_at=None,
        token_digest=None,
        heartbeat_at=None,
        cancel=None,
    )


def _final(job: Job, now: datetime) -> Job:
    return replace(job, completed_at=now, lease_expires_at=None, token_digest=None)


def _ended(
    before: Job,
    after: Job,
    now: datetime,
    transition: Transition,
    by: By,
    why: str = "",
    call: str = "",
    **outcome: str | None,
) -> Step:
    """A step that ends an attempt; with `call`, the holder's own doing, which it may ask about again."""
    assert before.worker_id is not None
    assert before.started_at is not None
    assert before.token_digest is not None
    settled = Settled(before.token_digest, call) if call else None
    attempt = Attempt(
        before.attempt, before.worker_id, before.waiting_since, before.started_at, now, transition.value, **outcome
    )
    return Step(replace(after, settled=settled), _event(before, after, now, transition, by, why), attempt)


def _event(before: Job, after: Job, now: datetime, transition: Transition, by: By, why: str = "") -> Event:
    return Event(now, transition.value, before.status, after.status, by, why, after.attempt or None)


def _holder(job: Job) -> By:
    return By.worker(job.worker_id or "")
