"""What fits into a budget of tokens, and what must go to get down to one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobs_app.domain.segment import Segment


@dataclass(frozen=True, slots=True)
class LeftOut:
    segment: Segment
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """`tokens` is never over the budget."""

    segments: list[Segment]
    tokens: int
    left_out: list[LeftOut]


@dataclass(frozen=True, slots=True)
class Fitting:
    """What would be stashed to get down to a budget: how much stays, and how far that is over it (pinned ones stay)."""

    segments: list[Segment]
    tokens_before: int
    tokens_after: int
    budget: int

    @property
    def over_by(self) -> int:
        return max(0, self.tokens_after - self.budget)


def load_order(segments: Iterable[Segment]) -> list[Segment]:
    """Pinned ones first, then those touched last, then by id: the same for everybody."""
    ordered = sorted(segments, key=lambda one: one.id)
    ordered.sort(key=lambda one: one.touched_at, reverse=True)
    ordered.sort(key=lambda one: not one.pinned)
    return ordered


def load(segments: Sequence[Segment], budget: int | None) -> Loaded:
    """In the order given, each that still fits; a large one that does not leaves room for smaller ones after it."""
    taken: list[Segment] = []
    left_out: list[LeftOut] = []
    tokens = 0
    for segment in segments:
        if budget is None or tokens + segment.tokens <= budget:
            taken.append(segment)
            tokens += segment.tokens
        elif segment.tokens > budget:
            left_out.append(LeftOut(segment, "larger than the whole budget"))
        else:
            left_out.append(LeftOut(segment, "no room left in the budget"))
    return Loaded(taken, tokens, left_out)


def fit(segments: Iterable[Segment], budget: int) -> Fitting:
    """The least recently touched go first, pinned ones never."""
    everything = list(segments)
    before = left = sum(segment.tokens for segment in everything)
    going: list[Segment] = []
    for segment in sorted(everything, key=lambda one: (one.touched_at, one.id)):
        if left <= budget:
            break
        if not segment.pinned and segment.tokens:
            going.append(segment)
            left -= segment.tokens
    return Fitting(going, before, left, budget)
