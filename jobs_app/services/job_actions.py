"""Retry, cancel, delete or restore many jobs: by ids, or by a filter.

`preview` counts and shows a few first. Few are done at once; many become an operation, which `operations.run` works
through: the request is answered at once, and nothing depends on the process that answered it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jobs_app.domain.access import Actor, ActorKind, Scope
from jobs_app.domain.job import By, Job
from jobs_app.domain.operation import Action, Deed, Item, ItemOutcome, Operation, OperationState
from jobs_app.errors import InvalidError
from jobs_app.models import Project
from jobs_app.services import audit, job_filters, jobs, task_marks
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores.job_records import JobRecords
from jobs_app.stores.jobs import JOBS
from jobs_app.stores.operations import OperationRecords
from storage_app.records import errors as store_errors
from storage_app.records.configured import record_store
from storage_app.records.declarations import Kind
from storage_app.records.query import Condition, Node, Op

TASK: Final = "operations"
AT_ONCE: Final = 100
MOST_IDS: Final = 1000
SAMPLE: Final = 5
COUNTING_SECONDS: Final = 0.5
_PERSONS: Final = (ActorKind.PERSON, ActorKind.COMMAND)
_PAGE: Final = 500
_UNCOUNTED: Final = (Kind.SEARCH, Kind.TEXT_LIST)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which jobs: those named, or those that the filter matches."""

    ids: Sequence[str] | None = None
    filter: JobFilter | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """How many match now, and some of them. Not `exact`: at least so many."""

    matched: int
    exact: bool
    sample: list[Job]


@dataclass(frozen=True, slots=True)
class Done:
    """What was done at once, or the operation that does it."""

    matched: int | None
    changed: int
    refused: list[Item]
    operation: Operation | None = None


def preview(actor: Actor, slug: str, choice: Choice) -> Preview:
    _, records = jobs_of(actor, slug, Scope.READ)
    _check(choice)
    if choice.ids is not None:
        found = _named(records, choice.ids)
        return Preview(len(found), True, found[:SAMPLE])
    conditions = jobs.conditions(_filter(choice))
    sample = records.find(conditions, "-created_at", SAMPLE, scan_limit=jobs.SCAN_LIMIT).jobs
    number, exact = _counted(records, slug, conditions)
    return Preview(number, exact, sample)


def act(actor: Actor, slug: str, action: Action, choice: Choice, reason: str = "") -> Done:
    """What is refused says why and holds up none of the others."""
    project, records = jobs_of(actor, slug, Scope.WRITE)
    _check(choice)
    why = jobs.checked_reason(reason)
    if action is Action.RESTORE and choice.ids is None:
        raise InvalidError.at("filter", "a filter finds nothing in the trash; name ids, or undo the operation")
    deed = Deed(action, By.actor(actor), why, actor.kind in _PERSONS, records.now())
    ids = list(dict.fromkeys(choice.ids)) if choice.ids is not None else _few(records, _filter(choice), deed)
    if ids is None or len(ids) > AT_ONCE:
        return Done(None, 0, [], begin(actor, project, deed, choice))
    items = perform(records, deed, ids)
    changed = sum(item.outcome is ItemOutcome.CHANGED for item in items)
    if changed:
        audit.record(actor, f"job.{action}", project=project, detail={"jobs": changed, "reason": why})
    return Done(len(items), changed, [item for item in items if item.outcome is ItemOutcome.REFUSED])


