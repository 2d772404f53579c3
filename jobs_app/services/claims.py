"""What a worker does: claims jobs, says that it is alive, and ends each with one outcome or gives it back.

Whoever holds the token of the current attempt holds the job. A lease that ran out is lost when the sweep or the next
claim settles it; until then nobody else can have the job, and its holder may still end it. None of this is in the audit
log: each call is an event of the job, written with it.
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from jobs_app.domain import job_transitions, lease
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.backoff import Backoff
from jobs_app.domain.job import Job, Step, passed
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.new_job import word_fault
from jobs_app.domain.worker import Controls
from jobs_app.errors import InvalidError, LeaseLostError
from jobs_app.services import expiry, workers
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores import controls as control_records
from jobs_app.stores.job_records import JobRecords
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store
from storage_app.records.errors import RecordStoreError
from storage_app.records.operations import Durability
from storage_app.records.query import Condition, Node, Not, Op, parse

MOST_AT_ONCE: Final = 100
MOST_TYPES: Final = 100
LONGEST_WAIT_SECONDS: Final = 60
LONGEST_ERROR: Final = 64 * 1024
LONGEST_PROGRESS_MESSAGE: Final = 1000
LONGEST_RETRY_AFTER: Final = timedelta(days=31)
BACKOFF: Final = Backoff()
_MOST_VALUES: Final = 1000
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a worker asks for, and what it says of itself. No content types: it takes any."""

    worker_id: str
    content_types: Sequence[str] | None = None
    limit: int = 1
    lease_seconds: int = 60
    software_version: str = ""
    capabilities: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job, and the token that only its holder ever sees."""

    job: Job
    lease_token: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a claim came to; `alarm_at` is when the clock alone may next make a job due, if it ever does."""

    claimed: list[Claimed]
    is_drained: bool
    alarm_at: datetime | None


@dataclass(frozen=True, slots=True)
class Beat:
    lease_expires_at: datetime | None
    cancel_requested: bool


def claim(actor: Actor, slug: str, request: ClaimRequest) -> list[Claimed]:
    """The first due jobs that this worker takes, by priority and age; [] where there are none for now."""
    return attempt(actor, slug, request).claimed


def attempt(actor: Actor, slug: str, request: ClaimRequest) -> Attempt:
    """A claim, with what somebody needs to know who waits for the next one."""
    project, records = jobs_of(actor, slug, Scope.WORK)
    _check(request)
    store = record_store()
    alarm = records.next_alarm()
    if passed(alarm, records.now()):
        expiry.settle_due(records, limit=expiry.BEFORE_A_CLAIM)
        alarm = records.next_alarm()
    workers.seen(store, project.slug, request)
    controls = control_records.read(store, project.slug)
    conditions = _open_to(store, project.slug, controls, request)
    claimed = [] if conditions is None else _taken(records, conditions, request)
    return Attempt(claimed, request.worker_id in controls.workers, alarm)


def next_alarm(actor: Actor, slug: str) -> datetime | None:
    """When the clock alone may next make a job due."""
    return jobs_of(actor, slug, Scope.WORK)[1].next_alarm()


def heartbeat(
    actor: Actor,
    slug: str,
    id: str,
    token: str,
    *,
    lease_seconds: int | None = None,
    percent: float | None = None,
    message: str | None = None,
) -> Beat:
    """Prolongs the lease. A worker that beats but hangs is stopped by the clock of its attempt, which no beat moves."""
    project, records = jobs_of(actor, slug, Scope.WORK)
    _check_beat(lease_seconds, percent, message)
    overdue = False

    def decide(job: Job, now: datetime) -> Step | None:
        nonlocal overdue
        lease.require_holder(job, token)
        overdue = passed(job.attempt_ends_at, now) or passed(job.timeout_at, now)
        if overdue:
            return job_transitions.settle(job, now, expiry.poison_limit())
        return job_transitions.beat(job, now, lease_seconds, percent, message)

    job = records.change(id, decide, durability=Durability.KILL_SAFE)
    if overdue:
        raise LeaseLostError(f"This lease of job {id} is lost: its time was over, and the job is {job.status}.")
    workers.beat(record_store(), project.slug, job.worker_id or "")
    return Beat(job.lease_expires_at, job.cancel is not None)


def complete(actor: Actor, slug: str, id: str, token: str, result_data: Any = None) -> Job:
    """The job's outcome. Said again with the same token, it is answered again and changes nothing."""
    return _end(actor, slug, id, token, "complete", lambda job, now: job_transitions.complete(job, now, result_data))


