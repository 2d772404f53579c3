"""Times in documents are RFC 3339 text with a zone; an index holds them as whole microseconds since 1970 UTC."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Clock: TypeAlias = Callable[[], datetime]


def now() -> datetime:
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """The one spelling we write: UTC, six digits, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def to_instant(value: str | datetime) -> int:
    """Microseconds since 1970; ValueError for text without zone, with more than six digits, or not a date."""
    return (_moment(value) - _EPOCH) // _MICROSECOND


def from_instant(instant: int) -> datetime:
    return _EPOCH + instant * _MICROSECOND


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def _moment(value: str | datetime) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs a zone")
        return value
    if not _RFC3339.fullmatch(value):
        raise ValueError("not a time such as 2026-01-31T12:00:00.123456Z")
    return datetime.fromisoformat(value)
