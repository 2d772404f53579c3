"""The list of jobs, and one job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Event, Job
from jobs_app.domain.job_states import JobState
from jobs_app.errors import InvalidQueryError
from jobs_app.models import Project
from jobs_app.pages import gone, job_bulk, job_files, job_filters, job_log, job_rows, job_timeline, job_views
from jobs_app.pages.first_steps import first_job_command
from jobs_app.pages.job_filters import Asked, Wrong
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, events, job_counts, waiting, workers
from jobs_app.services import jobs as job_service
from jobs_app.services.project_jobs import now
from jobs_app.stores.job_records import JobPage
from storage_app import strict_json

PAGE = 50
NEWS = 100  # new rows that are counted; more are said to be more
ANCHORS = 5  # ids by which a reader's place in the list is found again, should the first be gone
MOST_COPIED = 100_000
ATTEMPTS = 50
EVENTS = 100
TABS = ("summary", "log", "data", "files", "events")


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be done with a job: the button, and the dialog that asks why."""

    name: str
    label: str
    icon: str
    title: str
    about: str
    is_main: bool = False
    is_dangerous: bool = False


CHOICES: Mapping[str, Choice] = {
    "retry": Choice(
        "retry", "Retry", "retry", "Retry this job?", "It goes back into the queue and is tried again.", is_main=True
    ),
    "release": Choice(
        "release",
        "Take back",
        "left",
        "Take it from its worker?",
        "It goes back into the queue at once. Whatever its worker still says of it is refused.",
    ),
    "cancel": Choice(
        "cancel",
        "Cancel",
        "stop",
        "Cancel this job?",
        "A waiting job ends at once. A worker is told with its next heartbeat, and the lease ends it at the latest.",
    ),
    "delete": Choice(
        "delete",
        "Delete",
        "trash",
        "Delete this job?",
        "It goes to the trash with its events and logs, and can be brought back from there.",
        is_dangerous=True,
    ),
}
EVENT_WORDS: Mapping[str, str] = {
    "created": "Made",
    "claimed": "Taken by a worker",
    "completed": "Completed",
    "failed": "Failed",
    "put_off": "Failed, to be tried again",
    "released": "Given back to the queue",
    "lease_lost": "Worker lost, back to the queue",
    "gave_up": "Given up",
    "timed_out": "Timed out",
    "cancelled": "Cancelled",
    "cancel_requested": "Asked to cancel",
    "retried": "Retried",
    "changed": "Changed",
    "corrected": "Corrected by hand",
    "deleted": "Moved to the trash",
    "restored": "Brought back",
}


@dataclass(frozen=True, slots=True)
class EventRow:
    at: datetime
    what: str
    state: JobState
    attempt: int | None
    by: str
    by_kind: str
    why: str
    details: Mapping[str, Any]


@require_safe
@vary_on_headers("HX-Request")
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    asked, cursor = job_filters.read(request.GET), request.GET.get("cursor") or None
    wrong: Wrong | None = None
    try:
        page, new = _found(actor, slug, asked, cursor, request.GET.get("since", ""))
    except InvalidQueryError as error:
        page, new, wrong = JobPage([], None, None), 0, job_filters.wrong(request, asked.text, error)
    jobs = page.jobs[new:]
    counts = job_counts.of(actor, slug)
    worker_names = sorted(workers.names(actor, slug, job_filters.MOST_WORKERS_SHOWN))
    moment = now()
    context = {
        "project": project,
        "rows": [job_rows.row(job, moment) for job in jobs],
        "filters": job_filters.bar(
            request, slug, asked, counts, worker_names, page, len(jobs), is_wrong=wrong is not None
        ),
        "sorting": job_filters.sorting(request, asked),
        "wrong": wrong,
        "narrows": asked.narrows,
        "searched_to": page.searched_to,
        "is_complete": page.is_complete,
        "views": job_views.menu(actor, slug, request, asked, wrong is None),
        "exports": _exports(slug, asked),
        "matching": _matching(request),
        "bulk_verbs": [(verb.action.value, verb.label, verb.icon) for verb in job_bulk.VERBS.values()],
        "has_jobs": counts.total > 0,
        "trashed": counts.trashed,
        "new": f"{NEWS}+" if new >= NEWS else new,
        "since": "" if cursor else ".".join(job.id for job in jobs[:ANCHORS]),
        "here": link_without(request, "since"),
        "page": _pager(request, page),
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "command": first_job_command(request, slug),
    }
    # while somebody types, a query that is not whole yet is nothing to complain about
    return render(request, "jobs/index.html", context, status=422 if wrong and not request.htmx else 200)


