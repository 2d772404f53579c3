"""What was deleted and can still come back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from jobs_app.domain.access import Scope
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.pages.job_rows import first_line
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, jobs
from jobs_app.stores.jobs import TRASHED

PAGE = 50


@dataclass(frozen=True, slots=True)
class TrashRow:
    id: str
    name: str
    state: JobState
    content_type: str
    deleted_at: datetime | None
    deleted_by: str
    error: str
    gone_at: datetime | None


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    page = jobs.in_trash(actor, slug, request.GET.get("cursor") or None, PAGE)
    days = settings.CONFIG.retention_days[TRASHED]
    context = {
        "project": project,
        "rows": [row(job, days) for job in page.jobs],
        "days": days,
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if page.previous_cursor else "",
            "previous_url": link_with(request, cursor=page.previous_cursor) if page.previous_cursor else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
    }
    return render(request, "jobs/trash.html", context)


def row(job: Job, days: int) -> TrashRow:
    """`days` 0: kept until somebody removes it."""
    at = job.trashed.at if job.trashed else None
    gone_at = at + timedelta(days=days) if at and days else None
    by = job.trashed.by.name if job.trashed else ""
    error = first_line(job.error_message) if job.status is not JobState.COMPLETED else ""
    return TrashRow(job.id, job.name, job.status, job.content_type, at, by, error, gone_at)
