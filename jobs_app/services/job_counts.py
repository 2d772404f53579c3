"""How many jobs there are, read from counters: no list is walked for a number."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.services import access
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores.jobs import JOBS, TRASHED
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
    """`due` may be taken now; `oldest` is the one of them that was made first."""

    due: int
    oldest: Job | None


def of(actor: Actor, slug: str) -> JobCounts:
    project = access.project_for(actor, slug, Scope.READ)
    found = record_store().count_by(project.slug, JOBS.name, ["status", "content_type"])
    cells = {
        (JobState(str(state)), str(content_type)): number
        for (state, content_type), number in found.items()
        if state != TRASHED
    }
    return JobCounts(cells, sum(found.values()) - sum(cells.values()))


def queue(actor: Actor, slug: str) -> Queue:
    project, records = jobs_of(actor, slug, Scope.READ)
    due = sum(record_store().count_by(project.slug, JOBS.name, ["priority"], {"due": True}).values())
    oldest = records.find({"due": True}, "id", 1).jobs  # ids grow with time
    return Queue(due, oldest[0] if oldest else None)
