"""Failures of one cause, counted: how often, when first and last, and how many in the last hour, day and week."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from jobs_app.domain.failure import Cause

# Finest first. A cell is as sharp as its buckets: the last hour is told to five minutes, day and week to the hour.
MINUTES: Final = 5
FINE_KEPT: Final = timedelta(minutes=65)
HOURS_KEPT: Final = timedelta(days=7, hours=1)


@dataclass(frozen=True, slots=True)
class FailureGroup:
    cause: Cause
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    last_job_id: str
    fine: Mapping[int, int] = field(default_factory=dict)  # by five minutes since 1970
    hours: Mapping[int, int] = field(default_factory=dict)  # by hour since 1970

    def within(self, now: datetime, span: timedelta) -> int:
        """How many failures in the time before now; the bucket that the span begins in counts whole."""
        buckets, seconds = (self.fine, MINUTES * 60) if span <= timedelta(hours=1) else (self.hours, 3600)
        first = int((now - span).timestamp()) // seconds
        return sum(number for bucket, number in buckets.items() if bucket >= first)


def first(cause: Cause, at: datetime, job_id: str) -> FailureGroup:
    return seen(FailureGroup(cause, 0, at, at, job_id), at, job_id)


def seen(group: FailureGroup, at: datetime, job_id: str) -> FailureGroup:
    """The group with one more failure; buckets that no cell can reach any more are dropped."""
    is_last = at >= group.last_seen_at
    return replace(
        group,
        count=group.count + 1,
        first_seen_at=min(group.first_seen_at, at),
        last_seen_at=max(group.last_seen_at, at),
        last_job_id=job_id if is_last else group.last_job_id,
        fine=_counted(group.fine, at, MINUTES * 60, FINE_KEPT),
        hours=_counted(group.hours, at, 3600, HOURS_KEPT),
    )


def _counted(buckets: Mapping[int, int], at: datetime, seconds: int, kept: timedelta) -> dict[int, int]:
    oldest = int((at - kept).timestamp()) // seconds
    counted = {bucket: number for bucket, number in buckets.items() if bucket >= oldest}
    bucket = int(at.timestamp()) // seconds
    counted[bucket] = counted.get(bucket, 0) + 1
    return counted
