"""The index of words in the database: one table for all collections, with FTS5 beside it on SQLite and a tsvector in
it on PostgreSQL. Both are fed with our tokens, and written in the transaction of the record.

What the engine finds within the project is put in order of time by the database; the order of results is made in
Python.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from storage_app.records.database import bulk, counting
from storage_app.records.database.conditions import Expression, judged
from storage_app.records.database.dialects import Dialect
from storage_app.records.database.layout import Layout
from storage_app.records.database.row import Row
from storage_app.records.database.transactions import Database, Transaction
from storage_app.records.declarations import Field, Key
from storage_app.records.ids import RecordId
from storage_app.records.query import Condition, Node, Not
from storage_app.records.words import Hits, Tallies, WordSelect, bounded, newest_of, text_of
from storage_app.search import tokens
from storage_app.search.fts5 import Fts5
from storage_app.search.nodes import Term
from storage_app.search.postgresql import PostgreSql, needed, rows_with, vector
from storage_app.search.query import narrows
from storage_app.search.ranking import Hit, Scored, likely
from storage_app.search.sql import Sql, condition

TABLE: Final = "storage_app_recordwords"
ENGINE: Final = "storage_app_recordwords_engine"

# Of a text in the index: the form of its words, its time, its partition, and itself, folded.
Stored: TypeAlias = tuple[int, int, str | None, str]

# SQLite: an index without content of its own, kept true by triggers. Each token begins with `scope`, which stands for
# project and collection: so each project has lists of its own, and nobody walks over another's.
_SCOPED: Final = "replace(rtrim({row}.tokens), ' ', ' ' || {row}.scope)"
CREATE_SQLITE: Final = (
    f"CREATE VIRTUAL TABLE {ENGINE} USING fts5(tokens, content='', tokenize='unicode61 remove_diacritics 0')",
    f"CREATE TRIGGER {TABLE}_added AFTER INSERT ON {TABLE} BEGIN"
    f" INSERT INTO {ENGINE} (rowid, tokens) VALUES (new.number, {_SCOPED.format(row='new')}); END",
    f"CREATE TRIGGER {TABLE}_removed AFTER DELETE ON {TABLE} BEGIN"
    f" INSERT INTO {ENGINE} ({ENGINE}, rowid, tokens) VALUES ('delete', old.number, {_SCOPED.format(row='old')}); END",
)
REMOVE_SQLITE: Final = (
    f"DROP TRIGGER {TABLE}_removed",
    f"DROP TRIGGER {TABLE}_added",
    f"DROP TABLE {ENGINE}",
)
# What a search looks up of the texts that the engine found: reading it from the rows would read their texts too.
SLIM: Final = f"{TABLE}_slim"
NEWEST: Final = "record_words_newest"
CREATE_SLIM: Final = f"CREATE INDEX {SLIM} ON {TABLE} (number, project, collection, newest, record, part)"
REMOVE_SLIM: Final = f"DROP INDEX {SLIM}"
CREATE_POSTGRESQL: Final = (
    f"ALTER TABLE {TABLE} ADD COLUMN vector tsvector",
    f"CREATE INDEX {TABLE}_vector ON {TABLE} USING gin (vector)",
    f"CREATE INDEX {TABLE}_no_vector ON {TABLE} (project, collection) WHERE vector IS NULL",
)
REMOVE_POSTGRESQL: Final = (f"ALTER TABLE {TABLE} DROP COLUMN vector",)


def make_engine(schema_editor: Any) -> None:
    """What Django's models cannot say of the table."""
    for statement in CREATE_SQLITE if schema_editor.connection.vendor == "sqlite" else CREATE_POSTGRESQL:
        schema_editor.execute(statement)


def remove_engine(schema_editor: Any) -> None:
    for statement in REMOVE_SQLITE if schema_editor.connection.vendor == "sqlite" else REMOVE_POSTGRESQL:
        schema_editor.execute(statement)


