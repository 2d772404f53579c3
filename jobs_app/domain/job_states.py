"""The states of a job, and the one table of which may follow which."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"

    @property
    def phrase(self) -> str:
        return PHRASES[self]

    @property
    def is_final(self) -> bool:
        return self not in (JobState.PENDING, JobState.PROCESSING)


PHRASES: Mapping[JobState, str] = {
    JobState.PENDING: "waits for a worker",
    JobState.PROCESSING: "is being worked on",
    JobState.COMPLETED: "was done",
    JobState.FAILED: "ended with an error",
    JobState.TIMEOUT: "ran out of time",
    JobState.CANCELLED: "was cancelled",
}


class Transition(StrEnum):
    """What happens to a job; the word is the type of the event that is kept of it."""

    CLAIMED = "claimed"
    COMPLETED = "completed"
    FAILED = "failed"
    PUT_OFF = "put_off"  # an attempt failed and another one will be made
    RELEASED = "released"
    LEASE_LOST = "lease_lost"
    GAVE_UP = "gave_up"  # too many workers were lost over it
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    RETRIED = "retried"


@dataclass(frozen=True, slots=True)
class Rule:
    sources: frozenset[JobState]
    target: JobState


def _rule(*states: JobState) -> Rule:
    *sources, target = states
    return Rule(frozenset(sources), target)


TABLE: Mapping[Transition, Rule] = {
    Transition.CLAIMED: _rule(JobState.PENDING, JobState.PROCESSING),
    Transition.COMPLETED: _rule(JobState.PROCESSING, JobState.COMPLETED),
    Transition.FAILED: _rule(JobState.PROCESSING, JobState.FAILED),
    Transition.PUT_OFF: _rule(JobState.PROCESSING, JobState.PENDING),
    Transition.RELEASED: _rule(JobState.PROCESSING, JobState.PENDING),
    Transition.LEASE_LOST: _rule(JobState.PROCESSING, JobState.PENDING),
    Transition.GAVE_UP: _rule(JobState.PROCESSING, JobState.FAILED),
    Transition.TIMED_OUT: _rule(JobState.PENDING, JobState.PROCESSING, JobState.TIMEOUT),
    Transition.CANCELLED: _rule(JobState.PENDING, JobState.PROCESSING, JobState.CANCELLED),
    Transition.RETRIED: _rule(JobState.FAILED, JobState.TIMEOUT, JobState.PENDING),
}


class TransitionRefusedError(Exception):
    """The job is in a state that this cannot follow; both states are in the sentence."""

    def __init__(self, source: JobState, target: JobState, because: str = "") -> None:
        self.source, self.target = source, target
        self.detail = f"A job cannot go from {source} to {target}" + (f": {because}." if because else ".")
        super().__init__(self.detail)


def next_state(state: JobState, transition: Transition) -> JobState:
    """The state after the transition, or TransitionRefusedError."""
    rule = TABLE[transition]
    if state not in rule.sources:
        raise TransitionRefusedError(state, rule.target)
    return rule.target
