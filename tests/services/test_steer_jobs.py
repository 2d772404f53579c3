"""What people do to jobs: change, cancel, retry, throw away and bring back."""

from datetime import timedelta
from typing import Any

import pytest

from jobs_app.domain.access import COMMAND, SYSTEM, Actor, ActorKind, Role, Scope
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.operation import Action
from jobs_app.errors import (
    ConflictError,
    GoneError,
    InvalidError,
    InvalidTransitionError,
    LeaseLostError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from jobs_app.models import AuditEntry, Project
from jobs_app.services import claims, events, expiry, job_actions, jobs
from jobs_app.services.job_actions import Choice
from jobs_app.services.jobs import JobFilter
from tests.conftest import Clock
from tests.factories import claim_job, job_in, make_actor, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
PENDING, PROCESSING, COMPLETED, FAILED, TIMEOUT, CANCELLED = JobState
EVER = Deadline(timedelta(days=1))  # made on import, so longer than any run of the tests


def program(project: Project) -> Actor:
    return Actor(ActorKind.TOKEN, "1", "a program", {project.pk: frozenset({Scope.READ, Scope.WRITE})})


def last_event(project: Project, id: str) -> Any:
    return events.of(COMMAND, project.slug, id).lines[-1][1]


def test_a_waiting_job_takes_other_values_and_says_who_gave_them(project: Project, clock: Clock) -> None:
    job, anna = make_job(project), make_actor(project, Role.OPERATOR)
    options = {"n": 1.0}
    changed = jobs.change(
        anna,
        project.slug,
        job.id,
        {"priority": 7, "task_options": options, "not_before": clock.now + timedelta(hours=1)},
    )
    assert (changed.priority, str(changed.task_options), changed.version) == (7, "{'n': 1.0}", job.version + 1)
    assert not changed.is_due(clock.now)
    event = last_event(project, job.id)
    assert (event.type, event.by.name, event.details["fields"]) == (
        "changed", anna.name, ["not_before", "priority", "task_options"],
    )  # fmt: skip
    assert AuditEntry.objects.filter(action="job.change", actor_name=anna.name, target_id=job.id).exists()
    assert claims.claim(COMMAND, project.slug, claims.ClaimRequest("w1")) == []


def test_one_becomes_one_point_zero_when_it_is_changed_so(project: Project) -> None:
    job = make_job(project, task_options={"n": 1})
    changed = jobs.change(COMMAND, project.slug, job.id, {"task_options": {"n": 1.0}})
    assert str(changed.task_options) == "{'n': 1.0}"


def test_a_change_of_a_version_that_has_passed_is_refused(project: Project) -> None:
    job = make_job(project)
    jobs.change(COMMAND, project.slug, job.id, {"name": "first"}, version=job.version)
    with pytest.raises(PreconditionFailedError) as refused:
        jobs.change(COMMAND, project.slug, job.id, {"name": "second"}, version=job.version)
    assert refused.value.extra["current_version"] == job.version + 1
    assert jobs.get(COMMAND, project.slug, job.id).name == "first"


@pytest.mark.parametrize("changes", [{"name": None}, {"priority": 101}, {"tags": [""]}, {"task_options": None}])
def test_a_change_to_nonsense_is_refused(project: Project, changes: dict[str, Any]) -> None:
    job = make_job(project)
    with pytest.raises(InvalidError):
        jobs.change(COMMAND, project.slug, job.id, changes)
    assert jobs.get(COMMAND, project.slug, job.id) == job


def test_a_change_to_nothing_changes_nothing(project: Project) -> None:
    job = make_job(project)
    assert jobs.change(COMMAND, project.slug, job.id, {}) == job


@pytest.mark.parametrize("state", [state for state in JobState if state is not PENDING])
def test_only_a_waiting_job_can_be_changed(project: Project, state: JobState) -> None:
    job = job_in(project, state)
    with pytest.raises(ConflictError, match=state.value):
        jobs.change(COMMAND, project.slug, job.id, {"priority": 1})


def test_a_waiting_job_is_cancelled_at_once(project: Project, clock: Clock) -> None:
    job = make_job(project)
    cancelled = jobs.cancel(COMMAND, project.slug, job.id, "wrong file")
    assert (cancelled.status, cancelled.completed_at) == (CANCELLED, clock.now)
    assert last_event(project, job.id).why == "wrong file"
    assert AuditEntry.objects.get(action="job.cancel").detail == {"reason": "wrong file"}


def test_a_worker_hears_of_a_cancel_with_its_next_beat_and_gives_up(project: Project) -> None:
    make_job(project)
    claimed = claim_job(project)
    asked = jobs.cancel(COMMAND, project.slug, claimed.job.id, "wrong file")
    assert asked.status is PROCESSING
    assert jobs.cancel(COMMAND, project.slug, claimed.job.id) == asked
    assert claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token).cancel_requested
    ended = claims.release(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
    assert ended.status is CANCELLED
    assert last_event(project, ended.id).why == "wrong file"


def test_a_cancel_ends_by_itself_though_the_worker_beats_on_for_ever(project: Project, clock: Clock) -> None:
    make_job(project)
    claimed = claim_job(project, lease_seconds=60)
    jobs.cancel(COMMAND, project.slug, claimed.job.id)
    for _ in range(3):
        claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token, lease_seconds=3600)
        clock.advance(minutes=30)
    expiry.run(EVER)
    assert jobs.get(COMMAND, project.slug, claimed.job.id).status is CANCELLED