def make_slim_index(schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(CREATE_SLIM)


def remove_slim_index(schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(REMOVE_SLIM)


def enter_parts(schema_editor: Any, collection: str, table: str, column: str, absent: Sequence[str]) -> None:
    """For texts that were indexed before their partition was: told by the records, and gone where that is absent."""
    told = f"SELECT r.{column} FROM {table} AS r WHERE r.project = {TABLE}.project AND r.id = {TABLE}.record"
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET part = ({told}) WHERE collection = %s", [collection])
        for value in absent:
            cursor.execute(f"DELETE FROM {TABLE} WHERE collection = %s AND part = %s", [collection, value])


def insert(transaction: Transaction, layout: Layout, project: str, rows: Sequence[Any]) -> None:
    field = _field(layout)
    postgresql = transaction.dialect.is_postgresql
    columns, types = [*_COLUMNS], [*_TYPES]
    if postgresql:
        columns, types = [*columns, "vector"], [*types, "tsvector"]
    values = [_values(layout, field, project, row, postgresql) for row in rows if text_of(field, row.keys) is not None]
    for start in range(0, len(values), _ROWS):
        sql, parameters = bulk.source(transaction.dialect, types, values[start : start + _ROWS])
        transaction.later(f"INSERT INTO {TABLE} ({', '.join(columns)}) {sql}", parameters)


def delete(transaction: Transaction, layout: Layout, project: str, ids: Sequence[RecordId]) -> None:
    for start in range(0, len(ids), _ROWS):
        among, values = bulk.among(transaction.dialect, "text", ids[start : start + _ROWS])
        transaction.later(
            f"DELETE FROM {TABLE} WHERE project = %s AND collection = %s AND record {among}",
            [project, layout.name, *values],
        )


def update(transaction: Transaction, layout: Layout, project: str, pairs: Sequence[tuple[Any, Any]]) -> None:
    """`pairs` are rows before and after; one before that does not tell its text is taken for another."""
    field = _field(layout)
    other = [new for old, new in pairs if old.keys.get(field.name, _UNTOLD) != new.keys[field.name]]
    if other:
        delete(transaction, layout, project, [row.id for row in other])
        insert(transaction, layout, project, other)
    done = {row.id for row in other}
    for old, new in pairs:
        place = _place(layout, new.keys)
        if new.id not in done and text_of(field, new.keys) is not None and _place(layout, old.keys) != place:
            transaction.later(
                f"UPDATE {TABLE} SET newest = %s, part = %s WHERE project = %s AND collection = %s AND record = %s",
                (*place, project, layout.name, new.id),
            )


def find(database: Database, layout: Layout, project: str, asked: WordSelect, tallies: Tallies) -> Hits:
    counter = counting.changes(database, layout.name, project, "")
    scope = (project, layout.name)
    statistics = tallies.get(
        scope,
        counter,
        asked.scored,
        lambda: _totals(database, scope),
        lambda term: _frequency(database, scope, term),
    )
    by_words = narrows(asked.search)
    few = by_words and likely(asked.search, statistics) ** 2 <= _WALKED * statistics.texts
    request = _Request(database.dialect, layout, project, asked, few)
    walks = by_words and not few  # otherwise the planner knows better
    rows = list(request.hits(lambda sql, parameters: database.read(sql, parameters, walks), asked.most + 1))
    hits = [Hit(id, words, newest) for id, newest, words in rows[: asked.most]]
    return Hits(hits, len(rows) > asked.most, statistics)


def stored(
    fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]],
    layout: Layout,
    project: str,
    first: RecordId,
    last: RecordId,
) -> dict[RecordId, Stored]:
    """What the index has of the records of a stretch, for a check."""
    rows = fetch(
        f"SELECT record, form, newest, part, folded FROM {TABLE}"
        " WHERE project = %s AND collection = %s AND record >= %s AND record <= %s",
        (project, layout.name, first, last),
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


def expected(layout: Layout, keys: Mapping[str, Any]) -> Stored | None:
    """What `stored` should give for a record with these keys."""
    field = _field(layout)
    text = text_of(field, keys)
    return None if text is None else (tokens.VERSION, *_place(layout, keys), text.casefold())


def orphans(fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]], layout: Layout, project: str) -> int:
    """Texts of records that are not there."""
    ((number,),) = fetch(f"SELECT count(*) FROM {TABLE} AS t WHERE {_orphaned(layout)}", (project, layout.name))
    return int(number)


