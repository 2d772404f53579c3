"""Whoever claims jobs, and what keeps them from claiming."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from jobs_app.domain.job import By, Job

PRESENT = timedelta(minutes=2)  # a claim that waits comes back within one
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody stopped something: a project, a content type, a worker."""

    at: datetime
    by: By
    why: str


@dataclass(frozen=True, slots=True)
class Controls:
    """What a claim must heed, in one small record of the project."""

    project: Stop | None = None
    content_types: Mapping[str, Stop] = field(default_factory=dict)
    workers: Mapping[str, Stop] = field(default_factory=dict)  # drained: they get nothing new


@dataclass(frozen=True, slots=True)
class Worker:
    id: str
    first_seen_at: datetime
    last_seen_at: datetime
    content_types: Sequence[str] | None = None  # None: takes any
    software_version: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, content_type: str) -> bool:
        return self.content_types is None or content_type in self.content_types


class Presence(StrEnum):
    BUSY = "busy"
    IDLE = "idle"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class WorkerGlance:
    """A worker, and whether it holds anything: for where many are shown at once."""

    worker: Worker
    is_busy: bool
    drained: Stop | None

    def presence(self, now: datetime) -> Presence:
        if now - self.worker.last_seen_at > PRESENT:
            return Presence.SILENT
        return Presence.BUSY if self.is_busy else Presence.IDLE

    @property
    def is_safe_to_stop(self) -> bool:
        return self.drained is not None and not self.is_busy


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker with what it holds, as pages and API show it."""

    worker: Worker
    holds: Sequence[Job]
    drained: Stop | None

    @property
    def last_beat_at(self) -> datetime:
        beats = [job.heartbeat_at for job in self.holds if job.heartbeat_at is not None]
        return max([self.worker.last_seen_at, *beats])

    @property
    def is_safe_to_stop(self) -> bool:
        return self.drained is not None and not self.holds
