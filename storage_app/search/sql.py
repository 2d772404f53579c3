"""A search as one SQL condition: an engine says how tokens and substrings are asked for, the rest is the same for all.

User text only ever goes into parameters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from storage_app.search.nodes import Term
from storage_app.search.query import Every, Filter, No, Search, Some, Substring, is_of_tokens


@dataclass(frozen=True)
class Sql:
    """A condition that is true or false, never null, with its parameters in order."""

    text: str
    params: tuple[Any, ...] = ()


FilterSql: TypeAlias = Callable[[Term], Sql]


class Engine(Protocol):
    def of_tokens(self, search: Search) -> Sql:
        """What consists of phrases alone, at one go."""

    def of_substring(self, needle: str) -> Sql:
        """`needle in text.casefold()`."""


def condition(search: Search | None, engine: Engine, filters: FilterSql) -> Sql:
    """The condition that a row must meet; `filters` gives that of a `field:value`, which must not be null either."""
    if search is None:
        return Sql("1 = 1")
    if is_of_tokens(search):
        return engine.of_tokens(search)
    if isinstance(search, Substring):
        return engine.of_substring(search.needle)
    if isinstance(search, Filter):
        return filters(search.term)
    if isinstance(search, No):
        return negation(condition(search.part, engine, filters))
    if isinstance(search, (Every, Some)):
        parts = [condition(part, engine, filters) for part in _grouped(search)]
        return connected("AND" if isinstance(search, Every) else "OR", parts)
    raise TypeError(search)


def connected(word: str, parts: Sequence[Sql]) -> Sql:
    return Sql(
        f"({f' {word} '.join(part.text for part in parts)})", tuple(one for part in parts for one in part.params)
    )


def negation(part: Sql) -> Sql:
    return Sql(f"(NOT {part.text})", part.params)


def _grouped(search: Every | Some) -> list[Search]:
    """What the index of tokens answers is asked of it at one go."""
    easy = tuple(part for part in search.parts if is_of_tokens(part))
    rest = [part for part in search.parts if not is_of_tokens(part)]
    if len(easy) < 2:
        return [*easy, *rest]
    return [type(search)(easy), *rest]
