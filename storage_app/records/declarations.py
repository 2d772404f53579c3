"""What a collection declares of itself; every backend lays out its indexes from this and nothing else."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, TypeAlias

from storage_app import strict_json
from storage_app.records import ids, times
from storage_app.records.errors import InvalidError
from storage_app.records.ids import RecordId

Key: TypeAlias = str | int | float | bool | tuple[str, ...] | None

LONGEST_INDEXED_BYTES: Final = 512
LARGEST_INTEGER: Final = 2**63 - 1
LARGEST_EXACT: Final = 2**53
MOST_ELEMENTS: Final = 1000
FREE_PREFIX: Final = "free."


class Kind(StrEnum):
    """What an indexed field may hold beside null, and the form its index key has."""

    TEXT = "text"  # at most 512 bytes of UTF-8; compared by code point; exact, case and all
    INTEGER = "integer"  # -2^63 to 2^63-1; a JSON number without fraction or exponent
    NUMBER = "number"  # a double; whole numbers only up to 2^53, so that every backend compares exactly
    TIME = "time"  # RFC 3339 with a zone; the key is microseconds since 1970, so equal instants are equal
    BOOLEAN = "boolean"  # never equal to 0 or 1; false sorts before true
    TEXT_LIST = "text-list"  # tags: up to 1,000 texts of 512 bytes; found by element, never ordered
    SEARCH = "search"  # text of any length, found by `__search` and `__contains` only, never ordered
    WORDS = "words"  # text of any length, indexed by its words for `find_words`; one field of a collection


class Ids(StrEnum):
    TIME_ORDERED = "time-ordered"  # UUIDv7 made by the store; a canonical UUID may be given
    SEQUENCE = "sequence"  # 1, 2, 3 …; a given one must be above all that ever were
    GIVEN = "given"  # always by the caller


@dataclass(frozen=True)
class Field:
    """An indexed field; `name` is a path through objects with dots. Unique is per project; null never collides.

    `newest` of a field of words names a declared time: the texts with the latest are looked at first. `absent_in` are
    values of the partition whose texts are in no index of words: a trash is neither found nor counted in scores.
    """

    name: str
    kind: Kind
    unique: bool = False
    newest: str = ""
    absent_in: tuple[str, ...] = ()

    @cached_property
    def path(self) -> tuple[str, ...]:
        return tuple(self.name.split("."))


@dataclass(frozen=True)
class Order:
    """A promise of speed: with the fields of `within` fixed by equality (or `__in`, at one seek a value), rows come in
    this order from an index, and a page costs the same at a million records.

    `by` are fields with `-` for descending; `id` at the end is added with the direction of the last field if not given.
    Every indexed field that can be ordered has `Order((field,))` without saying so, and so has `id`.

    An order cannot skip what does not match: with `not_before__lte=now` beside `by=("-priority", "id")`, jobs that are
    not due are walked over. Declare a field that is fixed by equality (`due`: true once due) in `within`, and let
    `update_where` turn it over when the time comes; that index is empty most of the time.
    """

    by: tuple[str, ...]
    within: tuple[str, ...] = ()


@dataclass(frozen=True)
class Collection:
    """`partition` is the text field whose value names the folder in the file layout, and which is counted.

    `counters` are sets of fields whose combined counts are kept (`("status", "content_type")`), so that counting by
    them, with equality or `__in` on any of them, is a lookup. The total, and each field of its own, need not be
    named."""

    name: str
    ids: Ids = Ids.TIME_ORDERED
    fields: tuple[Field, ...] = ()
    partition: str | None = None
    orders: tuple[Order, ...] = ()
    counters: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if not (_NAME.fullmatch(self.name) or _is_free(self.name)):
            raise InvalidError(f"{self.name!r} is not a collection's name", "name")
        names = [field.name for field in self.fields]
        for name in names:
            if names.count(name) > 1 or set(name.split(".")) & {"", "id", "version"} or "__" in name:
                raise InvalidError(f"{self.name} cannot declare the field {name!r}", name)
        for order in self.orders:
            self.order_terms(order.by)
            self._require(order.within, "within")
        for fields in self.counters:
            self._require(fields, "counters")
        self._check_words()
        if self.partition is not None and self._require((self.partition,), "partition")[0].kind is not Kind.TEXT:
            raise InvalidError("must be a text field", "partition")

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    @cached_property
    def by_path(self) -> dict[tuple[str, ...], Field]:
        return {field.path: field for field in self.fields}

    @cached_property
    def words(self) -> Field | None:
        """The field whose words are indexed."""
        return next((field for field in self.fields if field.kind is Kind.WORDS), None)

    @cached_property
    def _ordered(self) -> dict[tuple[str, ...], tuple[tuple[str, bool], ...]]:
        return {}

    @cached_property
    def declared_terms(self) -> frozenset[tuple[tuple[str, bool], ...]]:
        """Of each declared order, and of the same in reverse."""
        declared = [self.order_terms(order.by) for order in self.orders]
        reverse = [tuple((name, not descending) for name, descending in terms) for terms in declared]
        return frozenset([*declared, *reverse])

    @cached_property
    def compiled(self) -> dict[object, Any]:
        """Conditions that were asked before, for `query.compiled`."""
        return {}

    @cached_property
    def unique_fields(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.unique)

    def check_id(self, id: object) -> RecordId:
        return _ID_CHECKS[self.ids](id)

    def keys(self, document: Mapping[str, Any]) -> dict[str, Key]:
        """The index key of every declared field; InvalidError names the field that holds something else."""
        return {field.name: key_of(field, dig(document, field.path)) for field in self.fields}

    def order_terms(self, by: Iterable[str]) -> tuple[tuple[str, bool], ...]:
        """Field and whether descending, with the id at the end; InvalidError where a field cannot be ordered by."""
        key = tuple(by)
        if (known := self._ordered.get(key)) is None:
            known = self._order_terms(key)
            if len(self._ordered) < _MOST_ORDERS:
                self._ordered[key] = known
        return known

    def _order_terms(self, by: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
        terms = [(term.removeprefix("-"), term.startswith("-")) for term in by]
        names = [name for name, _ in terms]
        if not terms or len(set(names)) != len(names) or "id" in names[:-1]:
            raise InvalidError(f"{list(by)!r} is not an order: each field once, id only at the end", "order")
        for name in names:
            if name != "id" and (name not in self.by_name or self.by_name[name].kind in _UNORDERED):
                raise InvalidError(f"{name!r} is not a field that {self.name} can be ordered by", "order")
        return tuple(terms) if names[-1] == "id" else (*terms, ("id", terms[-1][1]))

    def _check_words(self) -> None:
        words = [field for field in self.fields if field.kind is Kind.WORDS]
        if len(words) > 1 or (words and self.ids is Ids.SEQUENCE):
            raise InvalidError("has one field of words at most, and ids that are texts then", self.name)
        if words and self._require((words[0].newest,), "newest")[0].kind is not Kind.TIME:
            raise InvalidError("must be a time field", "newest")
        if words and words[0].absent_in and self.partition is None:
            raise InvalidError("needs a partition", "absent_in")

    def _require(self, names: tuple[str, ...], place: str) -> list[Field]:
        for name in names:
            if name not in self.by_name or self.by_name[name].kind in _UNORDERED:
                raise InvalidError(f"{name!r} is not a field of {self.name} that can be used here", place)
        return [self.by_name[name] for name in names]


def free_collection(name: str) -> Collection:
    """A collection that a user named at run time: sequence ids, no indexed fields. Its stored name is `free.<name>`,
    which no declared collection can have; in it any text of 1 to 128 bytes in NFC without control characters is a name.
    """
    ids.check_plain_text(name, "collection", 128)
    if not name or unicodedata.normalize("NFC", name) != name:
        raise InvalidError("must be a text in NFC of at least one character", "collection")
    return Collection(FREE_PREFIX + name, ids=Ids.SEQUENCE)


def key_of(field: Field, value: object) -> Key:
    """The index key of a JSON value (or of a datetime, for a time) under this field."""
    if value is None:
        return None
    try:
        return _KEYS[field.kind](value)
    except ValueError as error:
        raise InvalidError(str(error), field.name) from error


def dig(document: object, path: tuple[str, ...]) -> Any:
    """The value at a path through objects; what is missing is None, exactly as null is."""
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MOST_ORDERS: Final = 1000
_UNORDERED: Final = frozenset({Kind.TEXT_LIST, Kind.SEARCH, Kind.WORDS})
_ID_CHECKS: Final[Mapping[Ids, Callable[[object], RecordId]]] = {
    Ids.TIME_ORDERED: ids.check_uuid,
    Ids.SEQUENCE: ids.check_sequence,
    Ids.GIVEN: ids.check_given,
}


def _is_free(name: str) -> bool:
    return name.startswith(FREE_PREFIX) and len(name) > len(FREE_PREFIX)


def _text_key(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {strict_json.type_name(value)}")  # noqa: TRY004
    if len(value) > LONGEST_INDEXED_BYTES // 4 and len(value.encode(errors="replace")) > LONGEST_INDEXED_BYTES:
        raise ValueError(f"must be at most {LONGEST_INDEXED_BYTES} bytes, since it is indexed")
    return value


def _integer_key(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {strict_json.type_name(value)}")  # noqa: TRY004
    if not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        raise ValueError("must fit into 64 bits, since it is indexed")
    return value


def _number_key(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"must be a number, not {strict_json.type_name(value)}")  # noqa: TRY004
    if isinstance(value, int) and abs(value) > LARGEST_EXACT:
        raise ValueError("a whole number must be within 2^53, since it is indexed as a double")
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return float(value) + 0.0  # -0.0 becomes 0.0


def _time_key(value: object) -> int:
    if not isinstance(value, (str, datetime)):
        raise ValueError(f"must be a time, not {strict_json.type_name(value)}")  # noqa: TRY004
    return times.to_instant(value)


def _boolean_key(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {strict_json.type_name(value)}")  # noqa: TRY004
    return value


def _text_list_key(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or len(value) > MOST_ELEMENTS:
        raise ValueError(f"must be an array of at most {MOST_ELEMENTS} texts")
    return tuple(_text_key(element) for element in value)


def _search_key(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {strict_json.type_name(value)}")  # noqa: TRY004
    return value


_KEYS: Final[Mapping[Kind, Callable[[object], Key]]] = {
    Kind.TEXT: _text_key,
    Kind.INTEGER: _integer_key,
    Kind.NUMBER: _number_key,
    Kind.TIME: _time_key,
    Kind.BOOLEAN: _boolean_key,
    Kind.TEXT_LIST: _text_list_key,
    Kind.SEARCH: _search_key,
    Kind.WORDS: _search_key,
}
