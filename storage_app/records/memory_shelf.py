"""One collection of one project in memory: its rows, indexes, sequence and quarantine, and how a query is answered."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from storage_app import strict_json
from storage_app.records import cursors
from storage_app.records.answers import Quarantined
from storage_app.records.backend import Select, Selection
from storage_app.records.declarations import Collection, Ids, Key
from storage_app.records.errors import AlreadyExistsError, InvalidError, QuarantinedError, RecordNotFoundError
from storage_app.records.ids import LARGEST_SEQUENCE, RecordId, check_sequence
from storage_app.records.memory_index import Indexes, OrderIndex, OrderKey, normal
from storage_app.records.operations import Prepared, Record
from storage_app.records.query import Condition, Where, matches
from storage_app.records.streams import Numbers, PreparedEntry, StreamEntry
from storage_app.records.words import Hits, WordSelect, newest_first, newest_of, text_of
from storage_app.search import tokens
from storage_app.search.inverted import Inverted
from storage_app.search.ranking import Hit

Undo = Callable[[], None]


@dataclass
class Stream:
    entries: list[tuple[PreparedEntry, str]] = field(default_factory=list)
    numbers: dict[str, Numbers] = field(default_factory=dict)

    def entry(self, position: int) -> StreamEntry:
        prepared, source = self.entries[position - 1]
        return StreamEntry(position, strict_json.loads_own(prepared.text), source, prepared.number)


@dataclass(frozen=True)
class MemoryRow:
    """A record as JSON text; the streams belong to the id and are handed on from version to version."""

    id: RecordId
    version: int
    text: str
    keys: dict[str, Key]
    streams: dict[str, Stream]

    @cached_property
    def document(self) -> dict[str, Any]:
        return strict_json.loads_own(self.text)

    def entries(self) -> int:
        return sum(len(stream.entries) for stream in self.streams.values())

    def record(self) -> Record:
        return Record(self.id, self.version, strict_json.loads_own(self.text))


class Shelf:
    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.rows: dict[RecordId, MemoryRow] = {}
        self.set_aside: dict[RecordId, tuple[Quarantined, MemoryRow]] = {}
        self.sequence = 0
        self.bytes = 0
        self.entries = 0
        self.indexes = Indexes(collection)
        self.words: Inverted[RecordId] = Inverted()

    def row(self, id: RecordId) -> MemoryRow:
        if (row := self.rows.get(id)) is not None:
            return row
        if id in self.set_aside:
            raise QuarantinedError(self.collection.name, id, self.set_aside[id][0].reason)
        raise RecordNotFoundError(self.collection.name, id)

    def new_number(self, given: RecordId | None) -> int:
        """The next number of a sequence, or the given one where it is above all that ever were."""
        if given is None:
            if self.sequence >= LARGEST_SEQUENCE:
                raise InvalidError("the sequence is at its end", "id")
            return self.sequence + 1
        if (number := check_sequence(given)) <= self.sequence:
            raise AlreadyExistsError(self.collection.name, "id", number, number if number in self.rows else None)
        return number

    def put(self, id: RecordId, version: int, prepared: Prepared, streams: dict[str, Stream] | None = None) -> Undo:
        """Places a row, over the one that has the id; gives what takes it back."""
        self._refuse_taken(id, prepared)
        before, sequence = self.rows.get(id), self.sequence
        kept = before.streams if before else streams if streams is not None else {}
        self._set(id, MemoryRow(id, version, prepared.text, prepared.keys, kept))
        if self.collection.ids is Ids.SEQUENCE:
            self.sequence = max(self.sequence, int(id))

        def undo() -> None:
            self._set(id, before)
            self.sequence = sequence

        return undo

    def take(self, id: RecordId) -> Undo:
        before = self.rows[id]
        self._set(id, None)
        return lambda: self._set(id, before)

    def select(self, select: Select) -> Selection:
        found: list[Record] = []
        for looked_at, row in enumerate(self._in_order(select), 1):
            if matches(select.where, row):
                found.append(row.record())
                if len(found) == select.limit:
                    return Selection(found)
            if looked_at == select.scan_limit:
                return Selection(found, cursors.order_keys(select.terms, row.keys, row.id))
        return Selection(found)

    def count(self, where: Where) -> int:
        if not where:
            return len(self.rows)
        if (
            len(where) == 1
            and isinstance(where[0], Condition)
            and (ranges := self.indexes.ranges(where[0])) is not None
        ):
            return self.indexes.of_field(_name(where[0])).count(ranges)
        if (groups := self._counted((), where)) is not None:
            return sum(groups.values())
        return sum(matches(where, row) for row in self._candidates(where))

    def count_by(self, by: tuple[str, ...], where: Where) -> dict[tuple[Key, ...], int]:
        if (groups := self._counted(by, where)) is not None:
            return groups
        counts: dict[tuple[Key, ...], int] = {}
        for row in self._candidates(where):
            if matches(where, row):
                values = tuple(row.keys[name] for name in by)
                counts[values] = counts.get(values, 0) + 1
        return counts

    def find_words(self, asked: WordSelect) -> Hits:
        found = [
            Hit(str(id), tokens.index_text_of(document.tokens), newest_of(asked.field, row.keys))
            for id in self.words.candidates(asked.search)
            for document, row in [(self.words.documents[id], self.rows[id])]
            if matches(asked.where, row) and asked.matches(document, row)
        ]
        found = newest_first(found)
        return Hits(found[: asked.most], len(found) > asked.most, self.words.statistics(asked.scored))

    def rebuild(self) -> None:
        self.indexes = Indexes(self.collection)
        self.words = Inverted()
        self.bytes = self.entries = 0
        for row in self.rows.values():
            self.indexes.add(row)
            self._add_words(row)
            self.bytes += len(row.text.encode())
            self.entries += row.entries()

    def faults(self) -> Iterator[str]:
        """What the indexes say that the rows do not; they can only differ through a mistake of ours."""
        for row in self.rows.values():
            if not self.indexes.holds(row):
                yield f"{row.id!r} is missing from an index"
        for key, index in self.indexes.orders.items():
            if len(index) != len(self.rows):
                yield f"the index {key} has {len(index)} rows, not {len(self.rows)}"
        for fields, counter in self.indexes.counters.items():
            if sum(counter.values()) != len(self.rows):
                yield f"the counter {fields} counts {sum(counter.values())}, not {len(self.rows)}"

    def _set(self, id: RecordId, row: MemoryRow | None) -> None:
        if (before := self.rows.pop(id, None)) is not None:
            self.indexes.remove(before)
            self.words.remove(id)
            self.bytes -= len(before.text.encode())
            self.entries -= before.entries()
        if row is not None:
            self.rows[id] = row
            self.indexes.add(row)
            self._add_words(row)
            self.bytes += len(row.text.encode())
            self.entries += row.entries()

    def _add_words(self, row: MemoryRow) -> None:
        if (text := text_of(self.collection, row.keys)) is not None:
            self.words.add(row.id, text)

    def _refuse_taken(self, id: RecordId, prepared: Prepared) -> None:
        for unique in self.collection.unique_fields:
            value = prepared.keys[unique.name]
            holder = None if value is None else self.indexes.unique_holder(unique.name, value)
            if holder is not None and holder != id:
                raise AlreadyExistsError(self.collection.name, unique.name, prepared.keys[unique.name], holder)

    def _in_order(self, select: Select) -> Iterator[MemoryRow]:
        """Rows that may match, in the direction of travel: along the index of the order, or by sorting a few."""
        index, parts, reverse = self._index_of_order(select)
        narrowed = self._narrowest(select.where)
        if narrowed is not None:
            few, rows = narrowed
            if index.size(parts) * select.limit > _SORTING_PAYS * few * few:
                return self._sorted(select, rows())
        return self._along(index, parts, reverse, select)

    def _index_of_order(self, select: Select) -> tuple[OrderIndex, list[tuple[Key, ...]], bool]:
        terms, reverse = normal(select.terms)
        fixed = self.indexes.fixed(select.where)
        usable = [
            (index.size(parts), number, index, parts)
            for number, (key, index) in enumerate(self.indexes.orders.items())
            if key.terms == terms
            and all(name in fixed for name in key.within)
            and len(parts := _combinations(key, fixed)) <= _MOST_PARTS
        ]
        if not usable:
            return self._index_by_sorting(OrderKey(terms)), [()], reverse
        _, _, index, parts = min(usable, key=lambda option: option[:2])
        return index, parts, reverse

    def _index_by_sorting(self, key: OrderKey) -> OrderIndex:
        """A declared order whose `within` is not fixed has no index of all rows; one is made for this once."""
        index = OrderIndex(key)
        for row in self.rows.values():
            index.add(row)
        return index

    def _along(
        self, index: OrderIndex, parts: list[tuple[Key, ...]], reverse: bool, select: Select
    ) -> Iterator[MemoryRow]:
        if select.seek is None:
            return (self.rows[id] for id in index.ids(parts, backwards=reverse))
        limits, backwards = index.from_seek(select.seek, reverse)
        return (self.rows[id] for id in index.ids(parts, [limits], backwards))

    def _sorted(self, select: Select, rows: Iterable[MemoryRow]) -> Iterator[MemoryRow]:
        key = OrderKey(normal(select.terms)[0])
        index = OrderIndex(key)
        for row in rows:
            index.add(row)
        return self._along(index, [()], normal(select.terms)[1], select)

    def _candidates(self, where: Where) -> Iterable[MemoryRow]:
        narrowed = self._narrowest(where)
        return self.rows.values() if narrowed is None else narrowed[1]()

    def _narrowest(self, where: Where) -> tuple[int, Callable[[], Iterable[MemoryRow]]] | None:
        """The condition that leaves the fewest rows: how many, and the rows."""
        options = [
            option for node in where if isinstance(node, Condition) and (option := self._narrowed(node)) is not None
        ]
        return min(options, key=lambda option: option[0], default=None)

    def _narrowed(self, condition: Condition) -> tuple[int, Callable[[], Iterable[MemoryRow]]] | None:
        if (ids := self.indexes.tagged(condition)) is not None:
            return len(ids), lambda: [self.rows[id] for id in ids]
        if (ranges := self.indexes.ranges(condition)) is None:
            return None
        index = self.indexes.of_field(_name(condition))
        return index.count(ranges), lambda: (self.rows[id] for id in index.ids([()], ranges))

    def _counted(self, by: tuple[str, ...], where: Where) -> dict[tuple[Key, ...], int] | None:
        """The answer from kept counters, where the conditions do nothing but fix counted fields."""
        fixed = self.indexes.fixed(where)
        if len(fixed) != len(where):
            return None
        needed = {*by, *fixed}
        fields = next((fields for fields in self.indexes.counters if needed <= set(fields)), None)
        if fields is None:
            return None
        counts: dict[tuple[Key, ...], int] = {}
        for values, number in self.indexes.counters[fields].items():
            row = dict(zip(fields, values, strict=True))
            if all(row[name] in allowed for name, allowed in fixed.items()):
                group = tuple(row[name] for name in by)
                counts[group] = counts.get(group, 0) + number
        return counts


_SORTING_PAYS: Final = 4
_MOST_PARTS: Final = 1000


def _name(condition: Condition) -> str:
    return condition.field.name if condition.field else "id"


def _combinations(key: OrderKey, fixed: dict[str, tuple[Key, ...]]) -> list[tuple[Key, ...]]:
    parts: list[tuple[Key, ...]] = [()]
    for name in key.within:
        parts = [(*part, value) for part in parts for value in fixed[name]]
    return parts
