"""Cursors: a place in an order, as opaque text.

A cursor holds the order keys and the id of a row, not the row: it keeps its meaning when that row goes. It is bound to
project, collection and order; one that was cut, altered or made for another list is refused. The check is a digest, not
a secret: whoever forges one gets no more than another page of what he may see anyway.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any, Final, TypeAlias

from storage_app import strict_json
from storage_app.records.declarations import Collection, Key, key_of
from storage_app.records.errors import InvalidError
from storage_app.records.ids import RecordId

Terms: TypeAlias = tuple[tuple[str, bool], ...]  # field and whether descending; the last is the id


@dataclass(frozen=True)
class Seek:
    """Where a page starts: at `keys` (one per term, the id last), itself included or not, and in which direction."""

    keys: tuple[Key, ...]
    backwards: bool = False
    inclusive: bool = False


def encode(project: str, collection: Collection, terms: Terms, seek: Seek) -> str:
    flags = seek.backwards | seek.inclusive << 1
    raw = strict_json.dumps_bytes([flags, *seek.keys])
    return base64.urlsafe_b64encode(_digest(project, collection, terms, raw) + raw).decode().rstrip("=")


def decode(project: str, collection: Collection, terms: Terms, cursor: str) -> Seek:
    """The seek in a cursor made by `encode` for the same list; InvalidError for anything else."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidError("is not a cursor", "cursor") from error
    digest, body = raw[:_DIGEST_SIZE], raw[_DIGEST_SIZE:]
    if digest != _digest(project, collection, terms, body):
        raise InvalidError("belongs to another list or order, or was altered", "cursor")
    flags, *keys = _checked(collection, terms, body)
    return Seek(tuple(keys), bool(flags & 1), bool(flags & 2))


def order_keys(terms: Terms, keys: Mapping[str, Key], id: RecordId) -> tuple[Key, ...]:
    """The place of a row in an order."""
    return tuple(id if name == "id" else keys[name] for name, _ in terms)


def comparison(terms: Terms) -> Callable[[tuple[Key, ...]], Any]:
    """A sort key for places in an order. Null comes before everything, and so last where descending."""
    signs = tuple(-1 if descending else 1 for _, descending in terms)
    return cmp_to_key(lambda one, other: compare(signs, one, other))


def compare(signs: Sequence[int], one: tuple[Key, ...], other: tuple[Key, ...]) -> int:
    for sign, a, b in zip(signs, one, other, strict=True):
        if a != b:
            return sign if b is None or (a is not None and a > b) else -sign  # type: ignore[operator]  # same kind
    return 0


_DIGEST_SIZE: Final = 9


def _digest(project: str, collection: Collection, terms: Terms, body: bytes) -> bytes:
    scope = strict_json.dumps_bytes(["cursor 1", project, collection.name, terms])
    return hashlib.blake2b(body, digest_size=_DIGEST_SIZE, key=hashlib.sha256(scope).digest()).digest()


def _checked(collection: Collection, terms: Terms, body: bytes) -> list[Any]:
    try:
        value = strict_json.loads(body)
    except ValueError as error:
        raise InvalidError("is not a cursor", "cursor") from error
    flags, *keys = value if isinstance(value, list) and value else [None]
    if flags not in (0, 1, 2, 3) or len(keys) != len(terms):
        raise InvalidError("is not a cursor", "cursor")
    for (name, _), key in zip(terms, keys, strict=True):
        if name == "id":
            collection.check_id(key)
        elif collection.by_name[name].kind != "time":
            key_of(collection.by_name[name], key)
        elif key is not None and not isinstance(key, int):
            raise InvalidError("is not a cursor", "cursor")
    return [flags, *keys]
