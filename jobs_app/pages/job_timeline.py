"""A job's time line, drawn to scale: waiting, running, and the gaps between attempts, from its making to its end.

Places are shares of the whole width, so the drawing stretches without changing its text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from jobs_app.domain.job import Attempt, Job
from jobs_app.domain.job_states import JobState, Transition
from jobs_app.templatetags import wording

NARROWEST = 0.35  # percent: what took no time at all is still seen
TICKS = (0.0, 25.0, 50.0, 75.0, 100.0)
MINOR = (25.0, 75.0)
# How an attempt that ended is coloured and called.
OUTCOMES: dict[str, tuple[str, str]] = {
    Transition.COMPLETED: ("completed", "Completed"),
    Transition.FAILED: ("failed", "Failed"),
    Transition.PUT_OFF: ("failed", "Failed, tried again later"),
    Transition.RELEASED: ("cancelled", "Given back"),
    Transition.LEASE_LOST: ("timeout", "Worker lost"),
    Transition.GAVE_UP: ("failed", "Worker lost, given up"),
    Transition.TIMED_OUT: ("timeout", "Timed out"),
    Transition.CANCELLED: ("cancelled", "Cancelled"),
}
Kind = Literal["waiting", "running", "gap"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time; `x` and `width` in percent of the whole."""

    kind: Kind
    tone: str
    x: float
    width: float
    said: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str
    anchor: str
    is_minor: bool  # left out where there is no room


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A try as the table tells it; `ended_at` None: under way."""

    number: int
    worker_id: str
    tone: str
    outcome: str
    waited: timedelta | None
    started_at: datetime
    ended_at: datetime | None
    ran: timedelta
    error: str


@dataclass(frozen=True, slots=True)
class Timeline:
    start: datetime
    end: datetime
    is_over: bool
    spans: Sequence[Span]
    ticks: Sequence[Tick]
    rows: Sequence[AttemptRow]
    left_out: int

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


def draw(job: Job, attempts: Sequence[Attempt], now: datetime, left_out: int = 0) -> Timeline:
    """`attempts` are those that ended, in order; the one under way is told by the job. With `left_out` earlier ones
    the drawing begins with the first that is here."""
    start = attempts[0].planned_at or attempts[0].started_at if left_out and attempts else job.created_at
    end = max(job.completed_at or now, start)
    scale = _Scale(start, max((end - start).total_seconds(), 0.001))
    spans = [scale.span(*stretch) for stretch in _stretches(job, attempts, start, end)]
    rows = [_row(attempt) for attempt in attempts]
    if job.status is JobState.PROCESSING and job.started_at is not None:
        rows.append(_under_way(job, job.started_at, now))
    return Timeline(start, end, job.completed_at is not None, spans, scale.ticks(), rows, left_out)


Stretch = tuple[Kind, str, datetime, datetime, str]


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    seconds: float

    def span(self, kind: Kind, tone: str, begin: datetime, end: datetime, said: str) -> Span:
        x = self._share(begin)
        width = max(self._share(end) - x, NARROWEST)
        return Span(kind, tone, round(min(x, 100 - NARROWEST), 3), round(min(width, 100 - x or NARROWEST), 3), said)

    def ticks(self) -> list[Tick]:
        ends = {TICKS[0]: "start", TICKS[-1]: "end"}
        labels = [wording.duration(self.seconds * x / 100) if x else "0" for x in TICKS]
        return [Tick(x, label, ends.get(x, "middle"), x in MINOR) for x, label in zip(TICKS, labels, strict=True)]

    def _share(self, moment: datetime) -> float:
        return min(max((moment - self.start).total_seconds() / self.seconds, 0.0), 1.0) * 100


def _stretches(job: Job, attempts: Sequence[Attempt], start: datetime, end: datetime) -> Iterator[Stretch]:
    """Everything between `start` and `end`, in order, without holes."""
    at = start
    for attempt in attempts:
        yield from _before(at, attempt.planned_at, attempt.started_at)
        tone, outcome = OUTCOMES.get(attempt.outcome, ("neutral", attempt.outcome))
        said = (
            f"Attempt {attempt.number} on {attempt.worker_id}, {_took(attempt.started_at, attempt.ended_at)}: {outcome}"
        )
        yield "running", tone, attempt.started_at, attempt.ended_at, said
        at = attempt.ended_at
    if job.status is JobState.PROCESSING and job.started_at is not None:
        yield from _before(at, job.waiting_since, job.started_at)
        said = f"Attempt {job.attempt} on {job.worker_id}, {_took(job.started_at, end)} so far"
        yield "running", "processing", job.started_at, end, said
    else:
        yield from _before(at, job.waiting_since, end)


def _before(at: datetime, planned: datetime | None, until: datetime) -> Iterator[Stretch]:
    """First it was not yet due, then it waited."""
    due = min(max(planned or at, at), until)
    if due > at:
        yield "gap", "neutral", at, due, f"Not due, {_took(at, due)}"
    if until > due:
        yield "waiting", "pending", due, until, f"Waiting, {_took(due, until)}"


def _row(attempt: Attempt) -> AttemptRow:
    tone, outcome = OUTCOMES.get(attempt.outcome, ("neutral", attempt.outcome))
    return AttemptRow(
        attempt.number,
        attempt.worker_id,
        tone,
        outcome,
        attempt.started_at - attempt.planned_at if attempt.planned_at else None,
        attempt.started_at,
        attempt.ended_at,
        attempt.ended_at - attempt.started_at,
        attempt.error_message or "",
    )


def _under_way(job: Job, started_at: datetime, now: datetime) -> AttemptRow:
    waited = started_at - job.waiting_since if job.waiting_since else None
    return AttemptRow(
        job.attempt, job.worker_id or "", "processing", "Under way", waited, started_at, None, now - started_at, ""
    )


def _took(begin: datetime, end: datetime) -> str:
    return wording.duration(max(end - begin, timedelta(0)))
