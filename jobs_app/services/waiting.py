"""Why is it waiting? Answered from what a claim itself looks at, in a few bounded reads."""

from typing import Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.waiting import Position, Surroundings, Waiting, reasons
from jobs_app.domain.worker import PRESENT
from jobs_app.errors import ConflictError
from jobs_app.services import workers
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores import controls as control_records
from jobs_app.stores.job_records import JobRecords
from jobs_app.stores.jobs import JOBS
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store

COUNTED: Final = 200


def why(actor: Actor, slug: str, id: str) -> Waiting:
    """For a pending job; of any other the state says it all."""
    project, records = jobs_of(actor, slug, Scope.READ)
    job, now, store = records.get(id), records.now(), record_store()
    if job.status is not JobState.PENDING:
        raise ConflictError(f"The job is not waiting; it is {job.status}.")
    present = workers.present(store, project.slug, now - PRESENT)
    around = Surroundings(control_records.read(store, project.slug), present, workers.busy(store, project.slug))
    place = _position(store, project.slug, records, job) if job.is_due(now) else None
    return Waiting(reasons(job, now, around), place)


def _position(store: RecordStore, slug: str, records: JobRecords, job: Job) -> Position:
    """Higher priorities are counted by their counters; among equals only the first few are looked through, so that a
    million waiting jobs cost no more than a hundred.
    """
    by_priority = {
        int(priority): number
        for (priority,), number in store.count_by(slug, JOBS.name, ["priority"], {"due": True}).items()
        if isinstance(priority, int)
    }
    ahead = sum(number for priority, number in by_priority.items() if priority > job.priority)
    total = sum(by_priority.values())
    equals = records.find({"due": True, "priority": job.priority}, ("-priority", "id"), COUNTED).jobs
    place = next((number for number, other in enumerate(equals, 1) if other.id == job.id), None)
    return Position(ahead + (place or len(equals) + 1), place is not None, total)
