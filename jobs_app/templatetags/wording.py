"""How a size, an age, a duration, a number and a state are said to people.

Each is a plain function and a template filter of the same name. What is absent (None) is a dash; what is no number is
refused.
`static/js/times.js` says ages in the same words while a page is open.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django import template

register = template.Library()

ABSENT = "–"  # noqa: RUF001 - an en dash is what a person reads as "nothing here"
MINUS = "−"  # noqa: RUF001 - a real minus sign is as wide as a figure
SIZES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
SHORT = ("", "k", "M", "G", "T", "P")
MINUTE, HOUR, DAY = 60, 3600, 86400
AGES = ((MINUTE, 1, "s"), (HOUR, MINUTE, "min"), (DAY, HOUR, "h"), (60 * DAY, DAY, "d"), (730 * DAY, 30 * DAY, "mo"))


@dataclass(frozen=True)
class State:
    """One word, the tone that colours its mark, and the mark in the sprite."""

    word: str
    tone: str
    icon: str


STATES = {
    "pending": State("Pending", "pending", "pending"),
    "processing": State("Processing", "processing", "processing"),
    "completed": State("Completed", "completed", "completed"),
    "failed": State("Failed", "failed", "failed"),
    "timeout": State("Timeout", "timeout", "timeout"),
    "cancelled": State("Cancelled", "cancelled", "cancelled"),
    # a task's run, a storage's health, a token's life: other words, the same six looks
    "running": State("Running", "processing", "processing"),
    "succeeded": State("Succeeded", "completed", "completed"),
    "skipped": State("Skipped", "cancelled", "skipped"),
    "never": State("Never ran", "cancelled", "pending"),
    "up": State("Up", "completed", "completed"),
    "down": State("Down", "failed", "failed"),
    "degraded": State("Degraded", "timeout", "warning"),
    "active": State("Active", "completed", "completed"),
    "stashed": State("Stashed", "cancelled", "pending"),
    "expired": State("Expired", "timeout", "timeout"),
    "revoked": State("Revoked", "cancelled", "cancelled"),
    "busy": State("Busy", "processing", "processing"),
    "idle": State("Idle", "completed", "completed"),
    "silent": State("Silent", "timeout", "timeout"),
    "drained": State("Drained", "cancelled", "pause"),
    "cancelling": State("Cancelling", "processing", "cancelled"),
    "waiting": State("Waiting", "pending", "pending"),
    "sending": State("Sending", "processing", "processing"),
    "unknown": State("Not asked yet", "cancelled", "pending"),
    # a run, and what it decided about a document
    "draft": State("Draft", "pending", "pending"),
    "starting": State("Starting", "processing", "processing"),
    "attached": State("Attached", "pending", "pending"),
    "refused": State("Refused", "failed", "warning"),
    "job_gone": State("Job deleted", "cancelled", "trash"),
    "parked": State("Parked", "timeout", "warning"),
}


@register.filter
def state(word: object) -> State:
    """The look of a state; one that nobody described is shown by its own word, in no colour."""
    text = str(getattr(word, "value", word))
    return STATES.get(text) or State(text.replace("_", " ").capitalize(), "neutral", "neutral")


@register.filter
def number(value: float | None) -> str:
    """12345.678 → 12,345.68; whole numbers of any size are exact."""
    if value is None:
        return ABSENT
    _refuse_no_number(value)
    if value != int(value):
        return _signed(f"{abs(value):,.2f}".rstrip("0").rstrip("."), value)
    return _signed(f"{abs(int(value)):,}", value)


@register.filter
def short(value: float | None) -> str:
    """12345 → 12.3k: for figures where the order of size is the message."""
    return ABSENT if value is None else _scaled(value, SHORT, "")


@register.filter
def size(octets: float | None) -> str:
    """1234567 → 1.2 MB, in powers of a thousand as disks are sold and storages are billed."""
    return ABSENT if octets is None else _scaled(octets, SIZES, " ")


@register.filter
def duration(value: float | timedelta | None) -> str:
    """At most two units: 340 ms, 4.2 s, 3 min 5 s, 2 h 5 min, 3 d 4 h."""
    if value is None:
        return ABSENT
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    _refuse_no_number(seconds)
    return _signed(_duration(abs(seconds)), seconds)


@register.filter
def age(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, or in how long: 12 s ago, in 5 min."""
    if moment is None:
        return ABSENT
    seconds = ((now or datetime.now(UTC)) - _with_zone(moment)).total_seconds()
    distance = abs(seconds)
    if distance < 1:
        return "now"
    unit, name = next(((unit, name) for limit, unit, name in AGES if distance < limit), (365 * DAY, "y"))
    words = f"{int(distance // unit)} {name}"
    return f"in {words}" if seconds < 0 else f"{words} ago"


@register.filter
def exact(moment: datetime | None) -> str:
    """2026-01-31 12:00:05 UTC."""
    return ABSENT if moment is None else _with_zone(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@register.filter
def percent(share: float | None) -> str:
    """0.4567 → 45.7 %; never rounded up to a whole 100 or down to a bare 0."""
    if share is None:
        return ABSENT
    _refuse_no_number(share)
    value = abs(share) * 100
    text = f"{value:.0f}" if value >= 99.95 or value == round(value) else f"{value:.1f}"
    if 0 < value < 0.1:
        text = "<0.1"
    elif 99.9 < value < 100:
        text = ">99.9"
    return _signed(f"{text} %", share)


@register.filter
def count_of(count: int, noun: str) -> str:
    """1 job, 2 jobs, 3 entries; an irregular plural stands behind a bar: "person|people"."""
    singular, _, plural = noun.partition("|")
    return f"{number(count)} {singular if abs(count) == 1 else plural or _plural(singular)}"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "z", "ch", "sh")) else f"{noun}s"


def _duration(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "<1 ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    for limit, big, big_name, small, small_name in (
        (HOUR, MINUTE, "min", 1, "s"),
        (DAY, HOUR, "h", MINUTE, "min"),
        (math.inf, DAY, "d", HOUR, "h"),
    ):
        if whole < limit:
            rest = whole % big // small
            return f"{whole // big:,} {big_name}" + (f" {rest} {small_name}" if rest else "")
    raise AssertionError("the last limit is infinite")


def _scaled(value: float, units: tuple[str, ...], gap: str) -> str:
    _refuse_no_number(value)
    scaled, step = abs(value), 0
    # 999,950 would be written 1000.0 with one digit behind the point: it belongs to the next unit
    while step + 1 < len(units) and scaled >= (999.5 if step == 0 else 999.95):
        scaled, step = scaled / 1000, step + 1
    digits = f"{scaled:,.0f}" if step == 0 and scaled == int(scaled) else f"{scaled:,.1f}"
    return _signed(f"{digits}{gap}{units[step]}", value)


def _signed(text: str, value: float) -> str:
    return f"{MINUS}{text}" if value < 0 else text


def _refuse_no_number(value: object) -> None:
    # a template gives whatever it was given; NaN in a page is a fault upstream and must not be dressed up as a figure
    infinite = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or infinite:
        raise ValueError(f"{value!r} is not a number to show")


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no zone")
    return moment