def remove_orphans(transaction: Transaction, layout: Layout, project: str) -> None:
    transaction.later(
        f"DELETE FROM {TABLE} WHERE number IN (SELECT t.number FROM {TABLE} AS t WHERE {_orphaned(layout)})",
        (project, layout.name),
    )


_ROWS: Final = 200
_CHUNK: Final = 2000
# Looking up n texts that the engine found takes as long as walking over the newest until 2,000 are found, where n² is
# this many times the number of all texts: 7,000 of 100,000.
_WALKED: Final = 500
_COLUMNS: Final = ("project", "collection", "record", "newest", "part", "length", "form", "scope", "tokens", "folded")
_TYPES: Final = ("text", "text", "text", "bigint", "text", "integer", "smallint", "text", "text", "text")
_LOOKED_AT: Final = ("number", "newest", "record", "part", "tokens", "folded")
_UNTOLD: Final = object()


class _Request:
    """One search as statements."""

    def __init__(self, dialect: Dialect, layout: Layout, project: str, asked: WordSelect, few: bool) -> None:
        """`few`: the words lead to so few texts that each is looked up; otherwise the newest are walked over."""
        self.dialect, self.layout, self.project, self.asked, self.few = dialect, layout, project, asked, few
        self.joins = False
        self._judged = {term: self._expression(node) for term, node in asked.meanings.items()}
        self.search, exact = bounded(asked.search, lambda part: self._judged[part.term] is not None)
        conditions = [self._expression(node) for node in asked.where]
        self.conditions = [condition for condition in conditions if condition is not None]
        self.exact = exact and len(self.conditions) == len(conditions)
        self.held = needed(self.search) if few and dialect.is_postgresql else None

    def hits(
        self, fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]], most: int
    ) -> Iterator[tuple[str, int, str]]:
        """Record, time and index text of the newest that match."""
        if self.exact:
            yield from ((row[0], row[1], row[2]) for row in fetch(*self._statement(most, 0)))
            return
        start = found = 0
        while found < most:
            rows = fetch(*self._statement(_CHUNK, start))
            for id, newest, words, document in rows:
                row = Row(self.layout, id, 0, document)
                text = text_of(self.asked.field, row.keys)
                if text is not None and self.asked.holds(text, row):
                    found += 1
                    yield id, newest, words
                    if found == most:
                        return
            if len(rows) < _CHUNK:
                return
            start += _CHUNK

    def _statement(self, limit: int, start: int) -> tuple[str, list[Any]]:
        found = condition(self.search, self._engine(), self._filter)
        source, scope = self._source()
        parts = [scope.text, found.text, *(f"({one.sql})" for one in self.conditions)]
        asked = [*scope.params, *found.params, *(value for one in self.conditions for value in one.parameters)]
        own = [self.project]
        table = self.layout.table
        join = "JOIN" if self.dialect.is_postgresql else "CROSS JOIN"  # SQLite goes from the words to the records
        joined = f" {join} {table} ON {table}.project = %s AND {table}.id = t.record" if self.joins else ""
        document = f", {table}.document" if not self.exact else ""
        back = f" JOIN {table} ON {table}.project = %s AND {table}.id = found.record" if not self.exact else ""
        sql = (
            f"WITH found AS MATERIALIZED (SELECT t.number, t.newest, t.record FROM {source.text}{joined}"
            f" WHERE {' AND '.join(parts)} ORDER BY t.newest DESC, t.record LIMIT {limit} OFFSET {start})"
            f" SELECT found.record, found.newest, whole.tokens{document}"
            f" FROM found JOIN {TABLE} AS whole ON whole.number = found.number{back}"
            " ORDER BY found.newest DESC, found.record"
        )
        return sql, [*source.params, *(own if joined else []), *asked, *(own if back else [])]

    def _source(self) -> tuple[Sql, Sql]:
        """What is looked through, as `t`, and the condition of the project. The way is told: PostgreSQL has no
        statistics of words, and SQLite none at all.
        """
        scope = (self.project, self.layout.name)
        if self.held is not None:
            aside = Sql("project || '' = %s AND collection || '' = %s", scope)  # no index but that of the words
            found = rows_with(TABLE, _LOOKED_AT, self.held, aside, _scope(*scope))
            return Sql(f"{found.text} AS t", found.params), Sql("true")
        index = "" if self.dialect.is_postgresql else f" INDEXED BY {SLIM if self.few else NEWEST}"
        return Sql(f"{TABLE} AS t{index}"), Sql("t.project = %s AND t.collection = %s", scope)

    def _expression(self, node: Node) -> Expression | None:
        """The condition, where the database can judge it; without the record where the partition is all it asks for."""
        partition = self.layout.collection.partition
        if partition is not None and _is_of(partition, node):
            return judged(_beside_the_text(self.layout), self.dialect, node)
        found = judged(self.layout, self.dialect, node)
        self.joins = self.joins or found is not None
        return found

    def _engine(self) -> Fts5 | PostgreSql:
        if self.dialect.is_postgresql:
            return PostgreSql("t.tokens", "t.folded", held=self.held)
        begin = _scope(self.project, self.layout.name)
        return Fts5(ENGINE, "t.number", "t.folded", placeholder="%s", begin=begin)

    def _filter(self, term: Term) -> Sql:
        known: Expression | None = self._judged[term]
        assert known is not None
        return Sql(f"(({known.sql}) IS TRUE)", tuple(known.parameters))