def begin(actor: Actor, project: Project, deed: Deed, choice: Choice, undoes: Operation | None = None) -> Operation:
    """An operation that the next run goes on with."""
    store = record_store()
    now = store.now()
    matched: int | None
    if undoes is not None:
        matched = undoes.changed
    elif choice.ids is not None:
        matched = len(choice.ids)
    else:
        number, exact = _counted(JobRecords(store, project.slug), project.slug, jobs.conditions(_filter(choice)))
        matched = number if exact else None
    operation = OperationRecords(store, project.slug).create(
        Operation(
            id="",
            version=0,
            deed=deed,
            state=OperationState.WAITING,
            created_at=now,
            held_until=now,
            filter=None if choice.filter is None else job_filters.to_value(choice.filter),
            ids=None if choice.ids is None else tuple(dict.fromkeys(choice.ids)),
            undoes=undoes.id if undoes else None,
            matched=matched,
        )
    )
    task_marks.leave(TASK, actor.name)
    detail = {"action": deed.action.value, "matched": matched, "filter": operation.filter, "reason": deed.why}
    audit.record(actor, "operation.start", _target(operation), project=project, detail=detail)
    return operation


def perform(records: JobRecords, deed: Deed, ids: Sequence[str]) -> list[Item]:
    """At once. A job that cannot come back, since another has its ingestion id, is refused alone."""
    in_trash = deed.action is Action.RESTORE
    try:
        return records.change_each(ids, deed.decide, in_trash=in_trash)
    except store_errors.AlreadyExistsError as error:
        if len(ids) == 1:
            return [taken(ids[0], error)]
        return [item for id in ids for item in perform(records, deed, [id])]


def taken(id: str, error: store_errors.AlreadyExistsError) -> Item:
    existing = error.details.get("existing_id")
    return Item(id, ItemOutcome.REFUSED, error.code, f"Job {existing} has its ingestion id now; delete that one first.")


def _target(operation: Operation) -> audit.Target:
    return audit.Target("operation", operation.id, f"{operation.deed.action} jobs")


def _check(choice: Choice) -> None:
    if (choice.ids is None) == (choice.filter is None):
        raise InvalidError.at("ids", "give either ids or a filter")
    if choice.ids is not None and not 1 <= len(choice.ids) <= MOST_IDS:
        raise InvalidError.at("ids", f"name 1 to {MOST_IDS} jobs, or use a filter")


def _filter(choice: Choice) -> JobFilter:
    assert choice.filter is not None
    return choice.filter


def _named(records: JobRecords, ids: Sequence[str]) -> list[Job]:
    found = records.find({"id__in": list(dict.fromkeys(ids))}, "id", MOST_IDS).jobs
    return [job for job in found if job.trashed is None]


def _few(records: JobRecords, wanted: JobFilter, deed: Deed) -> list[str] | None:
    """The ids of all that match, where one look finds them all and they are few."""
    conditions = matching(wanted, deed)
    page = records.find(conditions, "created_at", AT_ONCE + 1, scan_limit=jobs.SCAN_LIMIT)
    return None if page.next_cursor is not None or len(page.jobs) > AT_ONCE else [job.id for job in page.jobs]


def matching(wanted: JobFilter, deed: Deed) -> list[Node]:
    """The filter as it was meant when it was given: what was made after that is not part of it."""
    assert deed.before is not None
    conditions = jobs.conditions(wanted, deed.before)
    return [*conditions, Condition(("created_at",), Op.LTE, deed.before)]


def _counted(records: JobRecords, slug: str, conditions: Sequence[Node]) -> tuple[int, bool]:
    """How many match: by counters or an index where they tell, else by walking for a short while."""
    if all(_is_indexed(node) for node in conditions):
        return record_store().count(slug, JOBS.name, conditions), True
    number, cursor, ends = 0, None, time.monotonic() + COUNTING_SECONDS
    while time.monotonic() < ends:
        page = records.find(conditions, "created_at", _PAGE, cursor, jobs.SCAN_LIMIT)
        number, cursor = number + len(page.jobs), page.next_cursor
        if cursor is None:
            return number, True
    return number, False


def _is_indexed(node: Node) -> bool:
    if not isinstance(node, Condition):
        return False
    declared = JOBS.by_path.get(node.path)
    return declared is not None and declared.kind not in _UNCOUNTED and node.op in (Op.EQ, Op.IN)
