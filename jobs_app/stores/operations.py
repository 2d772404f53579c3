"""Operations in bulk as records. A batch of jobs, what became of each, and how far the operation came are one atomic
write, made under the operation's version: whatever is killed or started twice, no job is done twice and none is left
out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from jobs_app.domain.operation import Action, Deed, Item, ItemOutcome, Operation, OperationState
from jobs_app.errors import ConflictError, NotFoundError
from jobs_app.stores.job_records import translated
from jobs_app.stores.values import (
    by_in,
    by_out,
    known_time,
    mapping,
    number,
    optional_text,
    text,
    texts,
    time_in,
    time_out,
)
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Kind
from storage_app.records.operations import Append, Outcome, Record, Update

OPERATIONS: Final = Collection("operations", fields=(Field("state", Kind.TEXT), Field("held_until", Kind.TIME)))
ITEMS: Final = "items"
OPEN: Final = (OperationState.WAITING.value, OperationState.RUNNING.value)
ENDED: Final = tuple(state.value for state in OperationState if state.is_final)


@dataclass(frozen=True, slots=True)
class OperationPage:
    operations: list[Operation]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Advance:
    """How an operation stands after a batch; `place` None: that was the last one."""

    place: str | None
    at: datetime
    held_until: datetime


class OperationRecords:
    """Cheap to make; holds nothing but where to look."""

    def __init__(self, store: RecordStore, project: str) -> None:
        self._store = store
        self._project = project

    def create(self, operation: Operation) -> Operation:
        with translated():
            return from_record(self._store.insert(self._project, OPERATIONS.name, to_document(operation)))

    def get(self, id: str) -> Operation:
        try:
            return from_record(self._store.get(self._project, OPERATIONS.name, id))
        except (store_errors.RecordNotFoundError, store_errors.InvalidError) as error:
            raise _absent(id) from error

    def find(self, cursor: str | None, limit: int, *, is_open: bool | None = None) -> OperationPage:
        """Newest first."""
        states: dict[str, Any] = {} if is_open is None else {"state__in": OPEN if is_open else ENDED}
        with translated():
            page = self._store.query(self._project, OPERATIONS.name, states, order="-id", limit=limit, cursor=cursor)
        return OperationPage([from_record(record) for record in page.records], page.next_cursor)

    def items(
        self, id: str, after: int, limit: int, outcome: ItemOutcome | None = None
    ) -> tuple[list[Item], int | None]:
        """What became of each job, in the order in which it did, and where to go on."""
        conditions: Mapping[str, Any] = {} if outcome is None else {"outcome": outcome.value}
        try:
            page = self._store.read_stream(
                self._project, OPERATIONS.name, id, ITEMS, after=after, limit=limit, conditions=conditions
            )
        except (store_errors.RecordNotFoundError, store_errors.InvalidError) as error:
            raise _absent(id) from error
        return [_item_in(entry.data) for entry in page.entries], page.after

    def claim(self, now: datetime, hold: timedelta) -> Operation | None:
        """The oldest one that nobody works on, held for a while; the hold of one that died ends by itself."""

        def held(record: Record) -> dict[str, Any]:
            started = record.document["started_at"] or time_out(now)
            return {
                "state": OperationState.RUNNING.value,
                "started_at": started,
                "held_until": time_out(now + hold),
            }

        conditions = {"state__in": OPEN, "held_until__lte": now}
        records = self._store.claim_first(self._project, OPERATIONS.name, conditions, held)
        return from_record(records[0]) if records else None

    def advance(self, operation: Operation, items: Callable[[], Sequence[Item]], to: Advance) -> Update:
        """The last step of a batch's atomic write. `items` are asked for when the jobs have been changed; if anybody
        else moved the operation meanwhile, or stopped it, nothing of the batch happens.
        """

        def advanced(record: Record) -> Outcome:
            told = items()
            changed = sum(item.outcome is ItemOutcome.CHANGED for item in told)
            changes: dict[str, Any] = {
                "place": to.place,
                "changed": operation.changed + changed,
                "refused": operation.refused + len(told) - changed,
                "held_until": time_out(to.held_until),
                "error": "",
            }
            if to.place is None:
                changes |= {"state": OperationState.DONE.value, "ended_at": time_out(to.at)}
            entries = [_item_out(item) for item in told]
            return Outcome(changes, [Append(OPERATIONS.name, operation.id, ITEMS, entries)] if entries else [])

        return Update(OPERATIONS.name, operation.id, advanced, expected_version=operation.version)

    def stop(self, id: str, now: datetime) -> Operation:
        """Between two batches; what is done stays done."""

        def stopped(record: Record) -> dict[str, Any]:
            return {"state": OperationState.STOPPED.value, "ended_at": time_out(now), "held_until": time_out(now)}

        try:
            return from_record(
                self._store.update(self._project, OPERATIONS.name, id, stopped, guard={"state__in": OPEN})
            )
        except store_errors.GuardFailedError as error:
            raise ConflictError("The operation has ended already.") from error
        except (store_errors.RecordNotFoundError, store_errors.InvalidError) as error:
            raise _absent(id) from error

    def put_off(self, operation: Operation, until: datetime, error: str = "") -> None:
        """Leaves it to whoever comes next, from then on. Somebody who changed it meanwhile has the last word."""
        changes = {"held_until": time_out(until), "error": error}
        try:
            self._store.update(
                self._project, OPERATIONS.name, operation.id, changes, expected_version=operation.version
            )
        except (store_errors.VersionConflictError, store_errors.RecordNotFoundError):
            return

    def forget_ended(self, before: datetime) -> int:
        conditions = {"state__in": ENDED, "ended_at__lte": time_out(before)}
        forgotten, cursor = 0, None
        while True:
            batch = self._store.delete_where(self._project, OPERATIONS.name, conditions, limit=50, cursor=cursor)
            forgotten, cursor = forgotten + len(batch.records), batch.cursor
            if cursor is None:
                return forgotten


def to_document(operation: Operation) -> dict[str, Any]:
    deed = operation.deed
    return {
        "action": deed.action.value,
        "by": by_out(deed.by),
        "why": deed.why,
        "is_person": deed.is_person,
        "before": time_out(deed.before),
        "state": operation.state.value,
        "created_at": time_out(operation.created_at),
        "held_until": time_out(operation.held_until),
        "filter": None if operation.filter is None else dict(operation.filter),
        "ids": None if operation.ids is None else list(operation.ids),
        "undoes": operation.undoes,
        "place": operation.place,
        "matched": operation.matched,
        "changed": operation.changed,
        "refused": operation.refused,
        "started_at": time_out(operation.started_at),
        "ended_at": time_out(operation.ended_at),
        "error": operation.error,
    }


def from_record(record: Record) -> Operation:
    document = record.document
    deed = Deed(
        Action(document["action"]),
        by_in(document["by"]),
        text(document["why"]),
        document["is_person"] is True,
        time_in(document["before"]),
    )
    return Operation(
        id=str(record.id),
        version=record.version,
        deed=deed,
        state=OperationState(document["state"]),
        created_at=known_time(document["created_at"]),
        held_until=known_time(document["held_until"]),
        filter=None if document["filter"] is None else mapping(document["filter"]),
        ids=None if document["ids"] is None else texts(document["ids"]),
        undoes=optional_text(document["undoes"]),
        place=optional_text(document["place"]),
        matched=None if document["matched"] is None else number(document["matched"]),
        changed=number(document["changed"]),
        refused=number(document["refused"]),
        started_at=time_in(document["started_at"]),
        ended_at=time_in(document["ended_at"]),
        error=text(document["error"]),
    )


def _item_out(item: Item) -> dict[str, Any]:
    return {"job": item.job_id, "outcome": item.outcome.value, "code": item.code, "detail": item.detail}


def _item_in(data: Mapping[str, Any]) -> Item:
    return Item(text(data["job"]), ItemOutcome(data["outcome"]), text(data["code"]), text(data["detail"]))


def _absent(id: str) -> NotFoundError:
    return NotFoundError(f"There is no operation {id[:80]!r} here.")
