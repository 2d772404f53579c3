"""Texts with what was found in them marked, and two texts side by side, as pieces for a template."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from storage_app.search.highlights import Excerpt, Span

MOST_LINES: Final = 2000  # of a comparison; it takes quadratic time


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """`kind` is `added`, `removed`, `same` or `gap`."""

    kind: str
    text: str


def pieces(text: str, spans: Sequence[Span], start: int, end: int) -> Iterator[Piece]:
    """`text[start:end]`, cut where the marks begin and end."""
    place = start
    for span in spans:
        first, last = max(span.start, start), min(span.end, end)
        if first >= last:
            continue
        if place < first:
            yield Piece(text[place:first])
        yield Piece(text[first:last], marked=True)
        place = last
    if place < end:
        yield Piece(text[place:end])


def excerpt_pieces(text: str, excerpt: Excerpt) -> list[Piece]:
    before = [Piece("… ")] if excerpt.start else []
    after = [Piece(" …")] if excerpt.end < len(text) else []
    return [*before, *pieces(text, excerpt.spans, excerpt.start, excerpt.end), *after]


def difference(old: str, new: str) -> list[Line]:
    """Line by line, with a little of what is the same around it."""
    before, after = old.splitlines()[:MOST_LINES], new.splitlines()[:MOST_LINES]
    found = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    kinds = {"+": "added", "-": "removed", "@": "gap"}
    return [Line(kinds.get(line[:1], "same"), "⋯" if line.startswith("@") else line[1:]) for line in found]
