"""A line of a job's log."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

LONGEST_MESSAGE = 64 * 1024
MOST_ENTRIES = 1000


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def and_above(self) -> tuple["LogLevel", ...]:
        levels = tuple(LogLevel)
        return levels[levels.index(self) :]


@dataclass(frozen=True, slots=True)
class NewLogEntry:
    """`sequence` is the sender's own count within an attempt; it makes a resent entry known."""

    message: str
    level: LogLevel = LogLevel.INFO
    time: datetime | None = None
    data: dict[str, Any] | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """`number` counts the lines of the job, 1, 2, 3 … without a gap."""

    number: int
    level: LogLevel
    message: str
    time: datetime
    data: dict[str, Any] | None
    attempt: int | None
