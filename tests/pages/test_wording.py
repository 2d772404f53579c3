"""What people read: the edges of every phrase."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from jobs_app.templatetags import wording

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (None, "–"),  # noqa: RUF001
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234567, "1.2 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (-2048, "−2.0 kB"),  # noqa: RUF001
        (10**24, "1,000,000.0 EB"),
    ],
)
def test_sizes(octets: float | None, said: str) -> None:
    assert wording.size(octets) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),  # noqa: RUF001
        (0, "0 s"),
        (0.0001, "<1 ms"),
        (0.34, "340 ms"),
        (0.9994, "999 ms"),
        (0.9999, "1.0 s"),
        (4.23, "4.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (185, "3 min 5 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
        (10**9, "11,574 d 1 h"),
        (-3, "−3.0 s"),  # noqa: RUF001
        (timedelta(minutes=2), "2 min"),
    ],
)
def test_durations(seconds: float | timedelta | None, said: str) -> None:
    assert wording.duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "now"),
        (12, "12 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3600, "1 h ago"),
        (86400, "1 d ago"),
        (61 * 86400, "2 mo ago"),
        (800 * 86400, "2 y ago"),
        (-300, "in 5 min"),
        (-0.4, "now"),
    ],
)
def test_ages(seconds: float, said: str) -> None:
    assert wording.age(NOW - timedelta(seconds=seconds), NOW) == said


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        wording.age(datetime(2026, 1, 31, 12, 0), NOW)


def test_exact_times_are_utc() -> None:
    assert wording.exact(NOW) == "2026-01-31 12:00:00 UTC"
    assert wording.exact(None) == wording.ABSENT


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (1234567, "1,234,567"), (12345.678, "12,345.68"), (2.0, "2"), (-1, "−1"), (10**400, f"{10**400:,}")],  # noqa: RUF001
)
def test_numbers(value: float, said: str) -> None:
    assert wording.number(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (999, "999"), (1000, "1.0k"), (48123, "48.1k"), (10**7, "10.0M")]
)
def test_short_numbers(value: float, said: str) -> None:
    assert wording.short(value) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (1, "100 %"), (0.4567, "45.7 %"), (0.0001, "<0.1 %"), (0.9999, ">99.9 %"), (None, "–")],  # noqa: RUF001
)
def test_shares(share: float | None, said: str) -> None:
    assert wording.percent(share) == said


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "job", "0 jobs"),
        (1, "job", "1 job"),
        (2, "entry", "2 entries"),
        (2, "key", "2 keys"),
        (3, "match", "3 matches"),
        (2, "person|people", "2 people"),
        (1200, "box", "1,200 boxes"),
        (-1, "job", "−1 job"),  # noqa: RUF001
    ],
)
def test_counts(count: int, noun: str, said: str) -> None:
    assert wording.count_of(count, noun) == said


@pytest.mark.parametrize("say", [wording.number, wording.short, wording.size, wording.duration, wording.percent])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(say: object, value: float) -> None:
    assert callable(say)
    with pytest.raises(ValueError, match="is not a number"):
        say(value)


def test_every_state_of_a_job_has_a_look_of_its_own() -> None:
    looks = [wording.state(word) for word in ("pending", "processing", "completed", "failed", "timeout", "cancelled")]
    assert len({look.icon for look in looks}) == len({look.tone for look in looks}) == 6


def test_a_state_nobody_described_is_shown_by_its_word() -> None:
    assert wording.state("half_done") == wording.State("Half done", "neutral", "neutral")