@pytest.mark.parametrize("state", [COMPLETED, FAILED, TIMEOUT, CANCELLED])
def test_what_has_ended_cannot_be_cancelled(project: Project, state: JobState) -> None:
    job = job_in(project, state)
    with pytest.raises(InvalidTransitionError, match=f"from {state} to cancelled"):
        jobs.cancel(COMMAND, project.slug, job.id)
    assert jobs.get(COMMAND, project.slug, job.id) == job


@pytest.mark.parametrize("state", [FAILED, TIMEOUT])
def test_a_retried_job_waits_again(project: Project, state: JobState) -> None:
    job = job_in(project, state)
    retried = jobs.retry(program(project), project.slug, job.id, "fixed the page")
    assert (retried.status, retried.retry_count, retried.completed_at) == (PENDING, 1, None)
    assert claim_job(project, "w2").job.id == job.id


@pytest.mark.parametrize("state", [PENDING, PROCESSING, COMPLETED, CANCELLED])
def test_what_has_not_failed_cannot_be_retried(project: Project, state: JobState) -> None:
    job = job_in(project, state)
    with pytest.raises(InvalidTransitionError, match=f"from {state} to pending"):
        jobs.retry(COMMAND, project.slug, job.id)


def test_beyond_its_retries_only_a_person_sends_a_job_back(project: Project) -> None:
    job = job_in(project, FAILED, max_retries=0)
    with pytest.raises(InvalidTransitionError, match="only a person"):
        jobs.retry(program(project), project.slug, job.id)
    assert jobs.retry(make_actor(project, Role.OPERATOR), project.slug, job.id).status is PENDING


def test_a_deleted_job_is_nowhere_but_in_the_trash_and_comes_back_whole(project: Project) -> None:
    job = job_in(project, FAILED, ingestion_task_id="t1")
    jobs.delete(COMMAND, project.slug, job.id, "no longer needed")
    assert jobs.find(COMMAND, project.slug, JobFilter()).jobs == []
    for call in (
        lambda: jobs.get(COMMAND, project.slug, job.id),
        lambda: jobs.retry(COMMAND, project.slug, job.id),
        lambda: jobs.delete(COMMAND, project.slug, job.id),
        lambda: events.of(COMMAND, project.slug, job.id),
    ):
        with pytest.raises(NotFoundError):
            call()
    (gone,) = jobs.in_trash(COMMAND, project.slug).jobs
    assert (gone.id, gone.status) == (job.id, FAILED)
    back = jobs.restore(COMMAND, project.slug, job.id)
    assert (back.status, back.ingestion_task_id, back.error_message) == (FAILED, "t1", job.error_message)
    types = [event.type for _, event in events.of(COMMAND, project.slug, job.id).lines]
    assert types == ["created", "claimed", "failed", "deleted", "restored"]
    with pytest.raises(NotFoundError):
        jobs.restore(COMMAND, project.slug, job.id)


def test_a_deleted_job_says_what_it_was_however_it_went(project: Project) -> None:
    anna = make_actor(project, Role.OPERATOR)
    alone, among_many = make_job(project, name="alone"), make_job(project, name="among many")
    jobs.delete(anna, project.slug, alone.id)
    job_actions.act(anna, project.slug, Action.DELETE, Choice(ids=[among_many.id]))

    def told(job: Job) -> str:
        with pytest.raises(GoneError) as gone:
            jobs.get(COMMAND, project.slug, job.id)
        return f"{gone.value.name} by {gone.value.by}"

    assert [told(alone), told(among_many)] == [f"alone by {anna.name}", f"among many by {anna.name}"]
    jobs.erase(COMMAND, project.slug, alone.id)
    assert told(alone) == f"alone by {COMMAND.name}"
    jobs.restore(COMMAND, project.slug, among_many.id)
    assert jobs.get(COMMAND, project.slug, among_many.id).name == "among many"


