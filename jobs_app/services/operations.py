"""Operations on many jobs: seen, stopped, undone, and worked through.

`run` is the runner. It takes the oldest operation that nobody holds and goes through it batch by batch; each batch is
one atomic write of the jobs, what became of them, and how far the operation came (`stores/operations.py`). A runner
that is killed leaves a hold that ends by itself, and the next one goes on exactly behind the last batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from jobs_app.domain.access import Actor, ActorKind, Scope
from jobs_app.domain.job import By
from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.domain.operation import Action, Deed, Item, ItemOutcome, Operation
from jobs_app.errors import ConflictError
from jobs_app.services import access, audit, job_actions, job_filters, jobs, task_marks
from jobs_app.services.job_actions import TASK as TASK
from jobs_app.services.job_actions import Choice
from jobs_app.stores.job_records import JobRecords
from jobs_app.stores.operations import Advance, OperationPage, OperationRecords
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store

BATCH: Final = 200
HOLD: Final = timedelta(seconds=10)  # longer than any batch takes, and over when a runner is known to be gone
TURN: Final = timedelta(seconds=5)  # then the next project has its turn
PUT_OFF: Final = timedelta(minutes=1)
KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Items:
    """What became of jobs, and the number to go on after; None at the end."""

    items: list[Item]
    after: int | None


def of(
    actor: Actor, slug: str, cursor: str | None = None, limit: int = 50, *, is_open: bool | None = None
) -> OperationPage:
    """Newest first; with `is_open`, only those that are (or are not) under way."""
    return _records(actor, slug, Scope.READ).find(cursor, limit, is_open=is_open)


def get(actor: Actor, slug: str, id: str) -> Operation:
    return _records(actor, slug, Scope.READ).get(id)


def items(
    actor: Actor, slug: str, id: str, after: int = 0, limit: int = 100, outcome: ItemOutcome | None = None
) -> Items:
    """What became of each job so far, in that order."""
    return Items(*_records(actor, slug, Scope.READ).items(id, after, limit, outcome))


def stop(actor: Actor, slug: str, id: str) -> Operation:
    """What is done stays done; nothing more is."""
    project = access.project_for(actor, slug, Scope.WRITE)
    store = record_store()
    operation = OperationRecords(store, slug).stop(id, store.now())
    audit.record(actor, "operation.stop", _target(operation), project=project, detail={"done": operation.done})
    return operation


def undo(actor: Actor, slug: str, id: str) -> Operation:
    """A new operation that brings back what this one deleted, as far as the trash still has it."""
    project = access.project_for(actor, slug, Scope.WRITE)
    store = record_store()
    operation = OperationRecords(store, slug).get(id)
    if not operation.can_be_undone:
        raise ConflictError("Only a delete that has ended can be undone.")
    is_person = actor.kind in (ActorKind.PERSON, ActorKind.COMMAND)
    deed = Deed(Action.RESTORE, By.actor(actor), "", is_person, store.now())
    return job_actions.begin(actor, project, deed, Choice(), undoes=operation)


def run(deadline: Deadline) -> Counts:
    """Goes on with everything that waits, project by project, until all is done or the time is over."""
    store = record_store()
    worked = 0
    is_left = True
    while is_left and not deadline.passed:
        is_left = False
        for slug in store.projects():
            operation = OperationRecords(store, slug).claim(store.now(), HOLD)
            if operation is not None:
                worked += _take_turn(store, slug, operation, deadline)
                is_left = True
    if is_left:  # the time was over
        task_marks.leave(TASK, "operations")
    return {"jobs": worked}


def remove_ended() -> int:
    store = record_store()
    return sum(OperationRecords(store, slug).forget_ended(store.now() - KEPT) for slug in store.projects())


def _take_turn(store: RecordStore, slug: str, operation: Operation, deadline: Deadline) -> int:
    records, jobs_ = OperationRecords(store, slug), JobRecords(store, slug)
    turn, worked = Deadline(TURN), 0
    try:
        while not (turn.passed or deadline.passed):
            batch = _next_batch(records, jobs_, operation)
            _write(records, jobs_, operation, batch)
            worked += len(batch.ids)
            operation = records.get(operation.id)
            if operation.state.is_final:
                return worked
    except store_errors.VersionConflictError:
        return worked  # it was stopped, or is in other hands; nothing of the batch happened
    except Exception as error:
        records.put_off(operation, store.now() + PUT_OFF, f"{type(error).__name__}: {error}"[:500])
        raise
    records.put_off(operation, store.now())
    return worked


@dataclass(frozen=True, slots=True)
class _Batch:
    """Jobs that come next, and the place behind them; None where they are the last."""

    ids: Sequence[str]
    place: str | None


def _next_batch(records: OperationRecords, jobs_: JobRecords, operation: Operation) -> _Batch:
    if operation.ids is not None:
        start = int(operation.place or 0)
        end = start + BATCH
        return _Batch(operation.ids[start:end], str(end) if end < len(operation.ids) else None)
    if operation.undoes is not None:
        found, after = records.items(operation.undoes, int(operation.place or 0), BATCH, ItemOutcome.CHANGED)
        return _Batch([item.job_id for item in found], None if after is None else str(after))
    # By the time of creation, which never changes: so each job is met once, whatever becomes of it meanwhile.
    wanted = job_filters.from_value({} if operation.filter is None else operation.filter)
    conditions = job_actions.matching(wanted, operation.deed)
    page = jobs_.find(conditions, "created_at", BATCH, operation.place, jobs.SCAN_LIMIT)
    return _Batch([job.id for job in page.jobs], page.next_cursor)


def _write(records: OperationRecords, jobs_: JobRecords, operation: Operation, batch: _Batch) -> None:
    now = jobs_.now()
    to = Advance(batch.place, now, now + HOLD)
    in_trash = operation.deed.action is Action.RESTORE
    try:
        jobs_.change_each(
            batch.ids,
            operation.deed.decide,
            in_trash=in_trash,
            finish=lambda told: records.advance(operation, told, to),
        )
    except store_errors.AlreadyExistsError:
        _write_one_by_one(records, jobs_, operation, batch, to)


def _write_one_by_one(
    records: OperationRecords, jobs_: JobRecords, operation: Operation, batch: _Batch, to: Advance
) -> None:
    """Where one of the batch cannot come back, since another job has its ingestion id. What is back already is refused
    when a killed runner's batch is repeated, and never done twice."""
    told: list[Item] = []
    for id in batch.ids:
        told += job_actions.perform(jobs_, operation.deed, [id])
    jobs_.change_each([], operation.deed.decide, finish=lambda _: records.advance(operation, lambda: told, to))


def _records(actor: Actor, slug: str, needs: Scope) -> OperationRecords:
    return OperationRecords(record_store(), access.project_for(actor, slug, needs).slug)


def _target(operation: Operation) -> audit.Target:
    return audit.Target("operation", operation.id, f"{operation.deed.action} jobs")
