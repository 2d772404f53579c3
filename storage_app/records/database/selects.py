"""Rows of a query in its order, from an index wherever one gives just that order.

A page from the middle is never an offset, and never an `OR` that an index cannot follow: the rows after a place are
first those that share all but its last key, then those that share all but the last two, and so on; each part is one
statement with an equality on the front of the index and a range behind it.
"""

import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, TypeAlias

from storage_app.records import cursors
from storage_app.records.cursors import Seek, Terms
from storage_app.records.database import texts
from storage_app.records.database.conditions import Expression, Narrowed
from storage_app.records.database.dialects import Dialect
from storage_app.records.database.layout import Layout, TableIndex
from storage_app.records.database.texts import Candidates
from storage_app.records.declarations import Key
from storage_app.records.ids import RecordId
from storage_app.records.query import Condition, Op, Where

# SQL, parameters, and whether the order comes from an index that must be used for it.
Fetch: TypeAlias = Callable[[str, Sequence[Any], bool], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Found:
    """A row, with its place in the order. Without text: it was looked at, and does not match."""

    id: RecordId
    version: int
    text: str | None
    place: tuple[Key, ...]


@dataclass(frozen=True)
class Path:
    """How rows are reached: along an index, apart for each combination of the fields before the order; or anyhow."""

    index: TableIndex | None = None
    parts: tuple[tuple[Expression, ...], ...] = ((),)
    spent: frozenset[str] = frozenset()  # fields whose conditions the parts express
    covers: bool = False  # all conditions are on those fields, so that nothing is walked over in vain
    few: bool = False  # so few rows that they are sorted
    candidates: Expression | None = None  # a SELECT of the ids of all that may match, which are few


@dataclass(frozen=True)
class Search:
    """One query, ready to be turned into statements."""

    layout: Layout
    dialect: Dialect
    project: str
    narrowed: Narrowed
    terms: Terms
    lock: str = ""
    where: Where = ()
    bounded: bool = False  # rows that are walked over come too, so that the caller can count them

    def rows(self, fetch: Fetch, chunk: int, seek: Seek | None = None) -> Iterator[Found]:
        """All rows from the seek on, in its direction, `chunk` at a time, the next ones when they are asked for."""
        backwards = seek is not None and seek.backwards
        terms = tuple((name, down != backwards) for name, down in self.terms)
        path = self._path(terms, fetch)
        parts = [self._part(fetch, path, part, terms, seek, chunk) for part in path.parts]
        if len(parts) == 1:
            yield from parts[0]
        else:
            comparison = cursors.comparison(terms)
            yield from heapq.merge(*parts, key=lambda found: comparison(found.place))

    def counts(self, fetch: Fetch, by: Sequence[str]) -> dict[tuple[Key, ...], int]:
        """By the values of some fields, of all rows; the conditions must all be the database's."""
        columns = ", ".join(self.layout.column(name) for name in by)
        sql = (
            f"SELECT {f'{columns}, ' if by else ''}count(*) FROM {self.layout.table}"
            f" WHERE {' AND '.join([self.layout.scope, *(each.sql for each in self.narrowed.expressions)])}"
            f"{f' GROUP BY {columns}' if by else ''}"
        )
        values = [value for each in self.narrowed.expressions for value in each.parameters]
        rows = fetch(sql, [*self.layout.scope_values(self.project), *values], bool(self.narrowed.keyed))
        return {
            tuple(self.layout.from_column(name, value) for name, value in zip(by, row[:-1], strict=True)): int(row[-1])
            for row in rows
        }

    def statements(self, chunk: int, seek: Seek | None = None) -> list[str]:
        """What would be asked first, for a look at the plan."""
        asked: list[str] = []

        def fetch(sql: str, parameters: Sequence[Any], planned: bool) -> list[tuple[Any, ...]]:
            asked.append(sql)
            return []

        list(self.rows(fetch, chunk, seek))
        return asked

    def _path(self, terms: Terms, fetch: Fetch) -> Path:
        best = self._best_index(terms)
        if best.covers:
            return best
        if not self.dialect.is_postgresql and (narrow := self._narrow_index(best, fetch)) is not None:
            return Path(narrow, few=True)
        candidates = None if self.lock else self._few_candidates(best, terms, fetch)
        return best if candidates is None else Path(few=True, candidates=candidates)

    def _best_index(self, terms: Terms) -> Path:
        """The index that gives the order with most fields fixed in front of it."""
        fixed = self.narrowed.fixed
        best = self.layout.index_for(terms, fixed.keys())
        if best is None:
            covers = terms == (("id", terms[0][1]),) and not self.narrowed.expressions
            return Path(covers=covers)
        index, length = best
        front = [name for name, _ in index.terms[:length]]
        combinations = list(product(*(fixed[name].values or () for name in front)))
        if not combinations or len(combinations) > _MOST_PARTS:
            return Path()
        parts = tuple(
            tuple(_equal(self.layout.column(name), value) for name, value in zip(front, values, strict=True))
            for values in combinations
        )
        covers = len(self.narrowed.expressions) == len(front)
        return Path(index, parts, frozenset(front), covers)

    def _narrow_index(self, best: Path, fetch: Fetch) -> TableIndex | None:
        """SQLite knows nothing of how many rows a value has, and would as soon walk a million for five: look how many
        there are, up to a bound below which sorting them is cheap.
        """
        ordering = best.index.terms[len(best.spent)][0] if best.index else ""
        for keyed in self.narrowed.keyed:
            if keyed.name in best.spent or keyed.name in ("id", ordering):
                continue
            index = next(index for index in self.layout.indexes if index.terms[0][0] == keyed.name)
            sql = (
                f"SELECT count(*) FROM (SELECT 1 FROM {self.layout.table} INDEXED BY {index.name}"
                f" WHERE {self.layout.scope} AND {keyed.expression.sql} LIMIT {_FEW})"
            )
            counted = fetch(sql, [*self.layout.scope_values(self.project), *keyed.expression.parameters], False)
            if counted and counted[0][0] < _FEW:
                return index
        return None

    def _few_candidates(self, best: Path, terms: Terms, fetch: Fetch) -> Expression | None:
        """Ids by an index of values, elements or texts, where those that may match are few. No database guesses this:
        what three characters in a row leave of a million texts, only a look tells.
        """
        for each in (*self._by_values(best, terms), *self._by_elements(), *self._by_texts()):
            if each.guess and _guessed(fetch(each.guess, (), False)) > _SURELY_MANY:
                continue
            counted = fetch(f"SELECT count(*) FROM ({each.sql} LIMIT {_FEW_CANDIDATES}) AS c", each.values, False)
            if counted and counted[0][0] < _FEW_CANDIDATES:
                return Expression(each.sql, tuple(each.values))
        return None

    def _by_values(self, best: Path, terms: Terms) -> Iterator[Candidates]:
        """SQLite has been asked about all but the id by `_narrow_index`. A bound on the order's own field is none of
        these: the way along the order begins and ends there.
        """
        for keyed in self.narrowed.keyed:
            if keyed.name in best.spent or keyed.name == terms[0][0]:
                continue
            if self.dialect.is_postgresql or keyed.name == "id":
                sql = f"SELECT id AS cid FROM {self.layout.table} WHERE {self.layout.scope} AND {keyed.expression.sql}"
                yield Candidates(sql, [*self.layout.scope_values(self.project), *keyed.expression.parameters])

    def _by_texts(self) -> Iterator[Candidates]:
        return texts.candidates(self.layout, self.dialect, self.project, self.where)

    def _by_elements(self) -> Iterator[Candidates]:
        for node in self.where:
            if isinstance(node, Condition) and node.op is Op.CONTAINS and node.field in self.layout.lists:
                assert node.field is not None
                yield Candidates(
                    f"SELECT id AS cid FROM {self.layout.elements_table}"
                    " WHERE project = %s AND field = %s AND element = %s",
                    [self.project, node.field.name, node.value],
                )

    def _part(
        self,
        fetch: Fetch,
        path: Path,
        part: tuple[Expression, ...],
        terms: Terms,
        seek: Seek | None,
        chunk: int,
    ) -> Iterator[Found]:
        """The rows of one combination, segment after segment, chunk after chunk."""
        segments = _segments(self.layout, terms, seek.keys, seek.inclusive) if seek else [()]
        while segments:
            segment = segments.pop(0)
            rows = self._fetched(fetch, path, (*part, *segment), terms, chunk)
            yield from rows
            if len(rows) == chunk:
                segments = _segments(self.layout, terms, rows[-1].place, False)
                chunk = min(chunk * 4, _LARGEST_WALK) if self.bounded else chunk

    def _fetched(
        self, fetch: Fetch, path: Path, further: tuple[Expression, ...], terms: Terms, chunk: int
    ) -> list[Found]:
        layout = self.layout
        walks = self.bounded and path.index is not None and not path.few
        shown = self._judged_on_the_way(path, terms) if walks else []
        expressions = [*(each for each in self._unspent(path) if each not in shown), *further]
        keyed = [layout.column(name) for name, _ in terms[:-1]]
        document = "document"
        if shown:
            document = f"CASE WHEN {' AND '.join(each.by_row or each.sql for each in shown)} THEN document END"
        hint = f" INDEXED BY {path.index.name}" if path.index and not self.dialect.is_postgresql else ""
        order = ", ".join(self.dialect.ordered(layout.column(name), down) for name, down in terms)
        front, source, values = "", layout.table + hint, [value for each in shown for value in each.parameters]
        conditions = [layout.scope, *(expression.sql for expression in expressions)]
        if path.candidates is not None:
            front = f"WITH c AS MATERIALIZED ({path.candidates.sql}) "
            source, scope = self._of_candidates()
            values = [*path.candidates.parameters, *scope]
        sql = (
            f"{front}SELECT {', '.join(['id', 'version', document, *keyed])} FROM {source}"
            f" WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT {chunk}{self.lock}"
        )
        values += layout.scope_values(self.project)
        values += [value for expression in expressions for value in expression.parameters]
        rows = fetch(sql, values, path.covers or walks)
        names = [name for name, _ in terms[:-1]]
        return [
            Found(
                row[0],
                row[1],
                row[2],
                (*(layout.from_column(name, key) for name, key in zip(names, row[3:], strict=True)), row[0]),
            )
            for row in rows
        ]

    def _of_candidates(self) -> tuple[str, list[str]]:
        """Each candidate's row by its key. SQLite would rather walk the order for each of them, unless a LIMIT keeps
        the order's conditions out of the join.
        """
        table, barrier = self.layout.table, "" if self.dialect.is_postgresql else " LIMIT -1"
        scope = " AND ".join(f"{table}.{part}" for part in self.layout.scope.split(" AND "))
        joined = f"SELECT {table}.* FROM c CROSS JOIN {table} WHERE {scope} AND {table}.id = c.cid{barrier}"
        return f"({joined}) AS {table}", self.layout.scope_values(self.project)

    def _judged_on_the_way(self, path: Path, terms: Terms) -> list[Expression]:
        """Conditions that no index on the way knows; those on the field of the order bound the way itself."""
        bounds = [keyed.expression for keyed in self.narrowed.keyed if keyed.name == terms[0][0]]
        return [expression for expression in self._unspent(path) if expression not in bounds]

    def _unspent(self, path: Path) -> list[Expression]:
        """Conditions that the parts of the path do not express already."""
        fixed = self.narrowed.fixed
        return [
            *(
                keyed.expression
                for keyed in self.narrowed.keyed
                if not (keyed.name in path.spent and fixed[keyed.name] is keyed)
            ),
            *self.narrowed.others,
        ]


_MOST_PARTS: Final = 32
_FEW: Final = 4000
_FEW_CANDIDATES: Final = 5000
_LARGEST_WALK: Final = 4000
_SURELY_MANY: Final = 50_000


def _guessed(plan: list[tuple[Any, ...]]) -> int:
    """How many rows a plan expects."""
    found = re.search(r" rows=([0-9]+)", plan[0][0]) if plan else None
    return int(found[1]) if found else 0


def _equal(column: str, value: Key) -> Expression:
    return Expression(f"{column} IS NULL") if value is None else Expression(f"{column} = %s", (value,))


def _segments(layout: Layout, terms: Terms, place: tuple[Key, ...], inclusive: bool) -> list[tuple[Expression, ...]]:
    """The rows after a place (itself included or not), in their order, as conditions an index can follow."""
    columns = [layout.column(name) for name, _ in terms]
    equal = [_equal(column, value) for column, value in zip(columns, place, strict=True)]
    segments: list[tuple[Expression, ...]] = [tuple(equal)] if inclusive else []
    for number in reversed(range(len(terms))):
        front, column, value = tuple(equal[:number]), columns[number], place[number]
        if terms[number][1]:
            if value is not None:
                segments.append((*front, Expression(f"{column} < %s", (value,))))
                if column != "id":
                    segments.append((*front, Expression(f"{column} IS NULL")))
        elif value is None:
            segments.append((*front, Expression(f"{column} IS NOT NULL")))
        else:
            segments.append((*front, Expression(f"{column} > %s", (value,))))
    return segments
