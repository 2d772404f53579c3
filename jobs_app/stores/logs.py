"""Lines of a job's log as they stand in its stream."""

from datetime import datetime
from typing import Any

from jobs_app.domain.job_log import LogEntry, LogLevel, NewLogEntry
from jobs_app.stores.values import known_time, time_out
from storage_app.records.streams import StreamEntry


def entry_out(entry: NewLogEntry, now: datetime, attempt: int | None) -> dict[str, Any]:
    """What is empty is left out: a log is mostly lines of text."""
    line: dict[str, Any] = {"time": time_out(entry.time or now), "level": entry.level.value, "message": entry.message}
    if entry.data is not None:
        line["data"] = entry.data
    if attempt is not None:
        line["attempt"] = attempt
    return line


def entry_in(entry: StreamEntry) -> LogEntry:
    data = entry.data
    return LogEntry(
        number=entry.position,
        level=LogLevel(data["level"]),
        message=data["message"],
        time=known_time(data["time"]),
        data=data.get("data"),
        attempt=data.get("attempt"),
    )
