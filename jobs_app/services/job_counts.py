"""How many jobs there are, read from counters: no list is walked for a number."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.services import access
from jobs_app.stores.job_records import JobRecords
from jobs_app.stores.jobs import JOBS, TRASHED
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store


@dataclass(frozen=True, slots=True)
class JobCounts:
    """By state and content type, the trash apart."""

    cells: Mapping[tuple[JobState, str], int]
    trashed: int

    @property
    def total(self) -> int:
        return sum(self.cells.values())

    @property
    def by_state(self) -> dict[JobState, int]:
        """Every state, also those nothing is in."""
        return {state: self.matching([state]) for state in JobState}

    @property
    def by_content_type(self) -> dict[str, int]:
        """The most frequent first."""
        counts: Counter[str] = Counter()
        for (_, content_type), number in self.cells.items():
            counts[content_type] += number
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def matching(self, states: Collection[JobState] = (), content_type: str | None = None) -> int:
        return sum(
            number
            for (state, type_), number in self.cells.items()
            if (not states or state in states) and (content_type is None or type_ == content_type)
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """`due` may be taken now; `oldest` has been waiting longest, of those that were made first."""

    due: int
    oldest: Job | None


# An index by waiting time would cost every write. Among the jobs made first there is mostly one that waits for its
# first worker, and so since it was made; where very many old ones were put back lately, it is looked for.
_LOOKED_AT: Final = 50
_PASSED_BY: Final = 2500


def of(actor: Actor, slug: str) -> JobCounts:
    return counted(record_store(), access.project_for(actor, slug, Scope.READ).slug)


def queue(actor: Actor, slug: str) -> Queue:
    return queued(record_store(), access.project_for(actor, slug, Scope.READ).slug)


def counted(store: RecordStore, slug: str) -> JobCounts:
    found = store.count_by(slug, JOBS.name, ["status", "content_type"])
    cells = {
        (JobState(str(state)), str(content_type)): number
        for (state, content_type), number in found.items()
        if state != TRASHED
    }
    return JobCounts(cells, sum(found.values()) - sum(cells.values()))


def queued(store: RecordStore, slug: str) -> Queue:
    due = sum(store.count_by(slug, JOBS.name, ["priority"], {"due": True}).values())
    records = JobRecords(store, slug)
    first = records.find({"due": True}, "due", _LOOKED_AT).jobs  # of these by id, which grows with time
    if len(first) == _LOOKED_AT and all(job.attempt for job in first):
        first += records.find({"due": True, "attempt": 0}, "due", 1, scan_limit=_PASSED_BY).jobs
    now = store.now()
    return Queue(due, max(first, key=lambda job: job.waiting_duration(now) or timedelta(0), default=None))
