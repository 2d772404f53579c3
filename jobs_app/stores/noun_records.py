"""Records of one noun in one project as domain values, with the store's refusals in the words of `errors.py`."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from jobs_app.errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError, PreconditionFailedError
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection
from storage_app.records.operations import Insert, Operation, Outcome, Record, Update
from storage_app.records.query import Conditions

log = logging.getLogger("holdfast.records")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Noun(Generic[V]):
    """How one kind of value stands in its collection, and what people call it."""

    word: str
    collection: Collection
    read: Callable[[Record], V]
    write: Callable[[V], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Found(Generic[V]):
    items: list[V]
    next_cursor: str | None
    previous_cursor: str | None


class NounRecords(Generic[V]):
    """Cheap to make; holds nothing but where to look."""

    def __init__(self, store: RecordStore, project: str, noun: Noun[V]) -> None:
        self.store = store
        self.project = project
        self.noun = noun
        self._name = noun.collection.name

    def now(self) -> datetime:
        return self.store.now()

    def new_id(self) -> str:
        return self.store.new_id(self._name)

    def get(self, id: str) -> V:
        with self._translated(id):
            record = self.store.get(self.project, self._name, id)
        value = self._read_or_set_aside(record)
        if value is None:
            raise self._unreadable(id)
        return value

    def get_many(self, ids: Sequence[str]) -> list[V]:
        """Those that are there, in this order; at most 1,000."""
        with self._translated():
            return self._readable(self.store.get_many(self.project, self._name, ids))

    def find(
        self, conditions: Conditions, order: str | Sequence[str], limit: int, cursor: str | None = None
    ) -> Found[V]:
        with self._translated():
            page = self.store.query(self.project, self._name, conditions, order=order, limit=limit, cursor=cursor)
        return Found(self._readable(page.records), page.next_cursor, page.previous_cursor)

    def count(self, conditions: Conditions) -> int:
        with self._translated():
            return self.store.count(self.project, self._name, conditions)

    def insert(self, value: V, id: str) -> V:
        with self._translated(id):
            return self.noun.read(self.store.insert(self.project, self._name, self.noun.write(value), id=id))

    def apply(self, operations: Sequence[Operation]) -> list[V]:
        """All or none; the values of this noun's records as they are afterwards."""
        with self._translated():
            results = self.store.apply(self.project, operations)
        told = zip(operations, results, strict=True)
        ours = [result for each, result in told if each.collection == self._name and isinstance(result, Record)]
        return self._readable(ours)

    def change(self, id: str, decide: Callable[[V], V | None], *, version: int | None = None) -> V:
        """As `decide` leaves it, judged on what it is at that very moment; None leaves it alone."""
        change = self._decided(decide)
        with self._translated(id):
            return self.noun.read(self.store.update(self.project, self._name, id, change, expected_version=version))

    def changing(self, id: str, decide: Callable[[V], V | None]) -> Update:
        """The same for `apply`."""
        return Update(self._name, id, self._decided(decide))

    def standing(self, id: str, guard: Conditions = ()) -> Update:
        """For `apply`, which changes nothing unless this record is there and as the guard says; it is left alone."""
        return Update(self._name, id, Outcome(None), guard=guard)

    def inserting(self, value: V, id: str) -> Insert:
        """For `apply`."""
        return Insert(self._name, self.noun.write(value), id)

    def guarded(self, id: str, value: V, guard: Conditions) -> Update:
        """An update for `apply`; the store's GuardFailedError where the record is no longer as the guard says."""
        return Update(self._name, id, self.noun.write(value), guard=guard)

    def delete(self, id: str, *, version: int | None = None) -> V:
        with self._translated(id):
            return self.noun.read(self.store.delete(self.project, self._name, id, expected_version=version))

    def _decided(self, decide: Callable[[V], V | None]) -> Callable[[Record], dict[str, Any] | None]:
        def changed(record: Record) -> dict[str, Any] | None:
            after = decide(self.noun.read(record))
            return None if after is None else self.noun.write(after)

        return changed

    def _readable(self, records: Sequence[Record]) -> list[V]:
        return [value for record in records if (value := self._read_or_set_aside(record)) is not None]

    def _read_or_set_aside(self, record: Record) -> V | None:
        try:
            return self.noun.read(record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"not a {self.noun.word}: {type(error).__name__}: {error}"
            log.warning("%s %s of %s goes to quarantine: %s", self.noun.word, record.id, self.project, reason)
            try:
                self.store.quarantine(self.project, self._name, record.id, reason)
            except (store_errors.RecordNotFoundError, store_errors.QuarantinedError):
                log.info("%s %s was deleted or set aside by somebody else.", self.noun.word, record.id)
            return None

    @contextmanager
    def _translated(self, id: str | None = None) -> Iterator[None]:
        try:
            yield
        except store_errors.RecordNotFoundError as error:
            raise self._absent(error.details["id"]) from error
        except store_errors.QuarantinedError as error:
            raise self._unreadable(id or "") from error
        except store_errors.AlreadyExistsError as error:
            raise AlreadyExistsError(f"There is such a {self.noun.word} already.") from error
        except store_errors.VersionConflictError as error:
            current = error.details["version"]
            raise PreconditionFailedError(
                f"The {self.noun.word} was changed meanwhile; it is at version {current} now.", current_version=current
            ) from error
        except store_errors.InvalidError as error:
            place = error.details["place"]
            if place == "id" and id is not None:
                raise self._absent(id) from error  # what can be no id is as absent as any other
            raise InvalidError.at(place or "request", error.message.removeprefix(f"{place}: ")) from error

    def _absent(self, id: object) -> NotFoundError:
        return NotFoundError(f"There is no {self.noun.word} {str(id)[:80]!r} here.")

    def _unreadable(self, id: str) -> ConflictError:
        return ConflictError(f"The {self.noun.word} {id} could not be read and was set aside; see the quarantine.")
