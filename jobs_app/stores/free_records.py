"""Free records of one project in the record store. The object lies under `data`, so that it may have fields of any
name, `id` and `version` too.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from jobs_app.domain.free_record import FreeCollection, FreeRecord
from jobs_app.errors import ConflictError, InvalidError, NotFoundError, PreconditionFailedError
from jobs_app.stores.values import known_time, time_out
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.declarations import FREE_PREFIX
from storage_app.records.operations import REMOVE, Record
from storage_app.records.query import Condition, Node, parse

DATA: Final = "data"
SCAN_LIMIT: Final = 5000  # records looked at for one page of a query
_SHAPE: Final = frozenset({DATA, "created_at", "updated_at"})
_OWN_NAMES: Final = ("id", "version")


@dataclass(frozen=True, slots=True)
class FreePage:
    records: list[FreeRecord]
    next_cursor: str | None
    previous_cursor: str | None


class FreeRecords:
    def __init__(self, store: RecordStore, project: str) -> None:
        self._store = store
        self._project = project

    def now(self) -> datetime:
        return self._store.now()

    def collections(self) -> list[FreeCollection]:
        """Those that hold a record, or ever held one."""
        statistics = self._store.statistics(self._project)
        names = [name for name in self._store.collections(self._project) if name.startswith(FREE_PREFIX)]
        return [
            FreeCollection(
                name.removeprefix(FREE_PREFIX),
                statistics[name].records if name in statistics else 0,
                statistics[name].bytes if name in statistics else 0,
            )
            for name in names
        ]

    def create(self, collection: str, data: Mapping[str, Any]) -> FreeRecord:
        now = time_out(self.now())
        document = {"created_at": now, "updated_at": now, DATA: data}
        with _translated(collection):
            return _free(self._store.insert(self._project, _stored(collection), document))

    def get(self, collection: str, id: int) -> FreeRecord:
        with _translated(collection):
            return _free(self._store.get(self._project, _stored(collection), id))

    def change(
        self,
        collection: str,
        id: int,
        decide: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        version: int | None = None,
    ) -> FreeRecord:
        """The record with the object that `decide` makes of the one it has."""

        def changed(record: Record) -> dict[str, Any]:
            found = _free(record)
            now = time_out(self.now())
            begun = now if found.created_at is None else time_out(found.created_at)
            return {"created_at": begun, "updated_at": now, DATA: dict(decide(found.data)), **_without(record)}

        with _translated(collection):
            return _free(self._store.update(self._project, _stored(collection), id, changed, expected_version=version))

    def delete(self, collection: str, id: int, version: int | None = None) -> FreeRecord:
        with _translated(collection):
            return _free(self._store.delete(self._project, _stored(collection), id, expected_version=version))

    def find(self, collection: str, filters: Mapping[str, Any], order: str, limit: int, cursor: str | None) -> FreePage:
        """Equal values by default; `name__gt` and the store's other suffixes compare, dots lead into objects."""
        with _translated(collection):
            page = self._store.query(
                self._project,
                _stored(collection),
                [_condition(name, value) for name, value in filters.items()],
                order=order,
                limit=limit,
                cursor=cursor,
                scan_limit=SCAN_LIMIT if filters else None,
            )
        return FreePage([_free(record) for record in page.records], page.next_cursor, page.previous_cursor)


def _stored(collection: str) -> str:
    return FREE_PREFIX + collection


def _condition(name: str, value: Any) -> Node:
    found = parse(name, value)
    if found.path[0] in _OWN_NAMES and len(found.path) == 1:
        return found
    return Condition((DATA, *found.path), found.op, found.value)


def _free(record: Record) -> FreeRecord:
    document = record.document
    if document.keys() != _SHAPE or not isinstance(document[DATA], dict):
        return FreeRecord(int(record.id), record.version, document)
    with contextlib.suppress(TypeError, ValueError):
        times = [known_time(document[name]) for name in ("created_at", "updated_at")]
        return FreeRecord(int(record.id), record.version, document[DATA], *times)
    return FreeRecord(int(record.id), record.version, document)


def _without(record: Record) -> dict[str, Any]:
    """Takes out the fields of a record that is not of our shape; they are in its object now."""
    return {name: REMOVE for name in record.document if name not in _SHAPE}


@contextlib.contextmanager
def _translated(collection: str) -> Iterator[None]:
    try:
        yield
    except store_errors.RecordNotFoundError as error:
        raise NotFoundError(f"There is no record {error.details['id']} in {collection[:80]!r}.") from error
    except store_errors.QuarantinedError as error:
        raise ConflictError(f"Record {error.details['id']} was set aside; see the quarantine.") from error
    except store_errors.VersionConflictError as error:
        current = error.details["version"]
        raise PreconditionFailedError(
            f"The record was changed meanwhile; it is at version {current} now.", current_version=current
        ) from error
    except store_errors.InvalidError as error:
        place = str(error.details["place"] or "request").removeprefix(f"{DATA}.")
        raise InvalidError.at(place, error.message.removeprefix(f"{error.details['place']}: ")) from error
