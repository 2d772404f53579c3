"""Same cause, one row; its counts follow every failure, retry and delete; and all of its jobs are acted on at once."""

import threading
from typing import Any

import pytest

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.errors import InvalidError, NotFoundError, PermissionDeniedError
from jobs_app.models import Project
from jobs_app.services import claims, expiry, failures, jobs
from jobs_app.stores.failure_groups import FAILURE_GROUPS
from jobs_app.stores.job_records import JobRecords
from storage_app.records.base import RecordStore
from tests.conftest import Clock
from tests.factories import claim_job, make_actor, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]


def fail(project: Project, message: str, *, retryable: bool = False, **fields: Any) -> str:
    job = make_job(project, **fields)
    claimed = claim_job(project)
    assert claimed.job.id == job.id
    claims.fail(COMMAND, project.slug, job.id, claimed.lease_token, Failure(message, retryable=retryable))
    return job.id


def test_failures_of_one_cause_are_one_row(project: Project, clock: Clock) -> None:
    first = clock.now
    for page in range(3):
        fail(project, f"no such page: {page}")
        clock.advance(minutes=90)
    last = fail(project, "out of memory")
    broken, memory = sorted(failures.of(COMMAND, project.slug).failures, key=lambda each: -each.standing)
    assert (broken.group.cause.message, broken.group.count, broken.standing) == ("no such page: #", 3, 3)
    assert broken.group.first_seen_at == first
    assert broken.cells == {"1h": 0, "24h": 3, "7d": 3}
    assert (memory.cells, memory.group.last_job_id) == ({"1h": 1, "24h": 1, "7d": 1}, last)
    assert failures.of(COMMAND, project.slug).failures[0] == memory  # the last seen comes first
    assert failures.get(COMMAND, project.slug, broken.fingerprint) == broken


def test_the_count_stays_when_jobs_are_retried_and_deleted(project: Project) -> None:
    kept, gone = fail(project, "a 1"), fail(project, "a 2")
    jobs.retry(COMMAND, project.slug, kept)
    jobs.delete(COMMAND, project.slug, gone)
    (failure,) = failures.of(COMMAND, project.slug).failures
    assert (failure.group.count, failure.standing, failure.tried_again) == (2, 0, 1)
    jobs.restore(COMMAND, project.slug, gone)
    (failure,) = failures.of(COMMAND, project.slug).failures
    assert (failure.group.count, failure.standing) == (2, 1)


def test_what_the_clock_ends_is_a_failure_too(project: Project, clock: Clock) -> None:
    make_job(project, attempt_timeout_seconds=5)
    claim_job(project, lease_seconds=600)
    make_job(project, timeout_at=clock.now.replace(microsecond=0), name="late")
    clock.advance(seconds=10)
    records = JobRecords(_store(), project.slug)
    expiry.settle_due(records, 100)
    found = {each.group.cause.message for each in failures.of(COMMAND, project.slug).failures}
    assert found == {"Timed out: the attempt took too long.", "Timed out before a worker took it."}


def _store() -> RecordStore:
    from storage_app.records.configured import record_store

    return record_store()


def test_a_group_is_retried_and_its_next_tries_are_cancelled(project: Project) -> None:
    failed = [fail(project, f"page {number} broke") for number in range(3)]
    other = fail(project, "something else")
    put_off = fail(project, "page 9 broke", retryable=True)
    fingerprint = jobs.get(COMMAND, project.slug, failed[0]).cause.fingerprint  # type: ignore[union-attr]  # it failed
    assert failures.get(COMMAND, project.slug, fingerprint).tried_again == 1
    done = failures.cancel(COMMAND, project.slug, fingerprint, "enough")
    assert (done.changed, done.refused) == (1, [])
    assert jobs.get(COMMAND, project.slug, put_off).status is JobState.CANCELLED
    assert failures.retry(COMMAND, project.slug, fingerprint).changed == 3
    assert {jobs.get(COMMAND, project.slug, id).status for id in failed} == {JobState.PENDING}
    assert jobs.get(COMMAND, project.slug, other).status is JobState.FAILED
    assert failures.delete(COMMAND, project.slug, fingerprint).changed == 0


def test_failures_at_the_same_time_are_all_counted(project: Project, record_store: RecordStore) -> None:
    """Many threads, and at first no record to count in."""
    ids = [make_job(project, name=f"j{number}").id for number in range(24)]
    held = {claimed.job.id: claimed for claimed in _claimed(project, len(ids))}
    barrier = threading.Barrier(4)
    errors: list[BaseException] = []

    def work(mine: list[str]) -> None:
        try:
            barrier.wait(10)
            records = JobRecords(record_store, project.slug)
            for id in mine:
                _fail_directly(records, id)
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(ids[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(held) == len(ids)
    (failure,) = failures.of(COMMAND, project.slug).failures
    assert (failure.group.count, failure.standing) == (24, 24)


def _claimed(project: Project, number: int) -> list[Any]:
    from jobs_app.services.claims import ClaimRequest

    return claims.claim(COMMAND, project.slug, ClaimRequest("w1", limit=number, lease_seconds=600))


def _fail_directly(records: JobRecords, id: str) -> None:
    from datetime import timedelta

    from jobs_app.domain import job_transitions

    failure = Failure("it broke", retryable=False)
    records.change(id, lambda job, now: job_transitions.fail(job, now, failure, timedelta(0)))


def test_a_failure_whose_group_was_just_removed_is_counted_anew(project: Project, record_store: RecordStore) -> None:
    fail(project, "a 1")
    (failure,) = failures.of(COMMAND, project.slug).failures
    record_store.delete(project.slug, FAILURE_GROUPS.name, failure.fingerprint)
    fail(project, "a 2")
    assert failures.get(COMMAND, project.slug, failure.fingerprint).group.count == 1


def test_what_was_not_seen_for_long_is_forgotten_unless_jobs_stand_by_it(project: Project, clock: Clock) -> None:
    gone, kept = fail(project, "gone"), fail(project, "kept")
    jobs.delete(COMMAND, project.slug, gone)
    clock.advance(days=failures.KEPT.days + 1)
    assert failures.remove_forgotten() == 1
    (left,) = failures.of(COMMAND, project.slug).failures
    assert left.group.last_job_id == kept


def test_orders_and_pages(project: Project, clock: Clock) -> None:
    for word in ("one", "two", "two", "three"):
        fail(project, word)
        clock.advance(seconds=1)
    page = failures.of(COMMAND, project.slug, "-count", limit=1)
    assert [each.group.cause.message for each in page.failures] == ["two"]
    assert len(failures.of(COMMAND, project.slug, "-count", page.next_cursor).failures) == 2
    for order in ("message", ""):
        with pytest.raises(InvalidError):
            failures.of(COMMAND, project.slug, order)
    with pytest.raises(InvalidError):
        failures.of(COMMAND, project.slug, cursor="odd")


def test_rights_and_absence(project: Project, other_project: Project) -> None:
    fail(project, "x")
    (failure,) = failures.of(COMMAND, project.slug).failures
    with pytest.raises(PermissionDeniedError):
        failures.retry(make_actor(project, Role.VIEWER), project.slug, failure.fingerprint)
    with pytest.raises(NotFoundError):
        failures.of(make_actor(other_project, Role.ADMIN), project.slug)
    for absent in ("nothing", "", "\0", "x" * 600):
        with pytest.raises(NotFoundError):
            failures.get(COMMAND, project.slug, absent)
        with pytest.raises(NotFoundError):
            failures.retry(COMMAND, project.slug, absent)
