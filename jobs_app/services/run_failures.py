"""Why the jobs of a run failed: equal causes are one group, however many documents they hit."""

import re
from dataclasses import dataclass
from typing import Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.services.project_runs import runs_of
from jobs_app.stores.job_records import JobRecords

MOST_LOOKED_AT: Final = 1000
LONGEST_CAUSE: Final = 300
# What differs between two failures of one cause: numbers, ids, and what stands in quotes.
_PARTICULAR: Final = re.compile(r"'[^']{1,200}'|\"[^\"]{1,200}\"|\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class FailureGroup:
    cause: str
    count: int
    example: Job


@dataclass(frozen=True, slots=True)
class Failures:
    """The largest group first; `looked_at` of the run's failed jobs were read, the newest; `complete`
    says whether these are all.
    """

    groups: list[FailureGroup]
    looked_at: int
    complete: bool


def of(actor: Actor, slug: str, run_id: str) -> Failures:
    _, ours = runs_of(actor, slug, Scope.READ)
    taken_out = set(ours.runs.get(run_id).taken_out)
    ended_badly = {"run_id": run_id, "status__in": [JobState.FAILED.value, JobState.TIMEOUT.value]}
    found = JobRecords(ours.store, ours.slug).find(ended_badly, "-created_at", MOST_LOOKED_AT)
    by_cause: dict[str, list[Job]] = {}
    for job in found.jobs:
        if job.id in taken_out:
            continue
        by_cause.setdefault(cause_of(job), []).append(job)
    groups = [FailureGroup(cause, len(jobs), jobs[0]) for cause, jobs in by_cause.items()]
    groups.sort(key=lambda group: (-group.count, group.cause))
    return Failures(groups, len(found.jobs), found.next_cursor is None)


def cause_of(job: Job) -> str:
    """The first line of its error without what is particular to it."""
    line = next(iter((job.error_message or "").strip().splitlines()), "")
    return _PARTICULAR.sub("…", line[:LONGEST_CAUSE]) or (
        "Ran out of time" if job.status is JobState.TIMEOUT else "No reason given"
    )
