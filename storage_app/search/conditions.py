"""A query as conditions of the record store, which every backend answers alike.

Plain words and phrases are looked for in the declared `words` fields with the store's `__search`: each word of the text
somewhere in it, whatever the case, so a phrase finds its words in any order, all in one field. A list of fields is an
alternative. What negation makes of a missing value is the store's rule: `-worker:w1` holds for a job without worker.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from storage_app.records import times
from storage_app.records.query import MOST_CONDITIONS, AllOf, AnyOf, Condition, Op, fold
from storage_app.records.query import Node as Filter
from storage_app.records.query import Not as NotFilter
from storage_app.search import values
from storage_app.search.errors import QueryError
from storage_app.search.fields import Comparison, Field, Fields, Kind
from storage_app.search.nodes import And, Node, Not, Query, Term, Text, Value

Custom: TypeAlias = Callable[[Term, datetime], Filter]
Path: TypeAlias = tuple[str, ...]


def conditions(
    query: Query,
    fields: Fields,
    now: datetime,
    *,
    custom: Mapping[str, Custom] | None = None,
    most: int = MOST_CONDITIONS,
) -> list[Filter]:
    """What must hold of a record, all of it; times such as `-2h` are seen from `now`.

    `custom` has the condition of a field that no comparison of stored values expresses, by the field's name. `most`
    leaves room for conditions of the caller's own.
    """
    compiler = _Compiler(fields, now, custom or {})
    found = [compiler.node(part) for part in _words_together(query.parts, fields)]
    if sum(map(_size, found)) > most:
        whole = query.node
        position, length = (whole.position, whole.length) if whole else (0, 0)
        raise QueryError(position, length, f"This asks for more than {most} comparisons; leave some out")
    return found


def seconds_range(term: Term) -> tuple[float | None, float | None]:
    """From and to of a duration's term, for a `custom` condition: `>5m` is (300, None); ends count as in `Kind`."""
    first = values.duration(term.values[0].text) if term.values and term.values[0].text else None
    if term.comparison is Comparison.RANGE:
        return (first.start if first else None), (
            values.duration(term.values[1].text).start if term.values[1].text else None
        )
    if first is None:
        return None, None
    if term.comparison in (Comparison.GT, Comparison.GTE):
        return first.start, None
    if term.comparison in (Comparison.LT, Comparison.LTE):
        return None, first.start
    return first.start, first.end


_OPS: Final = {Comparison.GT: Op.GT, Comparison.GTE: Op.GTE, Comparison.LT: Op.LT, Comparison.LTE: Op.LTE}
_JSON_WORDS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}


class _Compiler:
    def __init__(self, fields: Fields, now: datetime, custom: Mapping[str, Custom]) -> None:
        self.fields = fields
        self.now = now
        self.custom = custom

    def node(self, node: Node) -> Filter:
        if isinstance(node, Text):
            return self._words(node)
        if isinstance(node, Term):
            return self._term(node)
        if isinstance(node, Not):
            return NotFilter(self.node(node.part))
        parts = _words_together(node.parts, self.fields) if isinstance(node, And) else node.parts
        return (AllOf if isinstance(node, And) else AnyOf)(tuple(self.node(part) for part in parts))

    def _words(self, node: Text) -> Filter:
        if not self.fields.words:
            raise QueryError(node.position, node.length, "Plain words are not looked for here; name a field")
        return _any(_search(name, node) for name in self.fields.words)

    def _term(self, term: Term) -> Filter:
        head, _, path = term.field.partition(".")
        field = self.fields.by_name[head]
        if field.name in self.custom:
            return self.custom[field.name](term, self.now)
        below = tuple(path.split(".")) if path else ()
        return _any(self._compare(field, (*name.split("."), *below), term) for name in field.paths)

    def _compare(self, field: Field, path: Path, term: Term) -> Filter:
        if term.comparison is Comparison.SET:
            return Condition(path, Op.ISNULL, False)
        if field.kind in (Kind.TEXT, Kind.SUBSTRING):
            return _search(".".join(path), term.values[0])
        if field.kind is Kind.TIME:
            return self._time(field, path, term)
        if field.kind is Kind.DURATION:
            return _duration(path, term)
        if term.comparison in _OPS:
            return Condition(path, _OPS[term.comparison], _number(field, term.values[0]))
        if term.comparison is Comparison.RANGE:
            low, high = (_number(field, value) if value.text else None for value in term.values)
            return _between(path, low, high)
        return _equal(field, path, term.values)

    def _time(self, field: Field, path: Path, term: Term) -> Filter:
        comparison = field.implied if term.comparison is Comparison.IS else term.comparison
        found = [values.moments(value.text, self.now) if value.text else None for value in term.values]
        first, last = found[0], found[-1]
        if comparison in (Comparison.IS, Comparison.RANGE):
            return _all(
                ([Condition(path, Op.GTE, times.to_text(first.start))] if first else [])
                + ([Condition(path, Op.LTE if last.is_instant else Op.LT, times.to_text(last.end))] if last else [])
            )
        if first is None:
            raise ValueError("a comparison has a value")
        if comparison is Comparison.GT:
            return Condition(path, Op.GT if first.is_instant else Op.GTE, times.to_text(first.end))
        if comparison is Comparison.GTE:
            return Condition(path, Op.GTE, times.to_text(first.start))
        if comparison is Comparison.LT:
            return Condition(path, Op.LT, times.to_text(first.start))
        return Condition(path, Op.LTE if first.is_instant else Op.LT, times.to_text(first.end))


