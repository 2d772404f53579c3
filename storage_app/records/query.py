"""Conditions and their one meaning.

A backend may narrow by what its indexes express exactly; `matches` has the last word, so all backends agree.

    {"status": "failed", "priority__gte": 5, "task_options.lang": "de"}        a mapping: all must hold
    [Condition(("status",), Op.EQ, "failed"), AnyOf((..., ...)), Not(...)]      the same, with alternatives

A name is `id`, `version`, or a path through objects with dots; a suffix after `__` chooses the comparison:

| suffix | holds when |
| --- | --- |
| none | equal. Numbers by value (1 is 1.0), never a number and a text, never a boolean and a number |
| `ne` | not equal; so it holds for a missing value, unless asked for null |
| `in` | equal to one of a list (of at most 1,000); an empty list holds for nothing |
| `lt` `lte` `gt` `gte` | both are numbers, or both texts (by code point), or both times by instant; never for null |
| `isnull` | true: null or missing, which are one and the same everywhere; false: anything else |
| `contains` | a text has this text in it, case and all, code point by code point; an array has an element equal to it |
| `startswith` | a text begins with this text, case and all, code point by code point |
| `search` | every word of the request (split at blanks) is somewhere in the text, both folded: NFKC, casefold, NFKC; |
| | of an array of texts the elements are joined by line ends |

On a declared field the value must be of its kind, and the comparison is that of the kind: a time may be given as text
or datetime. On any other field it is that of the JSON values. No value is ever a pattern: `%`, `_`, `*`, quotes are
text."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias

from storage_app import strict_json
from storage_app.records.declarations import Collection, Field, Ids, Key, Kind, dig, key_of
from storage_app.records.errors import InvalidError
from storage_app.records.ids import RecordId

MOST_CONDITIONS: Final = 50
MOST_VALUES: Final = 1000


class Op(StrEnum):
    EQ = "eq"
    NE = "ne"
    IN = "in"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    ISNULL = "isnull"
    CONTAINS = "contains"
    STARTSWITH = "startswith"
    SEARCH = "search"


@dataclass(frozen=True)
class Condition:
    """One comparison. After `compiled`, `field` is the declared field (None: id, version or a plain one) and `value`
    is in key form: instants for times, a tuple for `__in`, folded words for `__search`.
    """

    path: tuple[str, ...]
    op: Op
    value: Any
    field: Field | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class AnyOf:
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class AllOf:
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    part: "Node"


Node: TypeAlias = Condition | AnyOf | AllOf | Not
Conditions: TypeAlias = Mapping[str, Any] | Sequence[Node]
Where: TypeAlias = tuple[Node, ...]


class Row(Protocol):
    """What a condition can look at; `document` may be parsed on demand, `keys` are `Collection.keys` of it."""

    @property
    def id(self) -> RecordId: ...
    @property
    def version(self) -> int: ...
    @property
    def keys(self) -> Mapping[str, Key]: ...
    @property
    def document(self) -> Mapping[str, Any]: ...


def compiled(collection: Collection, conditions: Conditions) -> Where:
    """Validated, typed conditions, all of which must hold; InvalidError names the one that is wrong and why.

    Those that come again and again (a claim's, a guard's) are remembered by the collection.
    """
    key = _plain_key(conditions)
    if key is None:
        return _compiled(collection, conditions)
    known: dict[object, Where] = collection.compiled
    if (where := known.get(key)) is None:
        if len(known) >= _MOST_REMEMBERED:
            known.clear()
        where = known[key] = _compiled(collection, conditions)
    return where


def parse(name: str, value: object) -> Condition:
    """`"priority__gte"` and 5 as a condition; a field whose own name has `__` or a dot needs `Condition` itself."""
    path, separator, suffix = name.rpartition("__")
    if not separator:
        return Condition(_path(name), Op.EQ, value)
    if suffix not in _SUFFIXES:
        raise InvalidError(f"has the unknown suffix {suffix!r}; known: {', '.join(sorted(_SUFFIXES))}", name)
    return Condition(_path(path), _SUFFIXES[suffix], value)


def matches(where: Iterable[Node], row: Row) -> bool:
    return all(_holds(node, row) for node in where)


def fold(text: str) -> str:
    """What `__search` compares: case and compatibility variants gone, accents kept."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def same(one: object, other: object) -> bool:
    """Equality of JSON values: a boolean is not a number, 1 is 1.0, the order of keys does not matter."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


_PLAIN: Final = frozenset({str, int, bool})
_MOST_REMEMBERED: Final = 1000
_SUFFIXES: Final = {op.value: op for op in Op if op is not Op.EQ}
RANGES: Final[Mapping[Op, Callable[[Any, Any], bool]]] = {
    Op.LT: lambda a, b: a < b,
    Op.LTE: lambda a, b: a <= b,
    Op.GT: lambda a, b: a > b,
    Op.GTE: lambda a, b: a >= b,
}
_EXACT: Final = frozenset({Op.EQ, Op.NE, Op.IN, Op.ISNULL})
_ORDERED: Final = _EXACT | RANGES.keys()
_TEXTUAL: Final = frozenset({Op.CONTAINS, Op.STARTSWITH, Op.SEARCH})
_ALLOWED: Final = {
    Kind.TEXT: _ORDERED | _TEXTUAL,
    Kind.INTEGER: _ORDERED,
    Kind.NUMBER: _ORDERED,
    Kind.TIME: _ORDERED,
    Kind.BOOLEAN: _EXACT,
    Kind.TEXT_LIST: frozenset({Op.CONTAINS, Op.SEARCH, Op.ISNULL}),
    Kind.SEARCH: frozenset({Op.CONTAINS, Op.SEARCH, Op.ISNULL}),
    Kind.WORDS: frozenset({Op.CONTAINS, Op.SEARCH, Op.ISNULL}),
}


def _path(name: str) -> tuple[str, ...]:
    path = tuple(name.split("."))
    if "" in path:
        raise InvalidError("is not a field's name", name)
    return path


def _compiled(collection: Collection, conditions: Conditions) -> Where:
    nodes = (
        [parse(name, value) for name, value in conditions.items()] if isinstance(conditions, Mapping) else conditions
    )
    where = tuple(_flat(_compiled_node(collection, node) for node in nodes))
    if sum(map(_size, where)) > MOST_CONDITIONS:
        raise InvalidError(f"more than {MOST_CONDITIONS} conditions", "conditions")
    return where


def _flat(nodes: Iterable[Node]) -> Iterator[Node]:
    """Conditions that must all hold, each by itself: so that an index is used for those it knows."""
    for node in nodes:
        if isinstance(node, AllOf):
            yield from _flat(node.parts)
        else:
            yield node


def _plain_key(conditions: Conditions) -> object:
    """None where there is something that a thousand callers would each have another of, or that could be changed."""
    if type(conditions) is not dict and not isinstance(conditions, Mapping):
        return None
    for value in conditions.values():
        if type(value) not in _PLAIN:
            return None
    return tuple([(name, type(value), value) for name, value in conditions.items()])  # true is not 1


def _size(node: Node) -> int:
    if isinstance(node, Condition):
        return 1
    return _size(node.part) if isinstance(node, Not) else sum(map(_size, node.parts))


def _compiled_node(collection: Collection, node: Node, depth: int = 0) -> Node:
    if depth > 10:
        raise InvalidError("nested too deep", "conditions")
    if isinstance(node, Not):
        return Not(_compiled_node(collection, node.part, depth + 1))
    if isinstance(node, (AnyOf, AllOf)):
        return replace(node, parts=tuple(_compiled_node(collection, part, depth + 1) for part in node.parts))
    field = collection.by_path.get(node.path)
    return replace(node, field=field, value=_operand(collection, node, field))


def _operand(collection: Collection, condition: Condition, field: Field | None) -> Any:
    op, value, name = condition.op, condition.value, condition.name
    if field and op not in _ALLOWED[field.kind]:
        raise InvalidError(f"is a field of kind {field.kind}, which cannot be asked with {op!s}", name)
    if op is Op.ISNULL:
        if not isinstance(value, bool):
            raise InvalidError("__isnull needs true or false", name)
        return value
    if op is Op.SEARCH:
        return _words(value, name)
    if op is Op.IN:
        if not isinstance(value, (list, tuple, set, frozenset)) or len(value) > MOST_VALUES:
            raise InvalidError(f"__in needs a list of at most {MOST_VALUES} values", name)
        return tuple(_typed(collection, condition, field, item) for item in value)
    if value is None and op not in _EXACT:
        raise InvalidError(f"cannot be compared with null by {op!s}", name)
    return _typed(collection, condition, field, value)


def _typed(collection: Collection, condition: Condition, field: Field | None, value: object) -> Any:
    if condition.path == ("id",):
        return _id_operand(collection, condition.op, value)
    if condition.path == ("version",):
        return key_of(Field("version", Kind.INTEGER), value)
    if condition.op is Op.STARTSWITH and not isinstance(value, str):
        raise InvalidError("__startswith needs a text", condition.name)
    if field and condition.op is Op.CONTAINS:
        return key_of(Field(field.name, Kind.SEARCH), value)
    if field:
        return key_of(field, value)
    try:
        return strict_json.loads(strict_json.dumps(value))
    except strict_json.StrictJSONError as error:
        raise InvalidError(error.reason, condition.name) from error


def _id_operand(collection: Collection, op: Op, value: object) -> Any:
    if collection.ids is not Ids.SEQUENCE:
        if not isinstance(value, str):
            raise InvalidError("is a text", "id")
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidError("is a whole number", "id")
    if op not in _ORDERED:
        raise InvalidError(f"is a whole number, which cannot be asked with {op!s}", "id")
    return value


def _words(value: object, name: str) -> tuple[str, ...]:
    words = tuple(fold(value).split()) if isinstance(value, str) else ()
    if not words:
        raise InvalidError("__search needs a text with a word in it", name)
    return words


def _holds(node: Node, row: Row) -> bool:
    if isinstance(node, Condition):
        return _compare(node, _value(node, row))
    if isinstance(node, Not):
        return not _holds(node.part, row)
    return (any if isinstance(node, AnyOf) else all)(_holds(part, row) for part in node.parts)


def _value(condition: Condition, row: Row) -> Any:
    if condition.field:
        return row.keys[condition.field.name]
    if condition.path == ("id",):
        return row.id
    if condition.path == ("version",):
        return row.version
    return dig(row.document, condition.path)


def _compare(condition: Condition, value: Any) -> bool:
    op, wanted = condition.op, condition.value
    if op is Op.EQ:
        return same(value, wanted)
    if op is Op.NE:
        return not same(value, wanted)
    if op is Op.IN:
        return any(same(value, item) for item in wanted)
    if op is Op.ISNULL:
        return (value is None) is wanted
    if op in RANGES:
        return _comparable(value, wanted) and RANGES[op](value, wanted)
    if op is Op.CONTAINS:
        return _has(value, wanted)
    if op is Op.STARTSWITH:
        return isinstance(value, str) and value.startswith(wanted)
    return _found(value, wanted)


def _comparable(value: object, wanted: object) -> bool:
    if isinstance(value, str) or isinstance(wanted, str):
        return isinstance(value, str) and isinstance(wanted, str)
    return _is_number(value) and _is_number(wanted)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _has(value: object, wanted: object) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted in value
    return isinstance(value, (list, tuple)) and any(same(item, wanted) for item in value)


def _found(value: object, words: tuple[str, ...]) -> bool:
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        value = "\n".join(value)
    if not isinstance(value, str):
        return False
    folded = fold(value)
    return all(word in folded for word in words)
