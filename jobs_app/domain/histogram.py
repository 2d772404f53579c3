"""Histograms of durations that merge: buckets are the same everywhere, so merging is adding.

A bucket reaches to the next bound, and bounds grow by the same factor, so what a quantile says is within `ERROR` of
the true value, whatever the durations are; below `SMALLEST` within that. What is longer than the last bound counts as
the last bucket. The sum is kept in whole microseconds: adding is exact, in any order.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ERROR: Final = 0.05  # of the true value
SMALLEST: Final = 0.001  # seconds; all that is shorter is one bucket
LONGEST: Final = 10 * 366 * 86_400.0  # seconds
MICROSECONDS: Final = 1_000_000


def _bounds() -> tuple[float, ...]:
    growth = (1 + ERROR) / (1 - ERROR)
    bounds = [SMALLEST]
    while bounds[-1] < LONGEST:
        bounds.append(bounds[-1] * growth)
    return tuple(bounds)


BOUNDS: Final = _bounds()  # bucket i holds what is above BOUNDS[i - 1] and not above BOUNDS[i], in seconds


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many durations fell into which bucket; buckets with none are not in it."""

    buckets: Mapping[int, int] = field(default_factory=dict)
    total_microseconds: int = 0

    @classmethod
    def of(cls, *microseconds: int) -> "Histogram":
        buckets: dict[int, int] = {}
        for duration in microseconds:
            if duration < 0:
                raise ValueError(f"{duration} is no duration")
            place = min(bisect_left(BOUNDS, duration / MICROSECONDS), len(BOUNDS) - 1)
            buckets[place] = buckets.get(place, 0) + 1
        return cls(buckets, sum(microseconds))

    def __add__(self, other: "Histogram") -> "Histogram":
        buckets = dict(self.buckets)
        for place, count in other.buckets.items():
            buckets[place] = buckets.get(place, 0) + count
        return Histogram(buckets, self.total_microseconds + other.total_microseconds)

    @property
    def count(self) -> int:
        return sum(self.buckets.values())

    @property
    def total_seconds(self) -> float:
        return self.total_microseconds / MICROSECONDS

    @property
    def mean(self) -> float | None:
        """In seconds; exact."""
        return self.total_seconds / self.count if self.buckets else None

    def quantile(self, share: float) -> float | None:
        """Seconds that this share of the durations did not exceed, within `ERROR`; None where there are none."""
        if not 0 <= share <= 1:
            raise ValueError(f"{share} is no share")
        count, seen = self.count, 0
        for place in sorted(self.buckets):
            seen += self.buckets[place]
            if seen >= share * count:
                return _middle(place)
        return None

    def up_to(self, place: int) -> int:
        """How many were not longer than BOUNDS[place]."""
        return sum(count for bucket, count in self.buckets.items() if bucket <= place)


def _middle(place: int) -> float:
    """What is nearest to all of the bucket, relative to each."""
    if place == 0:
        return SMALLEST / 2
    low, high = BOUNDS[place - 1], BOUNDS[place]
    return 2 * low * high / (low + high)
