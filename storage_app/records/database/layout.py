"""The tables of a collection, worked out from its declaration: names, columns and indexes, without Django.

The models are built from this (`tables.py`), and so are the statements; there is no second place that knows.
"""

import hashlib
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from storage_app.records.cursors import Terms
from storage_app.records.declarations import FREE_PREFIX, Collection, Field, Ids, Key, Kind

FREE_TABLE: Final = "storage_app_freerecord"
ORDERED_KINDS: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.TIME, Kind.BOOLEAN})
COUNTED_KINDS: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN})


@dataclass(frozen=True)
class TableIndex:
    """An index of a record table, after the columns of the scope; `terms` are fields (or `id`) and directions."""

    name: str
    terms: Terms


class Layout:
    """Where a collection's records stand. Free collections share one table, the others have one each."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.name = collection.name
        self.free = collection.name.startswith(FREE_PREFIX)
        self.table = FREE_TABLE if self.free else _short(f"records_{collection.name}")
        self.elements_table = _short(f"recordelements_{collection.name}")
        self.texts_table = _short(f"recordtexts_{collection.name}")
        self.grams_table = _short(f"recordgrams_{collection.name}")
        self.numbered = collection.ids is Ids.SEQUENCE
        self._chosen: dict[tuple[Terms, frozenset[str]], tuple[TableIndex, int] | None] = {}

    @cached_property
    def scope(self) -> str:
        """The condition that leaves the records of one project; its parameters are `scope_values`."""
        return "project = %s AND collection = %s" if self.free else "project = %s"

    def scope_values(self, project: str) -> list[str]:
        return [project, self.name] if self.free else [project]

    @cached_property
    def columns(self) -> dict[str, str]:
        """The column of every field whose key is one value; for a search field it holds the folded text."""
        names = [field.name for field in self.collection.fields if field.kind not in _WITHOUT_COLUMN]
        plain = {name: _plain(name) for name in names}
        return {
            name: column if list(plain.values()).count(column) == 1 else f"{column}_{_digest(name)}"
            for name, column in plain.items()
        }

    @cached_property
    def ordered(self) -> tuple[Field, ...]:
        return tuple(field for field in self.collection.fields if field.kind in ORDERED_KINDS)

    @cached_property
    def lists(self) -> tuple[Field, ...]:
        return tuple(field for field in self.collection.fields if field.kind is Kind.TEXT_LIST)

    @cached_property
    def searched(self) -> tuple[Field, ...]:
        return tuple(field for field in self.collection.fields if field.kind is Kind.SEARCH)

    @cached_property
    def key_columns(self) -> tuple[tuple[str, str], ...]:
        """Fields and columns as they stand in statements, searched ones too."""
        return tuple(self.columns.items())

    @cached_property
    def indexes(self) -> tuple[TableIndex, ...]:
        wanted: list[Terms] = [((field.name, False), ("id", False)) for field in self.ordered]
        for order in self.collection.orders:
            within = tuple((name, False) for name in order.within)
            wanted.append((*within, *self.collection.order_terms(order.by)))
        return tuple(TableIndex(self._index_name(terms), terms) for terms in dict.fromkeys(wanted))

    def index_for(self, terms: Terms, fixed: AbstractSet[str]) -> tuple[TableIndex, int] | None:
        """The index that gives this order, one way or the other, behind most fields that are fixed; and how many."""
        key = (terms, frozenset(fixed))
        if key not in self._chosen:
            if len(self._chosen) >= _MOST_CHOICES:
                self._chosen.clear()
            self._chosen[key] = self._best_index(terms, fixed)
        return self._chosen[key]

    @cached_property
    def counters(self) -> tuple[tuple[str, ...], ...]:
        """The sets of fields whose counts are kept: those declared, and each countable field that is in none."""
        declared = tuple(dict.fromkeys(self.collection.counters))
        covered = {name for names in declared for name in names}
        single = [
            (field.name,)
            for field in self.collection.fields
            if field.kind in COUNTED_KINDS and not field.unique and field.name not in covered
        ]
        return (*declared, *single)

    @cached_property
    def named_counters(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return tuple((",".join(fields), fields) for fields in self.counters)

    def column(self, name: str) -> str:
        return "id" if name == "id" else self.columns[name]

    def kind(self, name: str) -> Kind:
        if name == "id":
            return Kind.INTEGER if self.numbered else Kind.TEXT
        return self.collection.by_name[name].kind

    def from_column(self, name: str, value: object) -> Key:
        """A key as the database gave it, as the contract has it: SQLite keeps booleans as 0 and 1."""
        if name != "id" and value is not None and self.collection.by_name[name].kind is Kind.BOOLEAN:
            return bool(value)
        assert value is None or isinstance(value, (str, int, float))
        return value

    def _best_index(self, terms: Terms, fixed: AbstractSet[str]) -> tuple[TableIndex, int] | None:
        turned = tuple((name, not down) for name, down in terms)
        best: tuple[TableIndex, int] | None = None
        for index in self.indexes:
            length = len(index.terms) - len(terms)
            if length < 0 or (best is not None and length <= best[1]):
                continue
            if index.terms[length:] in (terms, turned) and all(name in fixed for name, _ in index.terms[:length]):
                best = index, length
        return best

    def _index_name(self, terms: Terms) -> str:
        return f"r_{self.name[:12].rstrip('_')}_{_digest(repr((self.name, terms)), 10)}"


_WITHOUT_COLUMN: Final = frozenset({Kind.TEXT_LIST, Kind.WORDS})
_MOST_CHOICES: Final = 1000
_LONGEST_TABLE: Final = 50
_LONGEST_COLUMN: Final = 40


def _plain(name: str) -> str:
    identifier = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if len(identifier) > _LONGEST_COLUMN or not identifier:
        return f"key_{identifier[:_LONGEST_COLUMN].strip('_')}{_digest(name)}"
    return f"key_{identifier}"


def _short(table: str) -> str:
    """PostgreSQL cuts names at 63 bytes, and adds to them for constraints."""
    return table if len(table) <= _LONGEST_TABLE else f"{table[:_LONGEST_TABLE]}{_digest(table)}"


def _digest(text: str, size: int = 8) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:size]
