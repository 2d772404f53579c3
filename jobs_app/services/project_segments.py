"""The way to a project's segments: through the one question of who may do what."""

from jobs_app.domain.access import Actor, Scope
from jobs_app.models import Project
from jobs_app.services import access
from jobs_app.stores.segment_records import SegmentRecords
from storage_app.records.configured import record_store


def segments_of(actor: Actor, slug: str, needs: Scope) -> tuple[Project, SegmentRecords]:
    project = access.project_for(actor, slug, needs)
    return project, SegmentRecords(record_store(), project.slug)
