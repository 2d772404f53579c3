"""How people write numbers, times and durations; each reading says what it did not understand.

Times: `2026`, `2026-01`, `2026-01-31`, `2026-01-31T12:00`, with seconds, fraction and zone (UTC where none is given),
`today`, `yesterday`, `now`, and `-2h` for two hours ago. Durations: `90s`, `5m`, `1h30m`, `250ms`, `2d`, `1w`; a plain
number is seconds. Only ASCII digits are digits.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

LARGEST_INTEGER: Final = 2**63 - 1
LARGEST_EXACT: Final = 2**53


class UnreadableError(ValueError):
    """The sentence is for people; `suggestion` is another spelling that can be read."""

    def __init__(self, sentence: str, suggestion: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.suggestion = suggestion


@dataclass(frozen=True)
class Moments:
    """From `start` to before `end`: the unit that was named. An instant (`now`, `-2h`) has no width."""

    start: datetime
    end: datetime

    @property
    def is_instant(self) -> bool:
        return self.start == self.end


@dataclass(frozen=True)
class Seconds:
    """A duration in seconds, and where the next one of its smallest unit begins."""

    start: float
    end: float


def integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise UnreadableError(f"{_shown(text)} is not a whole number")
    value = int(text)
    if abs(value) > LARGEST_INTEGER:
        raise UnreadableError(f"{_shown(text)} does not fit into 64 bits")
    return value


def number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise UnreadableError(f"{_shown(text)} is not a number")
    value = int(text) if _INTEGER.fullmatch(text) else float(text)
    if isinstance(value, int) and abs(value) > LARGEST_EXACT:
        raise UnreadableError(f"{_shown(text)} is beyond 2^53, where numbers are no longer exact")
    if not math.isfinite(value):
        raise UnreadableError(f"{_shown(text)} is too large")
    return value


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def duration(text: str) -> Seconds:
    spelled = text.lower() + "s" * (_PLAIN_SECONDS.fullmatch(text) is not None)
    parts = _DURATION_PART.findall(spelled)
    if not parts or "".join(map("".join, parts)) != spelled:
        raise UnreadableError(f"{_shown(text)} is not a duration such as 90s, 5m, 1h30m or 2d")
    if len(parts) > _MOST_PARTS:
        raise UnreadableError("has more than seven parts")
    start = math.fsum(float(amount) * _UNITS[unit] for amount, unit in parts)
    if start > _LONGEST:
        raise UnreadableError(f"{_shown(text)} is longer than 10,000 years")
    return Seconds(start, start + _UNITS[parts[-1][1]])


def moments(text: str, now: datetime) -> Moments:
    """The time named, relative ones as seen from `now`."""
    try:
        return _named(text.lower(), now.astimezone(UTC)) or _dated(text)
    except (ValueError, OverflowError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"{_shown(text)} is not a time that exists") from error


_UNITS: Final = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?")
_PLAIN_SECONDS: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")
_DURATION_PART: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ms|[wdhms])")
_MOST_PARTS: Final = 7
_LONGEST: Final = 10_000 * 366 * 86400.0
_DATE: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:[Tt]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_DAY: Final = timedelta(days=1)


def _named(text: str, now: datetime) -> Moments | None:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text == "now":
        return Moments(now, now)
    if text == "today":
        return Moments(midnight, midnight + _DAY)
    if text == "yesterday":
        return Moments(midnight - _DAY, midnight)
    if text.startswith("-"):
        moment = now - timedelta(seconds=duration(text[1:]).start)
        return Moments(moment, moment)
    return None


def _dated(text: str) -> Moments:
    match = _DATE.fullmatch(text)
    if match is None:
        raise UnreadableError(
            f"{_shown(text)} is not a time such as 2026-01-31, 2026-01-31T12:00, today or -2h", _ago(text)
        )
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    start = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        int((fraction or "").ljust(6, "0")),
        tzinfo=_zone(zone),
    ).astimezone(UTC)
    return Moments(start, _next(start, match))


def _next(start: datetime, match: "re.Match[str]") -> datetime:
    """Where the unit named ends; at the end of all time, there."""
    _, month, day, hour, _, second, fraction, _ = match.groups()
    try:
        if month is None:
            return start.replace(year=start.year + 1)
        if day is None:
            return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        if hour is None:
            return start + _DAY
        if second is None:
            return start + timedelta(minutes=1)
        return start + (timedelta(microseconds=1) if fraction else timedelta(seconds=1))
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)


def _zone(zone: str | None) -> tzinfo:
    if zone is None or zone in "Zz":
        return UTC
    if zone[4:6] > "59":
        raise ValueError("an hour has 60 minutes")
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return timezone(-offset if zone[0] == "-" else offset)


def _ago(text: str) -> str | None:
    """`2h` for a time was probably meant as two hours ago."""
    try:
        duration(text)
    except UnreadableError:
        return None
    return None if _PLAIN_SECONDS.fullmatch(text) else f"-{text}"


def _shown(text: str) -> str:
    return f"“{text}”" if len(text) <= 40 else f"“{text[:40]}…”"
