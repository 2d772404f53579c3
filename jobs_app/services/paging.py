"""Keyset pages over ORM rows and sorted lists: a cursor holds the key of the last row, so it outlives that row."""

import base64
import binascii
import bisect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from jobs_app.errors import InvalidError

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500
SORTED = "sorted"
T = TypeVar("T")
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Any]
    next_cursor: str | None


def page(rows: QuerySet[Row], order: str, cursor: str | None, limit: int) -> Page:
    """One page by a unique field, `-` in front for descending."""
    field, descending = order.lstrip("-"), order.startswith("-")
    if cursor is not None:
        rows = rows.filter(**{f"{field}__{'lt' if descending else 'gt'}": _opened(cursor, order)})
    found = list(rows.order_by(order)[: limit + 1])
    more = len(found) > limit
    items = found[:limit]
    return Page(items, _sealed(order, getattr(items[-1], field)) if more else None)


def of_sorted(items: Sequence[T], key: Callable[[T], str], cursor: str | None, limit: int) -> Page:
    """One page of a list in ascending order of a unique key."""
    start = 0 if cursor is None else bisect.bisect_right(items, str(_opened(cursor, SORTED)), key=key)
    found = list(items[start : start + limit])
    more = start + limit < len(items)
    return Page(found, _sealed(SORTED, key(found[-1])) if more else None)


def _sealed(order: str, key: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, key]).encode()).decode().rstrip("=")


def _opened(cursor: str, order: str) -> str | int:
    try:
        made_for, key = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, UnicodeError, binascii.Error, RecursionError):
        made_for, key = None, None
    if made_for != order or isinstance(key, bool) or not isinstance(key, str | int):
        raise InvalidError.at("cursor", "is not one that this list gave out")
    if isinstance(key, int) and not 0 <= key < 2**63:
        raise InvalidError.at("cursor", "is not one that this list gave out")
    return key
