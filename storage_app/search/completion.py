"""What may stand where somebody is typing: fields, their signs and values; and which part of the text it replaces."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from storage_app.search.fields import LISTED, Field, Fields, Kind
from storage_app.search.nodes import needs_quotes, quote

Values: TypeAlias = Callable[[str, str], Iterable[str]]
MOST: Final = 12


@dataclass(frozen=True)
class Option:
    """`insert` takes the place of the completion's part of the text; `label` and `detail` are for people."""

    insert: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Completion:
    start: int
    end: int
    options: tuple[Option, ...]


def complete(text: str, cursor: int, fields: Fields, values: Values | None = None, most: int = MOST) -> Completion:
    """What the word at the cursor can become. `values(name, typed)` gives known values of a field that begin with what
    was typed; of a dotted field itself (`options`) its paths, of `options.lang` the values there.
    """
    cursor = max(0, min(cursor, len(text)))
    start, end = _word_at(text, cursor)
    typed = text[start:cursor]
    name, colon, value = typed.partition(":")
    if not colon:
        return Completion(start, end, tuple(islice(_names(typed, fields, values), most)))
    field = fields.find(name)
    if field is None:
        return Completion(cursor, cursor, ())
    sign = _SIGN.match(value)
    place = start + len(name) + 1 + (sign.end() if sign and field.kind not in _EXAMPLES else 0)
    if field.kind in LISTED:
        place = max(place, text.rfind(",", place, cursor) + 1)
    found = _values(field, fields.canonical(name), text[place:cursor].removeprefix('"'), values)
    return Completion(place, end, tuple(islice(found, most)))


_SIGN: Final = re.compile(r">=|<=|>|<|=")
_WORD: Final = re.compile(r'-?(?:"(?:[^"\\]|\\.)*+"?|[^\s"()|])++', re.DOTALL)
_EXAMPLES: Final = {
    Kind.TIME: (
        (">-1h", "in the last hour"),
        (">-24h", "in the last 24 hours"),
        (">-7d", "in the last 7 days"),
        ("today", "since midnight, UTC"),
        ("yesterday", "the day before, UTC"),
    ),
    Kind.DURATION: ((">10s", "longer than"), (">1m", ""), (">5m", ""), (">1h", ""), ("1m..5m", "from, to")),
    Kind.INTEGER: ((">=1", "at least"), ("<0", "less than"), ("1..5", "from, to")),
    Kind.NUMBER: ((">=1", "at least"), ("<0", "less than"), ("1..5", "from, to")),
}


def _word_at(text: str, cursor: int) -> tuple[int, int]:
    """The word that the cursor stands in or behind, its minus left out; nothing between two words."""
    for match in _WORD.finditer(text):
        if match.start() < cursor <= match.end():
            minus = match[0].startswith("-") and len(match[0]) > 1 and cursor > match.start() + 1
            return match.start() + minus, match.end()
    return cursor, cursor


def _names(typed: str, fields: Fields, values: Values | None) -> Iterator[Option]:
    wanted = typed.lower()
    for field in fields.fields:
        if any(name.startswith(wanted) for name in (field.name, *field.aliases)):
            insert = f"{field.name}{'.' if field.dotted else ':'}"
            yield Option(insert, insert, field.help)
    yield from _paths(typed, fields, values)
    if wanted:
        for field in fields.fields:
            for choice in field.choices:
                if choice.lower().startswith(wanted):
                    insert = f"{field.name}:{_quoted(choice)}"
                    yield Option(insert, insert, field.help)


def _paths(typed: str, fields: Fields, values: Values | None) -> Iterator[Option]:
    head, dot, path = typed.partition(".")
    field = fields.by_name.get(head.lower())
    if dot and values is not None and field is not None and field.dotted:
        for known in values(field.name, path):
            yield Option(f"{field.name}.{known}:", f"{field.name}.{known}:", field.help)


def _values(field: Field, name: str, typed: str, values: Values | None) -> Iterator[Option]:
    for choice in field.choices:
        if choice.lower().startswith(typed.lower()):
            yield Option(_quoted(choice), choice)
    for example, meaning in _EXAMPLES.get(field.kind, ()):
        if example.startswith(typed):
            yield Option(example, example, meaning)
    if values is not None and not field.choices:
        for value in values(name, typed):
            yield Option(_quoted(value), value)


def _quoted(value: str) -> str:
    return quote(value) if needs_quotes(value) else value
