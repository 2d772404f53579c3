"""Mergeable histograms: adding is exact in any order, and a quantile keeps its promised error."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs_app.domain.histogram import BOUNDS, ERROR, LONGEST, SMALLEST, Histogram

DURATIONS = st.integers(min_value=0, max_value=int(LONGEST * 1_000_000))
SEVERAL = st.lists(DURATIONS, min_size=1, max_size=60)
SHARES = st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0])


@given(SEVERAL, st.randoms(use_true_random=False))
def test_parts_added_in_any_order_are_the_whole(durations: list[int], dice: random.Random) -> None:
    whole = Histogram.of(*durations)
    parts = [Histogram.of(duration) for duration in durations]
    dice.shuffle(parts)
    while len(parts) > 1:
        first, second = parts.pop(dice.randrange(len(parts))), parts.pop(dice.randrange(len(parts)))
        parts.insert(dice.randint(0, len(parts)), first + second)
    assert parts == [whole]
    assert whole.count == len(durations)
    assert whole.total_microseconds == sum(durations)


@given(SEVERAL, SHARES)
def test_a_quantile_is_within_the_promised_error(durations: list[int], share: float) -> None:
    ranked = sorted(durations)
    exact = ranked[max(math.ceil(share * len(ranked)), 1) - 1] / 1_000_000
    told = Histogram.of(*durations).quantile(share)
    assert told is not None
    if exact <= SMALLEST:
        assert abs(told - exact) <= SMALLEST
    else:
        assert abs(told - exact) <= exact * ERROR * (1 + 1e-9)


@given(DURATIONS)
def test_a_bucket_ends_at_its_bound(duration: int) -> None:
    ((place, count),) = Histogram.of(duration).buckets.items()
    assert count == 1
    assert duration / 1_000_000 <= BOUNDS[place]
    assert place == 0 or duration / 1_000_000 > BOUNDS[place - 1]


def test_nothing_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None
    assert Histogram().mean is None


def test_what_is_longer_than_all_counts_as_the_longest() -> None:
    far = Histogram.of(int(LONGEST * 10_000_000))
    assert far.quantile(0.5) == pytest.approx(BOUNDS[-1], rel=2 * ERROR)


def test_how_many_were_not_longer() -> None:
    some = Histogram.of(500, 20_000, 3_000_000)
    assert [some.up_to(0), some.up_to(len(BOUNDS) - 1)] == [1, 3]


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_what_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Histogram.of(1).quantile(share)


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="duration"):
        Histogram.of(-1)
