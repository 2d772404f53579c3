"""The way to a project's runs, documents and artifacts: through the one question of who may do what."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from jobs_app.domain import run
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.artifact import Artifact
from jobs_app.domain.document import Document, Plan
from jobs_app.domain.job_states import JobState
from jobs_app.domain.run import Run, Tally
from jobs_app.models import Project
from jobs_app.services import access
from jobs_app.stores.artifacts import ARTIFACT
from jobs_app.stores.documents import DOCUMENT, DOCUMENTS
from jobs_app.stores.job_records import NOT_TRASHED, JobRecords
from jobs_app.stores.jobs import JOBS
from jobs_app.stores.noun_records import NounRecords
from jobs_app.stores.runs import RUN
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store


@dataclass(frozen=True, slots=True)
class ProjectRuns:
    """Cheap to make; holds nothing but where to look."""

    store: RecordStore
    slug: str

    @property
    def runs(self) -> NounRecords[Run]:
        return NounRecords(self.store, self.slug, RUN)

    @property
    def documents(self) -> NounRecords[Document]:
        return NounRecords(self.store, self.slug, DOCUMENT)

    @property
    def artifacts(self) -> NounRecords[Artifact]:
        return NounRecords(self.store, self.slug, ARTIFACT)

    def tally(self, it: Run) -> Tally:
        """From the counts of documents by plan, and the run's jobs by state."""
        plans = self.store.count_by(self.slug, DOCUMENTS.name, ["plan"], {"run_id": it.id})
        jobs = self.store.count_by(self.slug, JOBS.name, ["status"], {"run_id": it.id, "status__in": NOT_TRASHED})
        return run.tally(
            it,
            {Plan(str(key)): number for (key,), number in plans.items()},
            self._without_taken_out(it, {JobState(str(key)): number for (key,), number in jobs.items()}),
        )

    def _without_taken_out(self, it: Run, jobs: Mapping[JobState, int]) -> dict[JobState, int]:
        """A job whose document was taken out counts no more, in whatever state it is by now."""
        if not it.taken_out:
            return dict(jobs)
        out = Counter(JobRecords(self.store, self.slug).states(it.taken_out).values())
        return {state: left for state, number in jobs.items() if (left := number - out[state]) > 0}


def runs_of(actor: Actor, slug: str, needs: Scope) -> tuple[Project, ProjectRuns]:
    project = access.project_for(actor, slug, needs)
    return project, ProjectRuns(record_store(), project.slug)
