"""A list of records and nothing else: slow, plain, and the judge of the others in `test_side_by_side.py`."""

import copy
from collections.abc import Callable
from typing import Any

from storage_app import strict_json
from storage_app.records import query
from storage_app.records.answers import LARGEST_PAGE
from storage_app.records.declarations import Collection, Ids
from storage_app.records.errors import (
    AlreadyExistsError,
    GuardFailedError,
    RecordNotFoundError,
    RecordStoreError,
    VersionConflictError,
)
from storage_app.records.operations import Record, merged, prepare


class NaiveRow:
    def __init__(self, collection: Collection, id: Any, version: int, document: dict[str, Any]) -> None:
        self.id, self.version = id, version
        prepared = prepare(collection, document)
        self.document = strict_json.loads_object(prepared.text)
        self.keys = prepared.keys
        self.streams: dict[str, list[tuple[dict[str, Any], str, int | None]]] = {}

    def record(self) -> Record:
        return Record(self.id, self.version, copy.deepcopy(self.document))


class NaiveStore:
    """The part of the contract that the machine drives, for one project at a time, each in a list of rows."""

    def __init__(self, collections: list[Collection]) -> None:
        self._collections = {collection.name: collection for collection in collections}
        self._rows: dict[tuple[str, str], list[NaiveRow]] = {}
        self._last: dict[tuple[str, str], int] = {}

    def insert(self, project: str, name: str, document: dict[str, Any], id: Any = None) -> Record:
        collection, rows = self._collections[name], self._of(project, name)
        last = self._last.get((project, name), 0)
        if collection.ids is Ids.SEQUENCE:
            new = last + 1 if id is None else collection.check_id(id)
        else:
            new = collection.check_id(id)
        row = NaiveRow(collection, new, 1, document)
        if any(other.id == new for other in rows) or (isinstance(new, int) and new <= last):
            raise AlreadyExistsError(name, "id", new, None)
        self._refuse_taken(collection, rows, row)
        rows.append(row)
        if isinstance(new, int):
            self._last[project, name] = new
        return row.record()

    def insert_many(self, project: str, name: str, documents: list[dict[str, Any]]) -> list[Record]:
        return self._all_or_none(project, name, lambda: [self.insert(project, name, item) for item in documents])

    def get(self, project: str, name: str, id: Any) -> Record:
        return self._find(project, name, id).record()

    def update(
        self, project: str, name: str, id: Any, changes: dict[str, Any], expected_version: int | None, guard: Any
    ) -> Record:
        row = self._to_change(project, name, id, expected_version, guard)
        return self._put(project, name, row, merged(row.document, changes))

    def replace(
        self, project: str, name: str, id: Any, document: dict[str, Any], expected_version: int | None, guard: Any
    ) -> Record:
        return self._put(project, name, self._to_change(project, name, id, expected_version, guard), document)

    def delete(self, project: str, name: str, id: Any, expected_version: int | None, guard: Any) -> Record:
        row = self._to_change(project, name, id, expected_version, guard)
        self._of(project, name).remove(row)
        return row.record()

    def query(self, project: str, name: str, conditions: Any, order: Any, limit: int = LARGEST_PAGE) -> list[Record]:
        return [row.record() for row in self._matching(project, name, conditions, order)][:limit]

    def count(self, project: str, name: str, conditions: Any) -> int:
        return len(self._matching(project, name, conditions, "id"))

    def count_by(self, project: str, name: str, by: list[str], conditions: Any) -> dict[Any, int]:
        counts: dict[Any, int] = {}
        for row in self._matching(project, name, conditions, "id"):
            values = tuple(row.keys[field] for field in by)
            counts[values] = counts.get(values, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: [_place(value) for value in item[0]]))

    def claim_first(
        self, project: str, name: str, conditions: Any, changes: dict[str, Any], order: Any, limit: int
    ) -> list[Record]:
        chosen = self._matching(project, name, conditions, order)[:limit]
        return self._all_or_none(
            project, name, lambda: [self._put(project, name, row, merged(row.document, changes)) for row in chosen]
        )

    def delete_where(self, project: str, name: str, conditions: Any, limit: int) -> list[Record]:
        chosen = self._matching(project, name, conditions, "id")[:limit]
        for row in chosen:
            self._of(project, name).remove(row)
        return [row.record() for row in chosen]

    def append(
        self, project: str, name: str, id: Any, entries: list[tuple[dict[str, Any], int | None]], source: str
    ) -> tuple[int, int]:
        stream = self._find(project, name, id).streams.setdefault("logs", [])
        added = 0
        for data, number in entries:
            if number is None or not any(entry[1:] == (source, number) for entry in stream):
                stream.append((data, source, number))
                added += 1
        return added, len(stream)

    def read_stream(self, project: str, name: str, id: Any) -> list[tuple[dict[str, Any], str, int | None]]:
        return self._find(project, name, id).streams.get("logs", [])

    def delete_project(self, project: str) -> int:
        gone = 0
        for owner, name in list(self._rows):
            if owner == project:
                gone += len(self._rows.pop((owner, name)))
                self._last.pop((owner, name), None)
        return gone

    def _of(self, project: str, name: str) -> list[NaiveRow]:
        return self._rows.setdefault((project, name), [])

    def _find(self, project: str, name: str, id: Any) -> NaiveRow:
        self._collections[name].check_id(id)
        for row in self._of(project, name):
            if row.id == id:
                return row
        raise RecordNotFoundError(name, id)

    def _to_change(self, project: str, name: str, id: Any, expected_version: int | None, guard: Any) -> NaiveRow:
        self._collections[name].check_id(id)
        where = query.compiled(self._collections[name], guard)
        row = self._find(project, name, id)
        if expected_version not in (None, row.version):
            raise VersionConflictError(name, id, expected_version or 0, row.version)
        if not query.matches(where, row):
            raise GuardFailedError(name, id, row.version)
        return row

    def _put(self, project: str, name: str, row: NaiveRow, document: dict[str, Any]) -> Record:
        collection, rows = self._collections[name], self._of(project, name)
        new = NaiveRow(collection, row.id, row.version + 1, document)
        self._refuse_taken(collection, [other for other in rows if other is not row], new)
        new.streams = row.streams
        rows[rows.index(row)] = new
        return new.record()

    def _refuse_taken(self, collection: Collection, others: list[NaiveRow], row: NaiveRow) -> None:
        for field in collection.unique_fields:
            value = row.keys[field.name]
            if value is not None and any(other.keys[field.name] == value for other in others):
                raise AlreadyExistsError(collection.name, field.name, value, None)

    def _matching(self, project: str, name: str, conditions: Any, order: Any) -> list[NaiveRow]:
        collection = self._collections[name]
        where = query.compiled(collection, conditions)
        rows = [row for row in self._of(project, name) if query.matches(where, row)]
        for field, descending in reversed(collection.order_terms((order,) if isinstance(order, str) else order)):
            rows.sort(key=lambda row, field=field: _sortable(row, field), reverse=descending)  # type: ignore[misc]
        return rows

    def _all_or_none(self, project: str, name: str, work: Callable[[], list[Record]]) -> list[Record]:
        rows, last = list(self._of(project, name)), self._last.get((project, name), 0)
        try:
            return work()
        except RecordStoreError:
            self._rows[project, name], self._last[project, name] = rows, last
            raise


def _sortable(row: NaiveRow, field: str) -> tuple[Any, ...]:
    return _place(row.id if field == "id" else row.keys[field])


def _place(value: Any) -> tuple[Any, ...]:
    return (False,) if value is None else (True, value)
