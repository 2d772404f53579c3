"""One execution of a pipeline over documents. Its state and progress are never stored: they follow from its jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from jobs_app.domain.document import Plan
from jobs_app.domain.job import DEFAULT_MAX_RETRIES, By
from jobs_app.domain.job_states import JobState
from jobs_app.domain.library import Wanted


class Phase(StrEnum):
    """What was done to a run by somebody; the rest of its story is its jobs'."""

    DRAFT = "draft"
    STARTING = "starting"  # document after document gets its job; goes on after a restart
    STARTED = "started"
    CANCELLING = "cancelling"  # jobs are open still; each is told, also after a restart
    CANCELLED = "cancelled"

    @property
    def is_cancelled(self) -> bool:
        return self in (Phase.CANCELLING, Phase.CANCELLED)


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


def phases_of(state: RunState) -> tuple[Phase, ...]:
    """Those in which a run may be that is in this state."""
    return _PHASES[state]


_PHASES: Final[Mapping[RunState, tuple[Phase, ...]]] = {
    RunState.DRAFT: (Phase.DRAFT, Phase.STARTED),
    RunState.STARTING: (Phase.STARTING,),
    RunState.RUNNING: (Phase.STARTED, Phase.CANCELLING, Phase.CANCELLED),
    RunState.COMPLETED: (Phase.STARTED,),
    RunState.FAILED: (Phase.STARTED,),
    RunState.CANCELLED: (Phase.STARTED, Phase.CANCELLING, Phase.CANCELLED),
}


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
    uses: Sequence[Wanted] = ()  # texts of the library, for each job
    storage: str = "default"  # where artifacts go that name no other
    priority: int = 0
    tags: Sequence[str] = ()
    max_retries: int = DEFAULT_MAX_RETRIES
    phase: Phase = Phase.DRAFT
    start: Start | None = None
    cancelled_by: By | None = None
    cloned_from: str | None = None
    ended: Mapping[JobState, int] = field(default_factory=dict)  # its jobs when all had ended: they go before it does
    taken_out: Sequence[str] = ()  # jobs whose documents were taken out: they are no part of its story any more


@dataclass(frozen=True, slots=True)
class Tally:
    """How many documents have which plan, and how many of the run's jobs are in which state. `gone` are those that
    were deleted meanwhile, as far as it is known how they ended.
    """

    plans: Mapping[Plan, int] = field(default_factory=dict)
    jobs: Mapping[JobState, int] = field(default_factory=dict)
    gone: Mapping[JobState, int] = field(default_factory=dict)

    @property
    def documents(self) -> int:
        return sum(self.plans.values())

    @property
    def open_jobs(self) -> int:
        return sum(number for state, number in self.jobs.items() if not state.is_final)

    @property
    def jobs_gone(self) -> int:
        """Documents whose job was deleted, by somebody or after its time."""
        return max(self.plans.get(Plan.QUEUED, 0) - sum(self.jobs.values()), 0)

    @property
    def done(self) -> int:
        """Documents with which nothing more will happen by itself."""
        return max(self.documents - self.plans.get(Plan.ATTACHED, 0) - self.open_jobs, 0)

    @property
    def failed(self) -> int:
        return self.plans.get(Plan.REFUSED, 0) + self.ended(JobState.FAILED) + self.ended(JobState.TIMEOUT)

    def ended(self, state: JobState) -> int:
        return self.jobs.get(state, 0) + self.gone.get(state, 0)


def tally(run: Run, plans: Mapping[Plan, int], jobs: Mapping[JobState, int]) -> Tally:
    """A job that is gone counts as it ended, by what the run remembers."""
    here = Tally(plans, jobs)
    if not here.jobs_gone:
        return here
    gone = {state: number - jobs.get(state, 0) for state, number in run.ended.items() if number > jobs.get(state, 0)}
    return Tally(plans, jobs, gone)


def state_of(run: Run, tally: Tally) -> RunState:
    if run.phase is Phase.DRAFT:
        return RunState.DRAFT
    if run.phase.is_cancelled:
        return RunState.RUNNING if tally.open_jobs else RunState.CANCELLED
    if run.phase is Phase.STARTING:
        return RunState.STARTING
    if tally.open_jobs:
        return RunState.RUNNING
    if tally.plans.get(Plan.ATTACHED, 0):
        return RunState.DRAFT  # attached after the start, and waiting for the next one
    if tally.failed:
        return RunState.FAILED
    if tally.ended(JobState.CANCELLED):
        return RunState.CANCELLED
    return RunState.COMPLETED


def progress_of(tally: Tally) -> float:
    """0 to 100, by documents."""
    return 100 * tally.done / tally.documents if tally.documents else 0.0


def options_for(run: Run, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The run's options with a document's own laid over them, key by key at the top."""
    return {**run.options, **overrides}
