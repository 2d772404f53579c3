"""What an index of three characters in a row can say of a search: which texts may have the words in them.

`__search` looks for words anywhere in a text, so an index of whole words cannot answer it. Every text with a word in it
has all of the word's runs of three characters, too; so they narrow, and the condition itself has the last word. A word
of one or two characters has no such run and narrows nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from storage_app.records.declarations import Field
from storage_app.records.query import AllOf, AnyOf, Condition, Node, Op

LENGTH: Final = 3
# Few are enough to narrow, and each costs a look into the index.
MOST_OF_A_WORD: Final = 8
MOST_OF_A_SEARCH: Final = 24


@dataclass(frozen=True)
class All:
    parts: tuple["Grams", ...]


@dataclass(frozen=True)
class Any:
    parts: tuple["Grams", ...]


Grams: TypeAlias = str | All | Any


def of_text(text: str) -> set[str]:
    """Of a folded text."""
    return {text[start : start + LENGTH] for start in range(len(text) - LENGTH + 1)}


def wanted(nodes: Iterable[Node], field: Field) -> Grams | None:
    """What every text has that meets all the conditions; None where that narrows nothing."""
    found = [grams for node in nodes if (grams := _of_node(node, field)) is not None]
    if not found:
        return None
    together = found[0] if len(found) == 1 else All(tuple(found))
    return together if sum(1 for _ in _leaves(together)) <= MOST_OF_A_SEARCH else _fewer(found)


def _of_node(node: Node, field: Field) -> Grams | None:
    if isinstance(node, Condition):
        if node.field != field or node.op is not Op.SEARCH:
            return None
        grams = [gram for word in node.value for gram in _of_word(word)][:MOST_OF_A_SEARCH]
        return All(tuple(grams)) if grams else None
    if isinstance(node, AllOf):
        return wanted(node.parts, field)
    if isinstance(node, AnyOf) and node.parts:
        parts = [_of_node(part, field) for part in node.parts]
        known = [part for part in parts if part is not None]
        return Any(tuple(known)) if len(known) == len(parts) else None
    return None


def _of_word(word: str) -> list[str]:
    """Spread over the word, its beginning and end among them."""
    last = len(word) - LENGTH
    if last < 0 or not _can_be_asked(word):
        return []
    number = min(MOST_OF_A_WORD, last // 2 + 2, last + 1)
    places = {round(last * step / max(number - 1, 1)) for step in range(number)}
    return [word[place : place + LENGTH] for place in sorted(places)]


def _can_be_asked(word: str) -> bool:
    return "\0" not in word and not any("\ud800" <= sign <= "\udfff" for sign in word)


def _leaves(grams: Grams) -> Iterator[str]:
    if isinstance(grams, str):
        yield grams
    else:
        for part in grams.parts:
            yield from _leaves(part)


def _fewer(found: list[Grams]) -> Grams | None:
    """One of many conditions, if one alone is small enough."""
    return next((grams for grams in found if sum(1 for _ in _leaves(grams)) <= MOST_OF_A_SEARCH), None)


def as_match(grams: Grams) -> str:
    """For FTS5 with the trigram tokenizer."""
    if isinstance(grams, str):
        doubled = grams.replace('"', '""')
        return f'"{doubled}"'
    sign = " AND " if isinstance(grams, All) else " OR "
    return f"({sign.join(map(as_match, grams.parts))})"


def as_tsquery(grams: Grams) -> str:
    if isinstance(grams, str):
        return _lexeme(grams)
    sign = " & " if isinstance(grams, All) else " | "
    return f"({sign.join(map(as_tsquery, grams.parts))})"


def as_tsvector(text: str) -> str | None:
    """The literal for a folded text; None where PostgreSQL could not hold it."""
    found = sorted(of_text(text))
    return None if len(found) > _MOST_LEXEMES else " ".join(map(_lexeme, found))


_MOST_LEXEMES: Final = 60_000  # of at most 12 bytes and 4 of their own; the whole may have 2^20


def _lexeme(gram: str) -> str:
    return "'" + gram.replace("\\", "\\\\").replace("'", "''") + "'"
