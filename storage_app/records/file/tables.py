"""How a collection lies in the index: a table of its records, an index for each order, kept counters."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from storage_app.records.cursors import Terms
from storage_app.records.declarations import Collection, Ids, Key, Kind
from storage_app.records.query import fold
from storage_app.search import tokens
from storage_app.search.fts5 import TOKENIZE

ORDERED_KINDS: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.TIME, Kind.BOOLEAN})
COUNTED_KINDS: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN})

# Shared by all collections of a project. What nearly every write changes is one table, and so mostly one page of the
# database: how far the index has taken in the journal (`here`), the sums of each collection (`catalog`) and how many
# files each folder has (`folders`, with the folder now being filled at shard -1). The views give the names.
COMMON: Final = """
CREATE TABLE state (kind TEXT, name TEXT, place INTEGER, a INTEGER, b INTEGER, c INTEGER, d INTEGER, e INTEGER,
    f INTEGER, g INTEGER, PRIMARY KEY (kind, name, place)) WITHOUT ROWID;
CREATE VIEW here AS SELECT a AS lsn, b AS epoch, c AS at, d AS crc, e AS born, f AS clean, g AS format FROM state
    WHERE kind = 'here';
CREATE VIEW catalog AS SELECT name, a AS sequence, b AS changed, c AS records, d AS entries, e AS bytes FROM state
    WHERE kind = 'catalog';
CREATE VIEW folders AS SELECT name AS base, place AS shard, a AS files FROM state WHERE kind = 'folders' AND place >= 0;
CREATE TABLE signatures (name TEXT PRIMARY KEY, signature TEXT) WITHOUT ROWID;
CREATE TABLE changes (collection TEXT, stream TEXT, changed INTEGER, PRIMARY KEY (collection, stream)) WITHOUT ROWID;
CREATE TABLE streams (stream INTEGER PRIMARY KEY, collection TEXT, id, name TEXT, last INTEGER, filed INTEGER,
    bytes INTEGER);
CREATE UNIQUE INDEX streams_of ON streams (collection, id, name);
CREATE TABLE entries (stream INTEGER, position INTEGER, line TEXT, PRIMARY KEY (stream, position)) WITHOUT ROWID;
CREATE TABLE sources (stream INTEGER, source TEXT, numbers TEXT, PRIMARY KEY (stream, source)) WITHOUT ROWID;
CREATE TABLE quarantine (quarantine_id TEXT PRIMARY KEY, collection TEXT, id, version INTEGER, reason TEXT, at INTEGER,
    text TEXT, good TEXT) WITHOUT ROWID;
