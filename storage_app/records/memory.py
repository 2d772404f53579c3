"""Records in memory: for tests and for trying things out.

Honest: it keeps JSON text, so what cannot be stored elsewhere fails here first and nobody shares a mutable object
with it."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from storage_app import strict_json
from storage_app.records import query, times
from storage_app.records.answers import (
    Capabilities,
    CollectionStatistics,
    Exported,
    ExportedEntry,
    ExportedSequence,
    Problem,
    Progress,
    Quarantined,
    Report,
)
from storage_app.records.backend import Select, Selection
from storage_app.records.base import RecordStore
from storage_app.records.cursors import Terms
from storage_app.records.declarations import Collection, Ids, Key
from storage_app.records.errors import (
    AlreadyExistsError,
    GuardFailedError,
    InvalidError,
    LockTimeoutError,
    RecordNotFoundError,
    RecordStoreError,
    VersionConflictError,
)
from storage_app.records.ids import RecordId
from storage_app.records.memory_shelf import MemoryRow, Shelf, Stream, Undo
from storage_app.records.operations import (
    Append,
    Appended,
    Change,
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
from storage_app.records.query import Conditions, Where
from storage_app.records.streams import Numbers, PreparedEntry, StreamEntry, prepared_entries
from storage_app.records.words import Hits, WordSelect


class MemoryRecordStore(RecordStore):
    capabilities: ClassVar = Capabilities(persistent=False, shared=False)

    def __init__(
        self, collections: Iterable[Collection], *, clock: times.Clock = times.now, lock_timeout: float = 5.0
    ) -> None:
        super().__init__(collections, clock=clock, lock_timeout=lock_timeout)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._projects: dict[str, dict[str, Shelf]] = {}
        self._counters: dict[tuple[str, str, str | None], int] = {}
        self._set_aside_so_far = 0

    def projects(self) -> list[str]:
        with self._locked():
            return sorted(project for project in self._projects if self._collections(project))

    def wait_for_change(
        self, project: str, collection: str, seen: int, timeout: float, stream: str | None = None
    ) -> int:
        deadline = time.monotonic() + timeout
        with self._locked():
            while (counter := self.change_counter(project, collection, stream)) == seen:
                if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                    return self.change_counter(project, collection, stream)
            return counter

    def check(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        with self._locked():
            shelves = list(self._shelves(project))
            problems = [
                Problem("index_stale", owner, shelf.collection.name, None, fault)
                for owner, shelf in shelves
                for fault in shelf.faults()
            ]
            records = sum(len(shelf.rows) for _, shelf in shelves)
            if progress:
                progress(records, records)
            return Report(records, sum(shelf.entries for _, shelf in shelves), problems)

    def repair(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        with self._locked():
            report = self.check(project)
            self.rebuild_index(project, progress=progress)
            return Report(report.records, report.entries, report.problems, len(report.problems))

    def rebuild_index(self, project: str | None = None, *, progress: Progress | None = None) -> int:
        with self._locked():
            done = 0
            for _, shelf in self._shelves(project):
                shelf.rebuild()
                done += len(shelf.rows)
                if progress:
                    progress(done, None)
            return done

    def statistics(self, project: str) -> dict[str, CollectionStatistics]:
        with self._locked():
            shelves = [self._projects[project][name] for name in self.collections(project)]
            return {
                shelf.collection.name: CollectionStatistics(len(shelf.rows), shelf.entries, shelf.bytes)
                for shelf in shelves
            }

    def _get(self, project: str, collection: Collection, id: RecordId) -> Record:
        with self._locked():
            row = self._shelf(project, collection).row(id)
        return row.record()

    def _apply(self, project: str, operations: Sequence[Operation], durability: Durability) -> list[Result]:
        with self._locked():
            journal = _Journal()
            try:
                results = [self._perform(project, operation, journal) for operation in operations]
            except BaseException:
                journal.undo_all()
                raise
            self._announce(project, journal.touched)
            return results

    def _select(self, project: str, select: Select) -> Selection:
        with self._locked():
            return self._shelf(project, select.collection).select(select)

    def _find_words(self, project: str, asked: WordSelect) -> Hits:
        with self._locked():
            return self._shelf(project, asked.collection).find_words(asked)

    def _count(self, project: str, collection: Collection, where: Where) -> int:
        with self._locked():
            return self._shelf(project, collection).count(where)

    def _count_by(
        self, project: str, collection: Collection, by: tuple[str, ...], where: Where
    ) -> dict[tuple[Key, ...], int]:
        with self._locked():
            return self._shelf(project, collection).count_by(by, where)

    def _claim(
        self,
        project: str,
        collection: Collection,
        conditions: Conditions,
        change: Change,
        terms: Terms,
        limit: int,
        durability: Durability,
    ) -> list[Record]:
        with self._locked():
            return super()._claim(project, collection, conditions, change, terms, limit, durability)

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
        with self._locked():
            found = self._shelf(project, collection).row(id).streams.get(stream, Stream())
            end = len(found.entries)
            positions = range(after + 1, min(before, end + 1))
            chosen = positions[max(len(positions) - limit, 0) :] if backwards else positions[:limit]
            return [found.entry(position) for position in chosen], end

    def _stream_names(self, project: str, collection: Collection, id: RecordId) -> list[str]:
        with self._locked():
            return sorted(self._shelf(project, collection).row(id).streams)

    def _sequence(self, project: str, collection: Collection) -> int:
        with self._locked():
            return self._shelf(project, collection).sequence

    def _import(self, project: str, collection: Collection, items: Iterable[Exported]) -> int:
        records = 0
        for item in items:
            with self._locked():
                shelf = self._shelf(project, collection, create=True)
                if isinstance(item, ExportedSequence):
                    shelf.sequence = max(shelf.sequence, item.last)
                elif isinstance(item, Record):
                    records += self._import_record(shelf, item)
                else:
                    self._import_entry(shelf, item)
                self._announce(project, {(collection.name, None)})
        return records

    def _change_counter(self, project: str, collection: Collection, stream: str | None) -> int:
        return self._counters.get((project, collection.name, stream), 0)

    def _collections(self, project: str) -> list[str]:
        with self._locked():
            shelves = self._projects.get(project, {}).values()
            return sorted(shelf.collection.name for shelf in shelves if shelf.rows or shelf.sequence or shelf.set_aside)

    def _delete_project(self, project: str) -> int:
        with self._locked():
            shelves = self._projects.pop(project, {})
            touched = {(name, stream) for owner, name, stream in self._counters if owner == project}
            self._announce(project, touched)
            return sum(len(shelf.rows) for shelf in shelves.values())

    def _quarantine(self, project: str, collection: Collection, id: RecordId, reason: str) -> Quarantined:
        with self._locked():
            shelf = self._shelf(project, collection)
            row = shelf.row(id)
            self._set_aside_so_far += 1
            quarantined = Quarantined(
                f"{self._set_aside_so_far:016d}", collection.name, id, reason, self.now(), row.text
            )
            shelf.take(id)
            shelf.set_aside[id] = (quarantined, row)
            self._announce(project, {(collection.name, None)})
            return quarantined

    def _quarantined(self, project: str) -> list[Quarantined]:
        with self._locked():
            found = [item for _, shelf in self._shelves(project) for item, _ in shelf.set_aside.values()]
            return sorted(found, key=lambda item: item.id)

    def _quarantine_restore(self, project: str, quarantine_id: str, text: str | None) -> Record:
        with self._locked():
            shelf, quarantined, row = self._find_set_aside(project, quarantine_id)
            try:
                document = strict_json.loads_object(quarantined.text if text is None else text)
            except strict_json.StrictJSONError as error:
                raise InvalidError(str(error), "document") from error
            shelf.put(row.id, row.version + 1, prepare(shelf.collection, document), row.streams)
            del shelf.set_aside[row.id]
            self._announce(project, {(shelf.collection.name, None)})
            return shelf.row(row.id).record()

    def _quarantine_discard(self, project: str, quarantine_id: str) -> Quarantined:
        with self._locked():
            shelf, quarantined, row = self._find_set_aside(project, quarantine_id)
            del shelf.set_aside[row.id]
            self._announce(project, {(shelf.collection.name, None)})
            return quarantined

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=self._lock_timeout):
            raise LockTimeoutError(f"the store was locked for {self._lock_timeout} seconds")
        try:
            yield
        finally:
            self._lock.release()

    def _shelf(self, project: str, collection: Collection, create: bool = False) -> Shelf:
        shelf = self._projects.get(project, {}).get(collection.name)
        if shelf is None:
            shelf = Shelf(collection)
            if create:
                self._projects.setdefault(project, {})[collection.name] = shelf
        return shelf

    def _shelves(self, project: str | None) -> Iterator[tuple[str, Shelf]]:
        if project is not None:
            self._check_project(project)
        for owner, shelves in self._projects.items():
            if project in (None, owner):
                yield from ((owner, shelf) for shelf in shelves.values())

    def _announce(self, project: str, touched: Iterable[tuple[str, str | None]]) -> None:
        for collection, stream in touched:
            place = (project, collection, stream)
            self._counters[place] = self._counters.get(place, 0) + 1
        self._changed.notify_all()

    def _perform(self, project: str, operation: Operation, journal: "_Journal") -> Result:
        shelf = self._shelf(project, self.collection(operation.collection), create=True)
        if isinstance(operation, Insert):
            return self._insert(shelf, operation, journal)
        if isinstance(operation, Append):
            return self._append(shelf, operation, journal)
        row = self._row_to_change(shelf, operation)
        if row is None:
            return None
        if isinstance(operation, Delete):
            journal.note(shelf.take(row.id), shelf, None)
            return row.record()
        if isinstance(operation, Replace):
            return self._put(shelf, row.id, row.version + 1, prepare(shelf.collection, operation.document), journal)
        return self._change(project, shelf, row, operation, journal)

    def _insert(self, shelf: Shelf, operation: Insert, journal: "_Journal") -> Record:
        prepared = prepare(shelf.collection, operation.document)
        if isinstance(operation.version, bool) or operation.version < 1:
            raise InvalidError("must be at least 1", "version")
        id = self._new_id(shelf, operation.id)
        if id in shelf.rows or id in shelf.set_aside:
            raise AlreadyExistsError(shelf.collection.name, "id", id, id)
        return self._put(shelf, id, operation.version, prepared, journal)

    def _new_id(self, shelf: Shelf, given: RecordId | None) -> RecordId:
        if shelf.collection.ids is Ids.SEQUENCE:
            return shelf.new_number(given)
        if given is None and shelf.collection.ids is Ids.TIME_ORDERED:
            return self._time_ordered_id()
        return shelf.collection.check_id(given)

    def _put(self, shelf: Shelf, id: RecordId, version: int, prepared: Prepared, journal: "_Journal") -> Record:
        journal.note(shelf.put(id, version, prepared), shelf, None)
        return shelf.rows[id].record()

    def _row_to_change(self, shelf: Shelf, operation: Update | Replace | Delete) -> MemoryRow | None:
        id = shelf.collection.check_id(operation.id)
        where = query.compiled(shelf.collection, operation.guard)
        try:
            row = shelf.row(id)
        except RecordStoreError:
            if operation.optional:
                return None
            raise
        if operation.expected_version is not None and operation.expected_version != row.version:
            if operation.optional:
                return None
            raise VersionConflictError(shelf.collection.name, id, operation.expected_version, row.version)
        if not query.matches(where, row):
            if operation.optional:
                return None
            raise GuardFailedError(shelf.collection.name, id, row.version)
        return row

    def _change(self, project: str, shelf: Shelf, row: MemoryRow, operation: Update, journal: "_Journal") -> Record:
        record = row.record()
        result = outcome(operation.change, record)
        if result.changes is not None:
            # The function had a copy of its own to play with; the change is made to the stored document.
            document = merged(row.record().document, result.changes)
            record = self._put(shelf, row.id, row.version + 1, prepare(shelf.collection, document), journal)
        else:
            record = row.record()
        for following in result.then:
            self._perform(project, following, journal)
        return record

    def _append(self, shelf: Shelf, operation: Append, journal: "_Journal") -> Appended:
        row = shelf.row(shelf.collection.check_id(operation.id))
        entries = prepared_entries(operation)
        stream = row.streams.get(operation.stream, Stream())
        added = self._add_entries(row, operation, stream, entries, journal, shelf) if entries else 0
        return Appended(added, len(stream.entries))

    def _add_entries(
        self,
        row: MemoryRow,
        operation: Append,
        stream: Stream,
        entries: Sequence[PreparedEntry],
        journal: "_Journal",
        shelf: Shelf,
    ) -> int:
        end, known = len(stream.entries), stream.numbers.get(operation.source, Numbers()).ranges()
        was_there = operation.stream in row.streams

        def undo() -> None:
            shelf.entries -= len(stream.entries) - end
            del stream.entries[end:]
            stream.numbers[operation.source] = Numbers(known)
            if not was_there:
                del row.streams[operation.stream]

        row.streams[operation.stream] = stream
        numbers = stream.numbers.setdefault(operation.source, Numbers())
        for entry in entries:
            if entry.number is None or numbers.add(entry.number):
                stream.entries.append((entry, operation.source))
        shelf.entries += len(stream.entries) - end
        journal.note(undo, shelf, operation.stream)
        return len(stream.entries) - end

    def _import_record(self, shelf: Shelf, record: Record) -> bool:
        id, prepared = shelf.collection.check_id(record.id), prepare(shelf.collection, record.document)
        if id in shelf.rows:
            row = shelf.rows[id]
            if (row.version, row.text) != (record.version, prepared.text):
                raise AlreadyExistsError(shelf.collection.name, "id", id, id)
            return False
        if id in shelf.set_aside:
            raise AlreadyExistsError(shelf.collection.name, "id", id, id)
        shelf.put(id, record.version, prepared)
        return True

    def _import_entry(self, shelf: Shelf, item: ExportedEntry) -> None:
        row, entry = shelf.row(item.id), item.entry
        (prepared,) = prepared_entries(Append("", "", item.stream, [entry.data], entry.source))
        stream = row.streams.setdefault(item.stream, Stream())
        if entry.position <= len(stream.entries):
            if stream.entry(entry.position) != entry:
                raise AlreadyExistsError(item.stream, "position", entry.position, item.id)
            return
        if entry.position != len(stream.entries) + 1:
            raise InvalidError(f"{entry.position} does not follow {len(stream.entries)}", "position")
        stream.entries.append((PreparedEntry(prepared.text, entry.number), entry.source))
        shelf.entries += 1
        if entry.number is not None:
            stream.numbers.setdefault(entry.source, Numbers()).add(entry.number)

    def _find_set_aside(self, project: str, quarantine_id: str) -> tuple[Shelf, Quarantined, MemoryRow]:
        for _, shelf in self._shelves(project):
            for quarantined, row in shelf.set_aside.values():
                if quarantined.id == quarantine_id:
                    return shelf, quarantined, row
        raise RecordNotFoundError("quarantine", quarantine_id)


class _Journal:
    """What an `apply` did so far, so that it can be taken back, and what it touched, so that it can be announced."""

    def __init__(self) -> None:
        self._undo: list[Undo] = []
        self.touched: set[tuple[str, str | None]] = set()

    def note(self, undo: Undo, shelf: Shelf, stream: str | None) -> None:
        self._undo.append(undo)
        self.touched.add((shelf.collection.name, stream))

    def undo_all(self) -> None:
        while self._undo:
            self._undo.pop()()
