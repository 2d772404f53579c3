"""The index of words in the database: one table for all collections, with FTS5 beside it on SQLite and a tsvector in
it on PostgreSQL. Both are fed with our tokens, and written in the transaction of the record.

What the engine finds within the project is put in order of time by the database; the order of results is made in
Python.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from storage_app.records.database import bulk, counting
from storage_app.records.database.conditions import Expression, judged
from storage_app.records.database.dialects import Dialect
from storage_app.records.database.layout import Layout
from storage_app.records.database.row import Row
from storage_app.records.database.transactions import Database, Transaction
from storage_app.records.declarations import Field
from storage_app.records.ids import RecordId
from storage_app.records.words import Hits, Tallies, WordSelect, bounded, newest_of, text_of
from storage_app.search import tokens
from storage_app.search.fts5 import Fts5
from storage_app.search.nodes import Term
from storage_app.search.postgresql import PostgreSql, vector
from storage_app.search.query import narrows
from storage_app.search.ranking import Hit, Scored, at_most
from storage_app.search.sql import Sql, condition

TABLE: Final = "storage_app_recordwords"
ENGINE: Final = "storage_app_recordwords_engine"

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
        if new.id not in done and newest_of(field, old.keys) != newest_of(field, new.keys):
            transaction.later(
                f"UPDATE {TABLE} SET newest = %s WHERE project = %s AND collection = %s AND record = %s",
                (newest_of(field, new.keys), project, layout.name, new.id),
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
    request = _Request(database.dialect, layout, project, asked, at_most(asked.search, statistics))
    rows = list(request.hits(lambda sql, parameters: database.read(sql, parameters), asked.most + 1))
    hits = [Hit(id, words, newest) for id, newest, words in rows[: asked.most]]
    return Hits(hits, len(rows) > asked.most, statistics)


def stored(
    fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]],
    layout: Layout,
    project: str,
    first: RecordId,
    last: RecordId,
) -> dict[RecordId, tuple[int, int, str]]:
    """Form, time and folded text of the records of a stretch, for a check."""
    rows = fetch(
        f"SELECT record, form, newest, folded FROM {TABLE}"
        " WHERE project = %s AND collection = %s AND record >= %s AND record <= %s",
        (project, layout.name, first, last),
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def expected(layout: Layout, keys: Mapping[str, Any]) -> tuple[int, int, str] | None:
    """What `stored` should give for a record with these keys."""
    field = _field(layout)
    text = text_of(field, keys)
    return None if text is None else (tokens.VERSION, newest_of(field, keys), text.casefold())


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
_FEW: Final = 5000  # SQLite looks these up one by one as quickly as it walks over 100,000
_COLUMNS: Final = ("project", "collection", "record", "newest", "length", "form", "scope", "tokens", "folded")
_TYPES: Final = ("text", "text", "text", "bigint", "integer", "smallint", "text", "text", "text")
_UNTOLD: Final = object()


class _Request:
    """One search as statements."""

    def __init__(self, dialect: Dialect, layout: Layout, project: str, asked: WordSelect, expected: int) -> None:
        self.dialect, self.layout, self.project, self.asked = dialect, layout, project, asked
        self.few = expected <= _FEW
        self._judged = {term: judged(layout, dialect, node) for term, node in asked.meanings.items()}
        self.search, exact = bounded(asked.search, lambda part: self._judged[part.term] is not None)
        conditions = [judged(layout, dialect, node) for node in asked.where]
        self.conditions = [condition for condition in conditions if condition is not None]
        self.exact = exact and len(self.conditions) == len(conditions)

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
        parts = [f"{self._of_the_project()} AND {found.text}"]
        parameters = [self.project, self.layout.name, *found.params]
        for one in self.conditions:
            parts.append(f"({one.sql})")
            parameters += one.parameters
        table = self.layout.table
        join = "JOIN" if self.dialect.is_postgresql else "CROSS JOIN"  # SQLite goes from the words to the records
        joined = f" {join} {table} ON {table}.project = t.project AND {table}.id = t.record" if self._joins() else ""
        document = f", {table}.document" if not self.exact else ""
        back = f" JOIN {table} ON {table}.project = %s AND {table}.id = found.record" if not self.exact else ""
        sql = (
            f"WITH found AS MATERIALIZED (SELECT t.number, t.newest, t.record FROM {TABLE} AS t{joined}"
            f" WHERE {' AND '.join(parts)} ORDER BY t.newest DESC, t.record LIMIT {limit} OFFSET {start})"
            f" SELECT found.record, found.newest, whole.tokens{document}"
            f" FROM found JOIN {TABLE} AS whole ON whole.number = found.number{back}"
            " ORDER BY found.newest DESC, found.record"
        )
        return sql, [*parameters, *([self.project] if back else [])]

    def _of_the_project(self) -> str:
        """Said so that no index can be used for it where the words lead to fewer texts: PostgreSQL has no statistics
        of them, and SQLite likes to walk over the newest texts, which is right only where many match.
        """
        aside, plus = "", ""
        if self.dialect.is_postgresql:
            aside = " || ''" if narrows(self.search) else ""
        elif self.few and narrows(self.search):
            plus = "+"
        return f"{plus}t.project{aside} = %s AND {plus}t.collection{aside} = %s"

    def _joins(self) -> bool:
        return bool(self.conditions) or bool(self._judged)

    def _engine(self) -> Fts5 | PostgreSql:
        begin = _scope(self.project, self.layout.name)
        if self.dialect.is_postgresql:
            return PostgreSql("t.vector", "t.tokens", "t.folded", begin=begin)
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
        f"SELECT (SELECT count(*) FROM {TABLE} WHERE project || '' = %s AND collection || '' = %s"
        " AND vector @@ %s::tsquery)"
        f" + (SELECT count(*) FROM {TABLE} WHERE project = %s AND collection = %s AND vector IS NULL"
        " AND strpos(tokens, %s) > 0)",
        (*scope, lexeme, *scope, part),
    )
    return int(rows[0][0])


def _values(layout: Layout, field: Field, project: str, row: Any, postgresql: bool) -> tuple[Any, ...]:
    text = text_of(field, row.keys) or ""
    found = tokens.indexed(text)
    words = tokens.index_text_of(found)
    scope = _scope(project, layout.name)
    values = (
        project, layout.name, row.id, newest_of(field, row.keys), tokens.length(found), tokens.VERSION, scope, words,
        text.casefold(),
    )  # fmt: skip
    return (*values, vector(words, _scope(project, layout.name))) if postgresql else values


def _scope(project: str, collection: str) -> str:
    """Letters and digits, always as many, so that no scope with a token is another scope with another token."""
    return f"s{hashlib.sha256(f'{project} {collection}'.encode()).hexdigest()[:15]}"


def _orphaned(layout: Layout) -> str:
    return (
        "t.project = %s AND t.collection = %s AND NOT EXISTS"
        f" (SELECT 1 FROM {layout.table} AS r WHERE r.project = t.project AND r.id = t.record)"
    )


def _field(layout: Layout) -> Field:
    field = layout.collection.words
    assert field is not None
    return field
