"""Many jobs at once: counted before, few at once, many as an operation that survives whatever happens to its runner."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from jobs_app.domain.access import COMMAND, SYSTEM, Role
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.maintenance import Deadline, RunOutcome
from jobs_app.domain.new_job import NewJob
from jobs_app.domain.operation import Action, ItemOutcome, OperationState
from jobs_app.errors import ConflictError, InvalidError, InvalidQueryError, NotFoundError, PermissionDeniedError
from jobs_app.models import AuditEntry, Project, TaskRun
from jobs_app.services import claims, events, job_actions, jobs, operations
from jobs_app.services.claims import ClaimRequest
from jobs_app.services.job_actions import AT_ONCE, Choice
from jobs_app.services.jobs import JobFilter
from jobs_app.stores.operations import OperationRecords
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store
from tests.conftest import Clock
from tests.factories import job_in, make_actor, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
MANY = AT_ONCE + 30
LONG = timedelta(minutes=1)


def failed_jobs(project: Project, number: int, message: str = "broken", **fields: Any) -> list[str]:
    jobs.create_many(COMMAND, project.slug, [NewJob(name=f"j{n}", **fields) for n in range(number)])
    return fail_all(project, message)


def fail_all(project: Project, message: str = "broken again") -> list[str]:
    """Everything that is due is claimed and fails for good."""
    ended = []
    while taken := claims.claim(COMMAND, project.slug, ClaimRequest("w1", limit=100)):
        for claimed in taken:
            failure = Failure(message, retryable=False)
            claims.fail(COMMAND, project.slug, claimed.job.id, claimed.lease_token, failure)
            ended.append(claimed.job.id)
    return ended


def by_query(text: str) -> Choice:
    return Choice(filter=JobFilter(text=text))


def states(project: Project, ids: list[str]) -> Counter[str]:
    return Counter(jobs.get(COMMAND, project.slug, id).status.value for id in ids)


def retries(project: Project, id: str) -> int:
    return sum(line.type == "retried" for _, line in events.of(COMMAND, project.slug, id).lines)


def test_a_preview_counts_and_shows_and_changes_nothing(project: Project) -> None:
    ids = failed_jobs(project, 7, content_type="pdf")
    make_job(project, content_type="pdf")
    found = job_actions.preview(COMMAND, project.slug, by_query("status:failed type:pdf"))
    assert (found.matched, found.exact, len(found.sample)) == (7, True, job_actions.SAMPLE)
    assert {job.id for job in found.sample} <= set(ids)
    assert job_actions.preview(COMMAND, project.slug, by_query("broken")).matched == 7
    assert job_actions.preview(COMMAND, project.slug, Choice(ids=[*ids, "nothing"])).matched == 7
    assert states(project, ids) == {"failed": 7}


def test_few_are_done_at_once_and_each_refusal_says_why(project: Project) -> None:
    failed = failed_jobs(project, 2)
    done = job_in(project, JobState.COMPLETED).id
    unknown = "01984f5e-7c1a-7b3e-9a55-3f1d2c4b5a69"
    result = job_actions.act(COMMAND, project.slug, Action.RETRY, Choice(ids=[*failed, done, "odd", unknown]), "again")
    assert (result.matched, result.changed, result.operation) == (5, 2, None)
    assert {item.job_id: item.code for item in result.refused} == {
        done: "invalid_transition",
        "odd": "not_found",
        unknown: "not_found",
    }
    assert "completed" in result.refused[0].detail
    assert states(project, failed) == {"pending": 2}
    assert AuditEntry.objects.get(action="job.retry").detail == {"jobs": 2, "reason": "again"}


def test_each_action_does_its_own(project: Project) -> None:
    pending, failed = make_job(project, not_before=None).id, ""
    job_actions.act(COMMAND, project.slug, Action.CANCEL, by_query("status:pending"))
    assert jobs.get(COMMAND, project.slug, pending).status is JobState.CANCELLED
    failed = job_in(project, JobState.FAILED).id
    job_actions.act(COMMAND, project.slug, Action.DELETE, Choice(ids=[pending, failed]))
    assert {job.id for job in jobs.in_trash(COMMAND, project.slug).jobs} == {pending, failed}
    job_actions.act(COMMAND, project.slug, Action.RESTORE, Choice(ids=[failed]))
    assert jobs.get(COMMAND, project.slug, failed).status is JobState.FAILED


def test_one_that_cannot_come_back_holds_up_none_of_the_others(project: Project) -> None:
    gone = [make_job(project, ingestion_task_id="t1").id, make_job(project).id]
    job_actions.act(COMMAND, project.slug, Action.DELETE, Choice(ids=gone))
    make_job(project, ingestion_task_id="t1")
    result = job_actions.act(COMMAND, project.slug, Action.RESTORE, Choice(ids=gone))
    assert result.changed == 1
    assert [item.job_id for item in result.refused] == gone[:1]


def test_many_become_an_operation_that_a_run_finishes(project: Project) -> None:
    ids = failed_jobs(project, MANY)
    result = job_actions.act(COMMAND, project.slug, Action.RETRY, by_query("status:failed"), "mended")
    assert result.operation is not None
    assert states(project, ids) == {"failed": MANY}
    assert TaskRun.objects.filter(name=operations.TASK, outcome=RunOutcome.ASKED).count() == 1
    assert (result.operation.state, result.operation.matched) == (OperationState.WAITING, MANY)
    assert operations.run(Deadline(LONG)) == {"jobs": MANY}
    ended = operations.get(COMMAND, project.slug, result.operation.id)
    assert (ended.state, ended.changed, ended.refused) == (OperationState.DONE, MANY, 0)
    assert ended.started_at is not None
    assert ended.ended_at is not None
    assert states(project, ids) == {"pending": MANY}
    told = operations.items(COMMAND, project.slug, ended.id, limit=500)
    assert sorted(item.job_id for item in told.items) == sorted(ids)
    assert operations.of(COMMAND, project.slug, is_open=True).operations == []
    assert operations.run(Deadline(LONG)) == {"jobs": 0}


def test_ids_that_are_many_are_worked_through_in_their_order(project: Project) -> None:
    ids = failed_jobs(project, MANY)
    result = job_actions.act(COMMAND, project.slug, Action.DELETE, Choice(ids=[*ids, "absent"]))
    assert result.operation is not None
    operations.run(Deadline(LONG))
    told = operations.items(COMMAND, project.slug, result.operation.id, limit=500)
    assert [item.job_id for item in told.items] == [*ids, "absent"]
    refused = operations.items(COMMAND, project.slug, result.operation.id, outcome=ItemOutcome.REFUSED).items
    assert [(item.job_id, item.code) for item in refused] == [("absent", "not_found")]


def test_a_job_that_fails_again_meanwhile_is_not_retried_again(
    project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "BATCH", 20)
    failed_jobs(project, MANY)
    clock.advance(seconds=1)
    job_actions.act(COMMAND, project.slug, Action.RETRY, by_query("status:failed"))
    for _ in range(3):
        take_one_batch(project)
        clock.advance(seconds=1)
        again = fail_all(project)  # what was retried fails again, while the operation is under way
        assert again
    operations.run(Deadline(LONG))
    found = jobs.find(COMMAND, project.slug, JobFilter(), limit=500).jobs
    assert len(found) == MANY
    assert {retries(project, job.id) for job in found} == {1}


def take_one_batch(project: Project) -> None:
    """What a runner does that is killed right after its first batch: its hold is let go by hand."""
    store = record_store()
    records = OperationRecords(store, project.slug)
    operation = records.claim(store.now(), operations.HOLD)
    assert operation is not None
    batch = operations._next_batch(records, jobs_records(store, project), operation)
    operations._write(records, jobs_records(store, project), operation, batch)
    records.put_off(records.get(operation.id), store.now())


def jobs_records(store: RecordStore, project: Project) -> Any:
    from jobs_app.stores.job_records import JobRecords

    return JobRecords(store, project.slug)


def test_what_is_made_or_fails_later_is_not_part_of_it(project: Project, clock: Clock) -> None:
    ids = failed_jobs(project, MANY)
    clock.advance(seconds=1)
    job_actions.act(COMMAND, project.slug, Action.RETRY, by_query("status:failed"))
    clock.advance(seconds=1)
    late = job_in(project, JobState.FAILED).id
    operations.run(Deadline(LONG))
    assert states(project, ids) == {"pending": MANY}
    assert jobs.get(COMMAND, project.slug, late).status is JobState.FAILED


def test_nobody_takes_an_operation_that_another_runner_holds_until_the_hold_ends(
    project: Project, clock: Clock
) -> None:
    ids = failed_jobs(project, MANY)
    job_actions.act(COMMAND, project.slug, Action.RETRY, by_query("status:failed"))
    assert OperationRecords(record_store(), project.slug).claim(clock.now, operations.HOLD) is not None
    assert operations.run(Deadline(LONG)) == {"jobs": 0}
    clock.advance(seconds=operations.HOLD.total_seconds() + 1)
    assert operations.run(Deadline(LONG)) == {"jobs": MANY}
    assert states(project, ids) == {"pending": MANY}


def test_two_runners_with_the_same_batch_do_it_once(project: Project, clock: Clock) -> None:
    ids = failed_jobs(project, MANY)
    job_actions.act(COMMAND, project.slug, Action.RETRY, by_query("status:failed"))
    store = record_store()
    records, all_jobs = OperationRecords(store, project.slug), jobs_records(store, project)
    operation = records.claim(store.now(), operations.HOLD)
    assert operation is not None
    batch = operations._next_batch(records, all_jobs, operation)
    operations._write(records, all_jobs, operation, batch)
    with pytest.raises(Exception, match="version"):
        operations._write(records, all_jobs, operation, batch)
    clock.advance(seconds=operations.HOLD.total_seconds() + 1)
    operations.run(Deadline(LONG))
    told = operations.items(COMMAND, project.slug, operation.id, limit=500).items
    assert sorted(item.job_id for item in told) == sorted(ids)
    assert {retries(project, id) for id in ids} == {1}


def test_a_stopped_operation_stays_where_it_is(project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "BATCH", 20)
    failed_jobs(project, MANY)
    result = job_actions.act(COMMAND, project.slug, Action.RETRY, by_query("status:failed"))
    assert result.operation is not None
    take_one_batch(project)
    stopped = operations.stop(COMMAND, project.slug, result.operation.id)
    assert (stopped.state, stopped.done) == (OperationState.STOPPED, 20)
    assert operations.run(Deadline(LONG)) == {"jobs": 0}
    with pytest.raises(ConflictError):
        operations.stop(COMMAND, project.slug, stopped.id)
    clock.advance(days=operations.KEPT.days + 1)
    assert operations.remove_ended() == 1
    with pytest.raises(NotFoundError):
        operations.get(COMMAND, project.slug, stopped.id)


def test_a_run_whose_time_is_over_asks_for_the_next(project: Project) -> None:
    failed_jobs(project, MANY)
    job_actions.act(COMMAND, project.slug, Action.RETRY, by_query("status:failed"))
    TaskRun.objects.all().delete()
    ticks = iter([0.0, 0.0, 0.0, 100.0, 100.0, 100.0, 100.0, 100.0])
    operations.run(Deadline(timedelta(seconds=50), lambda: next(ticks)))
    assert TaskRun.objects.filter(name=operations.TASK, outcome=RunOutcome.ASKED).count() == 1


def test_a_delete_is_undone_by_another_operation(project: Project) -> None:
    ids = failed_jobs(project, MANY)
    result = job_actions.act(COMMAND, project.slug, Action.DELETE, by_query("status:failed"))
    assert result.operation is not None
    with pytest.raises(ConflictError):
        operations.undo(COMMAND, project.slug, result.operation.id)
    operations.run(Deadline(LONG))
    assert len(jobs.in_trash(COMMAND, project.slug, limit=500).jobs) == MANY
    undone = operations.undo(COMMAND, project.slug, result.operation.id)
    operations.run(Deadline(LONG))
    assert operations.get(COMMAND, project.slug, undone.id).changed == MANY
    assert states(project, ids) == {"failed": MANY}


def test_a_run_that_breaks_puts_the_operation_off_and_raises(
    project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed_jobs(project, MANY)
    result = job_actions.act(COMMAND, project.slug, Action.RETRY, by_query("status:failed"))
    assert result.operation is not None

    def broken(*_: Any) -> Any:
        raise OSError("the disk is odd")

    with monkeypatch.context() as patch:
        patch.setattr(operations, "_next_batch", broken)
        with pytest.raises(OSError, match="odd"):
            operations.run(Deadline(LONG))
    assert "odd" in operations.get(COMMAND, project.slug, result.operation.id).error
    assert operations.run(Deadline(LONG)) == {"jobs": 0}
    clock.advance(seconds=operations.PUT_OFF.total_seconds() + 1)
    assert operations.run(Deadline(LONG)) == {"jobs": MANY}
    assert operations.get(COMMAND, project.slug, result.operation.id).error == ""


def test_what_makes_no_sense_is_refused(project: Project) -> None:
    for choice in (Choice(), Choice(ids=["a"], filter=JobFilter()), Choice(ids=[]), Choice(ids=["a"] * 1001)):
        with pytest.raises(InvalidError):
            job_actions.act(COMMAND, project.slug, Action.RETRY, choice)
    with pytest.raises(InvalidError):
        job_actions.act(COMMAND, project.slug, Action.RESTORE, by_query("x"))
    with pytest.raises(InvalidQueryError):
        job_actions.act(COMMAND, project.slug, Action.RETRY, by_query("status:wrong"))
    with pytest.raises(NotFoundError):
        operations.get(COMMAND, project.slug, "nothing")
    with pytest.raises(NotFoundError):
        operations.items(COMMAND, project.slug, "01984f5e-7c1a-7b3e-9a55-3f1d2c4b5a69")


def test_a_viewer_may_look_and_not_act(project: Project, other_project: Project) -> None:
    ids = failed_jobs(project, MANY)
    result = job_actions.act(SYSTEM, project.slug, Action.DELETE, by_query("status:failed"))
    assert result.operation is not None
    viewer = make_actor(project, Role.VIEWER)
    assert job_actions.preview(viewer, project.slug, Choice(ids=ids[:2])).matched == 2
    assert operations.get(viewer, project.slug, result.operation.id).id == result.operation.id
    for refused in (
        lambda: job_actions.act(viewer, project.slug, Action.RETRY, Choice(ids=ids[:1])),
        lambda: operations.stop(viewer, project.slug, result.operation.id),
        lambda: operations.undo(viewer, project.slug, result.operation.id),
    ):
        with pytest.raises(PermissionDeniedError):
            refused()
    stranger = make_actor(other_project, Role.ADMIN)
    with pytest.raises(NotFoundError):
        job_actions.preview(stranger, project.slug, Choice(ids=ids[:1]))
    with pytest.raises(NotFoundError):
        operations.of(stranger, project.slug)
