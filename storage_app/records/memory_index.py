"""The indexes of the memory store: which rows a condition can hold for, in which order, and how many."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from storage_app.records.cursors import Seek, Terms
from storage_app.records.declarations import Collection, Key, Kind
from storage_app.records.ids import RecordId
from storage_app.records.query import Condition, Op, Row, Where
from storage_app.records.sorted_places import AFTER_ALL, BEFORE_VALUES, Place, SortedPlaces, component

_ORDERED_KINDS: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.TIME, Kind.BOOLEAN})
_COUNTED_KINDS: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN})
Range = tuple[Place, Place]
_EVERYTHING: Final[Range] = ((), (AFTER_ALL, AFTER_ALL))


@dataclass(frozen=True)
class OrderKey:
    terms: Terms  # the first one ascending; read backwards for the reverse
    within: tuple[str, ...] = ()


class OrderIndex:
    """Places of rows in one order, apart for each combination of the `within` fields."""

    def __init__(self, key: OrderKey) -> None:
        self.key = key
        self._parts: dict[tuple[Key, ...], SortedPlaces] = {}

    def add(self, row: Row) -> None:
        self._parts.setdefault(self._part(row), SortedPlaces()).add(self.place(_keys(self.key.terms, row)))

    def remove(self, row: Row) -> None:
        part = self._part(row)
        self._parts[part].remove(self.place(_keys(self.key.terms, row)))
        if not self._parts[part]:
            del self._parts[part]

    def holds(self, row: Row) -> bool:
        part = self._parts.get(self._part(row))
        return part is not None and self.place(_keys(self.key.terms, row)) in part

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    def place(self, keys: Sequence[Key]) -> Place:
        return tuple(component(key, descending) for key, (_, descending) in zip(keys, self.key.terms, strict=True))

    def size(self, parts: Sequence[tuple[Key, ...]]) -> int:
        return sum(len(self._parts[part]) for part in parts if part in self._parts)

    def count(self, ranges: Sequence[Range]) -> int:
        places = self._parts.get(())
        return sum(places.count(*limits) for limits in ranges) if places else 0

    def ids(
        self, parts: Sequence[tuple[Key, ...]], ranges: Sequence[Range] = (_EVERYTHING,), backwards: bool = False
    ) -> Iterator[RecordId]:
        found = [
            self._parts[part].between(low, high, backwards)
            for part, (low, high) in product(parts, ranges)
            if part in self._parts
        ]
        places = found[0] if len(found) == 1 else heapq.merge(*found, reverse=backwards)
        for place in places:
            last = place[-1][1]
            yield last if isinstance(last, (str, int)) else last.key

    def from_seek(self, seek: Seek, reverse: bool) -> tuple[Range, bool]:
        """The range of places that a seek leaves, and whether they come backwards; `reverse`: the order is turned."""
        backwards = seek.backwards != reverse
        place = self.place(seek.keys)
        beyond = (*place, AFTER_ALL)  # just after the place itself
        if backwards:
            return ((), beyond if seek.inclusive else place), True
        return (place if seek.inclusive else beyond, _EVERYTHING[1]), False

    def _part(self, row: Row) -> tuple[Key, ...]:
        return tuple(row.keys[name] for name in self.key.within)


class Indexes:
    """All indexes of one collection in one project."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._ordered = [field.name for field in collection.fields if field.kind in _ORDERED_KINDS]
        self._tagged = [field.name for field in collection.fields if field.kind is Kind.TEXT_LIST]
        keys = [OrderKey((("id", False),))]
        keys += [OrderKey(((name, False), ("id", False))) for name in self._ordered]
        keys += [OrderKey(normal(collection.order_terms(order.by))[0], order.within) for order in collection.orders]
        self.orders = {key: OrderIndex(key) for key in keys}
        self._tags: dict[str, dict[str, set[RecordId]]] = {name: {} for name in self._tagged}
        counted = {(field.name,) for field in collection.fields if field.kind in _COUNTED_KINDS and not field.unique}
        self.counters: dict[tuple[str, ...], Counter[tuple[Key, ...]]] = {
            fields: Counter() for fields in sorted(counted | set(collection.counters))
        }

    def add(self, row: Row) -> None:
        for index in self.orders.values():
            index.add(row)
        for name, element in self._elements(row):
            self._tags[name].setdefault(element, set()).add(row.id)
        for fields, counter in self.counters.items():
            counter[tuple(row.keys[name] for name in fields)] += 1

    def remove(self, row: Row) -> None:
        for index in self.orders.values():
            index.remove(row)
        for name, element in self._elements(row):
            self._tags[name][element].discard(row.id)
            if not self._tags[name][element]:
                del self._tags[name][element]
        for fields, counter in self.counters.items():
            values = tuple(row.keys[name] for name in fields)
            counter[values] -= 1
            if not counter[values]:
                del counter[values]

    def holds(self, row: Row) -> bool:
        return all(index.holds(row) for index in self.orders.values()) and all(
            row.id in self._tags[name].get(element, ()) for name, element in self._elements(row)
        )

    def of_field(self, name: str) -> OrderIndex:
        return self.orders[OrderKey((("id", False),) if name == "id" else ((name, False), ("id", False)))]

    def unique_holder(self, name: str, value: Key) -> RecordId | None:
        return next(self.of_field(name).ids([()], [_equal(value)]), None)

    def ranges(self, condition: Condition) -> list[Range] | None:
        """Where the rows of a condition lie in the index of its field, exactly; None where it has no such index."""
        name = "id" if condition.path == ("id",) else condition.field.name if condition.field else ""
        return _ranges(condition) if name == "id" or name in self._ordered else None

    def tagged(self, condition: Condition) -> set[RecordId] | None:
        if condition.field and condition.field.name in self._tags and condition.op is Op.CONTAINS:
            return self._tags[condition.field.name].get(condition.value, set())
        return None

    def fixed(self, where: Where) -> dict[str, tuple[Key, ...]]:
        """Fields that the conditions hold to one or a few values."""
        found: dict[str, tuple[Key, ...]] = {}
        for node in where:
            if isinstance(node, Condition) and node.field and node.field.name in self._ordered:
                values = _values(node)
                if values is not None:
                    found.setdefault(node.field.name, values)
        return found

    def _elements(self, row: Row) -> Iterator[tuple[str, str]]:
        for name in self._tagged:
            value = row.keys[name]
            if isinstance(value, tuple):
                for element in dict.fromkeys(value):
                    yield name, element


