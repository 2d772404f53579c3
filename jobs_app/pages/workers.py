"""Who works for a project, what each holds, and taking one out of service without losing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs_app.domain.access import Scope
from jobs_app.domain.job_numbers import FAILURES, Tally
from jobs_app.domain.worker import PRESENT, Stop, WorkerState
from jobs_app.pages.first_steps import claim_command
from jobs_app.pages.job_rows import JobRow
from jobs_app.pages.job_rows import row as job_row
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of, is_partial
from jobs_app.services import access, job_statistics, workers
from jobs_app.services.project_jobs import now

PAGE = 50
MOST_HELD_SHOWN = 3
NOTHING: Mapping[str, Tally] = {}


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker brought to an end: jobs, and attempts at jobs that had to go back."""

    ended: int = 0
    failed: int = 0
    went_back: int = 0

    @classmethod
    def of(cls, tally: Tally) -> "Work":
        failed = sum(tally.outcomes.get(outcome, 0) for outcome in FAILURES)
        return cls(tally.ended, failed, sum(tally.outcomes.values()) - tally.ended)


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """`state`: busy, idle or silent; `drained` says who took it out of service."""

    id: str
    state: str
    holds: Sequence[JobRow]
    holds_more: int
    content_types: Sequence[str] | None
    last_heard_at: datetime
    version: str
    capabilities: Mapping[str, Any]
    drained: Stop | None
    is_safe_to_stop: bool
    last_hour: Work
    last_day: Work


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    page = workers.of(actor, slug, request.GET.get("cursor") or None, PAGE)
    moment = now()
    hour, day = job_statistics.by_worker(actor, slug)
    context = {
        "project": project,
        "rows": [row(state, moment, hour, day) for state in page.workers],
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if "cursor" in request.GET else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
        "command": claim_command(request, slug),
    }
    return render(request, "workers/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def drain(request: PageRequest, slug: str) -> HttpResponse:
    """Asks why, and does it. The worker's name is no part of the path: it may hold any character."""
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.WRITE)
    if request.method != "POST":
        context = {"project": project, "worker": row(workers.get(actor, slug, request.GET.get("worker", "")), now())}
        return render(request, "workers/drain/_form.html" if is_partial(request) else "workers/drain.html", context)
    state = workers.drain(actor, slug, request.POST.get("worker", ""), request.POST.get("reason", ""))
    rest = (
        "It holds nothing and is safe to stop." if state.is_safe_to_stop else "It is safe to stop once it holds none."
    )
    messages.success(request, f"{state.worker.id} gets no new jobs. {rest}")
    return redirect("workers", slug)


@require_POST
def resume(request: PageRequest, slug: str) -> HttpResponse:
    state = workers.resume(actor_of(request), slug, request.POST.get("worker", ""))
    messages.success(request, f"{state.worker.id} gets jobs again.")
    return redirect("workers", slug)


def row(
    state: WorkerState, now: datetime, hour: Mapping[str, Tally] = NOTHING, day: Mapping[str, Tally] = NOTHING
) -> WorkerRow:
    """`hour` and `day` are what `job_statistics.by_worker` says."""
    silent = now - state.last_beat_at > PRESENT
    return WorkerRow(
        id=state.worker.id,
        state="silent" if silent else "busy" if state.holds else "idle",
        holds=[job_row(job, now) for job in state.holds[:MOST_HELD_SHOWN]],
        holds_more=max(len(state.holds) - MOST_HELD_SHOWN, 0),
        content_types=state.worker.content_types,
        last_heard_at=state.last_beat_at,
        version=state.worker.software_version,
        capabilities=state.worker.capabilities,
        drained=state.drained,
        is_safe_to_stop=state.is_safe_to_stop,
        last_hour=Work.of(hour.get(state.worker.id, Tally())),
        last_day=Work.of(day.get(state.worker.id, Tally())),
    )
