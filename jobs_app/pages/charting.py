"""Charts as numbers: `plot(chart)` turns values into places, `templates/components/_chart.html` draws them.

A plot is 1000 wide and `HEIGHT` high; the page stretches it sideways only, so text and strokes keep their size.
A missing value (None) is a gap, a value that is no number is refused.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from jobs_app.templatetags import wording

WIDTH, HEIGHT = 1000.0, 168.0
TIME_LABELS = 6
MINUTE, HOUR, DAY = 60, 3600, 86_400
TIME_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 6, 12)),
    DAY,
)
GAP = 0.22  # of a slot, between bars

Value = float | None
Kind = Literal["line", "area", "bar", "stacked"]
Unit = Literal["number", "seconds", "bytes"]


@dataclass(frozen=True)
class Series:
    name: str
    values: Sequence[Value]
    tone: str = "accent"


@dataclass(frozen=True)
class Chart:
    """`places` are the moments or names along the bottom, one for each value of every series."""

    title: str
    places: Sequence[datetime | str]
    series: Sequence[Series]
    kind: Kind = "line"
    unit: Unit = "number"
    measure: str = ""  # what the left axis counts: "jobs a minute"
    along: str = "time (UTC)"


@dataclass(frozen=True)
class Tick:
    at: float
    label: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Curve:
    series: int
    tone: str
    line: str
    area: str


@dataclass(frozen=True)
class Bar:
    tone: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Dot:
    tone: str
    y: float
    alone: bool


@dataclass(frozen=True)
class Slot:
    """One place along the bottom: where the pointer reaches it and what it then reads."""

    x: float
    width: float
    middle: float
    reading: str
    anchor: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Row:
    place: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Plot:
    chart: Chart
    empty: bool
    height: float = HEIGHT
    left: tuple[Tick, ...] = ()
    bottom: tuple[Tick, ...] = ()
    curves: tuple[Curve, ...] = ()
    bars: tuple[Bar, ...] = ()
    slots: tuple[Slot, ...] = ()
    rows: tuple[Row, ...] = field(default=(), repr=False)


def plot(chart: Chart) -> Plot:
    """Everything the template draws."""
    _refuse_what_cannot_be_drawn(chart)
    heights = _heights(chart)
    known = [value for values in heights for value in values if value is not None]
    if not known:
        return Plot(chart, empty=True)
    ticks = _ticks(chart, min(known), max(known))
    scale = _Scale(ticks[0], ticks[-1])
    slots = _Slots(len(chart.places), wide=chart.kind in ("bar", "stacked"))
    return Plot(
        chart,
        empty=False,
        left=tuple(Tick(scale.y(tick), _say(tick, chart.unit)) for tick in reversed(ticks)),
        bottom=_bottom(chart.places, slots),
        curves=_curves(chart, heights, scale, slots) if chart.kind in ("line", "area") else (),
        bars=_bars(chart, scale, slots) if chart.kind in ("bar", "stacked") else (),
        slots=_reach(chart, heights, scale, slots),
        rows=tuple(_row(chart, index) for index in range(len(chart.places))),
    )


def nice_ticks(low: float, high: float, *, whole: bool = False, about: int = 4) -> list[float]:
    """Steps of 1, 2 or 5 times a power of ten that hold zero, `low` and `high`."""
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = 1.0
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
    if whole:
        step = max(step, 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [_exact(index * step) for index in range(first, max(last, first + 1) + 1)]


def time_ticks(longest: float, *, about: int = 4) -> list[float]:
    """From zero to at least `longest` seconds, in steps that people count time in."""
    rough = longest / about
    if rough < TIME_STEPS[0] or rough > TIME_STEPS[-1]:
        return nice_ticks(0, longest) if rough < 1 else [day * DAY for day in nice_ticks(0, longest / DAY)]
    step = next(step for step in TIME_STEPS if step >= rough * (1 - 1e-9))
    return [float(index * step) for index in range(math.ceil(longest / step - 1e-9) + 1)]


def sparkline(
    values: Sequence[Value], width: float = 80.0, height: float = 20.0
) -> tuple[str, str, float, float] | None:
    """Line and area of a small chart and its last point; None where there is nothing to draw."""
    known = [value for value in values if value is not None]
    for value in known:
        _refuse_no_number(value)
    if not known:
        return None
    low, high = min(0.0, *known), max(0.0, *known)
    # two units of room above and below, so that the stroke is not cut
    spread = (high - low) or 1.0
    ys = [None if value is None else 2 + (high - value) / spread * (height - 4) for value in values]
    xs = [index * width / max(len(values) - 1, 1) for index in range(len(values))]
    if len(values) == 1:
        xs = [width]
    base = 2 + high / spread * (height - 4)
    line, area = _paths(xs, ys, [base] * len(xs))
    last = max(index for index, y in enumerate(ys) if y is not None)
    return line, area, round(xs[last], 2), round(ys[last] or 0.0, 2)


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    def y(self, value: float) -> float:
        return round(HEIGHT - (value - self.low) / (self.high - self.low) * HEIGHT, 2)


@dataclass(frozen=True)
class _Slots:
    """Bars stand in the middle of a slot; points of a line run from edge to edge."""

    count: int
    wide: bool

    def middle(self, index: int) -> float:
        if self.wide:
            return (index + 0.5) * WIDTH / self.count
        return WIDTH if self.count == 1 else index * WIDTH / (self.count - 1)

    def edges(self, index: int) -> tuple[float, float]:
        half = WIDTH / (2 * self.count if self.wide else max(2 * (self.count - 1), 1))
        return max(self.middle(index) - half, 0.0), min(self.middle(index) + half, WIDTH)


def _ticks(chart: Chart, low: float, high: float) -> list[float]:
    if chart.unit == "seconds" and low >= 0:
        return time_ticks(high)
    return nice_ticks(low, high, whole=_counts(chart))


def _refuse_what_cannot_be_drawn(chart: Chart) -> None:
    for series in chart.series:
        if len(series.values) != len(chart.places):
            raise ValueError(f"{series.name!r} has {len(series.values)} values for {len(chart.places)} places")
        for value in series.values:
            if value is not None:
                _refuse_no_number(value)
                if value < 0 and chart.kind == "stacked":
                    raise ValueError(f"{series.name!r} is stacked and has a negative value")


def _refuse_no_number(value: float) -> None:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} cannot be drawn")


def _heights(chart: Chart) -> list[list[Value]]:
    """The value at which each series' mark stands: for stacks, on the shoulders of those before."""
    if chart.kind != "stacked":
        return [list(series.values) for series in chart.series]
    sums = [0.0] * len(chart.places)
    heights: list[list[Value]] = []
    for series in chart.series:
        sums = [total + (value or 0) for total, value in zip(sums, series.values, strict=True)]
        heights.append([total if value is not None else None for total, value in zip(sums, series.values, strict=True)])
    return heights