def _words_together(parts: Sequence[Node], fields: Fields) -> list[Node]:
    """With one field for words, those that must all hold are one search instead of many."""
    plain = [part for part in parts if isinstance(part, Text)]
    if len(fields.words) != 1 or len(plain) < 2:
        return list(parts)
    text = " ".join(part.text for part in plain)
    first = parts.index(plain[0])
    rest = [part for part in parts if not isinstance(part, Text)]
    return [*rest[:first], Text(text, True, False, plain[0].position, plain[0].length), *rest[first:]]


def _search(name: str, value: Text | Value) -> Filter:
    if not fold(value.text).split():
        raise QueryError(value.position, value.length, "There is no word in this")
    return Condition(tuple(name.split(".")), Op.SEARCH, value.text)


def _duration(path: Path, term: Term) -> Filter:
    if term.comparison in _OPS:
        return Condition(path, _OPS[term.comparison], values.duration(term.values[0].text).start)
    low, high = seconds_range(term)
    if term.comparison is Comparison.RANGE:
        return _between(path, low, high)
    return _all([Condition(path, Op.GTE, low), Condition(path, Op.LT, high)])


def _number(field: Field, value: Value) -> int | float:
    return values.integer(value.text) if field.kind is Kind.INTEGER else values.number(value.text)


def _between(path: Path, low: float | None, high: float | None) -> Filter:
    return _all(
        ([] if low is None else [Condition(path, Op.GTE, low)])
        + ([] if high is None else [Condition(path, Op.LTE, high)])
    )


def _equal(field: Field, path: Path, wanted: Sequence[Value]) -> Filter:
    if field.kind is Kind.TAG:
        return _any(Condition(path, Op.CONTAINS, value.text) for value in wanted)
    beginnings = [Condition(path, Op.STARTSWITH, value.text) for value in wanted if value.prefix]
    exact = [meant for value in wanted if not value.prefix for meant in _meanings(field, value)]
    if not exact:
        return _any(beginnings)
    equal = Condition(path, Op.EQ, exact[0]) if len(exact) == 1 else Condition(path, Op.IN, exact)
    return _any([equal, *beginnings])


def _meanings(field: Field, value: Value) -> list[str | int | float | bool | None]:
    if field.kind in (Kind.INTEGER, Kind.NUMBER):
        return [_number(field, value)]
    found: list[str | int | float | bool | None] = [value.text]
    if field.kind is Kind.VALUE and not value.quoted:
        if value.text in _JSON_WORDS:
            found.append(_JSON_WORDS[value.text])
        elif values.is_number(value.text):
            with contextlib.suppress(values.UnreadableError):  # no number of a document is as large, but a text may be
                found.append(values.number(value.text))
    return found


def _any(parts: Iterable[Filter]) -> Filter:
    found = tuple(parts)
    return found[0] if len(found) == 1 else AnyOf(found)


def _all(parts: Sequence[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _size(node: Filter) -> int:
    if isinstance(node, Condition):
        return 1
    return _size(node.part) if isinstance(node, NotFilter) else sum(map(_size, node.parts))