@require_safe
@gone.told
def show(request: PageRequest, slug: str, job_id: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    job = job_service.get(actor, slug, job_id)
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else TABS[0]
    may_write = Scope.WRITE in actor.scopes_in(project.pk)
    context = {
        "project": project,
        "job": job,
        "row": job_rows.row(job, now()),
        "tab": tab,
        "tabs": _tabs(slug, job, tab),
        "choices": [CHOICES[name] for name in actions_for(job)] if may_write else [],
        "ask": request.GET.get("ask", ""),
        **PARTS[tab](actor, project, job, request),
    }
    return render(request, "jobs/show.html", context)


def actions_for(job: Job) -> list[str]:
    """What an operator may do with it as it is, the likeliest first."""
    found = []
    if job.status in (JobState.FAILED, JobState.TIMEOUT):
        found.append("retry")
    if job.status is JobState.PROCESSING:
        found.append("release")
    if not job.status.is_final and job.cancel is None:
        found.append("cancel")
    if job.status is not JobState.PROCESSING:
        found.append("delete")
    return found


def event_row(event: Event) -> EventRow:
    what = EVENT_WORDS.get(event.type, event.type.replace("_", " ").capitalize())
    return EventRow(event.at, what, event.target, event.attempt, event.by.name, event.by.kind, event.why, event.details)


def _found(actor: Actor, slug: str, asked: Asked, cursor: str | None, since: str) -> tuple[JobPage, int]:
    """A page, and how many of its first rows came in above what its reader knows by the ids in `since`."""

    def find(limit: int, cursor: str | None = None) -> JobPage:
        return job_service.find(actor, slug, asked.filter, asked.order, cursor, limit)

    if not since or cursor is not None:
        return find(PAGE, cursor), 0
    ids = [job.id for job in find(PAGE + NEWS).jobs]
    known = [ids.index(id) for id in since.split(".")[:ANCHORS] if id in ids]
    new = known[0] if known else min(NEWS, max(len(ids) - PAGE, 0))
    return find(new + PAGE), new


def _pager(request: PageRequest, page: JobPage) -> dict[str, str]:
    def at(cursor: str | None) -> str:
        return link_with(request, cursor=cursor, since=None) if cursor else ""

    return {
        "summary": "",
        "first_url": link_without(request, "cursor", "since") if page.previous_cursor else "",
        "previous_url": at(page.previous_cursor),
        "next_url": at(page.next_cursor),
    }


def _exports(slug: str, asked: Asked) -> list[dict[str, str]]:
    """Everything that matches as a file: the API's own answer, which a session may ask for as well."""
    given = {
        "status": [state.value for state in asked.states],
        "content_type": asked.content_type,
        "worker_id": asked.worker_id,
        "tag": asked.tag,
        "q": asked.text,
        "order": asked.order,
    }
    query = {name: value for name, value in given.items() if value}
    forms = (("csv", "CSV, for spreadsheets"), ("jsonl", "JSON Lines, everything"))
    address = f"/api/v1/projects/{slug}/jobs/export"
    return [
        {"label": label, "url": f"{address}?{urlencode({'format': form, **query}, doseq=True)}"}
        for form, label in forms
    ]


def _matching(request: PageRequest) -> str:
    """What is asked, as the end of an address: for whatever is done to all that match."""
    query = request.GET.copy()
    for name in ("cursor", "since", "order"):
        query.pop(name, None)
    return query.urlencode()


def _tabs(slug: str, job: Job, current: str) -> list[dict[str, Any]]:
    address = reverse("jobs-show", args=[slug, job.id])
    return [
        {
            "label": name.capitalize(),
            "url": address if name == TABS[0] else f"{address}?tab={name}{'#log-end' if name == 'log' else ''}",
            "current": name == current,
        }
        for name in TABS
    ]


def _summary(actor: Actor, project: Project, job: Job, request: PageRequest) -> dict[str, Any]:
    ended = job.attempt - (1 if job.status is JobState.PROCESSING else 0)
    before = max(ended - ATTEMPTS, 0)
    attempts = events.attempts(actor, project.slug, job.id, before, ATTEMPTS).lines
    moment: datetime = now()
    return {
        "timeline": job_timeline.draw(job, [attempt for _, attempt in attempts], moment, before),
        "waiting": waiting.why(actor, project.slug, job.id) if job.status is JobState.PENDING else None,
        "waited": job.waiting_duration(moment),
        "took": job.processing_duration(moment),
    }


def _log(actor: Actor, project: Project, job: Job, request: PageRequest) -> dict[str, Any]:
    return {"log": job_log.tab(actor, project.slug, job.id, request)}


def _data(actor: Actor, project: Project, job: Job, request: PageRequest) -> dict[str, Any]:
    return {"options_text": _to_copy(job.task_options), "result_text": _to_copy(job.result_data)}


def _files(actor: Actor, project: Project, job: Job, request: PageRequest) -> dict[str, Any]:
    return job_files.tab(actor, project.slug, job.id, request)


def _to_copy(value: Any) -> str:
    """The JSON as it was sent, where it is small enough to stand in the page a second time."""
    text = strict_json.dumps(value) if value else ""
    return text if len(text) <= MOST_COPIED else ""


def _events(actor: Actor, project: Project, job: Job, request: PageRequest) -> dict[str, Any]:
    after = request.GET.get("after", "")
    start = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else 0
    found = events.of(actor, project.slug, job.id, start, EVENTS)
    return {
        "events": [event_row(event) for _, event in found.lines],
        "page": {
            "summary": "",
            "first_url": link_without(request, "after") if start else "",
            "next_url": link_with(request, after=str(found.after)) if found.after else "",
        },
    }


PARTS: dict[str, Callable[[Actor, Project, Job, PageRequest], dict[str, Any]]] = dict(
    zip(TABS, (_summary, _log, _data, _files, _events), strict=True)
)