def _totals(database: Database, scope: tuple[str, str]) -> tuple[int, int]:
    ((texts, length),) = database.read(
        f"SELECT count(*), coalesce(sum(length), 0) FROM {TABLE} WHERE project = %s AND collection = %s", scope
    )
    return int(texts), int(length)


def _frequency(database: Database, scope: tuple[str, str], term: Scored) -> int:
    if not database.dialect.is_postgresql:
        asked = f'"{_scope(*scope)}{term.token}"{" *" * term.prefix}'
        return int(database.read(f"SELECT count(*) FROM {ENGINE} WHERE {ENGINE} MATCH %s", (asked,))[0][0])
    lexeme = f"'{_scope(*scope)}{term.token}'{':*' * term.prefix}"
    part = f" {term.token}{'' if term.prefix else ' '}"
    rows = database.read(
        f"SELECT (SELECT count(*) FROM {TABLE} WHERE vector @@ %s::tsquery)"
        f" + (SELECT count(*) FROM {TABLE} WHERE project = %s AND collection = %s AND vector IS NULL"
        " AND strpos(tokens, %s) > 0)",
        (lexeme, *scope, part),
    )
    return int(rows[0][0])


def _values(layout: Layout, field: Field, project: str, row: Any, postgresql: bool) -> tuple[Any, ...]:
    text = text_of(field, row.keys) or ""
    found = tokens.indexed(text)
    words = tokens.index_text_of(found)
    scope = _scope(project, layout.name)
    values = (
        project, layout.name, row.id, *_place(layout, row.keys), tokens.length(found), tokens.VERSION, scope, words,
        text.casefold(),
    )  # fmt: skip
    return (*values, vector(words, _scope(project, layout.name))) if postgresql else values


def _scope(project: str, collection: str) -> str:
    """Letters and digits, always as many, so that no scope with a token is another scope with another token."""
    return f"s{hashlib.sha256(f'{project} {collection}'.encode()).hexdigest()[:15]}"


def _place(layout: Layout, keys: Mapping[str, Key]) -> tuple[int, str | None]:
    """What the index has beside the text: its time, and where it stands."""
    part = keys[layout.collection.partition] if layout.collection.partition else None
    return newest_of(_field(layout), keys), part if isinstance(part, str) else None


def _beside_the_text(layout: Layout) -> Layout:
    """The partition as the index of words has it, so that no record is looked at."""
    found = copy.copy(layout)
    found.columns = {**layout.columns, layout.collection.partition or "": "t.part"}
    return found


def _is_of(name: str, node: Node) -> bool:
    """Whether the condition asks for this field and no other."""
    if isinstance(node, Condition):
        return node.field is not None and node.field.name == name
    return all(_is_of(name, part) for part in ([node.part] if isinstance(node, Not) else node.parts))


def _orphaned(layout: Layout) -> str:
    return (
        "t.project = %s AND t.collection = %s AND NOT EXISTS"
        f" (SELECT 1 FROM {layout.table} AS r WHERE r.project = t.project AND r.id = t.record)"
    )


def _field(layout: Layout) -> Field:
    field = layout.collection.words
    assert field is not None
    return field