def fail(actor: Actor, slug: str, id: str, token: str, failure: Failure, retry_after: timedelta | None = None) -> Job:
    """Tried again after `retry_after` or a backoff where it may be and retries are left, failed otherwise."""
    if len(failure.message) > LONGEST_ERROR or len(failure.traceback or "") > LONGEST_ERROR:
        raise InvalidError.at("error_message", f"message and traceback may have {LONGEST_ERROR} characters each")
    if retry_after is not None and not timedelta(0) <= retry_after <= LONGEST_RETRY_AFTER:
        raise InvalidError.at("retry_after", f"must be from 0 to {int(LONGEST_RETRY_AFTER.total_seconds())} seconds")

    def decide(job: Job, now: datetime) -> Step:
        wait = BACKOFF.wait(job.retry_count + 1, _chance) if retry_after is None else retry_after
        return job_transitions.fail(job, now, failure, wait)

    return _end(actor, slug, id, token, "fail", decide)


def release(actor: Actor, slug: str, id: str, token: str) -> Job:
    """Back to the queue, no retry counted."""
    return _end(actor, slug, id, token, "release", job_transitions.release)


_chance: Final = random.SystemRandom()


def _end(actor: Actor, slug: str, id: str, token: str, call: str, decide: Callable[[Job, datetime], Step]) -> Job:
    _, records = jobs_of(actor, slug, Scope.WORK)

    def decide_as_holder(job: Job, now: datetime) -> Step | None:
        if lease.has_settled(job, token, call):
            return None
        lease.require_holder(job, token)
        return decide(job, now)

    return records.change(id, decide_as_holder)


def _open_to(store: RecordStore, slug: str, controls: Controls, request: ClaimRequest) -> list[Node] | None:
    """Conditions on what this worker may have; None where that is nothing. They always meet an index of due jobs."""
    if controls.project is not None or request.worker_id in controls.workers:
        return None
    due = parse("due", True)
    paused = controls.content_types
    if request.content_types is not None:
        return _of_types(due, [name for name in dict.fromkeys(request.content_types) if name not in paused])
    if not paused:
        return [due]
    waiting = store.count_by(slug, "jobs", ["content_type"], {"status": JobState.PENDING.value})
    names = [str(name) for (name,) in waiting if name not in paused]
    if len(names) <= _MOST_VALUES:
        return _of_types(due, names)
    return [due, Not(Condition(("content_type",), Op.IN, list(paused)))]


def _of_types(due: Node, names: Sequence[str]) -> list[Node] | None:
    return [due, Condition(("content_type",), Op.IN, list(names))] if names else None


def _taken(records: JobRecords, conditions: Sequence[Node], request: ClaimRequest) -> list[Claimed]:
    """Those whose deadline passed while nobody looked are ended on the way, and others taken in their place. What is
    taken by then is handed out even where taking more fails: it has a lease already, and nobody else could have it.
    """
    tokens: dict[str, str] = {}

    def decide(job: Job, now: datetime) -> Step | None:
        if passed(job.timeout_at, now):
            return job_transitions.settle(job, now, expiry.poison_limit())
        # A backend may ask twice after a conflict; the token that counts is that of the last answer, which it keeps.
        tokens[job.id] = lease.new_token()
        return job_transitions.claim(job, now, request.worker_id, lease.digest(tokens[job.id]), request.lease_seconds)

    taken: list[Claimed] = []
    while len(taken) < request.limit:
        try:
            jobs = records.claim(conditions, decide, request.limit - len(taken))
        except RecordStoreError as error:
            if not taken:
                raise
            log.warning("A claim of %s ends with the %d jobs it has: %s", request.worker_id, len(taken), error)
            break
        taken += [Claimed(job, tokens[job.id]) for job in jobs if job.status is JobState.PROCESSING]
        if all(job.status is JobState.PROCESSING for job in jobs):
            break
    return taken


def _check(request: ClaimRequest) -> None:
    if reason := word_fault(request.worker_id) or ("must not have a slash in it" if "/" in request.worker_id else ""):
        raise InvalidError.at("worker_id", reason)
    if not 1 <= request.limit <= MOST_AT_ONCE:
        raise InvalidError.at("limit", f"must be from 1 to {MOST_AT_ONCE}")
    if request.content_types is not None and not 1 <= len(request.content_types) <= MOST_TYPES:
        raise InvalidError.at("content_types", f"name 1 to {MOST_TYPES}, or leave it out for any")
    _check_lease(request.lease_seconds)


def _check_beat(lease_seconds: int | None, percent: float | None, message: str | None) -> None:
    if lease_seconds is not None:
        _check_lease(lease_seconds)
    if percent is not None and not 0 <= percent <= 100:
        raise InvalidError.at("progress", "must be from 0 to 100")
    if message is not None and len(message) > LONGEST_PROGRESS_MESSAGE:
        raise InvalidError.at("message", f"has {len(message)} characters; {LONGEST_PROGRESS_MESSAGE} is the most")


def _check_lease(seconds: int) -> None:
    if not 1 <= seconds <= lease.LONGEST_LEASE_SECONDS:
        raise InvalidError.at("lease_seconds", f"must be from 1 to {lease.LONGEST_LEASE_SECONDS}")
