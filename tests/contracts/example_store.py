"""A complete record store in one module, over the standard library's `shelve`: what a backend has to fill in.

`storage_app/README.md` walks through it, and the contract suite runs it as one more backend. A project is one entry of
the shelf; every write copies it, changes the copy and puts it back, so all-or-nothing comes by itself. That makes it
right, short, and slow: a real one differs in how it finds and writes rows, not in what it answers.
"""

import shelve
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from storage_app import strict_json
from storage_app.records import cursors, query, times
from storage_app.records.answers import (
    Capabilities,
    CollectionStatistics,
    Exported,
    ExportedEntry,
    ExportedSequence,
    Progress,
    Quarantined,
    Report,
)
from storage_app.records.backend import Select, Selection
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Ids, Key
from storage_app.records.errors import (
    AlreadyExistsError,
    GuardFailedError,
    InvalidError,
    LockTimeoutError,
    QuarantinedError,
    RecordNotFoundError,
    VersionConflictError,
)
from storage_app.records.ids import LARGEST_SEQUENCE, RecordId, check_sequence
from storage_app.records.operations import (
    Append,
    Appended,
    Delete,
    Durability,
    Insert,
    Operation,
    Prepared,
    Record,
    Replace,
    Result,
    Update,
    merged,
    outcome,
    prepare,
)
from storage_app.records.query import Where
from storage_app.records.streams import StreamEntry, prepared_entries


@dataclass
class Row:
    """A record as JSON text, with the entries of its streams."""

    version: int
    text: str
    streams: dict[str, list[tuple[str, str, int | None]]] = field(default_factory=dict)


@dataclass
class Box:
    """A collection of a project."""

    rows: dict[RecordId, Row] = field(default_factory=dict)
    aside: dict[RecordId, tuple[Quarantined, Row]] = field(default_factory=dict)
    sequence: int = 0
    set_aside_so_far: int = 0


@dataclass
class Boxes:
    """A project. The counters stay when everything else of it goes."""

    held: dict[str, Box] = field(default_factory=dict)
    changes: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def box(self, name: str) -> Box:
        return self.held.setdefault(name, Box())

    def changed(self, name: str, stream: str | None = None) -> None:
        self.changes[name, stream] = self.changes.get((name, stream), 0) + 1


@dataclass(frozen=True)
class Seen:
    """A row as conditions look at it."""

    collection: Collection
    id: RecordId
    version: int
    text: str

    @cached_property
    def document(self) -> dict[str, Any]:
        return strict_json.loads_object(self.text)

    @cached_property
    def keys(self) -> dict[str, Key]:
        return self.collection.keys(self.document)

    def record(self) -> Record:
        return Record(self.id, self.version, strict_json.loads_object(self.text))


