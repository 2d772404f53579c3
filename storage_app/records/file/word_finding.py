"""How a search by words is answered from the index."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from storage_app.records.file.rows import Row
from storage_app.records.file.selecting import sql_of
from storage_app.records.file.tables import Table
from storage_app.records.words import Hits, Tallies, WordSelect, bounded, text_of
from storage_app.search.fts5 import Fts5
from storage_app.search.nodes import Term
from storage_app.search.ranking import Hit, Scored
from storage_app.search.sql import Sql, condition


def find(
    connection: sqlite3.Connection, table: Table, asked: WordSelect, project: str, counter: int, tallies: Tallies
) -> Hits:
    place = (project, table.collection.name)
    statistics = tallies.get(
        place,
        counter,
        asked.scored,
        lambda: _totals(connection, table),
        lambda term: _frequency(connection, table, term),
    )
    request = _Request(table, asked)
    rows = list(request.hits(connection, asked.most + 1))
    hits = [Hit(id, words, newest) for id, newest, words in rows[: asked.most]]
    return Hits(hits, len(rows) > asked.most, statistics)


class _Request:
    """One search as a statement."""

    def __init__(self, table: Table, asked: WordSelect) -> None:
        self.table, self.asked = table, asked
        self._judged = {term: sql_of(table, node) for term, node in asked.meanings.items()}
        self.search, exact = bounded(asked.search, lambda part: self._judged[part.term] is not None)
        conditions = [sql_of(table, node) for node in asked.where]
        self.conditions = [condition for condition in conditions if condition is not None]
        self.exact = exact and len(self.conditions) == len(conditions)

    def hits(self, connection: sqlite3.Connection, most: int) -> Iterator[tuple[str, int, str]]:
        """Id, time and index text of the newest that match."""
        sql, parameters = self._statement(most)
        found = 0
        for number, id, newest, version, document in connection.execute(sql, parameters):
            if not self.exact and not self._holds(
                Row(self.table.collection, number, id, version, document, None, True)
            ):
                continue
            yield id, newest, connection.execute(self.table.words.tokens, (number,)).fetchone()[0]
            found += 1
            if found == most:
                return

    def _holds(self, row: Row) -> bool:
        text = text_of(self.table.collection, row.keys)
        return text is not None and self.asked.holds(text, row)

    def _statement(self, most: int) -> tuple[str, list[Any]]:
        table, words = self.table.name, self.table.words
        engine = Fts5(words.engine, "t.row", "t.folded")
        found = condition(self.search, engine, self._filter)
        parts, parameters = [found.text], list(found.params)
        for sql, values in self.conditions:
            parts.append(f"({sql})")
            parameters += values
        # From the words to the records: the other way round every record would be looked at.
        statement = (
            f"SELECT t.row, {table}.id, t.newest, {table}.version, {'NULL' if self.exact else f'{table}.text'}"  # noqa: S608
            f" FROM {words.name} AS t CROSS JOIN {table} ON {table}.rowid = t.row WHERE {' AND '.join(parts)}"
            f" ORDER BY t.newest DESC, {table}.id{f' LIMIT {most}' if self.exact else ''}"
        )
        return statement, parameters

    def _filter(self, term: Term) -> Sql:
        known = self._judged[term]
        assert known is not None
        return Sql(f"({known[0]})", known[1])


def _totals(connection: sqlite3.Connection, table: Table) -> tuple[int, int]:
    texts, length = connection.execute(table.words.sums).fetchone()
    return texts, length


def _frequency(connection: sqlite3.Connection, table: Table, term: Scored) -> int:
    engine = table.words.engine
    asked = f'{{tokens}} : "{term.token}"{" *" * term.prefix}'
    return int(connection.execute(f"SELECT count(*) FROM {engine} WHERE {engine} MATCH ?", (asked,)).fetchone()[0])  # noqa: S608
