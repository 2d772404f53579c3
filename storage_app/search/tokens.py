"""What a word is, for every store alike: the text that engines index and the words that queries ask for come from here.

A text is read in NFKC, a run of letters and digits is a token, in NFKC of its case folding:

- What is neither letter nor digit separates: `src/foo_bar.py` is src, foo, bar, py; `2026-03-14` is 2026, 03, 14.
- `camelCase`, `HTTPServer` and `UTF8String` are cut at their humps, `2026-03-14T12:00Z` at its T and Z. Since `GitHub`
  should be found by `github` and the other way round, a text with humps is indexed a second time with its words uncut,
  behind a barrier (`indexed`), and a word with humps is asked for in both forms (`forms`).
- Scripts that are written without blanks (Han, Kana, Hangul, Thai, Lao, Khmer, Burmese) are cut into characters, so
  that any part of a sentence is a phrase.
- Combining marks stay with their letter; what shows nothing (soft hyphen, joiners, directions, variants) is skipped.
- A token has at most 100 characters; a longer run becomes several, one after the other, and so does it in a query.

Engines get tokens in a spelling of letters that each of them keeps whole (`spelled`): FTS5 cuts at marks, and at
letters that are younger than it is. The spelling is one to one, and a beginning stays a beginning.

Tokens know where they stand in the original text, whose length NFKC changes. All is linear in the length of the text.
`VERSION` belongs beside whatever is stored: when it changes, an index is built anew.
"""

import re
import unicodedata
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

VERSION: Final = 1
LONGEST_TOKEN: Final = 100
BARRIER: Final = "\ue001"  # private use is neither letter nor digit, so no text and no query has it as a token


class Token(NamedTuple):
    """`start` and `end` are offsets into the original text."""

    text: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """The tokens of a text in their order, words cut at their humps."""
    return list(_tokens(_Normal.of(text), cut=True))


def uncut(text: str) -> list[Token]:
    """The same with words left whole at their humps."""
    return list(_tokens(_Normal.of(text), cut=False))


def streams(text: str) -> list[list[Token]]:
    """What a phrase may stand in: the tokens cut at their humps, and uncut where that differs."""
    normal = _Normal.of(text)
    cut = list(_tokens(normal, cut=True))
    return [cut, list(_tokens(normal, cut=False))] if _has_capitals(normal) else [cut]


def forms(text: str) -> tuple[tuple[str, ...], ...]:
    """The phrases by which a text can be asked for: cut, and uncut where that differs; none if it has no token."""
    normal = _Normal.of(text)
    cut = tuple(token.text for token in _tokens(normal, cut=True))
    if not _has_capitals(normal):
        return (cut,) if cut else ()
    whole = tuple(token.text for token in _tokens(normal, cut=False))
    return tuple(dict.fromkeys(form for form in (cut, whole) if form))


def indexed(text: str) -> list[str]:
    """What an index holds of a text: its tokens, and if it has humps, behind the barrier, the uncut ones."""
    first, *second = forms(text) or ((),)
    return [*first, BARRIER, *second[0]] if second else list(first)


def spelled(token: str) -> str:
    """The token as engines get it."""
    return token if token.isascii() else _UNSAFE.sub(lambda match: f"\ue000{ord(match[0]):06x}", token)


def index_text(text: str) -> str:
    """What is stored for the engines: the spelled tokens with one blank before, between and after them."""
    return index_text_of(indexed(text))


def index_text_of(found: Sequence[str]) -> str:
    """The same of a text's `indexed` tokens."""
    return f" {' '.join(map(spelled, found))} "


def length(tokens: Sequence[str]) -> int:
    """How many tokens an indexed text has, not counting twice."""
    return tokens.index(BARRIER) if BARRIER in tokens else len(tokens)


@dataclass(frozen=True, slots=True)
class _Normal:
    """A text in NFKC; `places` and `offsets` say where pieces of the two begin, None if all places are the same."""

    text: str
    places: "array[int] | None"
    offsets: "array[int]"

    @classmethod
    def of(cls, text: str) -> "_Normal":
        if text.isascii() or (unicodedata.is_normalized("NFKC", text) and not _LONG_MARKS.search(text)):
            return cls(text, None, array("L"))
        return _normalised(text)

    def span(self, start: int, end: int) -> tuple[int, int]:
        if self.places is None:
            return start, end
        first = bisect_right(self.places, start) - 1
        last = bisect_right(self.places, end - 1)
        return self.offsets[first], self.offsets[last]


def _has_capitals(normal: _Normal) -> bool:
    """Without any there are no humps."""
    return normal.text.lower() != normal.text


