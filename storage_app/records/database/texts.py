"""The index of texts: for every search field, which records have which three characters in a row.

Beside the record table, and written only where a text changes: a job that is claimed and completed costs it nothing.
SQLite has an FTS5 table, PostgreSQL a GIN index over vectors of our own, which needs no extension. Neither is a model
of Django's, since neither has one; migrations make them by `IndexTexts`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.db.migrations.operations.base import Operation

from storage_app.records import grams
from storage_app.records.database import bulk
from storage_app.records.database.dialects import DIALECTS, TYPES, Dialect
from storage_app.records.database.layout import Layout
from storage_app.records.declarations import Collection, Field, Ids, Key, Kind
from storage_app.records.ids import RecordId
from storage_app.records.query import Node, fold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState

Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Candidates:
    """A SELECT of the ids (as `cid`) of what may match. `guess`, where there is one, asks for a guess at their number
    that costs nothing: PostgreSQL gathers all that its index of texts has of a word before it gives the first."""

    sql: str
    values: list[Any]
    guess: str = ""


class Later(Protocol):
    def __call__(self, sql: str, parameters: Sequence[Any] = (), /) -> object: ...


class Texted(Protocol):
    @property
    def id(self) -> RecordId: ...
    @property
    def keys(self) -> "Mapping[str, Key]": ...


def creation(layout: Layout, is_postgresql: bool) -> list[str]:
    table, id_type = layout.texts_table, TYPES[layout.kind("id")]
    if is_postgresql:
        return [
            f'CREATE TABLE {table} (project text COLLATE "C" NOT NULL, field text COLLATE "C" NOT NULL,'
            f" id {id_type}{'' if layout.numbered else _C} NOT NULL, grams tsvector,"
            " PRIMARY KEY (project, field, id))",
            f"CREATE INDEX {table}_grams ON {table} USING gin (grams)",
            f"CREATE INDEX {table}_whole ON {table} (project, field) WHERE grams IS NULL",
            f"CREATE INDEX {table}_ids ON {table} (project, id)",
        ]
    return [
        f"CREATE TABLE {table} (doc INTEGER PRIMARY KEY, project text NOT NULL, field text NOT NULL,"
        f" id {id_type} NOT NULL)",
        f"CREATE UNIQUE INDEX {table}_ids ON {table} (project, id, field)",
        f"CREATE VIRTUAL TABLE {layout.grams_table} USING fts5("
        "text, tokenize='trigram case_sensitive 1', detail=none, columnsize=0)",
    ]


def removal(layout: Layout, is_postgresql: bool) -> list[str]:
    tables = [layout.texts_table] if is_postgresql else [layout.grams_table, layout.texts_table]
    return [f"DROP TABLE {table}" for table in tables]


def write(later: Later, dialect: Dialect, layout: Layout, project: str, rows: Sequence[Texted]) -> None:
    """The texts of records that are new, or whose texts are others now."""
    found = [
        (project, field.name, row.id, fold(text))
        for row in rows
        for field in layout.searched
        if isinstance(text := row.keys[field.name], str)
    ]
    for start in range(0, len(found), _ROWS):
        _write(later, dialect, layout, found[start : start + _ROWS])


def rewrite(
    later: Later, dialect: Dialect, layout: Layout, project: str, pairs: Sequence[tuple[Texted, Texted]]
) -> None:
    """As they were, and as they are now."""
    changed = [
        new for old, new in pairs if any(old.keys[field.name] != new.keys[field.name] for field in layout.searched)
    ]
    gone = [new.id for new in changed if any(new.keys[field.name] is None for field in layout.searched)]
    if gone:
        remove(later, dialect, layout, project, gone)
    write(later, dialect, layout, project, changed)


def remove(later: Later, dialect: Dialect, layout: Layout, project: str, ids: Sequence[RecordId]) -> None:
    for start in range(0, len(ids), _ROWS):
        among, values = bulk.among(dialect, TYPES[layout.kind("id")], ids[start : start + _ROWS])
        _remove(later, dialect, layout, f"project = %s AND id {among}", [project, *values])


def remove_all(later: Later, dialect: Dialect, layout: Layout, project: str) -> None:
    _remove(later, dialect, layout, "project = %s", [project])


def candidates(layout: Layout, dialect: Dialect, project: str, where: Sequence[Node]) -> Iterator[Candidates]:
    """For each search field that the conditions narrow."""
    for field in layout.searched:
        asked = grams.wanted(where, field)
        if asked is None:
            continue
        if dialect.is_postgresql:
            query = grams.as_tsquery(asked)
            # Prepared, it would be guessed at without a look at the words.
            place = f"project = {_literal(project)} AND field = {_literal(field.name)}"
            yield Candidates(
                f"SELECT id AS cid FROM {layout.texts_table} WHERE project = %s AND field = %s"
                " AND (grams @@ %s::tsquery OR grams IS NULL)",
                [project, field.name, query],
                f"EXPLAIN SELECT 1 FROM {layout.texts_table} WHERE {place} AND grams @@ {_literal(query)}::tsquery",
            )
        else:
            yield Candidates(
                f"SELECT t.id AS cid FROM {layout.grams_table} CROSS JOIN {layout.texts_table} AS t"
                f" WHERE {layout.grams_table} MATCH %s AND t.doc = {layout.grams_table}.rowid"
                " AND t.project = %s AND t.field = %s",
                [grams.as_match(asked), project, field.name],
            )


def stored(
    fetch: Fetch, dialect: Dialect, layout: Layout, project: str, low: RecordId, high: RecordId
) -> dict[tuple[RecordId, str], Any]:
    """By id and field, what the index has of a text: to be compared with `mark`."""
    if dialect.is_postgresql:
        sql = f"SELECT id, field, length(grams) FROM {layout.texts_table} AS t"
    else:
        sql = (
            f"SELECT t.id, t.field, g.text FROM {layout.texts_table} AS t"
            f" JOIN {layout.grams_table} AS g ON g.rowid = t.doc"
        )
    found = fetch(f"{sql} WHERE t.project = %s AND t.id >= %s AND t.id <= %s", [project, low, high])
    return {(id, field): mark for id, field, mark in found}


def mark(dialect: Dialect, folded: str) -> Any:
    if not dialect.is_postgresql:
        return folded
    return None if grams.as_tsvector(folded) is None else len(grams.of_text(folded))


class IndexTexts(Operation):  # type: ignore[misc, unused-ignore]  # Django's base has no types of its own
    """A migration's step that makes the index of a collection's search fields, and fills it where records are there.
    `columns` maps each search field to its column, as they are at this step."""

    reduces_to_sql = False
    reversible = True

    def __init__(self, collection: str, numbered: bool, columns: "Mapping[str, str]") -> None:
        self.collection = collection
        self.numbered = numbered
        self.columns = dict(columns)

    def state_forwards(self, app_label: str, state: "ProjectState") -> None:
        """No model stands for it."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: "BaseDatabaseSchemaEditor",
        from_state: "ProjectState",
        to_state: "ProjectState",
    ) -> None:
        connection = schema_editor.connection
        layout, dialect = self._layout(), DIALECTS[connection.vendor]
        with connection.cursor() as cursor:
            for statement in creation(layout, dialect.is_postgresql):
                cursor.execute(statement)
            for name, column in self.columns.items():
                self._fill(cursor, dialect, layout, name, column)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: "BaseDatabaseSchemaEditor",
        from_state: "ProjectState",
        to_state: "ProjectState",
    ) -> None:
        with schema_editor.connection.cursor() as cursor:
            for statement in removal(self._layout(), schema_editor.connection.vendor == "postgresql"):
                cursor.execute(statement)

    def describe(self) -> str:
        return f"Index the texts of {self.collection}"

    def _layout(self) -> Layout:
        ids = Ids.SEQUENCE if self.numbered else Ids.GIVEN
        return Layout(Collection(self.collection, ids, tuple(Field(name, Kind.SEARCH) for name in self.columns)))

    def _fill(self, cursor: Any, dialect: Dialect, layout: Layout, name: str, column: str) -> None:
        after: tuple[Any, ...] = ("", 0 if self.numbered else "")
        while True:
            cursor.execute(
                f"SELECT project, id, {column} FROM {layout.table} WHERE (project, id) > (%s, %s)"
                f" ORDER BY project, id LIMIT {_ROWS}",
                after,
            )
            rows = cursor.fetchall()
            _write(cursor.execute, dialect, layout, [(row[0], name, row[1], row[2]) for row in rows if row[2]])
            if len(rows) < _ROWS:
                return
            after = rows[-1][:2]


