"""Charts: where values stand, and what cannot be drawn."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template

from jobs_app.pages.charting import HEIGHT, Chart, Kind, Series, nice_ticks, plot, sparkline, time_ticks

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def make_chart(*values: float | None, kind: Kind = "line") -> Chart:
    places = [NOON + timedelta(minutes=index) for index in range(len(values))]
    return Chart("Jobs", places, [Series("waiting", values)], kind=kind)


@pytest.mark.parametrize(
    ("low", "high", "whole", "ticks"),
    [
        (0, 100, True, [0, 50, 100]),
        (0, 0, True, [0, 1]),
        (0, 1, True, [0, 1]),
        (0, 0.7, False, [0, 0.2, 0.4, 0.6, 0.8]),
        (0, 3, True, [0, 1, 2, 3]),
        (-4, 6, True, [-5, 0, 5, 10]),
        (5, 7, True, [0, 2, 4, 6, 8]),
    ],
)
def test_ticks_are_numbers_people_count_in(low: float, high: float, whole: bool, ticks: list[float]) -> None:
    assert nice_ticks(low, high, whole=whole) == ticks


@pytest.mark.parametrize("high", [1e-9, 3.3, 1e15, 7.7e22])
def test_ticks_hold_what_they_measure(high: float) -> None:
    ticks = nice_ticks(0, high)
    assert ticks[0] == 0
    assert ticks[-1] >= high * (1 - 1e-9)
    assert 2 <= len(ticks) <= 8


@pytest.mark.parametrize(
    ("longest", "ticks"),
    [
        (0, [0, 0.5, 1]),
        (0.003, [0, 0.001, 0.002, 0.003]),
        (3, [0, 1, 2, 3]),
        (50, [0, 15, 30, 45, 60]),
        (600, [0, 300, 600]),
        (5.5 * 3600, [0, 7200, 14_400, 21_600]),
        (86_400, [0, 21_600, 43_200, 64_800, 86_400]),
        (9 * 86_400, [0, 432_000, 864_000]),
    ],
)
def test_ticks_of_time_are_steps_people_count_time_in(longest: float, ticks: list[float]) -> None:
    assert time_ticks(longest) == ticks


@pytest.mark.parametrize("longest", [1e-7, 0.9, 1.1, 61, 3601, 86_401, 4e8])
def test_ticks_of_time_hold_what_they_measure(longest: float) -> None:
    ticks = time_ticks(longest)
    assert ticks[0] == 0
    assert ticks[-1] >= longest * (1 - 1e-9)
    assert 2 <= len(ticks) <= 8


def test_no_values_is_an_empty_chart() -> None:
    assert plot(make_chart()).empty
    assert plot(make_chart(None, None)).empty


def test_one_point_is_a_dot_that_is_seen() -> None:
    drawn = plot(make_chart(3))
    assert [dot.alone for slot in drawn.slots for dot in slot.dots] == [True]
    assert drawn.slots[0].dots[0].y == 0


def test_a_missing_value_is_a_gap() -> None:
    line = plot(make_chart(1, 2, None, 3, 4)).curves[0].line
    assert line.count("M") == 2


def test_zeros_lie_on_the_ground() -> None:
    drawn = plot(make_chart(0, 0))
    assert {dot.y for slot in drawn.slots for dot in slot.dots} == {HEIGHT}


def test_negative_values_hang_below_zero() -> None:
    drawn = plot(make_chart(-2, 2, kind="bar"))
    below, above = drawn.bars
    assert above.y + above.height == pytest.approx(below.y)
    assert below.height == pytest.approx(above.height)


def test_stacks_stand_on_each_other() -> None:
    chart = Chart("Jobs", ["a"], [Series("completed", [3]), Series("failed", [1])], kind="stacked")
    first, second = plot(chart).bars
    assert second.y + second.height == pytest.approx(first.y)


def test_what_is_pointed_at_is_said_with_its_unit() -> None:
    chart = Chart("Wait", [NOON], [Series("p50", [90]), Series("p95", [None])], unit="seconds")
    drawn = plot(chart)
    assert drawn.slots[0].reading == "2026-01-31 12:00:00 UTC: p50 1 min 30 s"
    assert drawn.rows[0].values == ("1 min 30 s", "–")  # noqa: RUF001


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        plot(make_chart(1, value))
    with pytest.raises(ValueError, match="cannot be drawn"):
        sparkline([1, value])


def test_a_series_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="has 1 values for 2 places"):
        plot(Chart("Jobs", ["a", "b"], [Series("x", [1])]))


def test_a_negative_part_of_a_stack_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        plot(Chart("Jobs", ["a"], [Series("x", [-1])], kind="stacked"))


def test_a_sparkline_of_one_value_or_none() -> None:
    assert sparkline([]) is None
    assert sparkline([None]) is None
    drawn = sparkline([4])
    assert drawn is not None
    assert drawn[2:] == (80.0, 2.0)


def test_a_chart_in_a_page_has_title_table_and_no_style() -> None:
    chart = Chart(
        "<b>Jobs</b>", [NOON, NOON + timedelta(minutes=1)], [Series("done", [1, 2]), Series("failed", [0, 1])]
    )
    html = Template("{% load charts %}{% chart chart %}").render(Context({"chart": chart}))
    assert "&lt;b&gt;Jobs" in html
    assert "<b>" not in html
    assert html.count("<tr>") == 3
    assert "style=" not in html
