"""The numbers of a project as pages and API show them: read from counters and sheets, never from the jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job_numbers import MOST_TYPES, Depth, Named, Outcome, Tally
from jobs_app.domain.job_states import JobState
from jobs_app.domain.number_spans import HOUR, WINDOWS, Tier, Window, floor
from jobs_app.errors import InvalidError
from jobs_app.services import access, job_counts, job_numbers
from jobs_app.services.job_counts import JobCounts
from jobs_app.stores.job_numbers import DEPTH, TYPES, WHOLE, WORKERS, Form, NumberRecords
from storage_app.records.configured import record_store

DEFAULT_WINDOW: Final = "24h"
_ENDED_AS: Final = {
    JobState.COMPLETED: Outcome.COMPLETED,
    JobState.FAILED: Outcome.FAILED,
    JobState.TIMEOUT: Outcome.TIMEOUT,
    JobState.CANCELLED: Outcome.CANCELLED,
}
_COARSER: Final = {Tier.MINUTE: Tier.QUARTER, Tier.QUARTER: Tier.HOUR, Tier.HOUR: Tier.DAY}
_DEPTH_GAP: Final = timedelta(minutes=10)  # a depth of an hour ago may be that much older, where a consumer was away

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a window; `depth` is None where nobody took notes."""

    at: datetime
    tally: Tally
    depth: Depth | None


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """`now` is what there is at this moment; `steps`, `total` and `types` are what was counted by the last run."""

    window: Window
    counts: JobCounts
    now: Depth
    steps: Sequence[Step]
    total: Tally
    types: Named

    @property
    def per_minute(self) -> float:
        """Jobs that came to an end, a minute of the time that the window really spans."""
        minutes = max((self.now.at - self.steps[0].at) / timedelta(minutes=1), 1.0)
        return self.total.ended / minutes


def of(actor: Actor, slug: str, window: str = DEFAULT_WINDOW) -> JobStatistics:
    """InvalidError for a window that is none of ours."""
    slug, store = access.project_for(actor, slug, Scope.READ).slug, record_store()
    shown = window_named(window)
    records, now = NumberRecords(store, slug), job_numbers.depth(store, slug)
    starts = shown.starts(now.at)
    tallies = _stepped(WHOLE, shown, records, starts, now.at)
    depths = _stepped(DEPTH, shown, records, starts, now.at)
    steps = [Step(start, tallies.get(start, Tally()), depths.get(start)) for start in starts]
    return JobStatistics(
        window=shown,
        counts=job_counts.counted(store, slug),
        now=now,
        steps=steps,
        total=sum(tallies.values(), Tally()),
        types=_sum_of_types(records, shown.tier, starts[0], now.at).largest(MOST_TYPES),
    )


def window_named(name: str) -> Window:
    try:
        return WINDOWS[name]
    except KeyError:
        raise InvalidError.at("window", f"choose one of {', '.join(WINDOWS)}") from None


def has_history(actor: Actor, slug: str) -> bool:
    """Whether anything was ever counted, even where no job is left of it."""
    slug, store = access.project_for(actor, slug, Scope.READ).slug, record_store()
    return bool(NumberRecords(store, slug).ever(store.now()).outcomes)


def last_hour(actor: Actor, slug: str, counts: JobCounts) -> dict[JobState, int | None]:
    """By state: how many more wait or are worked on than an hour ago, None where nobody took notes; and how many
    ended so within the hour. Of those that ended no difference is told, since retention would be part of it.
    """
    slug, store = access.project_for(actor, slug, Scope.READ).slug, record_store()
    records, now = NumberRecords(store, slug), store.now()
    ended = sum(records.cells(WHOLE, Tier.MINUTE, now - HOUR, now).values(), Tally()).outcomes
    changes: dict[JobState, int | None] = {state: ended.get(outcome, 0) for state, outcome in _ENDED_AS.items()}
    notes = records.cells(DEPTH, Tier.MINUTE, now - HOUR - _DEPTH_GAP, now - HOUR)
    then = notes[max(notes)].counts if notes else None
    by_state = counts.by_state
    for state in (JobState.PENDING, JobState.PROCESSING):
        changes[state] = None if then is None else by_state[state] - then.get(state, 0)
    return changes


def by_worker(actor: Actor, slug: str) -> tuple[Mapping[str, Tally], Mapping[str, Tally]]:
    """What each worker did in the last hour, and in the last 24 hours; those the numbers do not know by name are not
    in it.
    """
    slug, store = access.project_for(actor, slug, Scope.READ).slug, record_store()
    records, now = NumberRecords(store, slug), store.now()
    hour = sum(records.cells(WORKERS, Tier.MINUTE, now - HOUR, now).values(), Named())
    day = sum(records.cells(WORKERS, Tier.HOUR, floor(now, HOUR) - 23 * HOUR, now).values(), Named())
    return hour.named, day.named


def _stepped(
    form: Form[V], window: Window, records: NumberRecords, starts: Sequence[datetime], end: datetime
) -> dict[datetime, V]:
    """The cells of each step, added up."""
    steps: dict[datetime, V] = {}
    for at, value in sorted(records.cells(form, window.tier, starts[0], end).items(), key=lambda cell: cell[0]):
        start = floor(at, window.step)
        steps[start] = form.add(steps[start], value) if start in steps else value
    return steps


def _sum_of_types(records: NumberRecords, tier: Tier, first: datetime, last: datetime) -> Named:
    """Exactly the span, from as few cells as will do: the first part in small ones, the rest in larger ones."""
    total = Named()
    while (coarser := _COARSER.get(tier)) is not None:
        whole = first if floor(first, coarser.length) == first else floor(first, coarser.length) + coarser.length
        if whole > last:
            break
        for start, value in records.cells(TYPES, tier, first, whole).items():
            total = total.plus(value) if start < whole else total
        tier, first = coarser, whole
    for value in records.cells(TYPES, tier, first, last).values():
        total = total.plus(value)
    return total
