"""The numbers of a project: what is counted when an attempt or a job ends, and how counts of spans add up.

A fact is made with the step that it counts and carries all that the charts ever need of it, so charts never look at a
job again. Facts are added to cells (a minute, an hour, a day); a cell knows the names of the first few content types
and workers that it meets, and adds all others up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from jobs_app.domain.histogram import Histogram
from jobs_app.domain.job import Step
from jobs_app.domain.job_states import JobState, Transition

MOST_TYPES: Final = 20  # content types that a cell knows by name
MOST_WORKERS: Final = 100  # workers that a cell knows by name


class Outcome(StrEnum):
    """How an attempt ended. The first four end the job as well."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    PUT_OFF = "put_off"  # failed, and will be tried again
    RELEASED = "released"
    LOST = "lost"  # its worker was not heard of in time; given to another


ENDED: Final = (Outcome.COMPLETED, Outcome.FAILED, Outcome.TIMEOUT, Outcome.CANCELLED)
FAILURES: Final = (Outcome.FAILED, Outcome.TIMEOUT)
_BACK_IN_QUEUE: Final[Mapping[str, Outcome]] = {
    Transition.PUT_OFF: Outcome.PUT_OFF,
    Transition.RELEASED: Outcome.RELEASED,
    Transition.LEASE_LOST: Outcome.LOST,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One end, of an attempt or of a job that no worker had. Durations are None where nobody worked on it."""

    at: datetime
    outcome: Outcome
    content_type: str
    worker_id: str | None = None
    waited_microseconds: int | None = None
    worked_microseconds: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Ends by outcome, how long jobs had waited for their worker, and how long attempts took."""

    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    waited: Histogram = field(default_factory=Histogram)
    worked: Histogram = field(default_factory=Histogram)

    def __add__(self, other: "Tally") -> "Tally":
        outcomes = dict(self.outcomes)
        for outcome, count in other.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
        return Tally(outcomes, self.waited + other.waited, self.worked + other.worked)

    @property
    def ended(self) -> int:
        """Jobs that came to an end."""
        return sum(self.outcomes.get(outcome, 0) for outcome in ENDED)

    @property
    def failure_rate(self) -> float | None:
        """The share that failed or ran out of time, of those that did so or were done; None where there are none."""
        failures = sum(self.outcomes.get(outcome, 0) for outcome in FAILURES)
        judged = failures + self.outcomes.get(Outcome.COMPLETED, 0)
        return failures / judged if judged else None


@dataclass(frozen=True, slots=True)
class Named:
    """Tallies by name; `others` holds what came when all names were taken."""

    named: Mapping[str, Tally] = field(default_factory=dict)
    others: Tally = field(default_factory=Tally)

    def plus(self, other: "Named", most: int | None = None) -> "Named":
        """Added up. With `most`, names beyond that many go to the others; the ones here keep theirs."""
        named, others = dict(self.named), self.others + other.others
        for name, tally in other.named.items():
            if name in named:
                named[name] += tally
            elif most is None or len(named) < most:
                named[name] = tally
            else:
                others += tally
        return Named(named, others)

    def __add__(self, other: "Named") -> "Named":
        return self.plus(other)

    def largest(self, most: int) -> "Named":
        """The names with most ends, the rest with the others."""
        by_size = sorted(self.named, key=lambda name: (-sum(self.named[name].outcomes.values()), name))
        others = sum((self.named[name] for name in by_size[most:]), self.others)
        return Named({name: self.named[name] for name in by_size[:most]}, others)


@dataclass(frozen=True, slots=True)
class Depth:
    """What there was at a moment; of a span, what there was last, and the highest that was seen."""

    at: datetime
    counts: Mapping[JobState, int]
    due: int
    oldest_seconds: float | None
    stored_bytes: int | None = None
    highest_pending: int = 0
    longest_oldest: float | None = None

    @classmethod
    def sample(
        cls, at: datetime, counts: Mapping[JobState, int], due: int, oldest: timedelta | None, stored: int | None
    ) -> "Depth":
        age = None if oldest is None else max(oldest.total_seconds(), 0.0)
        return cls(at, counts, due, age, stored, counts.get(JobState.PENDING, 0), age)

    def merged(self, other: "Depth") -> "Depth":
        """The same, whichever comes first and however often."""
        first, last = sorted((self, other), key=_place_in_time)
        return replace(
            last,
            stored_bytes=first.stored_bytes if last.stored_bytes is None else last.stored_bytes,
            highest_pending=max(self.highest_pending, other.highest_pending),
            longest_oldest=max(
                (age for age in (self.longest_oldest, other.longest_oldest) if age is not None), default=None
            ),
        )

    def beside(self, other: "Depth") -> "Depth":
        """Two queues seen as one, at about the same moment."""
        ages = [age for age in (self.oldest_seconds, other.oldest_seconds) if age is not None]
        return Depth(
            at=max(self.at, other.at),
            counts={state: self.counts.get(state, 0) + other.counts.get(state, 0) for state in JobState},
            due=self.due + other.due,
            oldest_seconds=max(ages, default=None),
            stored_bytes=(self.stored_bytes or 0) + (other.stored_bytes or 0),
        )


def facts_of(step: Step) -> list[Fact]:
    """What a step adds to the numbers: nothing, or the one end that it is."""
    event, attempt, job = step.event, step.attempt, step.job
    if event is None:
        return []
    ends_here = event.target.is_final and event.source is not None and not event.source.is_final
    if attempt is not None:
        outcome = Outcome(event.target.value) if ends_here else _BACK_IN_QUEUE[event.type]
        waited = None if attempt.planned_at is None else _between(attempt.planned_at, attempt.started_at)
        worked = _between(attempt.started_at, attempt.ended_at)
        return [Fact(attempt.ended_at, outcome, job.content_type, attempt.worker_id, waited, worked)]
    return [Fact(event.at, Outcome(event.target.value), job.content_type)] if ends_here else []


def tally_of(facts: Iterable[Fact]) -> Tally:
    outcomes: dict[Outcome, int] = {}
    waited: list[int] = []
    worked: list[int] = []
    for fact in facts:
        outcomes[fact.outcome] = outcomes.get(fact.outcome, 0) + 1
        if fact.waited_microseconds is not None:
            waited.append(fact.waited_microseconds)
        if fact.worked_microseconds is not None:
            worked.append(fact.worked_microseconds)
    return Tally(outcomes, Histogram.of(*waited), Histogram.of(*worked))


def by_type(facts: Iterable[Fact]) -> Named:
    return _named((fact.content_type, fact) for fact in facts)


def by_worker(facts: Iterable[Fact]) -> Named:
    """What no worker had is not in it."""
    return _named((fact.worker_id, fact) for fact in facts if fact.worker_id is not None)


def _named(pairs: Iterable[tuple[str, Fact]]) -> Named:
    grouped: dict[str, list[Fact]] = {}
    for name, fact in pairs:
        grouped.setdefault(name, []).append(fact)
    return Named({name: tally_of(facts) for name, facts in grouped.items()})


def _between(start: datetime, end: datetime) -> int:
    """In microseconds; nothing where the clock was set back meanwhile."""
    return max((end - start) // timedelta(microseconds=1), 0)


def _place_in_time(depth: Depth) -> tuple[datetime, str]:
    return depth.at, repr(depth)
