"""A day of numbers: ends of every kind with durations that vary, content types that try to be more than text."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from jobs_app.domain.job_numbers import Depth, Fact, Named, Outcome, Tally, by_type, tally_of
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.number_spans import WINDOWS
from jobs_app.services import job_numbers
from jobs_app.services.job_counts import JobCounts
from jobs_app.services.job_statistics import JobStatistics, Step
from jobs_app.stores.job_numbers import FACTS, NumberRecords, fact_out
from storage_app.records.base import RecordStore

HOSTILE = "<img src=x onerror=alert(1)>"
TYPES = ("application/pdf", "text/markdown", HOSTILE, "x" * 128, "")


def facts(now: datetime, hours: int = 24, each: int = 60) -> Iterator[Fact]:
    """`each` is how many seconds lie between two of them, on average."""
    for number in range(hours * 3600 // each):
        at = now - timedelta(seconds=number * each * (0.6 + 0.4 * math.sin(number / 40)))
        outcome = (
            Outcome.FAILED if number % 11 == 3 else Outcome.TIMEOUT if number % 47 == 5 else
            Outcome.CANCELLED if number % 71 == 9 else Outcome.PUT_OFF if number % 23 == 2 else Outcome.COMPLETED
        )  # fmt: skip
        waited = int(4e6 * (1 + math.sin(number / 60)) ** 3 + 90_000)
        worked = int(2e7 * (1.2 + math.cos(number / 9)) + number % 7 * 1e6)
        yield Fact(at, outcome, TYPES[number % len(TYPES)], f"w{number % 4}", waited, worked)


def depths(now: datetime, hours: int = 24, step: timedelta = timedelta(minutes=5)) -> Iterator[Depth]:
    """With an hour in which nobody took notes, and then a queue that is stuck."""
    steps = int(timedelta(hours=hours) / step)
    for number in range(steps):
        at = now - step * (steps - 1 - number)
        if steps * 0.4 < number < steps * 0.45:
            continue
        stuck = max(number - steps * 0.8, 0)
        pending = int(30 + 25 * math.sin(number / 20) + stuck * 4)
        counts = {JobState.PENDING: pending, JobState.PROCESSING: 4, JobState.COMPLETED: 900 + number}
        oldest = timedelta(seconds=20 + 15 * math.sin(number / 9)) + stuck * step
        yield Depth.sample(at, counts, pending, oldest, 18_000_000 + number * 41_000)


def fill(store: RecordStore, slug: str, now: datetime, hours: int = 24, each: int = 60) -> None:
    """Everything of a day, counted as the task counts it."""
    waiting = [fact_out(fact) for fact in facts(now, hours, each)]
    for start in range(0, len(waiting), 1000):
        store.insert_many(slug, FACTS.name, waiting[start : start + 1000])
    job_numbers.count(store, slug, Deadline(timedelta(minutes=5)))
    for depth in depths(now, hours):
        NumberRecords(store, slug).note(depth)


def statistics(now: datetime, shown: Sequence[Fact], noted: Sequence[Depth], counts: JobCounts) -> JobStatistics:
    """The same as plain values, for templates that are looked at without a store."""
    window = WINDOWS["24h"]
    starts = window.starts(now)
    steps = [
        Step(
            start,
            tally_of(fact for fact in shown if start <= fact.at < start + window.step),
            next((depth for depth in noted if start <= depth.at < start + window.step), None),
        )
        for start in starts
    ]
    here = Depth.sample(now, counts.by_state, 12, timedelta(minutes=25), 18_000_000 if shown else 0)
    types = by_type(shown) if shown else Named()
    total = sum((step.tally for step in steps), Tally())
    return JobStatistics(window, counts, here, steps, total, replace(types, others=tally_of(shown[:9])))
