"""Finding records by the words of their text: what is asked of a backend, what it answers, and how it is made plain.

A collection has at most one field of kind WORDS. Every backend answers the same: the texts for which
`search.query.matches` holds, the newest first, as many as are asked for, with the statistics of that one project. The
order of results is made of these by `search.ranking`, so it is the same everywhere too.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from storage_app.records import query
from storage_app.records.declarations import Collection, Field, Key
from storage_app.records.errors import InvalidError
from storage_app.records.query import Node, Row, Where
from storage_app.search import tokens
from storage_app.search.nodes import Term
from storage_app.search.query import Document, Every, Filter, No, Phrase, Search, Some, Substring, matches
from storage_app.search.ranking import Hit, Scored, Statistics, scored

MOST_HITS: Final = 2000
NEVER: Final = -(2**63)  # the time of a record that has none: older than any

Meaning = Callable[[Term], Node]


@dataclass(frozen=True)
class Hits:
    """The newest that match, and whether there are more; what is needed to put them in order."""

    hits: list[Hit[str]]
    capped: bool
    statistics: Statistics


class Tallies:
    """How often words are in the texts of a collection, remembered until something in it changes."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[int, Statistics]] = {}
        self._lock = threading.Lock()

    def get(
        self,
        place: tuple[str, str],
        counter: int,
        wanted: Sequence[Scored],
        totals: Callable[[], tuple[int, int]],
        frequency: Callable[[Scored], int],
    ) -> Statistics:
        """`counter` is the collection's change counter, read before. The others look up what is not known: the texts
        with their tokens in all, and in how many texts a term is.
        """
        with self._lock:
            known = self._known.get(place)
        statistics = known[1] if known is not None and known[0] == counter else None
        missing = [term for term in wanted if statistics is None or term not in statistics.frequencies]
        if statistics is None or missing:
            texts, length = totals() if statistics is None else (statistics.texts, statistics.tokens)
            kept = {} if statistics is None or len(statistics.frequencies) > _MOST_KEPT else statistics.frequencies
            found = {term: frequency(term) for term in missing}
            statistics = Statistics(texts, length, {**kept, **found})
            with self._lock:
                if len(self._known) > _MOST_KEPT:
                    self._known.clear()
                self._known[place] = counter, statistics
        chosen = {term: statistics.frequencies[term] for term in wanted}
        return Statistics(statistics.texts, statistics.tokens, chosen)


@dataclass(frozen=True)
class WordSelect:
    """A validated request as a backend gets it. `meanings` has the compiled condition of each filter in `search`."""

    collection: Collection
    field: Field
    search: Search | None
    meanings: Mapping[Term, Node]
    where: Where
    most: int

    @cached_property
    def scored(self) -> tuple[Scored, ...]:
        return scored(self.search)

    def holds(self, text: str, row: Row) -> bool:
        """The last word on whether this record is meant."""
        return query.matches(self.where, row) and self.matches(Document(text), row)

    def matches(self, document: Document, row: Row) -> bool:
        return matches(self.search, document, lambda term: query.matches((self.meanings[term],), row))


def word_select(
    collection: Collection, search: Search | None, meaning: Meaning, conditions: query.Conditions, most: int
) -> WordSelect:
    field = collection.words
    if field is None:
        raise InvalidError("has no text to search", collection.name)
    if not 1 <= most <= MOST_HITS:
        raise InvalidError(f"must be from 1 to {MOST_HITS}", "most")
    terms = dict.fromkeys(_terms(search))
    compiled = {term: query.compiled(collection, [meaning(term)])[0] for term in terms}
    return WordSelect(collection, field, search, compiled, query.compiled(collection, conditions), most)


def bounded(search: Search | None, knows: Callable[[Filter], bool]) -> tuple[Search | None, bool]:
    """The search without the filters that an engine cannot judge: it finds all that was meant, and where the second
    value is false, perhaps more.
    """
    exact = True

    def told(part: Search, upper: bool) -> Search | bool:
        nonlocal exact
        if isinstance(part, Filter):
            if knows(part):
                return part
            exact = False
            return upper
        if isinstance(part, No):
            inner = told(part.part, not upper)
            return (not inner) if isinstance(inner, bool) else No(inner)
        if isinstance(part, (Every, Some)):
            return _joined(part, [told(one, upper) for one in part.parts])
        return part

    if search is None:
        return None, True
    found = told(search, True)
    if found is False:
        raise AssertionError("an upper bound of what can hold is never empty")
    return (None if found is True else found), exact


def scanned(asked: WordSelect, rows: Iterable[tuple[str, Row]]) -> Hits:
    """By looking at every text; what the quicker ways are held to."""
    texts = total = 0
    counts = dict.fromkeys(asked.scored, 0)
    found: list[Hit[str]] = []
    for text, row in rows:
        document = Document(text)
        texts += 1
        total += tokens.length(document.tokens)
        for term in counts:
            counts[term] += any(map(_tester(term), document.vocabulary))
        if query.matches(asked.where, row) and asked.matches(document, row):
            found.append(Hit(str(row.id), tokens.index_text_of(document.tokens), newest_of(asked.field, row.keys)))
    found = newest_first(found)
    return Hits(found[: asked.most], len(found) > asked.most, Statistics(texts, total, counts))


def newest_first(hits: Iterable[Hit[str]]) -> list[Hit[str]]:
    ordered = sorted(hits, key=lambda hit: hit.id)
    ordered.sort(key=lambda hit: hit.touched, reverse=True)
    return ordered


def newest_of(field: Field, keys: Mapping[str, Key]) -> int:
    moment = keys[field.newest]
    return moment if isinstance(moment, int) else NEVER


def text_of(collection: Collection, keys: Mapping[str, Key]) -> str | None:
    """What is indexed of a record; None where nothing is, as in a partition that is left out."""
    field = collection.words
    if field is None or (collection.partition is not None and keys[collection.partition] in field.absent_in):
        return None
    text = keys[field.name]
    return text if isinstance(text, str) else None


_MOST_KEPT: Final = 10_000


def _terms(search: Search | None) -> Iterator[Term]:
    if isinstance(search, Filter):
        yield search.term
    elif isinstance(search, No):
        yield from _terms(search.part)
    elif isinstance(search, (Every, Some)):
        for part in search.parts:
            yield from _terms(part)
    elif search is not None and not isinstance(search, (Phrase, Substring)):
        raise TypeError(search)


def _joined(whole: Every | Some, parts: list[Search | bool]) -> Search | bool:
    decides = isinstance(whole, Some)  # one that is true decides an alternative, one that is false the other
    if any(part is decides for part in parts):
        return decides
    left = tuple(part for part in parts if not isinstance(part, bool))
    if not left:
        return not decides
    return left[0] if len(left) == 1 else replace(whole, parts=left)


def _tester(term: Scored) -> Callable[[str], Any]:
    if term.prefix:
        return lambda token: tokens.spelled(token).startswith(term.token)
    return lambda token: tokens.spelled(token) == term.token
