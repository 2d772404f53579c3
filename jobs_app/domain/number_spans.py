"""Where the numbers of a moment are kept: cells of several sizes, gathered in sheets; and the windows that charts show.

A sheet is one record and holds the cells of a longer span: the 60 minutes of an hour, the hours of a day, the days of a
month. So a chart reads a few dozen records by their names, whatever has happened meanwhile. Quarters of an hour are
there for the chart of a day: it would read 1,440 minutes, or show steps of an hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

MINUTE, QUARTER, HOUR, DAY = timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)


class Tier(StrEnum):
    """The size of a cell."""

    MINUTE = "minute"
    QUARTER = "quarter"
    HOUR = "hour"
    DAY = "day"
    EVER = "ever"

    @property
    def length(self) -> timedelta:
        return _LENGTHS[self]

    @property
    def kept(self) -> timedelta | None:
        """How long a sheet stays after it began: None: always."""
        return _KEPT[self]


class Aspect(StrEnum):
    """What a sheet tells of its cells; kept apart, so that a chart reads no more than it draws."""

    WHOLE = "whole"
    TYPES = "types"
    WORKERS = "workers"
    DEPTH = "depth"

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """Workers come and go: what one did is told of hours, not of years."""
        return _TIERS[self]


@dataclass(frozen=True, slots=True)
class Place:
    """The sheet and the cell in it that a moment belongs to."""

    tier: Tier
    sheet: datetime
    cell: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """What a chart shows: so many steps up to now; each step is made of cells of the tier."""

    name: str
    phrase: str
    tier: Tier
    step: timedelta
    steps: int

    def starts(self, now: datetime) -> list[datetime]:
        """The beginning of each step, the last one under way."""
        last = floor(now, self.step)
        return [last - self.step * number for number in reversed(range(self.steps))]


WINDOWS: Final[dict[str, Window]] = {
    window.name: window
    for window in (
        Window("1h", "last hour", Tier.MINUTE, MINUTE, 60),
        Window("6h", "last 6 hours", Tier.QUARTER, QUARTER, 24),
        Window("24h", "last 24 hours", Tier.QUARTER, 2 * QUARTER, 48),
        Window("7d", "last 7 days", Tier.HOUR, 3 * HOUR, 56),
        Window("30d", "last 30 days", Tier.HOUR, 12 * HOUR, 60),
        Window("90d", "last 90 days", Tier.DAY, DAY, 90),
        Window("1y", "last year", Tier.DAY, 7 * DAY, 53),
    )
}


def place(tier: Tier, moment: datetime) -> Place:
    cell = floor(moment, tier.length)
    return Place(tier, sheet_of(tier, cell), cell)


def sheet_of(tier: Tier, moment: datetime) -> datetime:
    """The beginning of the sheet that has the moment."""
    match tier:
        case Tier.MINUTE:
            return floor(moment, HOUR)
        case Tier.QUARTER | Tier.HOUR:
            return floor(moment, DAY)
        case Tier.DAY:
            return floor(moment, DAY).replace(day=1)
        case Tier.EVER:
            return floor(moment, tier.length)


def sheets_between(tier: Tier, first: datetime, last: datetime) -> Iterator[datetime]:
    """The beginnings of all sheets that hold a cell of the span, oldest first."""
    sheet = sheet_of(tier, first)
    while sheet <= last:
        yield sheet
        sheet = sheet_of(tier, sheet + _SPANS[tier])


def floor(moment: datetime, step: timedelta) -> datetime:
    """Steps are counted from a Monday, so that weeks begin on one."""
    return moment - (moment - _MONDAY) % step


_MONDAY: Final = datetime(2001, 1, 1, tzinfo=UTC)
_AGES: Final = 1000 * 365 * DAY
_LENGTHS: Final = {
    Tier.MINUTE: MINUTE,
    Tier.QUARTER: QUARTER,
    Tier.HOUR: HOUR,
    Tier.DAY: DAY,
    Tier.EVER: _AGES,
}
# of a sheet, or a little longer
_SPANS: Final = {Tier.MINUTE: HOUR, Tier.QUARTER: DAY, Tier.HOUR: DAY, Tier.DAY: 31 * DAY, Tier.EVER: _AGES}
# 48 hours, eight days, 60 days, ten years, each and the span of a sheet
_KEPT: Final = {
    Tier.MINUTE: 49 * HOUR,
    Tier.QUARTER: 9 * DAY,
    Tier.HOUR: 61 * DAY,
    Tier.DAY: 3684 * DAY,
    Tier.EVER: None,
}
_BUT_EVER: Final = (Tier.MINUTE, Tier.QUARTER, Tier.HOUR, Tier.DAY)
_TIERS: Final = {
    Aspect.WHOLE: tuple(Tier),
    Aspect.TYPES: _BUT_EVER,
    Aspect.WORKERS: (Tier.MINUTE, Tier.HOUR),
    Aspect.DEPTH: _BUT_EVER,
}