def test_a_deleted_waiting_job_is_given_to_nobody_until_it_is_back(project: Project, clock: Clock) -> None:
    job = make_job(project, timeout_at=clock.now + timedelta(hours=1))
    jobs.delete(COMMAND, project.slug, job.id)
    clock.advance(hours=2)
    assert claims.claim(COMMAND, project.slug, claims.ClaimRequest("w1")) == []
    expiry.run(EVER)
    assert jobs.restore(COMMAND, project.slug, job.id).status is PENDING
    expiry.run(EVER)
    assert jobs.get(COMMAND, project.slug, job.id).status is TIMEOUT


def test_a_processing_job_is_not_deleted(project: Project) -> None:
    job = job_in(project, PROCESSING)
    with pytest.raises(ConflictError, match="cancel it first"):
        jobs.delete(COMMAND, project.slug, job.id)


@pytest.mark.parametrize("call", [jobs.cancel, jobs.retry, jobs.delete, jobs.restore])
def test_a_viewer_changes_nothing(project: Project, call: Any) -> None:
    job = make_job(project)
    with pytest.raises(PermissionDeniedError):
        call(make_actor(project, Role.VIEWER), project.slug, job.id)
    with pytest.raises(PermissionDeniedError):
        jobs.change(make_actor(project, Role.VIEWER), project.slug, job.id, {"priority": 1})
    assert jobs.get(COMMAND, project.slug, job.id) == job


def test_a_stranger_finds_no_job(project: Project, other_project: Project) -> None:
    job, stranger = make_job(project), make_actor(other_project, Role.ADMIN)
    for slug in (project.slug, other_project.slug):
        with pytest.raises(NotFoundError):
            jobs.cancel(stranger, slug, job.id)


def test_the_system_is_no_person(project: Project) -> None:
    job = job_in(project, FAILED, max_retries=0)
    with pytest.raises(InvalidTransitionError):
        jobs.retry(SYSTEM, project.slug, job.id)


def test_a_failed_retry_keeps_the_error_in_sight_until_the_job_is_done(project: Project, clock: Clock) -> None:
    make_job(project)
    claimed = claim_job(project)
    waiting = claims.fail(COMMAND, project.slug, claimed.job.id, claimed.lease_token, Failure("boom"))
    assert (waiting.status, waiting.error_message) == (PENDING, "boom")
    clock.advance(hours=1)
    claimed = claim_job(project)
    assert claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token).error_message is None


def test_a_job_taken_back_waits_again_without_a_retry_and_its_holder_is_out(project: Project) -> None:
    job, anna = make_job(project), make_actor(project, Role.OPERATOR)
    claimed = claim_job(project)
    back = jobs.take_back(anna, project.slug, job.id, "the host is gone")
    assert (back.status, back.retry_count, back.worker_id) == (JobState.PENDING, 0, None)
    event = last_event(project, job.id)
    assert (event.type, event.by.name, event.why) == ("released", anna.name, "the host is gone")
    assert AuditEntry.objects.filter(action="job.release", actor_name=anna.name, target_id=job.id).exists()
    for late in (claims.complete, claims.release, claims.heartbeat):
        with pytest.raises(LeaseLostError):
            late(COMMAND, project.slug, job.id, claimed.lease_token)
    assert claim_job(project, worker_id="w2").job.id == job.id


def test_a_job_that_is_to_be_cancelled_is_cancelled_when_it_is_taken_back(project: Project) -> None:
    make_job(project)
    claimed = claim_job(project)
    jobs.cancel(COMMAND, project.slug, claimed.job.id, "wrong file")
    ended = jobs.take_back(COMMAND, project.slug, claimed.job.id)
    assert (ended.status, last_event(project, ended.id).why) == (CANCELLED, "wrong file")


@pytest.mark.parametrize("state", [state for state in JobState if state is not PROCESSING])
def test_only_what_a_worker_holds_can_be_taken_back(project: Project, state: JobState) -> None:
    job = job_in(project, state)
    with pytest.raises(InvalidTransitionError, match=state.value):
        jobs.take_back(COMMAND, project.slug, job.id)
    assert jobs.get(COMMAND, project.slug, job.id) == job
