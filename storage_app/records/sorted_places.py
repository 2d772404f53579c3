"""A sorted collection of places, in chunks, so that adding one among a million moves a thousand and not a million."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from functools import total_ordering
from typing import Any, Final, TypeAlias

from storage_app.records.declarations import Key

Place: TypeAlias = tuple[Any, ...]

_CHUNK: Final = 1000


class SortedPlaces:
    def __init__(self) -> None:
        self._chunks: list[list[Place]] = []
        self._firsts: list[Place] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, place: Place) -> bool:
        at, inside = self._locate(place)
        return at < len(self._chunks) and inside < len(self._chunks[at]) and self._chunks[at][inside] == place

    def add(self, place: Place) -> None:
        self._size += 1
        if not self._chunks:
            self._chunks, self._firsts = [[place]], [place]
            return
        at = max(bisect_right(self._firsts, place) - 1, 0)
        chunk = self._chunks[at]
        insort(chunk, place)
        if len(chunk) > 2 * _CHUNK:
            self._chunks[at : at + 1] = [chunk[:_CHUNK], chunk[_CHUNK:]]
            self._firsts[at : at + 1] = [chunk[0], chunk[_CHUNK]]
        else:
            self._firsts[at] = chunk[0]

    def remove(self, place: Place) -> None:
        at, inside = self._locate(place)
        chunk = self._chunks[at]
        assert chunk[inside] == place
        del chunk[inside]
        self._size -= 1
        if chunk:
            self._firsts[at] = chunk[0]
        else:
            del self._chunks[at], self._firsts[at]

    def count(self, low: Place, high: Place) -> int:
        """How many places lie from `low` (included) to `high` (excluded)."""
        return max(self._rank(high) - self._rank(low), 0)

    def between(self, low: Place, high: Place, backwards: bool = False) -> Iterator[Place]:
        """Places from `low` (included) to `high` (excluded), one after the other in either direction."""
        (first, start), (last, stop) = self._locate(low), self._locate(high)
        numbers = range(last, first - 1, -1) if backwards else range(first, last + 1)
        for at in numbers:
            if at < len(self._chunks):
                chunk = self._chunks[at]
                part = chunk[start if at == first else 0 : stop if at == last else len(chunk)]
                yield from reversed(part) if backwards else part

    def _rank(self, place: Place) -> int:
        at, inside = self._locate(place)
        return sum(map(len, self._chunks[:at])) + inside

    def _locate(self, place: Place) -> tuple[int, int]:
        at = max(bisect_left(self._firsts, place) - 1, 0)
        if at >= len(self._chunks):
            return at, 0
        inside = bisect_left(self._chunks[at], place)
        if inside == len(self._chunks[at]) and at + 1 < len(self._chunks):
            return at + 1, bisect_left(self._chunks[at + 1], place)
        return at, inside


def component(key: Key, descending: bool = False) -> tuple[Any, ...]:
    """A key in a form that sorts beside any other of its field: null first, or last where descending."""
    if key is None:
        return AFTER_ALL if descending else (0,)
    return (1, _Descending(key)) if descending else (1, key)


BEFORE_VALUES: Final = (1,)  # after null, before every value
AFTER_ALL: Final = (2,)


@total_ordering
class _Descending:
    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self.key == other.key

    def __lt__(self, other: "_Descending") -> bool:
        return bool(other.key < self.key)

    __hash__ = None  # type: ignore[assignment]  # never a key of a dictionary
