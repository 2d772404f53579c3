"""The way to a project's jobs: through the one question of who may do what."""

from datetime import datetime

from jobs_app.domain.access import Actor, Scope
from jobs_app.models import Project
from jobs_app.services import access
from jobs_app.stores.job_records import JobRecords
from storage_app.records.configured import record_store


def jobs_of(actor: Actor, slug: str, needs: Scope) -> tuple[Project, JobRecords]:
    project = access.project_for(actor, slug, needs)
    return project, JobRecords(record_store(), project.slug)


def now() -> datetime:
    """By the store's clock, which all times of a job are told by."""
    return record_store().now()
