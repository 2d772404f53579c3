"""What a query means for a document, said a second time and as plainly as can be."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from storage_app.records.query import fold
from storage_app.search.fields import Comparison, Field, Fields, Kind
from storage_app.search.nodes import And, Node, Not, Query, Term, Text, Value

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def holds(query: Query, fields: Fields, document: Mapping[str, Any], now: datetime) -> bool:
    return all(_holds(part, fields, document, now) for part in query.parts)


def _holds(node: Node, fields: Fields, document: Mapping[str, Any], now: datetime) -> bool:
    if isinstance(node, Not):
        return not _holds(node.part, fields, document, now)
    if isinstance(node, Text):
        return any(_says(document.get(name), node.text) for name in fields.words)
    if isinstance(node, Term):
        head, _, path = node.field.partition(".")
        field = fields.by_name[head]
        return any(_fits(field, node, _at(document, name, path), now) for name in field.paths)
    return (all if isinstance(node, And) else any)(_holds(part, fields, document, now) for part in node.parts)


def _at(document: Mapping[str, Any], name: str, path: str) -> Any:
    value: Any = document.get(name)
    for step in path.split(".") if path else ():
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _says(value: Any, text: str) -> bool:
    return isinstance(value, str) and all(word in fold(value) for word in fold(text).split())


def _fits(field: Field, term: Term, value: Any, now: datetime) -> bool:
    if term.comparison is Comparison.SET:
        return value is not None
    if field.kind is Kind.TEXT:
        return _says(value, term.values[0].text)
    if field.kind is Kind.TAG:
        return any(one.text in (value or ()) for one in term.values)
    if term.comparison is Comparison.IS and field.kind in (Kind.WORD, Kind.CHOICE, Kind.VALUE):
        return any(_is(field, one, value) for one in term.values)
    if value is None or isinstance(value, bool) or (field.kind is Kind.VALUE and isinstance(value, str)):
        return False
    if field.kind is Kind.TIME:
        value = datetime.fromisoformat(value)
    if term.comparison is Comparison.IS and field.kind in (Kind.INTEGER, Kind.NUMBER):
        return any(value == float(one.text) for one in term.values)
    ends = [_ends(field, one.text, now) if one.text else None for one in term.values]
    return _between(field, term.comparison, ends, value)


def _is(field: Field, wanted: Value, value: Any) -> bool:
    if wanted.prefix:
        return isinstance(value, str) and value.startswith(wanted.text)
    if isinstance(value, str):
        return value == wanted.text
    if field.kind is not Kind.VALUE or wanted.quoted:
        return False
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value] == wanted.text
    return re.fullmatch(r"-?[0-9.]+", wanted.text) is not None and value == float(wanted.text)


def _between(field: Field, comparison: Comparison, ends: list[Any], value: Any) -> bool:
    if comparison is Comparison.IS:
        comparison = field.implied
    (start, end, instant), last = ends[0] or (None, None, False), ends[-1]
    if comparison is Comparison.IS:
        return bool(start <= value < end)
    if comparison is Comparison.RANGE:
        after = start is None or value >= start
        upto = last is None or (value <= last[0] if last[2] else value < last[1])
        return after and upto
    if comparison is Comparison.GT:
        return bool(value > start if instant else value >= end)
    if comparison is Comparison.GTE:
        return bool(value >= start)
    if comparison is Comparison.LT:
        return bool(value < start)
    return bool(value <= start if instant else value < end)


def _ends(field: Field, text: str, now: datetime) -> tuple[Any, Any, bool]:
    """From, to before, and whether it has no width when compared."""
    if field.kind is Kind.TIME:
        return _time(text, now)
    if field.kind is Kind.DURATION:
        start = float(text[:-1]) * UNITS[text[-1]]
        return start, start + UNITS[text[-1]], True
    return float(text), float(text), True


def _time(text: str, now: datetime) -> tuple[datetime, datetime, bool]:
    if text.startswith("-"):
        moment = now - timedelta(seconds=float(text[1:-1]) * UNITS[text[-1]])
        return moment, moment, True
    if len(text) == 4:
        return datetime(int(text), 1, 1, tzinfo=UTC), datetime(int(text) + 1, 1, 1, tzinfo=UTC), False
    day = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return day, day + timedelta(days=1), False
