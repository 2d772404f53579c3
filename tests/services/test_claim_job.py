"""Claiming: the right jobs in the right order, each to one worker only."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from jobs_app.domain import lease
from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import InvalidError, PermissionDeniedError
from jobs_app.models import Project
from jobs_app.services import claims, events, jobs
from jobs_app.services.claims import ClaimRequest
from storage_app.records.base import RecordStore
from storage_app.records.errors import LockTimeoutError
from tests.conftest import Clock
from tests.factories import claim_job, make_actor, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]


def names(project: Project, **asked: object) -> list[str]:
    request = ClaimRequest("w1", **{"limit": 100, **asked})  # type: ignore[arg-type]  # each test names its own fields
    return [claimed.job.name for claimed in claims.claim(COMMAND, project.slug, request)]


def test_a_claimed_job_is_in_the_hands_of_its_worker(project: Project, clock: Clock) -> None:
    job = make_job(project)
    claimed = claim_job(project, "w1", lease_seconds=90)
    assert claimed.job.id == job.id
    assert (claimed.job.status, claimed.job.worker_id, claimed.job.attempt) == (JobState.PROCESSING, "w1", 1)
    assert claimed.job.lease_expires_at == clock.now + timedelta(seconds=90)
    assert claimed.job == jobs.get(COMMAND, project.slug, job.id)
    assert [event.type for _, event in events.of(COMMAND, project.slug, job.id).lines] == ["created", "claimed"]
    assert names(project) == []


def test_only_a_digest_of_the_token_is_kept(project: Project, record_store: RecordStore) -> None:
    make_job(project)
    claimed = claim_job(project)
    document = record_store.get(project.slug, "jobs", claimed.job.id).document
    assert claimed.lease_token not in str(document)
    assert document["token_digest"] == lease.digest(claimed.lease_token)


def test_the_highest_priority_comes_first_then_the_oldest(project: Project) -> None:
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -100), ("f", 100)):
        make_job(project, name=name, priority=priority)
    assert names(project) == ["f", "b", "d", "a", "c", "e"]


def test_a_worker_gets_its_content_types_in_one_order(project: Project) -> None:
    for name, kind, priority in (("a", "pdf", 0), ("b", "html", 9), ("c", "text", 5), ("d", "pdf", 7), ("e", "", 1)):
        make_job(project, name=name, content_type=kind, priority=priority)
    assert names(project, content_types=["pdf", "text", "nothing"]) == ["d", "c", "a"]
    assert names(project, content_types=["pdf"]) == []
    assert names(project) == ["b", "e"]


def test_no_more_are_given_than_asked_for(project: Project) -> None:
    jobs.create_many(COMMAND, project.slug, [NewJob()] * 5)
    assert len(names(project, limit=2)) == 2
    assert len(names(project, limit=100)) == 3


@pytest.mark.parametrize("first_round", ["one is over", "one is damaged"])
def test_what_is_taken_is_handed_out_even_where_taking_more_fails(
    first_round: str,
    project: Project,
    clock: Clock,
    record_store: RecordStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has a lease by then: kept back, nobody could have it until that ended, and its worker would count as lost."""
    other = make_job(project, name="other", priority=1, timeout_at=clock.now + timedelta(minutes=1))
    make_job(project, name="good")
    if first_round == "one is damaged":
        record_store.update(project.slug, "jobs", other.id, {"max_retries": "many"})
    rounds: list[int] = []

    def busy_at_last(*args: Any, **named: Any) -> Any:
        rounds.append(1)
        if len(rounds) > 1:
            raise LockTimeoutError("somebody else has it")
        if first_round == "one is over":
            clock.advance(minutes=2)
        return claim_first(*args, **named)

    claim_first = record_store.claim_first
    monkeypatch.setattr(record_store, "claim_first", busy_at_last)
    assert names(project, limit=2) == ["good"]
    assert len(rounds) == 2
    with pytest.raises(LockTimeoutError):
        names(project)


def test_a_job_is_not_given_before_its_time_and_then_at_once_without_a_sweep(project: Project, clock: Clock) -> None:
    make_job(project, name="later", not_before=clock.now + timedelta(minutes=5))
    make_job(project, name="now")
    assert names(project, lease_seconds=3600) == ["now"]
    clock.advance(seconds=299)
    assert names(project) == []
    clock.advance(seconds=1)
    assert names(project) == ["later"]


def test_a_job_whose_deadline_passed_is_ended_and_not_given(project: Project, clock: Clock) -> None:
    late = make_job(project, name="late", timeout_at=clock.now + timedelta(minutes=1))
    make_job(project, name="other")
    clock.advance(minutes=2)
    assert names(project, limit=1) == ["other"]
    assert jobs.get(COMMAND, project.slug, late.id).status is JobState.TIMEOUT


def test_a_lost_workers_job_is_given_to_the_next_without_a_sweep(project: Project, clock: Clock) -> None:
    make_job(project)
    first = claim_job(project, "w1", lease_seconds=10)
    clock.advance(seconds=10)
    second = claim_job(project, "w2")
    assert second.job.id == first.job.id
    assert (second.job.attempt, second.job.lost_count, second.job.worker_id) == (2, 1, "w2")
    assert second.lease_token != first.lease_token


def test_a_record_that_makes_no_sense_holds_up_nobody(project: Project, record_store: RecordStore) -> None:
    damaged = make_job(project, name="damaged", priority=100)
    make_job(project, name="sound")
    record_store.update(project.slug, "jobs", damaged.id, {"created_by": "nobody"})
    assert names(project, limit=1) == ["sound"]
    (aside,) = record_store.quarantined(project.slug)
    assert (aside.record_id, "not a job" in aside.reason) == (damaged.id, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"worker_id": ""},
        {"worker_id": "a/b"},
        {"worker_id": "x" * 200},
        {"limit": 0},
        {"limit": 101},
        {"content_types": []},
        {"lease_seconds": 0},
        {"lease_seconds": 86_401},
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(project: Project, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidError):
        claims.claim(COMMAND, project.slug, ClaimRequest(**{"worker_id": "w1", **wrong}))  # type: ignore[arg-type]  # wrong on purpose


def test_a_viewer_claims_nothing(project: Project) -> None:
    make_job(project)
    with pytest.raises(PermissionDeniedError):
        claim_job(project, actor=make_actor(project, Role.VIEWER))


def test_another_projects_jobs_are_never_given(project: Project, other_project: Project) -> None:
    make_job(other_project)
    assert names(project) == []


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_get_every_job_once(project: Project) -> None:
    made = jobs.create_many(COMMAND, project.slug, [NewJob(priority=number % 3) for number in range(60)])
    barrier, taken = threading.Barrier(6), list[Job]()

    def work(worker_id: str) -> None:
        try:
            barrier.wait(10)
            while got := claims.claim(COMMAND, project.slug, ClaimRequest(worker_id, limit=3)):
                for claimed in got:
                    claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
                taken.extend(claimed.job for claimed in got)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(job.id for job in taken) == sorted(created.job.id for created in made)
    assert {job.attempt for job in taken} == {1}
