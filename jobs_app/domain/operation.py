"""An operation in bulk: what is to be done to which jobs, how far it came, and what became of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from jobs_app.domain import job_transitions
from jobs_app.domain.job import By, Job, Step
from jobs_app.domain.job_transitions import StateRefusedError


class Action(StrEnum):
    RETRY = "retry"
    CANCEL = "cancel"
    DELETE = "delete"
    RESTORE = "restore"  # out of the trash; the undo of a delete

    @property
    def phrase(self) -> str:
        return PHRASES[self]


PHRASES: Mapping[Action, str] = {
    Action.RETRY: "back to the queue",
    Action.CANCEL: "cancel, or ask the worker to",
    Action.DELETE: "into the trash",
    Action.RESTORE: "out of the trash",
}


class OperationState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"

    @property
    def is_final(self) -> bool:
        return self in (OperationState.STOPPED, OperationState.DONE)


class ItemOutcome(StrEnum):
    CHANGED = "changed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one job; `code` and `detail` say why it was refused."""

    job_id: str
    outcome: ItemOutcome
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to each job, by whom and why. `before` is the moment at which it was asked for: what ended later is
    another story, and not touched."""

    action: Action
    by: By
    why: str = ""
    is_person: bool = False
    before: datetime | None = None

    def decide(self, job: Job, now: datetime) -> Step | None:
        match self.action:
            case Action.RETRY:
                if self.before is not None and job.completed_at is not None and job.completed_at > self.before:
                    raise StateRefusedError("It ended again after this was asked for.")
                return job_transitions.retry(job, now, self.by, self.why, beyond_limit=self.is_person)
            case Action.CANCEL:
                return job_transitions.cancel(job, now, self.by, self.why)
            case Action.DELETE:
                return job_transitions.trash(job, now, self.by, self.why)
            case Action.RESTORE:
                return job_transitions.restore(job, now, self.by)


@dataclass(frozen=True, slots=True)
class Operation:
    """`filter`, `ids` or `undoes` (the id of another operation) say which jobs; `place` is where the next batch begins.
    `matched` is how many there were when it was asked for, None where only walking through them tells."""

    id: str
    version: int
    deed: Deed
    state: OperationState
    created_at: datetime
    held_until: datetime
    filter: Mapping[str, Any] | None = None
    ids: tuple[str, ...] | None = None
    undoes: str | None = None
    place: str | None = None
    matched: int | None = None
    changed: int = 0
    refused: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str = ""

    @property
    def done(self) -> int:
        return self.changed + self.refused

    @property
    def can_be_undone(self) -> bool:
        return self.deed.action is Action.DELETE and self.state.is_final and self.changed > 0
