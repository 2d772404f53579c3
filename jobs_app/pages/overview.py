"""Is everything all right? The first page of a project: counts, the queue, who works, what needs me; and the numbers.

The page has two live parts. What is now is asked for with each change of a job; the charts once a minute, when they
were counted anew. Each asks for itself alone (`?part=now`, `?part=numbers`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job_states import JobState
from jobs_app.domain.number_spans import WINDOWS
from jobs_app.domain.worker import Presence, Stop, WorkerGlance
from jobs_app.models import Project
from jobs_app.pages import failures, first_steps, job_charts, job_rows, storage_rows
from jobs_app.pages.job_charts import Quantiles
from jobs_app.pages.job_rows import JobRow
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.pages.shell import Tone
from jobs_app.services import access, job_counts, job_statistics, jobs, storages, workers
from jobs_app.services.job_counts import JobCounts
from jobs_app.services.job_statistics import DEFAULT_WINDOW, JobStatistics
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_jobs import now
from jobs_app.templatetags import wording

SHOWN = 6
MOST_WORKERS = 100
LONG_WAIT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Figure:
    """`change` is what became of it within an hour, in words; empty where that is not known."""

    state: JobState
    number: int
    url: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that asks for a person: a sentence, and where to do something about it."""

    tone: Tone
    sentence: str
    url: str
    action: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """`oldest` is how long the first of them has been waiting, None where none is due."""

    due: int
    later: int
    oldest: timedelta | None
    oldest_id: str
    oldest_name: str


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One of the workers; `state`: busy, idle or silent."""

    id: str
    state: str
    drained: Stop | None
    is_safe_to_stop: bool
    last_heard_at: datetime


@require_safe
@vary_on_headers("HX-Request")
def show(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    part = request.GET.get("part") if request.htmx else None
    if part == "numbers":
        return render(request, "overview/index/_numbers.html", _numbers(request, actor, project))
    counts = job_counts.of(actor, slug)
    if part == "now":
        return render(request, "overview/index/_now.html", _now(actor, project, counts))
    if not counts.total and _is_new(actor, slug):
        return render(request, "overview/empty.html", {"project": project, **first_steps.commands(request, slug)})
    context = {**_now(actor, project, counts), **_numbers(request, actor, project)}
    return render(request, "overview/index.html", context)


def _is_new(actor: Actor, slug: str) -> bool:
    """Nobody was ever at work here; a project whose jobs retention removed still has its numbers."""
    return not workers.of(actor, slug, limit=1).workers and not job_statistics.has_history(actor, slug)


def _now(actor: Actor, project: Project, counts: JobCounts) -> dict[str, Any]:
    moment, slug = now(), project.slug
    at_work = [fleet_row(glance, moment) for glance in workers.glance(actor, slug, MOST_WORKERS)]
    queue = _waiting(actor, slug, counts, moment)
    return {
        "project": project,
        "figures": figures(slug, counts, job_statistics.last_hour(actor, slug, counts)),
        "waiting": queue,
        "workers": at_work[:SHOWN],
        "present": sum(worker.state != Presence.SILENT for worker in at_work),
        "busy": sum(worker.state == Presence.BUSY for worker in at_work),
        "many_workers": len(at_work) == MOST_WORKERS,
        "needs": list(needs(slug, counts, queue, at_work)),
        "running": _latest(actor, slug, [JobState.PROCESSING], "-created_at", moment),
        "failure_groups": failures.latest(actor, slug, SHOWN),
        "storages": [storage_rows.room(state, slug) for state in storages.of_project(actor, slug)[:SHOWN]],
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
    }


def _numbers(request: PageRequest, actor: Actor, project: Project) -> dict[str, Any]:
    """A window that is none of ours is that of every day: an address that somebody typed still shows the page."""
    name = request.GET.get("window", "")
    found = job_statistics.of(actor, project.slug, name if name in WINDOWS else DEFAULT_WINDOW)
    return {"project": project, **drawn(found, reverse("project-home", args=[project.slug]))}


def drawn(found: JobStatistics, address: str) -> dict[str, Any]:
    """What `index/_numbers.html` shows."""
    return {
        "numbers": found,
        "waited": Quantiles.of(found.total.waited),
        "worked": Quantiles.of(found.total.worked),
        "windows": job_charts.window_links(found.window.name, address),
        "charts": job_charts.charts(found),
        "types": job_charts.type_rows(found),
    }


def fleet_row(glance: WorkerGlance, moment: datetime) -> FleetRow:
    worker = glance.worker
    return FleetRow(worker.id, glance.presence(moment), glance.drained, glance.is_safe_to_stop, worker.last_seen_at)


def figures(slug: str, counts: JobCounts, changes: Mapping[JobState, int | None] | None = None) -> list[Figure]:
    """`changes` is what `job_statistics.last_hour` says."""
    address = reverse("jobs", args=[slug])
    return [
        Figure(state, number, f"{address}?status={state}", _change(state, (changes or {}).get(state)))
        for state, number in counts.by_state.items()
    ]


def _change(state: JobState, change: int | None) -> str:
    """Ended ones are told by how many there were: of those that are here now, retention would be part."""
    if change is None:
        return ""
    if state.is_final:
        return f"{wording.number(change)} in the last hour"
    return f"{'+' if change > 0 else '±' if change == 0 else ''}{wording.number(change)} since an hour ago"


def needs(slug: str, counts: JobCounts, waiting: Waiting, at_work: Sequence[FleetRow]) -> Iterator[Need]:
    """The weightiest first. Pauses are not among them: a banner says them on every page."""
    jobs_url, workers_url = reverse("jobs", args=[slug]), reverse("workers", args=[slug])
    awake = [worker for worker in at_work if worker.state != Presence.SILENT and worker.drained is None]
    due = wording.count_of(waiting.due, "job")
    if waiting.due and not awake:
        verb = "waits" if waiting.due == 1 else "wait"
        yield Need("failed", f"{due} {verb}, and no worker takes any.", workers_url, "Workers")
    elif waiting.oldest is not None and waiting.oldest > LONG_WAIT:
        said = f"The oldest job has been waiting for {wording.duration(waiting.oldest)}."
        yield Need("timeout", said, reverse("jobs-show", args=[slug, waiting.oldest_id]), "Why?")
    for state, verb in ((JobState.FAILED, "failed"), (JobState.TIMEOUT, "ran out of time")):
        if number := counts.matching([state]):
            query = urlencode({"status": state.value, "order": "-completed_at"})
            yield Need(
                "failed" if verb == "failed" else "timeout",
                f"{wording.count_of(number, 'job')} {verb}.",
                f"{jobs_url}?{query}",
                "Look",
            )
    for worker in at_work:
        if worker.is_safe_to_stop:
            yield Need("neutral", f"{worker.id} is drained and safe to stop.", workers_url, "Workers")


def _waiting(actor: Actor, slug: str, counts: JobCounts, moment: datetime) -> Waiting:
    queue = job_counts.queue(actor, slug)
    later = max(counts.matching([JobState.PENDING]) - queue.due, 0)
    if queue.oldest is None:
        return Waiting(queue.due, later, None, "", "")
    return Waiting(queue.due, later, queue.oldest.waiting_duration(moment), queue.oldest.id, queue.oldest.name)


def _latest(actor: Actor, slug: str, states: Sequence[JobState], order: str, moment: datetime) -> list[JobRow]:
    found = jobs.find(actor, slug, JobFilter(statuses=states), order, limit=SHOWN).jobs
    return [job_rows.row(job, moment) for job in found]