def _curves(chart: Chart, heights: list[list[Value]], scale: _Scale, slots: _Slots) -> tuple[Curve, ...]:
    xs = [slots.middle(index) for index in range(slots.count)]
    base = [scale.y(0)] * slots.count
    curves = []
    for index, series in enumerate(chart.series):
        line, area = _paths(xs, [None if value is None else scale.y(value) for value in heights[index]], base)
        curves.append(Curve(index, series.tone, line, area if chart.kind == "area" else ""))
    return tuple(curves)


def _bars(chart: Chart, scale: _Scale, slots: _Slots) -> tuple[Bar, ...]:
    share = WIDTH / slots.count
    beside = 1 if chart.kind == "stacked" else max(len(chart.series), 1)
    width = share * (1 - GAP) / beside
    bars = []
    for place in range(slots.count):
        ground = 0.0
        for index, series in enumerate(chart.series):
            value = series.values[place]
            if not value:
                continue
            top, bottom = scale.y(max(ground + value, ground)), scale.y(min(ground + value, ground))
            offset = 0 if chart.kind == "stacked" else index * width
            x = place * share + share * GAP / 2 + offset
            bars.append(Bar(series.tone, round(x, 2), top, round(width, 2), max(round(bottom - top, 2), 1.0)))
            if chart.kind == "stacked":
                ground += value
    return tuple(bars)