_ROWS: Final = 200
_C: Final = ' COLLATE "C"'


def _literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _write(later: Later, dialect: Dialect, layout: Layout, texts: Sequence[tuple[str, str, RecordId, str]]) -> None:
    """Project, field, id and folded text of each."""
    if not texts:
        return
    table, id_type = layout.texts_table, TYPES[layout.kind("id")]
    if dialect.is_postgresql:
        rows = [(*place, grams.as_tsvector(text)) for *place, text in texts]
        sql, parameters = bulk.source(dialect, ["text", "text", id_type, "tsvector"], rows)
        later(
            f"INSERT INTO {table} (project, field, id, grams) {sql}"
            " ON CONFLICT (project, field, id) DO UPDATE SET grams = excluded.grams",
            parameters,
        )
        return
    sql, parameters = bulk.source(dialect, ["text", "text", id_type], [text[:3] for text in texts])
    later(f"INSERT INTO {table} (project, field, id) {sql} ON CONFLICT DO NOTHING", parameters)
    for project, field, id, text in texts:
        later(
            f"INSERT OR REPLACE INTO {layout.grams_table} (rowid, text)"
            f" SELECT doc, %s FROM {table} WHERE project = %s AND id = %s AND field = %s",
            [text, project, id, field],
        )


def _remove(later: Later, dialect: Dialect, layout: Layout, condition: str, values: list[Any]) -> None:
    table = layout.texts_table
    if not dialect.is_postgresql:
        later(f"DELETE FROM {layout.grams_table} WHERE rowid IN (SELECT doc FROM {table} WHERE {condition})", values)
    later(f"DELETE FROM {table} WHERE {condition}", values)
