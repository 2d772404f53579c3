"""Where in the original text the matches are. Engines would show what they indexed; these are offsets into yours."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from storage_app.search import tokens
from storage_app.search.query import Phrase, Search, Substring, wanted
from storage_app.search.tokens import Token


class Span(NamedTuple):
    start: int
    end: int


@dataclass(frozen=True)
class Excerpt:
    """`text[start:end]` of the original, and the spans in it, counted from the original's beginning."""

    start: int
    end: int
    spans: tuple[Span, ...]


def highlights(search: Search | None, text: str) -> list[Span]:
    """What to mark, in order; spans that touch or overlap are one."""
    asked = list(wanted(search))
    phrases = [phrase for phrase in asked if isinstance(phrase, Phrase)]
    streams = tokens.streams(text) if phrases else []
    found = [span for stream in streams for span in _phrases(phrases, stream)]
    needles = {one.needle for one in asked if isinstance(one, Substring)}
    return _merged([*found, *(span for needle in sorted(needles) for span in _needles(needle, text))])


def excerpt(text: str, spans: Sequence[Span], width: int = 200) -> Excerpt:
    """The stretch of about `width` characters with the most to mark, the earliest of these; cut between words."""
    first = max(spans, key=lambda span: (_within(spans, span.start, span.start + width), -span.start), default=None)
    if first is None or len(text) <= width:
        start, end = 0, _cut_before(text, width)
    else:
        start = max(0, min(first.start - width // 4, len(text) - width))
        start = _cut_after(text, start, first.start)
        end = max(_cut_before(text, start + width), min(first.end, start + width))
    inside = [Span(max(span.start, start), min(span.end, end)) for span in spans]
    return Excerpt(start, end, tuple(span for span in inside if span.start < span.end))


def _phrases(phrases: Sequence[Phrase], stream: Sequence[Token]) -> Iterator[Span]:
    places: dict[str, list[int]] = {}
    for place, token in enumerate(stream):
        places.setdefault(token.text, []).append(place)
    for phrase in phrases:
        yield from _forms(phrase, stream, places)


def _forms(phrase: Phrase, stream: Sequence[Token], places: Mapping[str, Sequence[int]]) -> Iterator[Span]:
    for form in phrase.forms:
        last = len(form) - 1
        starts = range(len(stream)) if phrase.prefix and not last else places.get(form[0], ())
        for start in starts:
            if start + last < len(stream) and all(
                _is(stream[start + step].text, token, prefix=phrase.prefix and step == last)
                for step, token in enumerate(form)
            ):
                yield Span(stream[start].start, stream[start + last].end)


def _is(found: str, token: str, *, prefix: bool) -> bool:
    return found.startswith(token) if prefix else found == token


def _needles(needle: str, text: str) -> Iterator[Span]:
    folded = text.casefold()
    offsets = None if len(folded) == len(text) and text.isascii() else _offsets(text)
    place = folded.find(needle)
    while place >= 0:
        end = place + len(needle)
        yield (
            Span(place, end)
            if offsets is None
            else Span(bisect_right(offsets, place) - 1, bisect_right(offsets, end - 1))
        )
        place = folded.find(needle, end)


def _offsets(text: str) -> list[int]:
    """For each character of the text, where it begins in the folded text."""
    offsets, place = [], 0
    for character in text:
        offsets.append(place)
        place += len(character.casefold())
    return offsets


def _merged(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def _within(spans: Sequence[Span], start: int, end: int) -> int:
    return bisect_right(spans, Span(end, end)) - bisect_right(spans, Span(start, start))


def _cut_after(text: str, place: int, before: int) -> int:
    """The beginning of the next word, if one begins before what is to be seen."""
    if place == 0 or text[place - 1].isspace():
        return place
    for next_place in range(place, min(before, place + 30)):
        if text[next_place].isspace():
            return next_place + 1
    return place


def _cut_before(text: str, place: int) -> int:
    if place >= len(text):
        return len(text)
    for last in range(place, max(place - 30, 0), -1):
        if text[last].isspace():
            return last
    return place
