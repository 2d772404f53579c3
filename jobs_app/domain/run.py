"""One execution of a pipeline over documents. Its state and progress are never stored: they follow from its jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from jobs_app.domain.document import Plan
from jobs_app.domain.job import DEFAULT_MAX_RETRIES, By
from jobs_app.domain.job_states import JobState


class Phase(StrEnum):
    """What was done to a run by somebody; the rest of its story is its jobs'."""

    DRAFT = "draft"
    STARTING = "starting"  # document after document gets its job; goes on after a restart
    STARTED = "started"
    CANCELLED = "cancelled"


class RunState(StrEnum):
    DRAFT = "draft"
    STARTING = "starting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Start:
    """How a run was started, and how far the handing out of jobs came."""

    at: datetime
    by: By
    force: bool


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    version: int
    name: str
    created_at: datetime
    created_by: By
    content_type: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    storage: str = "default"  # where artifacts go that name no other
    priority: int = 0
    tags: Sequence[str] = ()
    max_retries: int = DEFAULT_MAX_RETRIES
    phase: Phase = Phase.DRAFT
    start: Start | None = None
    cancelled_by: By | None = None
    cloned_from: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many documents have which plan, and how many of the run's jobs are in which state."""

    plans: Mapping[Plan, int] = field(default_factory=dict)
    jobs: Mapping[JobState, int] = field(default_factory=dict)

    @property
    def documents(self) -> int:
        return sum(self.plans.values())

    @property
    def open_jobs(self) -> int:
        return sum(number for state, number in self.jobs.items() if not state.is_final)

    @property
    def done(self) -> int:
        """Documents with which nothing more will happen by itself."""
        ended = sum(number for state, number in self.jobs.items() if state.is_final)
        settled = self.plans.get(Plan.SKIPPED, 0) + self.plans.get(Plan.REFUSED, 0)
        return min(settled + ended, self.documents)

    @property
    def failed(self) -> int:
        troubled = (JobState.FAILED, JobState.TIMEOUT)
        return self.plans.get(Plan.REFUSED, 0) + sum(self.jobs.get(state, 0) for state in troubled)


def state_of(run: Run, tally: Tally) -> RunState:
    if run.phase is Phase.DRAFT:
        return RunState.DRAFT
    if run.phase is Phase.CANCELLED:
        return RunState.RUNNING if tally.open_jobs else RunState.CANCELLED
    if run.phase is Phase.STARTING:
        return RunState.STARTING
    if tally.open_jobs or tally.plans.get(Plan.ATTACHED, 0):
        return RunState.RUNNING
    if tally.failed:
        return RunState.FAILED
    if tally.jobs.get(JobState.CANCELLED, 0):
        return RunState.CANCELLED
    return RunState.COMPLETED


def progress_of(tally: Tally) -> float:
    """0 to 100, by documents."""
    return 100 * tally.done / tally.documents if tally.documents else 0.0


def options_for(run: Run, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The run's options with a document's own laid over them, key by key at the top."""
    return {**run.options, **overrides}
