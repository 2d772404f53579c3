"""The sweep: settles what the clocks ended, and never overwrites what happened meanwhile."""

from datetime import timedelta
from itertools import chain, repeat
from typing import Any

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.models import Project
from jobs_app.services import claims, events, expiry, job_counts, jobs
from jobs_app.services.claims import ClaimRequest
from jobs_app.stores.job_records import JobRecords
from storage_app.records.base import RecordStore
from tests.conftest import Clock
from tests.factories import claim_job, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
EVER = Deadline(timedelta(days=1))  # made on import, so longer than any run of the tests


def over_after(steps: int) -> Deadline:
    times = chain([0.0] * (1 + steps), repeat(99.0))
    return Deadline(timedelta(seconds=1), lambda: next(times))


def counts(**told: int) -> dict[str, int]:
    nothing = {"due": 0, "requeued": 0, "timed_out": 0, "cancelled": 0, "failed": 0, "workers_forgotten": 0}
    return {**nothing, **told}


def test_a_sweep_of_a_quiet_world_does_nothing(project: Project) -> None:
    make_job(project)
    claim_job(project)
    assert expiry.run(EVER) == counts()


def test_a_lost_workers_job_is_back_in_the_queue_after_one_sweep(project: Project, clock: Clock) -> None:
    make_job(project)
    claimed = claim_job(project, lease_seconds=60)
    clock.advance(seconds=60)
    assert expiry.run(EVER) == counts(requeued=1)
    job = jobs.get(COMMAND, project.slug, claimed.job.id)
    assert (job.status, job.lost_count, job.is_due(clock.now)) == (JobState.PENDING, 1, True)
    assert expiry.run(EVER) == counts()


def test_a_job_that_three_workers_were_lost_over_is_given_up(project: Project, clock: Clock) -> None:
    make_job(project)
    for number in range(3):
        claimed = claim_job(project, f"w{number}", lease_seconds=10)
        clock.advance(seconds=10)
        expiry.run(EVER)
    job = jobs.get(COMMAND, project.slug, claimed.job.id)
    assert (job.status, job.error_message, job.lost_count) == (JobState.FAILED, "lost 3 times", 3)
    outcomes = [attempt.outcome for _, attempt in events.attempts(COMMAND, project.slug, job.id).lines]
    assert outcomes == ["lease_lost", "lease_lost", "gave_up"]


def test_each_clock_ends_what_it_should(project: Project, clock: Clock) -> None:
    soon = clock.now + timedelta(minutes=1)
    waiting = make_job(project, name="deadline", timeout_at=soon, not_before=soon + timedelta(minutes=1))
    later = make_job(project, name="due", not_before=soon)
    hangs = make_job(project, name="hangs", attempt_timeout_seconds=60)
    claim_job(project, lease_seconds=3600)
    cancelled = make_job(project, name="cancelled")
    claim_job(project, lease_seconds=60)
    jobs.cancel(COMMAND, project.slug, cancelled.id)
    clock.advance(minutes=1)
    assert expiry.run(EVER) == counts(timed_out=2, due=1, cancelled=1)
    states = {name: jobs.get(COMMAND, project.slug, job.id).status for name, job in
              {"waiting": waiting, "later": later, "hangs": hangs, "cancelled": cancelled}.items()}  # fmt: skip
    assert states == {
        "waiting": JobState.TIMEOUT,
        "later": JobState.PENDING,
        "hangs": JobState.TIMEOUT,
        "cancelled": JobState.CANCELLED,
    }


@pytest.mark.parametrize("what", ["completed", "renewed", "claimed by another", "deleted"])
def test_a_sweep_that_read_before_something_happened_leaves_it_alone(
    what: str, project: Project, clock: Clock, record_store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep has found the job; before it writes, its state, attempt or deadline becomes another."""
    make_job(project)
    claimed = claim_job(project, lease_seconds=60)
    job, token = claimed.job, claimed.lease_token
    clock.advance(seconds=60)
    happened: list[Job] = []

    def happen() -> None:
        if what == "renewed":
            claims.heartbeat(COMMAND, project.slug, job.id, token)
        elif what == "claimed by another":
            (other,) = claims.claim(COMMAND, project.slug, ClaimRequest("w2"))
            assert other.job.id == job.id
        else:
            claims.complete(COMMAND, project.slug, job.id, token)
        if what == "deleted":
            jobs.delete(COMMAND, project.slug, job.id)
        happened.append(JobRecords(record_store, project.slug).get(job.id, in_trash=what == "deleted"))

    query = type(record_store).query

    def query_then_happen(store: RecordStore, *args: Any, **conditions: Any) -> Any:
        page = query(store, *args, **conditions)
        monkeypatch.undo()
        happen()
        return page

    monkeypatch.setattr("django.utils.timezone.now", clock)
    records = JobRecords(record_store, project.slug)
    now = records.now()
    with monkeypatch.context() as patch:
        patch.setattr(type(record_store), "query", query_then_happen)
        monkeypatch = patch
        settled = records.settle(now, expiry._settled, 100)
    assert happened, "something must have happened in between, or this proves nothing"
    assert settled.jobs == []
    assert JobRecords(record_store, project.slug).get(job.id, in_trash=what == "deleted") == happened[0]


def test_a_long_sweep_stops_in_time_and_the_next_goes_on(
    project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    jobs.create_many(COMMAND, project.slug, [NewJob(timeout_at=clock.now)] * 5)
    assert expiry.run(over_after(2))["timed_out"] == 4
    assert expiry.run(EVER)["timed_out"] == 1


def test_a_project_with_very_many_keeps_no_other_waiting(
    project: Project, other_project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 1)
    for each in (project, other_project):
        jobs.create_many(COMMAND, each.slug, [NewJob(timeout_at=clock.now)] * 3)
    expiry.run(over_after(2))
    assert [job_counts.of(COMMAND, each.slug).by_state[JobState.TIMEOUT] for each in (project, other_project)] == [1, 1]


@pytest.mark.parametrize(
    "damage",
    [
        {"max_retries": "many"},
        {"status": "processing"},
        {"status": "processing", "worker_id": "w1"},
        {"attempt_timeout_seconds": 10**15},
    ],
    ids=["no number", "held by nobody", "held without a lease", "longer than time"],
)
def test_a_record_that_makes_no_sense_is_set_aside_and_the_sweep_goes_on(
    damage: dict[str, Any], project: Project, clock: Clock, record_store: RecordStore
) -> None:
    damaged = make_job(project, timeout_at=clock.now + timedelta(seconds=1))
    make_job(project, timeout_at=clock.now + timedelta(seconds=2))
    record_store.update(project.slug, "jobs", damaged.id, damage)
    clock.advance(minutes=1)
    assert expiry.run(EVER) == counts(timed_out=1)
    assert [aside.record_id for aside in record_store.quarantined(project.slug)] == [damaged.id]
