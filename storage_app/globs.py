"""Glob patterns over paths, in time linear in the path: `*`, `?`, `[…]` within a part, `**` over any number of folders.

A pattern becomes a regular expression that never tries a choice again: after a `*` the first place where what follows
fits is as good as any later one, so it is taken for good (an atomic group). Only what must reach the end of a part, or
of the path, is looked for from there.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from storage_app.paths import LONGEST_PATH_BYTES, InvalidPathError

LONGEST_PATTERN: Final = LONGEST_PATH_BYTES
MOST_STARS: Final = 64


class Glob:
    """`folder` is where a match can lie at all, `recursive` whether deeper than directly in it."""

    def __init__(self, pattern: str) -> None:
        parts = _parts(pattern)
        fixed = 0
        while fixed < len(parts) - 1 and not _MAGIC.search(parts[fixed]):
            fixed += 1
        self.folder = "/".join(parts[:fixed])
        self.recursive = len(parts) - fixed > 1 or parts[-1] == "**"
        self._expression = _compiled(tuple(parts))

    def matches(self, path: str) -> bool:
        return self._expression.fullmatch(path) is not None


def _parts(pattern: str) -> list[str]:
    """Checked as a path is, as far as that goes for a pattern."""
    if not isinstance(pattern, str):
        raise InvalidPathError("must be a text")
    if len(pattern) > LONGEST_PATTERN:
        raise InvalidPathError(f"is longer than {LONGEST_PATTERN} characters")
    if pattern.count("*") > MOST_STARS:
        raise InvalidPathError(f"has more than {MOST_STARS} stars")
    pattern = unicodedata.normalize("NFC", pattern).replace("\\", "/").removeprefix("/")
    parts = pattern.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise InvalidPathError("has an empty part, or . or .. as one")
    # `**/**` is `**`, and twice the work.
    return [part for place, part in enumerate(parts) if not (part == "**" and place and parts[place - 1] == "**")]


@lru_cache(maxsize=256)
def _compiled(parts: tuple[str, ...]) -> re.Pattern[str]:
    """Runs of parts between `**`: the first at the start, the last at the end, each other wherever it fits first."""
    runs: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(_part(part))
    if len(runs) == 1:
        return re.compile("/".join(runs[0]))
    first, *middle, last = runs
    text = "".join(f"{part}/" for part in first)
    for run in middle:
        text += "(?>(?:[^/]+/)*?" + "".join(f"{part}/" for part in run) + ")"
    return re.compile(text + "(?:[^/]+/)*" + ("/".join(last) or "[^/]+"))


def _part(part: str) -> str:
    """What stands between stars: the first at the start, the last at the end, each other wherever it fits first."""
    pieces = [""]
    position = 0
    while position < len(part):
        if part[position] == "*":
            if pieces[-1] or len(pieces) == 1:
                pieces.append("")
            position += 1
            continue
        piece, position = _one(part, position)
        pieces[-1] += piece
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    found = "".join(f"(?>[^/]*?{piece})" for piece in middle if piece)
    # A star alone must not match the empty part that no path has.
    return (first or "(?=[^/])") + found + "[^/]*" + last


def _one(part: str, position: int) -> tuple[str, int]:
    """The expression of one character of a path, and where the next begins."""
    if part[position] == "?":
        return "[^/]", position + 1
    if part[position] == "[":
        end = part.find("]", position + (3 if part[position + 1 : position + 2] in ("!", "^") else 2))
        if end > 0:
            return _class(part[position + 1 : end]), end + 1
    return re.escape(part[position]), position + 1


def _class(text: str) -> str:
    negated = text[0] in "!^"
    text = text[1:] if negated else text
    ranges = ""
    position = 0
    while position < len(text):
        low, high = text[position], text[position]
        if text[position + 1 : position + 2] == "-" and position + 2 < len(text):
            high = text[position + 2]
            position += 2
        position += 1
        if low <= high:  # one that runs backwards holds nothing
            ranges += f"{re.escape(low)}-{re.escape(high)}"
    if negated:
        return f"[^/{ranges}]"
    return f"(?!/)[{ranges}]" if ranges else "(?!)"


_MAGIC: Final = re.compile(r"[*?\[]")