CREATE INDEX quarantine_of ON quarantine (collection, id);
"""
FORMAT: Final = 3
_TRIGRAMS: Final = "content='', tokenize='trigram case_sensitive 1', detail=none"


@dataclass(frozen=True)
class OrderedIndex:
    """Rows in the order of `terms`, apart for each combination of the `within` fields."""

    name: str
    terms: Terms
    within: tuple[str, ...] = ()
    hint: str = ""  # what makes SQLite take this one and no other


class Words:
    """Names and statements of the word index of one collection: a table of texts, and the engine over it."""

    def __init__(self, collection: str) -> None:
        self.name = quoted(f"{collection}:words")
        self.engine = quoted(f"{collection}:word engine")
        self.insert = f"INSERT INTO {self.name} (row, newest, length, tokens, folded) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
        self.touch = f"UPDATE {self.name} SET newest = ? WHERE row = ?"  # noqa: S608
        self.delete = f"DELETE FROM {self.name} WHERE row = ?"  # noqa: S608
        self.tokens = f"SELECT tokens FROM {self.name} WHERE row = ?"  # noqa: S608
        self.sums = f"SELECT count(*), coalesce(sum(length), 0) FROM {self.name}"  # noqa: S608

    def creation(self) -> Iterator[str]:
        name, engine = self.name, self.engine
        yield f"CREATE TABLE {name} (row INTEGER PRIMARY KEY, newest INTEGER, length INTEGER, tokens TEXT, folded TEXT)"
        yield f"CREATE VIRTUAL TABLE {engine} USING fts5(tokens, content='', {TOKENIZE})"
        yield f"CREATE INDEX {quoted(name[1:-1] + ' length')} ON {name} (length)"
        yield f"CREATE INDEX {quoted(name[1:-1] + ' newest')} ON {name} (newest)"
        added = f"INSERT INTO {engine} (rowid, tokens) VALUES (new.row, new.tokens)"  # noqa: S608
        removed = f"INSERT INTO {engine} ({engine}, rowid, tokens) VALUES ('delete', old.row, old.tokens)"  # noqa: S608
        yield f"CREATE TRIGGER {quoted(name[1:-1] + ' ins')} AFTER INSERT ON {name} BEGIN {added}; END"
        yield f"CREATE TRIGGER {quoted(name[1:-1] + ' del')} AFTER DELETE ON {name} BEGIN {removed}; END"


class Table:
    """Names and statements of one collection."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.name = quoted(collection.name)
        self.columns = {
            field.name: quoted(f"k:{field.name}") for field in collection.fields if field.kind in ORDERED_KINDS
        }
        # Search fields hold the folded text, and an index of what three characters in a row it has.
        self.texts = {field.name: quoted(f"s:{field.name}") for field in collection.fields if field.kind is Kind.SEARCH}
        self.grams = {name: quoted(f"{collection.name}:grams {name}") for name in self.texts}
        self.stored = {**self.columns, **self.texts}
        self.tag_fields = tuple(field.name for field in collection.fields if field.kind is Kind.TEXT_LIST)
        self.tags = quoted(f"{collection.name}:tags")
        self.counts = quoted(f"{collection.name}:counts")
        self.has_words = collection.words is not None
        self.words = Words(collection.name)
        self.counted = self._counted()
        self._most_counted = max(map(len, self.counted), default=0)
        values = "".join(f", v{place}" for place in range(self._most_counted))
        self.count_upsert = (
            f"INSERT INTO {self.counts} (f, key, n{values}) VALUES (?, ?, ?{', ?' * self._most_counted}) "  # noqa: S608
            "ON CONFLICT (f, key) DO UPDATE SET n = n + excluded.n"
        )
        self.orders = tuple(self._orders())
        names = ("id", "version", "text", "folder", "placed", *self.stored.values())
        marks = ",".join("?" * len(names))
        self.insert = f"INSERT INTO {self.name} ({','.join(names)}) VALUES ({marks})"  # noqa: S608
        self.row = f"SELECT rowid, version, text, folder, placed FROM {self.name} WHERE id = ?"  # noqa: S608
        self.delete = f"DELETE FROM {self.name} WHERE rowid = ?"  # noqa: S608
        self.direct: dict[tuple[Terms, tuple[str, ...]], str | None] = {}  # statements of `selecting`, by what is asked
        self._updates: dict[tuple[str, ...], str] = {}

    @cached_property
    def signature(self) -> str:
        """Changes where the declaration does, so that an index made for another is not used."""
        collection = self.collection
        fields = [[field.name, field.kind, field.unique] for field in collection.fields]
        if collection.words:
            fields.append([collection.words.newest, collection.words.absent_in, tokens.VERSION])
        orders = [[order.by, order.within] for order in collection.orders]
        return json.dumps([FORMAT, collection.ids, fields, collection.partition, orders, collection.counters])

    def values(self, keys: Mapping[str, Key]) -> list[Any]:
        return [self.value(name, keys) for name in self.stored]

    def value(self, name: str, keys: Mapping[str, Key]) -> Any:
        key = keys[name]
        return fold(key) if name in self.texts and isinstance(key, str) else key

    def update(self, changed: tuple[str, ...]) -> str:
        """Sets these fields beside what always changes; the others' indexes are not touched then."""
        if changed not in self._updates:
            sets = "".join(f", {self.stored[name]} = ?" for name in changed)
            self._updates[changed] = (
                f"UPDATE {self.name} SET version = ?, text = ?, folder = ?, placed = ?{sets} WHERE rowid = ?"  # noqa: S608
            )
        return self._updates[changed]

    def order_for(self, field: str) -> OrderedIndex:
        """The index of one field or of the id."""
        return next(index for index in self.orders if index.terms[0][0] == field and not index.within)

    def creation(self) -> Iterator[str]:
        key = "INTEGER PRIMARY KEY" if self.collection.ids is Ids.SEQUENCE else "TEXT NOT NULL"
        columns = "".join(f", {column}" for column in self.stored.values())
        yield f"CREATE TABLE {self.name} (id {key}, version INTEGER, text TEXT, folder TEXT, placed INTEGER{columns})"
        yield f"CREATE TABLE {self.tags} (field, element, row, PRIMARY KEY (field, element, row)) WITHOUT ROWID"
        values = "".join(f", v{number}" for number in range(self._most_counted))
        yield f"CREATE TABLE {self.counts} (f INTEGER, key TEXT, n INTEGER{values}, PRIMARY KEY (f, key)) WITHOUT ROWID"
        yield f"CREATE INDEX {quoted(self.collection.name + ':unplaced')} ON {self.name} (placed) WHERE placed = 0"
        if self.collection.words:
            yield from self.words.creation()
        for grams in self.grams.values():
            yield f"CREATE VIRTUAL TABLE {grams} USING fts5(text, {_TRIGRAMS})"
        yield from self._text_triggers()

    def index_creation(self) -> Iterator[str]:
        """Apart, since a table that is filled at once gets most of its indexes afterwards."""
        yield from self.first_indexes()
        yield from self.further_indexes()

    def first_indexes(self) -> Iterator[str]:
        """Those of the id and of unique fields, in which each row that comes in is looked for."""
        yield from (self._index_creation(index) for index in self.orders if index.name and index in self._looked_up)

    def further_indexes(self) -> Iterator[str]:
        yield from (self._index_creation(index) for index in self.orders if index.name and index not in self._looked_up)

    def removal(self) -> Iterator[str]:
        names = (self.name, self.tags, self.counts, self.words.name, self.words.engine, *self.grams.values())
        yield from (f"DROP TABLE IF EXISTS {name}" for name in names)

    def column(self, name: str) -> str:
        return name if name in ("id", "version") else self.columns[name]

    def counted_row(self, number: int, values: tuple[Key, ...], more: int) -> tuple[Any, ...]:
        """What `count_upsert` takes to add to the counter of one set of fields."""
        rest = (None,) * (self._most_counted - len(values))
        return (number, self.count_key(values), more, *values, *rest)

    def count_key(self, values: tuple[Key, ...]) -> str:
        """One text for each combination of values."""
        return ",".join(map(_sql_quote, values))

    def count_values(self, fields: tuple[str, ...], row: tuple[Any, ...]) -> tuple[Key, ...]:
        kinds = self.collection.by_name
        return tuple(
            bool(value) if value is not None and kinds[name].kind is Kind.BOOLEAN else value
            for name, value in zip(fields, row, strict=False)
        )

    def _counted(self) -> tuple[tuple[str, ...], ...]:
        singles = {
            (field.name,) for field in self.collection.fields if field.kind in COUNTED_KINDS and not field.unique
        }
        return tuple(sorted(singles | set(self.collection.counters), key=lambda fields: (len(fields), fields)))

    def _orders(self) -> Iterator[OrderedIndex]:
        # A sequence's id is the table's own key and needs no index beside it.
        if self.collection.ids is Ids.SEQUENCE:
            yield OrderedIndex("", (("id", False),), (), " NOT INDEXED")
        else:
            yield self._index("id", (("id", False),))
        for name in self.columns:
            yield self._index(name, ((name, False), ("id", False)))
        for number, order in enumerate(self.collection.orders):
            yield self._index(f"order {number}", self.collection.order_terms(order.by), order.within)

    def _index(self, name: str, terms: Terms, within: tuple[str, ...] = ()) -> OrderedIndex:
        name = quoted(f"{self.collection.name}:{name}")
        return OrderedIndex(name, terms, within, f" INDEXED BY {name}")

    @cached_property
    def _looked_up(self) -> tuple[OrderedIndex, ...]:
        unique = [field.name for field in self.collection.unique_fields if field.name in self.columns]
        return tuple(self.order_for(name) for name in ("id", *unique))

    def _index_creation(self, index: OrderedIndex) -> str:
        parts = [self.columns[name] for name in index.within]
        parts += [f"{self.column(name)}{' DESC' if descending else ''}" for name, descending in index.terms]
        unique = "UNIQUE " if index.terms == (("id", False),) else ""
        return f"CREATE {unique}INDEX {index.name} ON {self.name} ({', '.join(parts)})"

    def _text_triggers(self) -> Iterator[str]:
        for name, column in self.texts.items():
            grams, title = self.grams[name], f"{self.collection.name}:{name}"
            enter = f"INSERT INTO {grams} (rowid, text) VALUES (new.rowid, new.{column});"  # noqa: S608
            leave = f"INSERT INTO {grams} ({grams}, rowid, text) VALUES ('delete', old.rowid, old.{column});"  # noqa: S608
            for event, when, act in (
                ("INSERT", f"new.{column} IS NOT NULL", enter),
                ("DELETE", f"old.{column} IS NOT NULL", leave),
                (f"UPDATE OF {column}", f"old.{column} IS NOT new.{column} AND old.{column} IS NOT NULL", leave),
                (f"UPDATE OF {column}", f"old.{column} IS NOT new.{column} AND new.{column} IS NOT NULL", enter),
            ):
                named = quoted(f"{title}:text {event.partition(' ')[0].lower()} {'out' if act is leave else 'in'}")
                # What leaves goes before the row changes, what enters afterwards: two triggers of one event have no
                # order of their own.
                moment = "BEFORE" if act is leave else "AFTER"
                yield f"CREATE TRIGGER {named} {moment} {event} ON {self.name} WHEN {when} BEGIN {act} END"


def quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _sql_quote(value: Key) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        doubled = value.replace("'", "''")
        return f"'{doubled}'"
    return str(int(value)) if isinstance(value, (bool, int)) else repr(value)