def normal(terms: Terms) -> tuple[Terms, bool]:
    """The terms with the first one ascending, and whether they had to be turned for that."""
    if not terms[0][1]:
        return terms, False
    return tuple((name, not descending) for name, descending in terms), True


def _keys(terms: Terms, row: Row) -> tuple[Key, ...]:
    return tuple(row.id if name == "id" else row.keys[name] for name, _ in terms)


def _values(condition: Condition) -> tuple[Key, ...] | None:
    if condition.op is Op.EQ:
        return (condition.value,)
    if condition.op is Op.IN:
        return tuple(dict.fromkeys(condition.value))
    return (None,) if condition.op is Op.ISNULL and condition.value else None


def _ranges(condition: Condition) -> list[Range] | None:
    op, value = condition.op, condition.value
    if (values := _values(condition)) is not None:
        return [_equal(item) for item in values]
    if op is Op.ISNULL:
        return [((BEFORE_VALUES,), (AFTER_ALL,))]
    if op is Op.NE:
        low, high = _equal(value)
        return [((), low), (high, (AFTER_ALL,))]
    if op is Op.STARTSWITH:
        return [(((1, value),), _after_prefix(value))]
    low, high = _equal(value) if op in (Op.LT, Op.LTE, Op.GT, Op.GTE) else ((), ())
    bounds: dict[Op, Range] = {
        Op.LT: ((BEFORE_VALUES,), low),
        Op.LTE: ((BEFORE_VALUES,), high),
        Op.GT: (high, (AFTER_ALL,)),
        Op.GTE: (low, (AFTER_ALL,)),
    }
    return [bounds[op]] if op in bounds else None


def _equal(value: Key) -> Range:
    return (component(value),), (component(value), AFTER_ALL)


def _after_prefix(prefix: str) -> Place:
    """The first place after every text with this prefix."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return (AFTER_ALL,)
    return ((1, stem[:-1] + chr(ord(stem[-1]) + 1)),)
