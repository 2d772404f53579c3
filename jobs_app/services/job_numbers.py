"""The statistics task: what came to an end since the last time is counted, and how deep each queue is is noted.

Nothing is read off the jobs themselves: each end left a fact when it was written, and counting moves facts into
sheets, so what retention removes later is no part of it. Running twice, or twice at once, counts nothing twice.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from jobs_app.domain.job_numbers import Depth, Tally
from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.services import job_counts
from jobs_app.stores.job_numbers import NumberRecords
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store

BATCH: Final = 250  # facts in one atomic step: short enough that no claim waits for it


@dataclass(frozen=True, slots=True)
class Standing:
    """How a project stands now, and what was ever counted of it."""

    project: str
    depth: Depth
    ever: Tally

    def __add__(self, other: "Standing") -> "Standing":
        return Standing(self.project, self.depth.beside(other.depth), self.ever + other.ever)


def run(deadline: Deadline) -> Counts:
    """Every project. Depths come first: what was not counted in time is counted later, a moment does not come again."""
    store = record_store()
    counts: Counter[str] = Counter(counted=0, projects=0, sheets_removed=0)
    slugs = store.projects()
    for slug in slugs:
        NumberRecords(store, slug).note(depth(store, slug))
        counts["projects"] += 1
        if deadline.passed:
            break
    for slug in slugs:
        counts["counted"] += count(store, slug, deadline)
        counts["sheets_removed"] += NumberRecords(store, slug).prune(store.now())
        if deadline.passed:
            break
    return dict(counts)


def standings() -> Iterator[Standing]:
    """Every project, in order of their names; for those who watch over the whole server."""
    store = record_store()
    for slug in sorted(store.projects()):
        now = depth(store, slug)
        yield Standing(slug, now, NumberRecords(store, slug).ever(now.at))


def count(store: RecordStore, slug: str, deadline: Deadline) -> int:
    """How many facts went into the sheets."""
    records, counted = NumberRecords(store, slug), 0
    while facts := records.uncounted(BATCH):
        counted += len(facts) if records.count(facts) else 0
        if deadline.passed:
            break
    return counted


def depth(store: RecordStore, slug: str) -> Depth:
    """What there is now."""
    counts, queue, now = job_counts.counted(store, slug), job_counts.queued(store, slug), store.now()
    oldest: timedelta | None = queue.oldest.waiting_duration(now) if queue.oldest else None
    stored = sum(part.bytes for part in store.statistics(slug).values())
    return Depth.sample(now, counts.by_state, queue.due, oldest, stored)