class ShelveRecordStore(RecordStore):
    """`path` is the file; one process at a time."""

    capabilities: ClassVar = Capabilities(persistent=True, shared=False)

    def __init__(
        self,
        collections: Iterable[Collection],
        *,
        path: str,
        clock: times.Clock = times.now,
        lock_timeout: float = 5.0,
    ) -> None:
        super().__init__(collections, clock=clock, lock_timeout=lock_timeout)
        self._shelf: shelve.Shelf[Boxes] = shelve.open(path)  # noqa: SIM115 - closed by `close`
        self._lock = threading.RLock()

    def close(self) -> None:
        self._shelf.close()

    # Reading

    def _get(self, project: str, collection: Collection, id: RecordId) -> Record:
        return self._seen(collection, id, self._row(self._boxes(project), collection, id)).record()

    def _select(self, project: str, select: Select) -> Selection:
        place = cursors.comparison(select.terms)
        rows = sorted(self._all(project, select.collection), key=lambda row: place(self._place(select, row)))
        backwards = select.seek is not None and select.seek.backwards
        found: list[Record] = []
        looked_at = 0
        for row in reversed(rows) if backwards else rows:
            if not self._is_ahead(select, row):
                continue
            looked_at += 1
            if query.matches(select.where, row):
                found.append(row.record())
                if len(found) == select.limit:
                    break
            if looked_at == select.scan_limit:
                return Selection(found, self._place(select, row))
        return Selection(found)

    def _count(self, project: str, collection: Collection, where: Where) -> int:
        return sum(query.matches(where, row) for row in self._all(project, collection))

    def _count_by(
        self, project: str, collection: Collection, by: tuple[str, ...], where: Where
    ) -> dict[tuple[Key, ...], int]:
        counts: dict[tuple[Key, ...], int] = {}
        for row in self._all(project, collection):
            if query.matches(where, row):
                values = tuple(row.keys[name] for name in by)
                counts[values] = counts.get(values, 0) + 1
        return counts

    def _read(
        self,
        project: str,
        collection: Collection,
        id: RecordId,
        stream: str,
        after: int,
        before: int,
        limit: int,
        backwards: bool,
    ) -> tuple[list[StreamEntry], int]:
        entries = self._row(self._boxes(project), collection, id).streams.get(stream, [])
        positions = range(after + 1, min(before, len(entries) + 1))
        chosen = positions[max(len(positions) - limit, 0) :] if backwards else positions[:limit]
        return [_entry(position, entries[position - 1]) for position in chosen], len(entries)

    def _stream_names(self, project: str, collection: Collection, id: RecordId) -> list[str]:
        return sorted(self._row(self._boxes(project), collection, id).streams)

    def _sequence(self, project: str, collection: Collection) -> int:
        return self._boxes(project).box(collection.name).sequence

    def _change_counter(self, project: str, collection: Collection, stream: str | None) -> int:
        return self._boxes(project).changes.get((collection.name, stream), 0)

    def projects(self) -> list[str]:
        with self._locked():
            names = list(self._shelf)
        return sorted(project for project in names if self._collections(project))

    def _collections(self, project: str) -> list[str]:
        held = self._boxes(project).held.items()
        return sorted(name for name, box in held if box.rows or box.sequence or box.aside)

    def statistics(self, project: str) -> dict[str, CollectionStatistics]:
        boxes = self._boxes(project)
        return {name: _statistics(boxes.held[name]) for name in self.collections(project)}

    # Writing

    def _apply(self, project: str, operations: Sequence[Operation], durability: Durability) -> list[Result]:
        with self._changing(project) as boxes:
            return [self._perform(boxes, operation) for operation in operations]

    def _perform(self, boxes: Boxes, operation: Operation) -> Result:
        collection = self.collection(operation.collection)
        if isinstance(operation, Insert):
            return self._insert(boxes, collection, operation)
        if isinstance(operation, Append):
            return self._append(boxes, collection, operation)
        seen = self._to_change(boxes, collection, operation)
        if seen is None:
            return None
        if isinstance(operation, Delete):
            del boxes.box(collection.name).rows[seen.id]
            boxes.changed(collection.name)
            return seen.record()
        if isinstance(operation, Replace):
            return self._put(boxes, collection, seen.id, seen.version + 1, prepare(collection, operation.document))
        return self._change(boxes, collection, seen, operation)

    def _insert(self, boxes: Boxes, collection: Collection, operation: Insert) -> Record:
        prepared = prepare(collection, operation.document)
        if isinstance(operation.version, bool) or operation.version < 1:
            raise InvalidError("must be at least 1", "version")
        box = boxes.box(collection.name)
        id = self._new_id(box, collection, operation.id)
        if id in box.rows or id in box.aside:
            raise AlreadyExistsError(collection.name, "id", id, id)
        if collection.ids is Ids.SEQUENCE:
            box.sequence = int(id)
        return self._put(boxes, collection, id, operation.version, prepared)

    def _new_id(self, box: Box, collection: Collection, given: RecordId | None) -> RecordId:
        if collection.ids is not Ids.SEQUENCE:
            if given is None and collection.ids is Ids.TIME_ORDERED:
                return self.new_id(collection.name)
            return collection.check_id(given)
        if given is None:
            if box.sequence >= LARGEST_SEQUENCE:
                raise InvalidError("the sequence is at its end", "id")
            return box.sequence + 1
        if (number := check_sequence(given)) <= box.sequence:
            raise AlreadyExistsError(collection.name, "id", number, number if number in box.rows else None)
        return number

    def _to_change(self, boxes: Boxes, collection: Collection, operation: Update | Replace | Delete) -> Seen | None:
        """The row, if it is there, has the version and passes the guard: in this order."""
        id = collection.check_id(operation.id)
        where = query.compiled(collection, operation.guard)
        if operation.optional and id not in boxes.box(collection.name).rows:
            return None
        seen = self._seen(collection, id, self._row(boxes, collection, id))
        if operation.expected_version not in (None, seen.version):
            if operation.optional:
                return None
            raise VersionConflictError(collection.name, id, operation.expected_version or 0, seen.version)
        if not query.matches(where, seen):
            if operation.optional:
                return None
            raise GuardFailedError(collection.name, id, seen.version)
        return seen

    def _change(self, boxes: Boxes, collection: Collection, seen: Seen, operation: Update) -> Record:
        result = outcome(operation.change, seen.record())
        record = seen.record()
        if result.changes is not None:
            prepared = prepare(collection, merged(seen.document, result.changes))
            record = self._put(boxes, collection, seen.id, seen.version + 1, prepared)
        for following in result.then:
            self._perform(boxes, following)
        return record

    def _put(self, boxes: Boxes, collection: Collection, id: RecordId, version: int, prepared: Prepared) -> Record:
        box = boxes.box(collection.name)
        for unique in collection.unique_fields:
            value = prepared.keys[unique.name]
            for other, row in box.rows.items() if value is not None else ():
                if other != id and self._seen(collection, other, row).keys[unique.name] == value:
                    raise AlreadyExistsError(collection.name, unique.name, value, other)
        streams = box.rows[id].streams if id in box.rows else {}
        box.rows[id] = Row(version, prepared.text, streams)
        boxes.changed(collection.name)
        return self._seen(collection, id, box.rows[id]).record()

    def _append(self, boxes: Boxes, collection: Collection, operation: Append) -> Appended:
        row = self._row(boxes, collection, collection.check_id(operation.id))
        prepared = prepared_entries(operation)
        if not prepared:
            return Appended(0, len(row.streams.get(operation.stream, [])))
        entries = row.streams.setdefault(operation.stream, [])
        known = {number for _, source, number in entries if source == operation.source and number is not None}
        before = len(entries)
        for entry in prepared:
            if entry.number is None or entry.number not in known:
                entries.append((entry.text, operation.source, entry.number))
                known.add(entry.number if entry.number is not None else -1)
        boxes.changed(collection.name, operation.stream)
        return Appended(len(entries) - before, len(entries))

    def _delete_project(self, project: str) -> int:
        with self._changing(project) as boxes:
            records = sum(len(box.rows) for box in boxes.held.values())
            boxes.held = {}
            for name, stream in list(boxes.changes):
                boxes.changed(name, stream)
            return records

    # Moving

    def _import(self, project: str, collection: Collection, items: Iterable[Exported]) -> int:
        records = 0
        with self._locked():
            boxes = self._boxes(project)
            try:
                for item in items:
                    records += self._import_item(boxes, collection, item)
            finally:  # what came before an item that is refused stays
                self._put_back(project, boxes)
        return records

    def _import_item(self, boxes: Boxes, collection: Collection, item: Exported) -> bool:
        """Whether it is a record that is new."""
        if isinstance(item, Record):
            return self._import_record(boxes, collection, item)
        if isinstance(item, ExportedSequence):
            box = boxes.box(collection.name)
            box.sequence = max(box.sequence, item.last)
        else:
            self._import_entry(boxes, collection, item)
        return False

    def _import_record(self, boxes: Boxes, collection: Collection, record: Record) -> bool:
        box, id = boxes.box(collection.name), collection.check_id(record.id)
        prepared = prepare(collection, record.document)
        if id in box.rows and (box.rows[id].version, box.rows[id].text) == (record.version, prepared.text):
            return False
        if id in box.rows or id in box.aside:
            raise AlreadyExistsError(collection.name, "id", id, id)
        self._put(boxes, collection, id, record.version, prepared)
        if collection.ids is Ids.SEQUENCE:
            box.sequence = max(box.sequence, int(id))
        return True

    def _import_entry(self, boxes: Boxes, collection: Collection, item: ExportedEntry) -> None:
        streams = self._row(boxes, collection, item.id).streams
        entries = streams.get(item.stream, [])
        position = item.entry.position
        (prepared,) = prepared_entries(Append("", "", item.stream, [item.entry.data], item.entry.source))
        if position <= len(entries):
            if _entry(position, entries[position - 1]) != item.entry:
                raise AlreadyExistsError(item.stream, "position", position, item.id)
            return
        if position != len(entries) + 1:
            raise InvalidError(f"{position} does not follow {len(entries)}", "position")
        streams[item.stream] = [*entries, (prepared.text, item.entry.source, item.entry.number)]

    # Quarantine

    def _quarantine(self, project: str, collection: Collection, id: RecordId, reason: str) -> Quarantined:
        with self._changing(project) as boxes:
            row = self._row(boxes, collection, id)
            box = boxes.box(collection.name)
            box.set_aside_so_far += 1
            number = f"{times.to_instant(self.now()):020d}-{collection.name}-{box.set_aside_so_far}"
            item = Quarantined(number, collection.name, id, reason, self.now(), row.text)
            box.aside[id] = (item, box.rows.pop(id))
            boxes.changed(collection.name)
            return item

    def _quarantined(self, project: str) -> list[Quarantined]:
        found = [item for box in self._boxes(project).held.values() for item, _ in box.aside.values()]
        return sorted(found, key=lambda item: item.id)

    def _quarantine_restore(self, project: str, quarantine_id: str, text: str | None) -> Record:
        with self._changing(project) as boxes:
            box, item, row = self._set_aside(boxes, quarantine_id)
            collection = self.collection(item.collection)
            try:
                document = strict_json.loads_object(item.text if text is None else text)
            except strict_json.StrictJSONError as error:
                raise InvalidError(str(error), "document") from error
            assert item.record_id is not None
            record = self._put(boxes, collection, item.record_id, row.version + 1, prepare(collection, document))
            box.rows[item.record_id].streams = row.streams
            del box.aside[item.record_id]
            return record

    def _quarantine_discard(self, project: str, quarantine_id: str) -> Quarantined:
        with self._changing(project) as boxes:
            box, item, _ = self._set_aside(boxes, quarantine_id)
            assert item.record_id is not None
            del box.aside[item.record_id]
            boxes.changed(item.collection)
            return item

    def _set_aside(self, boxes: Boxes, quarantine_id: str) -> tuple[Box, Quarantined, Row]:
        for box in boxes.held.values():
            for item, row in box.aside.values():
                if item.id == quarantine_id:
                    return box, item, row
        raise RecordNotFoundError("quarantine", quarantine_id)

    # Health: nothing is derived here, so nothing can be stale

    def check(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        if project is not None:
            self._check_project(project)
        names = self.projects() if project is None else [project]
        boxes = [box for name in names for box in self._boxes(name).held.values()]
        records = sum(len(box.rows) for box in boxes)
        if progress:
            progress(records, records)
        return Report(records, sum(_statistics(box).entries for box in boxes))

    def repair(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        return self.check(project, progress=progress)

    def rebuild_index(self, project: str | None = None, *, progress: Progress | None = None) -> int:
        return self.check(project, progress=progress).records

    # The shelf

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=self._lock_timeout):
            raise LockTimeoutError(f"the shelf was locked for {self._lock_timeout} seconds")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _changing(self, project: str) -> Iterator[Boxes]:
        """A copy of the project, as the shelf gives with each look, put back if all went well."""
        with self._locked():
            boxes = self._boxes(project)
            yield boxes
            self._put_back(project, boxes)

    def _put_back(self, project: str, boxes: Boxes) -> None:
        self._shelf[project] = boxes
        self._shelf.sync()

    def _boxes(self, project: str) -> Boxes:
        with self._locked():
            return self._shelf.get(project) or Boxes()

    def _all(self, project: str, collection: Collection) -> list[Seen]:
        rows = self._boxes(project).box(collection.name).rows
        return [self._seen(collection, id, row) for id, row in rows.items()]

    def _row(self, boxes: Boxes, collection: Collection, id: RecordId) -> Row:
        box = boxes.box(collection.name)
        if id in box.rows:
            return box.rows[id]
        if id in box.aside:
            raise QuarantinedError(collection.name, id, box.aside[id][0].reason)
        raise RecordNotFoundError(collection.name, id)

    def _seen(self, collection: Collection, id: RecordId, row: Row) -> Seen:
        return Seen(collection, id, row.version, row.text)

    def _place(self, select: Select, row: Seen) -> tuple[Key, ...]:
        return cursors.order_keys(select.terms, row.keys, row.id)

    def _is_ahead(self, select: Select, row: Seen) -> bool:
        if select.seek is None:
            return True
        signs = [-1 if descending else 1 for _, descending in select.terms]
        side = cursors.compare(signs, self._place(select, row), select.seek.keys)
        if side == 0:
            return select.seek.inclusive
        return (side < 0) == select.seek.backwards


def _entry(position: int, stored: tuple[str, str, int | None]) -> StreamEntry:
    text, source, number = stored
    return StreamEntry(position, strict_json.loads_object(text), source, number)


def _statistics(box: Box) -> CollectionStatistics:
    entries = sum(len(stream) for row in box.rows.values() for stream in row.streams.values())
    return CollectionStatistics(len(box.rows), entries, sum(len(row.text.encode()) for row in box.rows.values()))
