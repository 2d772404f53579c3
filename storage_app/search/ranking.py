"""The order of results, computed here and not by an engine, so that it is the same on all of them: BM25 over the
numbers of one project alone, ties by time touched (newest first), then by id.

What counts is each token that is looked for, one by one, also those of a phrase; of `pre*` all that begin so. A text
that is indexed twice because of its humps counts once.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

from storage_app.search.query import Every, Phrase, Search, Some, wanted
from storage_app.search.tokens import BARRIER, spelled

T = TypeVar("T")
SATURATION: Final = 1.2
LENGTH_WEIGHT: Final = 0.75


@dataclass(frozen=True)
class Scored:
    """A token, in the spelling of the index, that a score is made of."""

    token: str
    prefix: bool = False


@dataclass(frozen=True)
class Statistics:
    """Of one project: its texts, their tokens in all (`tokens.length` of each), and in how many texts each scored
    token is.
    """

    texts: int
    tokens: int
    frequencies: Mapping[Scored, int]


class Hit(NamedTuple, Generic[T]):
    """A text that matched: its stored `index_text`, and when it was touched, as anything that can be ordered."""

    id: T
    index_text: str
    touched: Any


class Ranked(NamedTuple, Generic[T]):
    id: T
    score: float


def scored(search: Search | None) -> tuple[Scored, ...]:
    """What to count for the statistics: in the order in which it is asked, each once."""
    found = [
        Scored(spelled(token), phrase.prefix and place == len(form) - 1)
        for phrase in wanted(search)
        if isinstance(phrase, Phrase)
        for form in phrase.forms
        for place, token in enumerate(form)
    ]
    return tuple(dict.fromkeys(found))


def likely(search: Search | None, statistics: Statistics) -> float:
    """How many texts will match about, if their tokens have nothing to do with each other."""
    return statistics.texts * _share(search, statistics)


def rank(hits: Iterable[Hit[T]], terms: Sequence[Scored], statistics: Statistics) -> list[Ranked[T]]:
    """Best first. `id` must be comparable."""
    score = scorer(terms, statistics)
    found = [(hit, score(hit.index_text)) for hit in hits]
    found.sort(key=_id)
    found.sort(key=lambda one: one[0].touched, reverse=True)
    found.sort(key=lambda one: one[1], reverse=True)
    return [Ranked(hit.id, points) for hit, points in found]


def scorer(terms: Sequence[Scored], statistics: Statistics) -> Callable[[str], float]:
    """The score of one text by its stored `index_text`."""
    weights = [(_counter(term), _rarity(statistics.texts, statistics.frequencies.get(term, 0))) for term in terms]
    average = statistics.tokens / statistics.texts if statistics.tokens and statistics.texts else 1.0

    def score(index_text: str) -> float:
        whole, between, uncut = index_text.partition(_BETWEEN)
        if between:
            whole, uncut = f"{whole} ", f" {uncut}"
        norm = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * _length(whole) / average)
        points = 0.0
        for count_in, rarity in weights:
            count = count_in(whole)
            if between:
                count = max(count, count_in(uncut))
            points += rarity * count * (SATURATION + 1) / (count + norm)
        return points

    return score


_BETWEEN: Final = f" {spelled(BARRIER)} "
_NOTHING: Final = 2  # blanks round no token at all


def _share(search: Search | None, statistics: Statistics) -> float:
    """Of all texts, those that match."""
    if isinstance(search, Phrase):
        return min(1.0, sum(_share_of_form(replace(search, forms=(form,)), statistics) for form in search.forms))
    if isinstance(search, Every):
        return math.prod(_share(part, statistics) for part in search.parts)
    if isinstance(search, Some):
        return min(1.0, sum(_share(part, statistics) for part in search.parts))
    return 1.0


def _share_of_form(phrase: Phrase, statistics: Statistics) -> float:
    """Those with all its tokens, by the places that each but the first could have."""
    texts, terms = max(statistics.texts, 1), scored(phrase)
    places = max(statistics.tokens / texts, 1) ** (len(terms) - 1)
    return math.prod(statistics.frequencies.get(term, texts) / texts for term in terms) / places


def _id(found: tuple[Hit[T], float]) -> Any:
    return found[0].id


def _rarity(texts: int, frequency: int) -> float:
    return math.log(1 + (max(texts, frequency) - frequency + 0.5) / (frequency + 0.5))


def _length(text: str) -> int:
    """How many tokens stand in it, with one blank before, between and after them."""
    return max(text.count(" ") - 1, 0) if len(text) > _NOTHING else 0


def _counter(term: Scored) -> Callable[[str], int]:
    """Counts a token in a text that has one blank before, between and after its tokens: much quicker than looking at
    each of them, and this is done for thousands of texts.
    """
    begin, alone, twice = f" {term.token}", f" {term.token} ", f" {term.token} {term.token} "

    def count(text: str) -> int:
        if term.prefix:
            return text.count(begin)
        if twice in text:  # two share a blank, and only one of them would be counted
            return text.split(" ").count(term.token)
        return text.count(alone)

    return count
