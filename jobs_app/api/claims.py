"""What workers call: claim, heartbeat, complete, fail, release.

A claim that waits holds no thread: it tries again when a job changed state, when a pause ended, or when the clock
makes a job due, in turn with all others who wait for the same.
"""

import asyncio
import logging
import math
from datetime import timedelta

from django.http import HttpResponse
from ninja import Router

from jobs_app.api import job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.job_schemas import (
    ClaimIn,
    ClaimOut,
    CompleteIn,
    FailIn,
    HeartbeatIn,
    HeartbeatOut,
    JobOut,
    ReleaseIn,
)
from jobs_app.api.jobs import JOBS, JobId
from jobs_app.api.parameters import problems
from jobs_app.api.projects import Slug
from jobs_app.domain.access import Actor
from jobs_app.domain.job import passed
from jobs_app.domain.job_transitions import Failure
from jobs_app.live import Changes, hub
from jobs_app.services import claims, live_counters
from jobs_app.services.changes import project_topic
from jobs_app.services.claims import Attempt, Claimed, ClaimRequest
from jobs_app.services.project_jobs import now
from jobs_app.streaming import Caller, Later
from storage_app.records.errors import RecordStoreError

router = Router(tags=["Workers"])
log = logging.getLogger("holdfast.claims")
SHORTEST_PAUSE = 0.05
HOLDERS_ONLY = problems(409, versioned=True)


@router.post(f"{JOBS}/claim", response=ClaimOut, summary="Claim jobs")
def claim_jobs(request: ApiRequest, p: Slug, body: ClaimIn) -> HttpResponse | Later:
    """Due jobs, highest priority first, then oldest; each with the token of its lease. With `wait_seconds` the answer
    comes as soon as there is one, and is empty when nothing came in time.
    """
    asked = ClaimRequest(
        worker_id=body.worker_id,
        content_types=body.content_types,
        limit=body.limit,
        lease_seconds=body.lease_seconds,
        software_version=body.worker_version,
        capabilities=body.capabilities,
    )
    first = claims.attempt(request.auth, p, asked)
    if first.claimed or not body.wait_seconds:
        return job_answers.claimed(first.claimed, p, now())
    return Later(_Wait(request.auth, p, asked, first, body.wait_seconds))


@router.post(f"{JOBS}/{{id}}/heartbeat", response=HeartbeatOut, summary="Stay alive", openapi_extra=problems(409))
def heartbeat(request: ApiRequest, p: Slug, id: JobId, body: HeartbeatIn) -> HttpResponse:
    """Prolongs the lease, tells the progress, and hears whether the job is to be cancelled."""
    beat = claims.heartbeat(
        request.auth,
        p,
        id,
        body.lease_token,
        lease_seconds=body.lease_seconds,
        percent=body.progress,
        message=body.message,
    )
    expires_at = job_answers.time_value(beat.lease_expires_at)
    return job_answers.answer({"lease_expires_at": expires_at, "cancel_requested": beat.cancel_requested})


@router.post(f"{JOBS}/{{id}}/complete", response=JobOut, summary="Complete a job", openapi_extra=HOLDERS_ONLY)
def complete(request: ApiRequest, p: Slug, id: JobId, body: CompleteIn) -> HttpResponse:
    """The one outcome of the job. Sent again with the same token, it is answered again and changes nothing."""
    return job_answers.one(claims.complete(request.auth, p, id, body.lease_token, body.result_data), p, now())


@router.post(f"{JOBS}/{{id}}/fail", response=JobOut, summary="Fail a job", openapi_extra=HOLDERS_ONLY)
def fail(request: ApiRequest, p: Slug, id: JobId, body: FailIn) -> HttpResponse:
    """Pending again with `not_before` where it may be tried again and retries are left; failed otherwise."""
    failure = Failure(body.error_message, body.traceback, body.retryable)
    retry_after = timedelta(seconds=body.retry_after) if body.retry_after is not None else None
    return job_answers.one(claims.fail(request.auth, p, id, body.lease_token, failure, retry_after), p, now())


@router.post(f"{JOBS}/{{id}}/release", response=JobOut, summary="Give a job back", openapi_extra=HOLDERS_ONLY)
def release(request: ApiRequest, p: Slug, id: JobId, body: ReleaseIn) -> HttpResponse:
    """Pending again at once, with no retry counted."""
    return job_answers.one(claims.release(request.auth, p, id, body.lease_token), p, now())


class _Wait:
    """One claim that waits."""

    def __init__(self, actor: Actor, slug: str, asked: ClaimRequest, first: Attempt, seconds: float) -> None:
        self._actor = actor
        self._slug = slug
        self._asked = asked
        self._alarm_at = first.alarm_at
        self._seconds = seconds

    async def __call__(self, caller: Caller) -> HttpResponse:
        found = await self._found(caller)
        if found and not caller.is_open:  # nobody is there to work on them
            await caller.in_thread(self._give_back, found)
            found = []
        return await caller.in_thread(lambda: job_answers.claimed(found, self._slug, now()))

    async def _found(self, caller: Caller) -> list[Claimed]:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._seconds
        topics = [project_topic(self._slug, noun) for noun in (live_counters.JOB_EVENTS, live_counters.PAUSES)]
        async with hub.subscribe(topics, caller) as changes:
            while caller.is_open:
                if found := await self._in_turn(caller, changes):
                    return found
                left = ends_at - loop.time()
                if left <= 0:
                    return []
                pause = min(left, await caller.in_thread(self._until_alarm))
                await caller.waits_for(changes.next(timeout=pause), pause)
        return []

    async def _in_turn(self, caller: Caller, changes: Changes) -> list[Claimed]:
        """Those who wait for the same try one after the other, and no more once one of them found nothing. An alarm
        that has gone makes a turn of its own, since no counter tells of the clock.
        """
        kinds = None if self._asked.content_types is None else tuple(sorted(self._asked.content_types))
        gone = self._alarm_at if passed(self._alarm_at, now()) else None
        tried = False

        async def attempt() -> Attempt | None:
            nonlocal tried
            tried, made = True, await caller.in_thread(self._attempt)
            # one that is drained finds nothing for itself alone, which says nothing to the others
            return made if made is None or made.claimed or made.is_drained else None

        made = await hub.take_turn((kinds, gone), changes, attempt)
        if gone is not None and not tried:  # somebody else has seen to it
            self._alarm_at = await caller.in_thread(claims.next_alarm, self._actor, self._slug)
        return made.claimed if made is not None else []

    def _attempt(self) -> Attempt | None:
        try:
            made = claims.attempt(self._actor, self._slug, self._asked)
        except RecordStoreError as error:
            if not error.retryable:
                raise
            log.warning("A waiting claim of %s goes on waiting: %s", self._slug, error)
            return None
        self._alarm_at = made.alarm_at
        return made

    def _until_alarm(self) -> float:
        """Never quite nothing: an alarm that nobody could settle must not be asked after without a pause."""
        if self._alarm_at is None:
            return math.inf
        return max((self._alarm_at - now()).total_seconds(), SHORTEST_PAUSE)

    def _give_back(self, found: list[Claimed]) -> None:
        for item in found:
            claims.release(self._actor, self._slug, item.job.id, item.lease_token)
