"""How a worker ends a job: with one outcome, told once however often it is sent, and never after its lease was lost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job import Job
from jobs_app.domain.job_log import NewLogEntry
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.errors import LeaseLostError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import claims, events, jobs, logs
from jobs_app.services.logs import LogFilter
from tests.conftest import Clock
from tests.factories import claim_job, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]

# Everything that only the holder may do.
CALLS: dict[str, Callable[[str, str, str], Any]] = {
    "heartbeat": lambda slug, id, token: claims.heartbeat(COMMAND, slug, id, token, percent=50),
    "complete": lambda slug, id, token: claims.complete(COMMAND, slug, id, token, {"late": True}),
    "fail": lambda slug, id, token: claims.fail(COMMAND, slug, id, token, Failure("late")),
    "fail for good": lambda slug, id, token: claims.fail(COMMAND, slug, id, token, Failure("late", retryable=False)),
    "release": lambda slug, id, token: claims.release(COMMAND, slug, id, token),
    "log": lambda slug, id, token: logs.append(COMMAND, slug, id, [NewLogEntry("late")], token),
}


def story(project: Project, job: Job) -> tuple[Job, int, int]:
    """Everything that a late call could change."""
    return (
        jobs.get(COMMAND, project.slug, job.id),
        len(events.of(COMMAND, project.slug, job.id).lines),
        len(logs.read(COMMAND, project.slug, job.id, LogFilter()).lines),
    )


@pytest.mark.parametrize("call", list(CALLS))
def test_a_worker_that_lost_its_lease_to_another_is_refused_and_changes_nothing(
    call: str, project: Project, clock: Clock
) -> None:
    job = make_job(project)
    frozen = claim_job(project, "w1", lease_seconds=10)
    clock.advance(seconds=11)
    namesake = claim_job(project, "w1")  # restarted under the same name, and still another holder
    before = story(project, job)
    with pytest.raises(LeaseLostError):
        CALLS[call](project.slug, job.id, frozen.lease_token)
    assert story(project, job) == before
    claims.complete(COMMAND, project.slug, job.id, namesake.lease_token, {"by": "the second"})
    after = story(project, job)
    with pytest.raises(LeaseLostError):
        CALLS[call](project.slug, job.id, frozen.lease_token)
    assert story(project, job) == after
    assert after[0].result_data == {"by": "the second"}


@pytest.mark.parametrize("call", list(CALLS))
@pytest.mark.parametrize("token", ["", "w1", "guess"])
def test_who_never_had_the_token_is_refused(call: str, token: str, project: Project) -> None:
    job = make_job(project)
    claim_job(project, "w1")
    before = story(project, job)
    with pytest.raises(LeaseLostError):
        CALLS[call](project.slug, job.id, token)
    assert story(project, job) == before


@pytest.mark.parametrize("call", list(CALLS))
def test_a_token_of_another_job_is_refused(call: str, project: Project) -> None:
    make_job(project)
    other = make_job(project)
    claim_job(project)
    token = claim_job(project).lease_token
    first = next(job for job in jobs.find(COMMAND, project.slug, jobs.JobFilter()).jobs if job.id != other.id)
    with pytest.raises(LeaseLostError):
        CALLS[call](project.slug, first.id, token)


@pytest.mark.parametrize("call", list(CALLS))
@pytest.mark.parametrize("id", ["0190aaaa-0000-7000-8000-000000000000", "nonsense", "", "é"])
def test_a_job_that_is_not_there_is_not_found(call: str, id: str, project: Project) -> None:
    with pytest.raises(NotFoundError):
        CALLS[call](project.slug, id, "token")


def test_a_completed_job_keeps_its_result_exactly(project: Project, clock: Clock) -> None:
    make_job(project)
    claimed = claim_job(project)
    clock.advance(seconds=5)
    result = {"n": 10**40, "one": 1, "one point": 1.0, "nested": [{"a": None}]}
    done = claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token, result)
    assert (done.status, done.completed_at) == (JobState.COMPLETED, clock.now)
    assert done.processing_duration(clock.now) == timedelta(seconds=5)
    assert str(done.result_data) == str(result)


def test_complete_sent_again_is_answered_again_and_changes_nothing(project: Project) -> None:
    make_job(project)
    claimed = claim_job(project)
    first = claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token, {"a": 1})
    again = claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token, {"a": 2})
    assert again == first
    with pytest.raises(LeaseLostError):
        claims.fail(COMMAND, project.slug, claimed.job.id, claimed.lease_token, Failure("no"))


@pytest.mark.parametrize("call", ["fail", "release"])
def test_an_answer_lost_on_the_way_can_be_asked_for_again_until_another_has_the_job(
    call: str, project: Project, clock: Clock
) -> None:
    make_job(project)
    claimed = claim_job(project)
    first = CALLS[call](project.slug, claimed.job.id, claimed.lease_token)
    assert CALLS[call](project.slug, claimed.job.id, claimed.lease_token) == first
    clock.advance(hours=2)
    claim_job(project, "w2")
    with pytest.raises(LeaseLostError):
        CALLS[call](project.slug, claimed.job.id, claimed.lease_token)


def test_a_failure_waits_longer_each_time_and_ends_failed(project: Project, clock: Clock) -> None:
    make_job(project, max_retries=2)
    waits = []
    for _ in range(3):
        claimed = claim_job(project)
        failed = claims.fail(COMMAND, project.slug, claimed.job.id, claimed.lease_token, Failure("boom", "Traceback …"))
        if failed.status is JobState.PENDING:
            assert failed.not_before is not None
            waits.append((failed.not_before - clock.now).total_seconds())
            clock.now = failed.not_before
    assert failed.status is JobState.FAILED
    assert (failed.error_message, failed.traceback, failed.retry_count) == ("boom", "Traceback …", 2)
    assert 7.5 <= waits[0] <= 10
    assert 15 <= waits[1] <= 20
    attempts = [attempt for _, attempt in events.attempts(COMMAND, project.slug, claimed.job.id).lines]
    assert [(attempt.number, attempt.outcome) for attempt in attempts] == [
        (1, "put_off"),
        (2, "put_off"),
        (3, "failed"),
    ]
    assert all(attempt.planned_at and attempt.planned_at <= attempt.started_at for attempt in attempts)


def test_the_worker_may_say_when_to_try_again_or_that_it_is_no_use(project: Project, clock: Clock) -> None:
    make_job(project)
    claimed = claim_job(project)
    in_a_week = timedelta(days=7)
    off = claims.fail(COMMAND, project.slug, claimed.job.id, claimed.lease_token, Failure("quota"), in_a_week)
    assert off.not_before == clock.now + in_a_week
    clock.advance(days=7)
    claimed = claim_job(project)
    final = Failure("no such file", retryable=False)
    assert claims.fail(COMMAND, project.slug, claimed.job.id, claimed.lease_token, final).status is JobState.FAILED


def test_a_released_job_is_due_at_once_and_no_retry_is_counted(project: Project) -> None:
    make_job(project)
    claimed = claim_job(project)
    back = claims.release(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
    assert (back.status, back.retry_count, back.lost_count) == (JobState.PENDING, 0, 0)
    assert claim_job(project, "w2").job.attempt == 2


def test_a_heartbeat_prolongs_the_lease_and_keeps_progress_beside_it(project: Project, clock: Clock) -> None:
    make_job(project)
    claimed = claim_job(project, lease_seconds=60)
    clock.advance(seconds=30)
    beat = claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token, percent=40, message="page 4")
    assert beat.lease_expires_at == clock.now + timedelta(seconds=60)
    assert not beat.cancel_requested
    told = clock.now
    clock.advance(seconds=30)
    claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token, lease_seconds=600)
    job = jobs.get(COMMAND, project.slug, claimed.job.id)
    assert job.progress is not None
    assert (job.progress.percent, job.progress.message, job.progress.at) == (40, "page 4", told)
    assert (job.heartbeat_at, job.lease_expires_at) == (clock.now, clock.now + timedelta(seconds=600))


def test_a_worker_that_beats_but_hangs_is_timed_out(project: Project, clock: Clock) -> None:
    make_job(project, attempt_timeout_seconds=100)
    claimed = claim_job(project, lease_seconds=60)
    for _ in range(3):
        clock.advance(seconds=30)
        claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
    clock.advance(seconds=10)
    with pytest.raises(LeaseLostError, match="timeout"):
        claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
    assert jobs.get(COMMAND, project.slug, claimed.job.id).status is JobState.TIMEOUT


def test_a_holder_whose_lease_ran_out_unnoticed_may_still_end_its_job(project: Project, clock: Clock) -> None:
    make_job(project)
    claimed = claim_job(project, lease_seconds=10)
    clock.advance(minutes=5)  # the server was away, say; nobody else can have had the job meanwhile
    done = claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
    assert done.status is JobState.COMPLETED
