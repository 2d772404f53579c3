"""Streams: numbered append-only entries that belong to a record."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage_app import strict_json
from storage_app.records.errors import InvalidError
from storage_app.records.ids import LARGEST_SEQUENCE, check_plain_text
from storage_app.records.operations import Append, Entry

MOST_ENTRIES: Final = 10_000
LARGEST_ENTRY: Final = 1024 * 1024
LONGEST_SOURCE: Final = 128


@dataclass(frozen=True)
class StreamEntry:
    """An entry as stored; positions of a stream are 1, 2, 3 … without a gap."""

    position: int
    data: dict[str, Any]
    source: str = ""
    number: int | None = None


@dataclass(frozen=True)
class StreamPage:
    """Entries in the order of their positions, whichever way they were read.

    Reading goes on with `after` (towards the end) or `before` (towards the start); None where nothing is left that way.
    `end` is the last position at the time of reading (0 for an empty stream): a follower goes on with `after=end`.
    """

    entries: list[StreamEntry]
    after: int | None
    before: int | None
    end: int


@dataclass(frozen=True)
class PreparedEntry:
    """The text of an entry, with the number by which a resent one is known."""

    text: str
    number: int | None


class Numbers:
    """A set of whole numbers kept as ranges: a source that counts up takes one range, however many it sent."""

    def __init__(self, ranges: Sequence[Sequence[int]] = ()) -> None:
        self._starts = [start for start, _ in ranges]
        self._ends = [end for _, end in ranges]

    def ranges(self) -> list[list[int]]:
        """As JSON, for a backend that stores them."""
        return [list(pair) for pair in zip(self._starts, self._ends, strict=True)]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]

    def add(self, number: int) -> bool:
        """Whether the number was new."""
        at = bisect_right(self._starts, number) - 1
        if at >= 0 and number <= self._ends[at]:
            return False
        joins_left = at >= 0 and self._ends[at] == number - 1
        joins_right = at + 1 < len(self._starts) and self._starts[at + 1] == number + 1
        if joins_left and joins_right:
            self._ends[at] = self._ends.pop(at + 1)
            del self._starts[at + 1]
        elif joins_left:
            self._ends[at] = number
        elif joins_right:
            self._starts[at + 1] = number
        else:
            self._starts.insert(at + 1, number)
            self._ends.insert(at + 1, number)
        return True


def prepared_entries(append: Append) -> list[PreparedEntry]:
    """InvalidError for a stream's name, source, number or entry that cannot be stored."""
    check_stream(append.stream)
    if append.source:
        check_plain_text(append.source, "source", LONGEST_SOURCE)
    if len(append.entries) > MOST_ENTRIES:
        raise InvalidError(f"more than {MOST_ENTRIES} at once", "entries")
    return [_prepared(entry if isinstance(entry, Entry) else Entry(entry)) for entry in append.entries]


def check_stream(name: str) -> str:
    if not _STREAM.fullmatch(name):
        raise InvalidError(f"{ascii(name)[:80]} is not a stream's name", "stream")
    return name


_STREAM: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _prepared(entry: Entry) -> PreparedEntry:
    if not isinstance(entry.data, dict):
        raise InvalidError("must be an object", "entries")
    if entry.number is not None and not (type(entry.number) is int and 0 <= entry.number <= LARGEST_SEQUENCE):
        raise InvalidError(f"a number must be from 0 to {LARGEST_SEQUENCE}", "entries")
    try:
        text = strict_json.dumps(entry.data)
    except strict_json.StrictJSONError as error:
        raise InvalidError(error.reason, "entries") from error
    if len(text) > LARGEST_ENTRY:
        raise InvalidError(f"an entry is longer than {LARGEST_ENTRY} characters", "entries")
    return PreparedEntry(text, entry.number)
