"""The order of results, computed here and not by an engine, so that it is the same on all of them: BM25 over the
numbers of one project alone, ties by time touched (newest first), then by id.

What counts is each token that is looked for, one by one, also those of a phrase; of `pre*` all that begin so. A text
that is indexed twice because of its humps counts once.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

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


@dataclass(frozen=True)
class Hit(Generic[T]):
    """A text that matched: its stored `index_text`, and when it was touched, as anything that can be ordered."""

    id: T
    index_text: str
    touched: Any


@dataclass(frozen=True)
class Ranked(Generic[T]):
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


def at_most(search: Search | None, statistics: Statistics) -> int:
    """No more texts than this can match, by what is known of the tokens."""
    if isinstance(search, Phrase):
        return sum(
            min(statistics.frequencies.get(term, statistics.texts) for term in scored(replace(search, forms=(form,))))
            for form in search.forms
        )
    if isinstance(search, Every):
        return min(at_most(part, statistics) for part in search.parts)
    if isinstance(search, Some):
        return sum(at_most(part, statistics) for part in search.parts)
    return statistics.texts


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
    weights = [(term, _rarity(statistics.texts, statistics.frequencies.get(term, 0))) for term in terms]
    average = statistics.tokens / statistics.texts if statistics.tokens else 1.0

    def score(index_text: str) -> float:
        whole, _, uncut = index_text.partition(_BETWEEN)
        streams = [(whole, whole.split()), *([(uncut, uncut.split())] if uncut else [])]
        norm = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * len(streams[0][1]) / average)
        points = 0.0
        for term, rarity in weights:
            count = max(_count(term, text, words) for text, words in streams)
            points += rarity * count * (SATURATION + 1) / (count + norm)
        return points

    return score


_BETWEEN: Final = f" {spelled(BARRIER)} "


def _id(found: tuple[Hit[T], float]) -> Any:
    return found[0].id


def _rarity(texts: int, frequency: int) -> float:
    return math.log(1 + (max(texts, frequency) - frequency + 0.5) / (frequency + 0.5))


def _count(term: Scored, text: str, words: Sequence[str]) -> int:
    if term.prefix:
        return text.startswith(term.token) + text.count(f" {term.token}")
    return words.count(term.token)
