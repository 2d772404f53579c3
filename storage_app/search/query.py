"""What a query asks of a text, and the oracle that says whether a text answers it.

Every engine must find exactly what `matches` finds. A word is a phrase of its tokens, in the forms of `tokens.forms`:
`src/x`, `pre-edit`, `2026-03-14` and `don't` find what they name. What has no token (`->`, an emoji) is looked for as
it stands, as `sub:"…"` is: the needle in the text, both case-folded.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from storage_app.search import nodes, tokens
from storage_app.search.fields import Comparison, Fields, Kind
from storage_app.search.nodes import Term


@dataclass(frozen=True)
class Phrase:
    """One of the forms, token after token; with `prefix` the last token is the beginning of one."""

    forms: tuple[tuple[str, ...], ...]
    prefix: bool = False


@dataclass(frozen=True)
class Substring:
    needle: str  # case-folded


@dataclass(frozen=True)
class Filter:
    """A condition on something else than the text; whoever searches knows what."""

    term: Term


@dataclass(frozen=True)
class Every:
    parts: tuple["Search", ...]


@dataclass(frozen=True)
class Some:
    parts: tuple["Search", ...]


@dataclass(frozen=True)
class No:
    part: "Search"


Search: TypeAlias = Phrase | Substring | Filter | Every | Some | No
Filters: TypeAlias = Callable[[Term], bool]


class Document:
    """A text as the oracle looks at it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens.indexed(text)

    @cached_property
    def folded(self) -> str:
        return self.text.casefold()

    @cached_property
    def places(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, token in enumerate(self.tokens):
            found.setdefault(token, []).append(place)
        return found

    @cached_property
    def vocabulary(self) -> list[str]:
        return sorted(self.places)


def search_of(query: nodes.Query, fields: Fields) -> Search | None:
    """What the query asks; None: nothing, so that every text answers."""
    return None if query.node is None else _asked(query.node, fields)


def matches(search: Search | None, document: Document, filters: Filters) -> bool:
    if search is None:
        return True
    if isinstance(search, Phrase):
        return any(has_phrase(document, form, prefix=search.prefix) for form in search.forms)
    if isinstance(search, Substring):
        return search.needle in document.folded
    if isinstance(search, Filter):
        return filters(search.term)
    if isinstance(search, No):
        return not matches(search.part, document, filters)
    return (all if isinstance(search, Every) else any)(matches(part, document, filters) for part in search.parts)


def has_phrase(document: Document, form: Sequence[str], *, prefix: bool) -> bool:
    *begin, last = form
    if not begin:
        return any(_begun(document.vocabulary, last)) if prefix else last in document.places
    rarest = min(range(len(begin)), key=lambda place: len(document.places.get(begin[place], ())))
    for place in document.places.get(begin[rarest], ()):
        start = place - rarest
        end = start + len(begin)
        if start < 0 or end >= len(document.tokens) or document.tokens[start:end] != begin:
            continue
        found = document.tokens[end]
        if found.startswith(last) if prefix else found == last:
            return True
    return False


def wanted(search: Search | None) -> Iterator[Phrase | Substring]:
    """What is looked for in the text, without what must not be there: for scores and highlights."""
    if isinstance(search, (Phrase, Substring)):
        yield search
    elif isinstance(search, (Every, Some)):
        for part in search.parts:
            yield from wanted(part)


def narrows(search: Search | None) -> bool:
    """Whether whatever answers it has one of a few words, so that an index of words leads there."""
    if isinstance(search, Every):
        return any(map(narrows, search.parts))
    if isinstance(search, Some):
        return all(map(narrows, search.parts))
    return isinstance(search, Phrase)


def is_of_tokens(search: Search) -> bool:
    """Whether an index of tokens alone can answer it."""
    if isinstance(search, (Every, Some)):
        return all(map(is_of_tokens, search.parts))
    return is_of_tokens(search.part) if isinstance(search, No) else isinstance(search, Phrase)


def _asked(node: nodes.Node, fields: Fields) -> Search:
    if isinstance(node, nodes.Text):
        return _text(node)
    if isinstance(node, Term):
        field = fields.by_name[node.field.partition(".")[0]]
        if field.kind is Kind.SUBSTRING and node.comparison is Comparison.IS:
            return Substring(node.values[0].text.casefold())
        return Filter(node)
    if isinstance(node, nodes.Not):
        return No(_asked(node.part, fields))
    parts = tuple(_asked(part, fields) for part in node.parts)
    return Every(parts) if isinstance(node, nodes.And) else Some(parts)


def _text(node: nodes.Text) -> Phrase | Substring:
    forms = tokens.forms(node.text)
    if not forms:
        return Substring(node.text.casefold())
    return Phrase(forms, node.prefix and _ends_in_token(node.text))


def _ends_in_token(text: str) -> bool:
    """In `foo-*` the beginning that is meant comes after the minus."""
    return tokens.tokenize(text)[-1].end == len(text)


def _begun(vocabulary: list[str], beginning: str) -> Iterator[bool]:
    place = bisect_left(vocabulary, beginning)
    if place < len(vocabulary) and vocabulary[place].startswith(beginning):
        yield True
