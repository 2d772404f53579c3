"""One atomic write: operations done in order on rows in hand, then written together.

What is taken for granted at first (a given id is free, a unique value is not taken) costs no look at the database,
since its constraints refuse what is wrong; then the work is done again with care, and the error is the exact one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from storage_app.records import query
from storage_app.records.base import RecordStore
from storage_app.records.database import rows as tables
from storage_app.records.database import sequences
from storage_app.records.database.counting import Changes
from storage_app.records.database.layout import Layout
from storage_app.records.database.row import Row
from storage_app.records.database.stream_tables import Streams
from storage_app.records.database.transactions import RepeatWithCareError, Transaction
from storage_app.records.declarations import Field, Ids, Key
from storage_app.records.errors import (
    AlreadyExistsError,
    GuardFailedError,
    InvalidError,
    QuarantinedError,
    RecordNotFoundError,
    RecordStoreError,
    VersionConflictError,
)
from storage_app.records.ids import LARGEST_SEQUENCE, RecordId, check_sequence
from storage_app.records.operations import (
    REMOVE,
    Append,
    Delete,
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
from storage_app.records.streams import prepared_entries


@dataclass
class _State:
    before: Row | None
    now: Row | None


@dataclass
class _Shelf:
    """What is in hand of one collection."""

    layout: Layout
    states: dict[RecordId, _State] = field(default_factory=dict)
    holders: dict[tuple[str, Key], RecordId | None] = field(default_factory=dict)  # of unique values, None: given up
    presumed: set[RecordId] = field(default_factory=set)
    sequence: int | None = None
    sequence_moved: bool = False


class Work:
    def __init__(self, store: RecordStore, layouts: Mapping[str, Layout], project: str, transaction: Transaction):
        self._store = store
        self._layouts = layouts
        self._project = project
        self._transaction = transaction
        self._shelves: dict[str, _Shelf] = {}
        self._assumed = False
        self.changes = Changes(project, transaction.dialect)
        self.streams = Streams(transaction, project, self.changes)

    def run(self, operations: Sequence[Operation]) -> list[Result]:
        try:
            self._prefetch(operations)
            results = [self._perform(operation) for operation in operations]
            appended = self.streams.settle()
        except RecordStoreError as error:
            if self._assumed and not self._transaction.careful:
                raise RepeatWithCareError from error
            raise
        self._write()
        return [appended[result] if isinstance(result, int) else result for result in results]

    def adopt(self, row: Row) -> None:
        """A row that is locked already."""
        self._shelf(row.layout.name).states[row.id] = _State(row, row)

    def presume(self, rows: Sequence[Row]) -> None:
        """Rows as they were last seen, not locked: the write fails if one of them is another by now."""
        for row in rows:
            self.adopt(row)
            self._shelf(row.layout.name).presumed.add(row.id)
            self._assumed = True

    def changed(self) -> list[Row]:
        """The rows that were there before, as they are now."""
        return [
            state.now
            for shelf in self._shelves.values()
            for state in shelf.states.values()
            if state.now is not None and state.before is not None and state.now is not state.before
        ]

    def import_record(self, collection: str, record: Record) -> bool:
        """Whether it was new; one that is there must be equal."""
        shelf = self._shelf(collection)
        declared = shelf.layout.collection
        id, prepared = declared.check_id(record.id), prepare(declared, record.document)
        row = self._load(shelf, id)
        if row is not None:
            if (row.version, row.text) != (record.version, prepared.text):
                raise AlreadyExistsError(collection, "id", id, id)
            return False
        if tables.quarantine_reason(self._transaction, shelf.layout, self._project, id) is not None:
            raise AlreadyExistsError(collection, "id", id, id)
        self._put(shelf, id, record.version, prepared)
        self.raise_sequence(collection, id)
        return True

    def raise_sequence(self, collection: str, last: RecordId) -> None:
        shelf = self._shelf(collection)
        if shelf.layout.numbered and int(last) > self._last_number(shelf):
            shelf.sequence, shelf.sequence_moved = int(last), True

    def required(self, collection: str, id: RecordId) -> Row:
        shelf = self._shelf(collection)
        row = self._load(shelf, shelf.layout.collection.check_id(id))
        return row if row is not None else self._missing(shelf, id)

    def put(self, collection: str, id: RecordId, version: int, prepared: Prepared) -> Record:
        return self._put(self._shelf(collection), id, version, prepared)

    def take(self, row: Row) -> None:
        """Out of its table, with its streams left alone."""
        shelf = self._shelf(row.layout.name)
        self._give_up(shelf, row)
        shelf.states[row.id].now = None

    def finish(self) -> None:
        self.streams.settle()
        self._write()

    def _shelf(self, collection: str) -> _Shelf:
        shelf = self._shelves.get(collection)
        if shelf is None:
            layout = self._layouts.get(collection) or Layout(self._store.collection(collection))
            shelf = self._shelves[collection] = _Shelf(layout)
        return shelf

    def _prefetch(self, operations: Sequence[Operation]) -> None:
        """Locks the rows that are known beforehand, in one order for everybody."""
        wanted: dict[str, dict[RecordId, bool]] = {}
        for operation in operations:
            if isinstance(operation, Insert):
                continue
            ids = wanted.setdefault(operation.collection, {})
            ids[operation.id] = ids.get(operation.id, False) or not isinstance(operation, Append)
        for collection in sorted(wanted):
            shelf = self._shelf(collection)
            ids = {id: change for id, change in wanted[collection].items() if _is_id(shelf.layout, id)}
            for exclusive in (True, False):
                chosen = sorted(id for id, change in ids.items() if change is exclusive and id not in shelf.states)
                self._load_many(shelf, chosen, exclusive)

    def _load_many(self, shelf: _Shelf, ids: Sequence[RecordId], exclusive: bool) -> None:
        if not ids:
            return
        found = tables.locked(self._transaction, shelf.layout, self._project, ids, exclusive)
        for id in ids:
            values = found.get(id)
            row = Row(shelf.layout, id, *values) if values else None
            shelf.states[id] = _State(row, row)

    def _load(self, shelf: _Shelf, id: RecordId) -> Row | None:
        if id not in shelf.states:
            self._load_many(shelf, [id], True)
        return shelf.states[id].now

    def _perform(self, operation: Operation) -> Result | int:
        shelf = self._shelf(operation.collection)
        if isinstance(operation, Insert):
            return self._insert(shelf, operation)
        if isinstance(operation, Append):
            return self._append(shelf, operation)
        row = self._row_to_change(shelf, operation)
        if row is None:
            return None
        if isinstance(operation, Delete):
            return self._delete(shelf, row)
        if isinstance(operation, Replace):
            return self._put(shelf, row.id, row.version + 1, prepare(shelf.layout.collection, operation.document))
        return self._change(shelf, row, operation)

    def _insert(self, shelf: _Shelf, operation: Insert) -> Record:
        prepared = prepare(shelf.layout.collection, operation.document)
        if isinstance(operation.version, bool) or operation.version < 1:
            raise InvalidError("must be at least 1", "version")
        id = self._new_id(shelf, operation.id)
        return self._put(shelf, id, operation.version, prepared)

    def _new_id(self, shelf: _Shelf, given: RecordId | None) -> RecordId:
        declared = shelf.layout.collection
        if declared.ids is Ids.SEQUENCE:
            return self._new_number(shelf, given)
        if given is None and declared.ids is Ids.TIME_ORDERED:
            return self._store.new_id(declared.name)
        id = declared.check_id(given)
        self._assumed = True
        if self._transaction.careful:
            self._load(shelf, id)
        if (state := shelf.states.get(id)) is not None and state.now is not None:
            raise AlreadyExistsError(declared.name, "id", id, id)
        if tables.quarantine_reason(self._transaction, shelf.layout, self._project, id) is not None:
            raise AlreadyExistsError(declared.name, "id", id, id)
        return id

    def _new_number(self, shelf: _Shelf, given: RecordId | None) -> int:
        last = self._last_number(shelf)
        if given is None:
            if last >= LARGEST_SEQUENCE:
                raise InvalidError("the sequence is at its end", "id")
            number = last + 1
        elif (number := check_sequence(given)) <= last:
            there = self._load(shelf, number) is not None
            raise AlreadyExistsError(shelf.layout.name, "id", number, number if there else None)
        shelf.sequence, shelf.sequence_moved = number, True
        return number

    def _last_number(self, shelf: _Shelf) -> int:
        if shelf.sequence is None:
            shelf.sequence = sequences.locked(self._transaction, self._project, shelf.layout.name)
        return shelf.sequence

    def _row_to_change(self, shelf: _Shelf, operation: Update | Replace | Delete) -> Row | None:
        declared = shelf.layout.collection
        id = declared.check_id(operation.id)
        where = query.compiled(declared, operation.guard) if operation.guard else ()
        row = self._load(shelf, id)
        if row is None:
            return None if operation.optional else self._missing(shelf, id)
        if operation.expected_version is not None and operation.expected_version != row.version:
            if operation.optional:
                return None
            raise VersionConflictError(declared.name, id, operation.expected_version, row.version)
        if where and not query.matches(where, row):
            if operation.optional:
                return None
            raise GuardFailedError(declared.name, id, row.version)
        return row

    def _missing(self, shelf: _Shelf, id: RecordId) -> Row:
        reason = tables.quarantine_reason(self._transaction, shelf.layout, self._project, id)
        if reason is not None:
            raise QuarantinedError(shelf.layout.name, id, reason)
        raise RecordNotFoundError(shelf.layout.name, id)

    def _change(self, shelf: _Shelf, row: Row, operation: Update) -> Record:
        # A function gets a copy of its own to play with; the change is made to the stored document.
        result = outcome(operation.change, row.record() if callable(operation.change) else _UNSEEN)
        if result.changes is None:
            record = row.record()
        else:
            document = merged(row.document, result.changes)
            prepared = prepare(shelf.layout.collection, document)
            # Of plain values no part is shared with the caller, so what was put together here may be his.
            own = document if all(type(value) in _PLAIN for value in result.changes.values()) else None
            record = self._put(shelf, row.id, row.version + 1, prepared, own)
        for operation_after in result.then:
            self._store.collection(operation_after.collection)
            self._perform(operation_after)
        return record

    def _delete(self, shelf: _Shelf, row: Row) -> Record:
        record = row.record()
        self.streams.remove(shelf.layout.name, row.id)
        self._give_up(shelf, row)
        shelf.states[row.id].now = None
        return record

    def _append(self, shelf: _Shelf, operation: Append) -> int:
        id = shelf.layout.collection.check_id(operation.id)
        if id not in shelf.states:
            self._load_many(shelf, [id], False)
        if shelf.states[id].now is None:
            self._missing(shelf, id)
        return self.streams.append(shelf.layout.name, id, operation, prepared_entries(operation))

    def _put(
        self,
        shelf: _Shelf,
        id: RecordId,
        version: int,
        prepared: Prepared,
        own: dict[str, Any] | None = None,
    ) -> Record:
        state = shelf.states.setdefault(id, _State(None, None))
        self._refuse_taken(shelf, id, prepared, state.now)
        row = Row(shelf.layout, id, version, prepared.text, prepared.keys)
        if state.now is not None:
            self._give_up(shelf, state.now, prepared.keys)
        state.now = row
        for unique in shelf.layout.collection.unique_fields:
            if (value := prepared.keys[unique.name]) is not None:
                shelf.holders[unique.name, value] = id
        return row.record() if own is None else Record(id, version, own)

    def _refuse_taken(self, shelf: _Shelf, id: RecordId, prepared: Prepared, before: Row | None) -> None:
        for unique in shelf.layout.collection.unique_fields:
            value = prepared.keys[unique.name]
            if value is None or (before is not None and before.keys[unique.name] == value):
                continue
            holder = self._holder(shelf, unique, value)
            if holder is not None and holder != id:
                raise AlreadyExistsError(shelf.layout.name, unique.name, value, holder)

    def _holder(self, shelf: _Shelf, unique: Field, value: Key) -> RecordId | None:
        if (unique.name, value) in shelf.holders:
            return shelf.holders[unique.name, value]
        self._assumed = True
        if not self._transaction.careful:
            return None
        return tables.holder(self._transaction, shelf.layout, self._project, unique.name, value)

    def _give_up(self, shelf: _Shelf, row: Row, kept: Mapping[str, Key] = {}) -> None:
        """The unique values of a row that goes, but for those it keeps."""
        for unique in shelf.layout.collection.unique_fields:
            value = row.keys[unique.name]
            if value is not None and kept.get(unique.name) != value:
                shelf.holders[unique.name, value] = None

    def _write(self) -> None:
        for name in sorted(self._shelves):
            shelf = self._shelves[name]
            self._write_shelf(shelf)
            if shelf.sequence_moved and shelf.sequence is not None:
                sequences.write(self._transaction, self._project, name, shelf.sequence)
                self.changes.tally(name)
        self.changes.write(self._transaction)

    def _write_shelf(self, shelf: _Shelf) -> None:
        layout, ours = shelf.layout, self._transaction
        changed = {id: state for id, state in shelf.states.items() if state.before is not state.now}
        gone = [state.before for state in changed.values() if state.now is None and state.before is not None]
        new = [state.now for state in changed.values() if state.before is None and state.now is not None]
        pairs = [(state.before, state.now) for _, state in sorted(changed.items()) if state.before and state.now]
        if gone:
            tables.delete(ours, layout, self._project, [row.id for row in gone])
        if not shelf.presumed <= changed.keys():
            raise RepeatWithCareError  # left alone for a reason that nobody has verified
        if pairs:
            tables.update(ours, layout, self._project, pairs, verified=bool(shelf.presumed))
        if new:
            tables.insert(ours, layout, self._project, new)
        for state in changed.values():
            self._account(layout, state.before, state.now)

    def _account(self, layout: Layout, before: Row | None, now: Row | None) -> None:
        row = now or before
        if row is None:
            return
        size = (_size(now) if now else 0) - (_size(before) if before else 0)
        self.changes.tally(layout.name, records=(now is not None) - (before is not None), size=size)
        self.changes.count(layout, before.keys if before else None, now.keys if now else None)


_PLAIN: Final = frozenset({str, int, float, bool, type(None), type(REMOVE)})
_UNSEEN: Final = Record("", 0, {})


def _size(row: Row) -> int:
    return len(row.text) if row.text.isascii() else len(row.text.encode())


def _is_id(layout: Layout, id: object) -> bool:
    """Wrong ones are refused in their turn, when the operations before them have had theirs."""
    try:
        layout.collection.check_id(id)
    except InvalidError:
        return False
    return True