def _normalised(text: str) -> _Normal:
    pieces: list[str] = []
    places, offsets, place = array("L"), array("L"), 0
    for start, end in _pieces(text):
        piece = unicodedata.normalize("NFKC", text[start:end])
        if piece:
            pieces.append(piece)
            places.append(place)
            offsets.append(start)
            place += len(piece)
    places.append(place)
    offsets.append(len(text))
    return _Normal("".join(pieces), places, offsets)


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Stretches that normalise by themselves: a character with what may join it, cut off where that gets long, since
    putting marks into order takes quadratic time.
    """
    start = 0
    for place in range(1, len(text)):
        if place - start >= _LONGEST_PIECE or not _joins(text[place]):
            yield start, place
            start = place
    if text:
        yield start, len(text)


@lru_cache(maxsize=4096)
def _joins(character: str) -> bool:
    """Whether it may compose with, or be ordered among, what stands before it."""
    first = unicodedata.normalize("NFKD", character)[:1]
    return unicodedata.category(first)[0] == "M" or "\u1161" <= first <= "\u1175" or "\u11a8" <= first <= "\u11c2"


def _tokens(normal: _Normal, *, cut: bool) -> Iterator[Token]:
    for run in _RUN.finditer(normal.text):
        if _is_plain(run[0]):
            yield Token(run[0], *normal.span(*run.span()))
            continue
        for start, end in _parts(run[0], cut=cut):
            yield from _shown(normal, run.start() + start, run.start() + end)


def _is_plain(run: str) -> bool:
    """The usual word: small Latin letters alone, which nothing cuts and nothing folds."""
    return run.isascii() and run.islower() and run.isalpha() and len(run) <= LONGEST_TOKEN


def _shown(normal: _Normal, start: int, end: int) -> Iterator[Token]:
    part = normal.text[start:end]
    folded = part.lower() if part.isascii() else _folded(part)
    if len(folded) <= LONGEST_TOKEN:
        if folded:
            yield Token(folded, *normal.span(start, end))
        return
    span = normal.span(start, end)
    for place in range(0, len(folded), LONGEST_TOKEN):
        yield Token(folded[place : place + LONGEST_TOKEN], *span)


def _folded(part: str) -> str:
    shown = _INVISIBLE.sub("", part)
    return unicodedata.normalize("NFKC", shown.casefold())


def _parts(run: str, *, cut: bool) -> Iterator[tuple[int, int]]:
    """Where a run of letters and digits is cut: round every character of `_ALONE`, and at humps if asked."""
    if run.isascii() or not _ALONE.search(run):
        yield from _humps(run, 0, len(run)) if cut else ((0, len(run)),)
        return
    for part in _PART.finditer(run):
        yield from _humps(run, *part.span()) if cut else (part.span(),)


def _humps(run: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for stamp in _STAMP.finditer(run, start, end):
        yield from _cased(run, start, stamp.start())
        yield stamp.span()
        start = stamp.end()
    if start < end:
        yield from _cased(run, start, end)


def _cased(run: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = run[start:end]
    if part.islower() or part.isupper() or end - start == 1:
        yield start, end
        return
    seen = [place for place in range(start, end) if not _UNSEEN.match(run[place])]
    for before, here, after in zip(seen, seen[1:], [*seen[2:], None], strict=False):
        follows = after is not None and run[after].islower()
        if _upper(run[here]) and (run[before].islower() or follows):
            yield start, here
            start = here
    yield start, end


def _upper(character: str) -> bool:
    return character.isupper() or character.istitle()


def _ranges(*pairs: tuple[int, int]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in pairs)


def _marks() -> str:
    """Every character that sits on another one. Only planes that hold any are looked through, as each start waits."""
    found: list[tuple[int, int]] = []
    for point in (*range(0x20000), *range(0xE0000, 0xE1000)):
        if unicodedata.category(chr(point)).startswith("M"):
            if found and found[-1][1] == point - 1:
                found[-1] = (found[-1][0], point)
            else:
                found.append((point, point))
    return _ranges(*found)


_LONGEST_PIECE: Final = 32
_STAMP: Final = re.compile(r"(?<=[0-9][0-9])(?:T(?=[0-9][0-9])|Z\Z)")
_INVISIBLES: Final = (
    _ranges((0xAD, 0xAD), (0x34F, 0x34F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064), (0x2066, 0x206F))
    + _ranges((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xE0100, 0xE01EF), (0x20DD, 0x20E0), (0x20E2, 0x20E4))
    + _ranges((0x488, 0x489), (0x1ABE, 0x1ABE), (0xA670, 0xA672))
)
_MARKS: Final = _marks()
_INVISIBLE: Final = re.compile(f"[{_INVISIBLES}]")
_UNSEEN: Final = re.compile(f"[{_MARKS}{_INVISIBLES}]")  # never the place of a hump
_LONG_MARKS: Final = re.compile(f"[{_MARKS}]{{{_LONGEST_PIECE - 1}}}")
_RUN: Final = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}{_INVISIBLES}])*")
_LONELY: Final = (
    _ranges((0x0E01, 0x0E30), (0x0E32, 0x0E33), (0x0E40, 0x0E46), (0x0E81, 0x0EB0), (0x0EB2, 0x0EB3))
    + _ranges((0x0EBD, 0x0EC6), (0x0EDC, 0x0EDF), (0x1000, 0x102A), (0x103F, 0x103F), (0x1050, 0x1055))
    + _ranges((0x1780, 0x17B3), (0x1100, 0x11FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029))
    + _ranges((0x3031, 0x3035), (0x3038, 0x303C), (0x3041, 0x3096), (0x309D, 0x309F), (0x30A1, 0x30FA))
    + _ranges((0x30FC, 0x30FF), (0x3105, 0x318E), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF))
    + _ranges((0x4E00, 0x9FFF), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0x16FE0, 0x18DFF))
    + _ranges((0x1AFF0, 0x1B2FF), (0x20000, 0x3FFFF))
)
_ALONE: Final = re.compile(f"[{_LONELY}]")
_PART: Final = re.compile(f"[{_LONELY}][{_MARKS}{_INVISIBLES}]*|[^{_LONELY}]+")
# Letters whose nature and folding no version of Unicode will change, and that every engine has known for long.
_UNSAFE: Final = re.compile(
    "[^a-z0-9"
    + _ranges((0x00DF, 0x00F6), (0x00F8, 0x00FF), (0x03AC, 0x03CE), (0x0430, 0x045F), (0x05D0, 0x05EA))
    + _ranges((0x0621, 0x063A), (0x0641, 0x064A), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FA5))
    + _ranges((0xAC00, 0xD7A3))
    + "]"
)