def _reach(chart: Chart, heights: list[list[Value]], scale: _Scale, slots: _Slots) -> tuple[Slot, ...]:
    result = []
    for place in range(slots.count):
        start, end = slots.edges(place)
        dots = tuple(
            Dot(series.tone, scale.y(value), alone=_is_alone(heights[index], place))
            for index, series in enumerate(chart.series)
            if chart.kind in ("line", "area") and (value := heights[index][place]) is not None
        )
        said = ", ".join(
            f"{series.name} {_say(value, chart.unit)}"
            for series in chart.series
            if (value := series.values[place]) is not None
        )
        reading = f"{_place(chart.places[place])}: {said or 'no value'}"
        middle = slots.middle(place)
        anchor = "start" if middle < WIDTH * 0.3 else "end" if middle > WIDTH * 0.7 else "middle"
        result.append(
            Slot(_percent(start), _percent(end - start), _percent(middle), reading, anchor, dots),
        )
    return tuple(result)


def _bottom(places: Sequence[datetime | str], slots: _Slots) -> tuple[Tick, ...]:
    """As many labels as fit on a phone, evenly spread, the first and last inside the frame."""
    if len(places) <= TIME_LABELS:
        chosen = list(range(len(places)))
    else:
        chosen = sorted({round(index * (len(places) - 1) / (TIME_LABELS - 1)) for index in range(TIME_LABELS)})
    ticks = []
    for index in chosen:
        middle = slots.middle(index)
        anchor = "start" if middle < WIDTH * 0.04 else "end" if middle > WIDTH * 0.96 else "middle"
        ticks.append(Tick(_percent(middle), _short_place(places[index], places), anchor))
    return tuple(ticks)


def _row(chart: Chart, place: int) -> Row:
    values = tuple(_say(series.values[place], chart.unit) for series in chart.series)
    return Row(_place(chart.places[place]), values)


def _paths(xs: Sequence[float], ys: Sequence[Value], base: Sequence[float]) -> tuple[str, str]:
    """A line that is interrupted where a value is missing, and the area under each of its parts."""
    lines, areas = [], []
    part: list[tuple[float, float, float]] = []
    for x, y, ground in [*zip(xs, ys, base, strict=True), (0.0, None, 0.0)]:
        if y is not None:
            part.append((x, y, ground))
        elif part:
            points = "L".join(f"{px:.2f} {py:.2f}" for px, py, _ in part)
            lines.append(f"M{points}")
            if len(part) > 1:
                areas.append(f"M{part[0][0]:.2f} {part[0][2]:.2f}L{points}L{part[-1][0]:.2f} {part[-1][2]:.2f}Z")
            part = []
    return "".join(lines), "".join(areas)


def _is_alone(values: Sequence[Value], place: int) -> bool:
    before = values[place - 1] if place > 0 else None
    after = values[place + 1] if place + 1 < len(values) else None
    return before is None and after is None


def _say(value: Value, unit: Unit) -> str:
    if unit == "seconds":
        return wording.duration(value)
    return wording.size(value) if unit == "bytes" else wording.number(value)


def _place(place: datetime | str) -> str:
    return place if isinstance(place, str) else wording.exact(place)


def _short_place(place: datetime | str, places: Sequence[datetime | str]) -> str:
    if isinstance(place, str):
        return place
    moments = [each for each in places if isinstance(each, datetime)]
    long = max(moments) - min(moments) > timedelta(hours=36)
    return place.astimezone(UTC).strftime("%d %b" if long else "%H:%M")


def _counts(chart: Chart) -> bool:
    values = [value for series in chart.series for value in series.values if value is not None]
    return chart.unit != "seconds" and all(float(value).is_integer() for value in values)


def _percent(x: float) -> float:
    return round(x / WIDTH * 100, 3)


def _exact(value: float) -> float:
    """0.30000000000000004 is 0.3."""
    return float(f"{value:.12g}")
