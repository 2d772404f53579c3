"""What a maintenance task is, how a run of it ends, and how it knows that its time is up."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class RunOutcome(StrEnum):
    ASKED = "asked"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def phrase(self) -> str:
        return PHRASES[self]


PHRASES: Mapping[RunOutcome, str] = {
    RunOutcome.ASKED: "waiting for a consumer",
    RunOutcome.RUNNING: "running",
    RunOutcome.DONE: "done",
    RunOutcome.FAILED: "failed",
    RunOutcome.INTERRUPTED: "interrupted: its consumer went away",
}


class Deadline:
    """Time allowed for one run. A task asks between two steps and leaves the rest to its next run."""

    def __init__(self, limit: timedelta, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends_at = monotonic() + limit.total_seconds()

    @property
    def passed(self) -> bool:
        return self._monotonic() >= self._ends_at

    def turn(self, limit: timedelta) -> "Deadline":
        """For one of several that share the time: ends with it at the latest."""
        turn = Deadline(limit, self._monotonic)
        turn._ends_at = min(turn._ends_at, self._ends_at)
        return turn


Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MaintenanceTask:
    """`run` does its work in steps, stops when the deadline passed, says what it counted, and may run twice."""

    name: str
    sentence: str
    every: timedelta
    limit: timedelta
    run: Callable[[Deadline], Counts]
