"""What never changes is kept under its hash; the least recently used goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """At most so many entries, and together at most so heavy."""

    def __init__(self, most: int, heaviest: int, weight: Callable[[V], int]) -> None:
        self._most, self._heaviest, self._weight = most, heaviest, weight
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._heavy = 0
        self.hits = self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: K) -> bool:
        return key in self._kept

    def get(self, key: K) -> V | None:
        found = self._kept.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> None:
        self.drop(key)
        if self._weight(value) > self._heaviest or self._most <= 0:
            return
        self._kept[key] = value
        self._heavy += self._weight(value)
        while len(self._kept) > self._most or self._heavy > self._heaviest:
            self._heavy -= self._weight(self._kept.popitem(last=False)[1])

    def drop(self, key: K) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._heavy -= self._weight(gone)

    def clear(self) -> None:
        self._kept.clear()
        self._heavy = 0
