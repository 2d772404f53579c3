"""The list of runs, a new one, and one run as a grid of documents by state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from jobs_app.domain.access import Scope
from jobs_app.domain.document import DocumentState, Plan
from jobs_app.domain.job_states import JobState
from jobs_app.domain.run import Phase, RunState
from jobs_app.errors import PreconditionFailedError, RefusedError
from jobs_app.pages import gone, run_filters, run_parts
from jobs_app.pages.first_steps import attach_command, first_run_command
from jobs_app.pages.forms import tell
from jobs_app.pages.links import link_with
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.pages.run_forms import AttachForm, NewRunForm, RunForm, UploadForm
from jobs_app.pages.run_parts import Part
from jobs_app.services import access, run_failures, storages
from jobs_app.services import runs as run_service
from jobs_app.services.runs import RunView
from jobs_app.stores.noun_records import Found
from jobs_app.templatetags import wording

PAGE = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be done with a run: the button, and the dialog that asks."""

    name: str
    label: str
    icon: str
    title: str
    about: str
    is_main: bool = False
    is_dangerous: bool = False


CHOICES: Mapping[str, Choice] = {
    "start": Choice(
        "start",
        "Start",
        "play",
        "Start this run?",
        "Each document that waits gets a job. Those that artifacts serve already are skipped.",
        is_main=True,
    ),
    "force": Choice(
        "force",
        "Start all",
        "play",
        "Start every document?",
        "Each document that waits gets a job, whatever was made of it before.",
    ),
    "retry": Choice(
        "retry",
        "Retry failed",
        "retry",
        "Retry what failed?",
        "Jobs that failed or ran out of time go back into the queue. Documents that were refused are looked at anew.",
        is_main=True,
    ),
    "cancel": Choice(
        "cancel",
        "Cancel",
        "stop",
        "Cancel this run?",
        "No document gets a job any more. Waiting jobs end at once; workers are told with their next heartbeat.",
        is_dangerous=True,
    ),
    "clone": Choice(
        "clone", "Clone", "copy", "Clone this run?", "A draft with the same options and the same documents is made."
    ),
    "delete": Choice(
        "delete",
        "Delete",
        "trash",
        "Delete this run?",
        "What is known of its documents and artifacts goes with it, so nothing is skipped by them any more. "
        "Files and jobs stay.",
        is_dangerous=True,
    ),
}


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    asked = run_filters.read_runs(request.GET)
    cursor = request.GET.get("cursor") or None
    found = run_service.find(actor, slug, state=asked.state, text=asked.text or None, cursor=cursor, limit=PAGE)
    has_more = found.next_cursor or found.previous_cursor
    count = f"{wording.count_of(len(found.items), 'run')} {'on this page' if has_more else 'found'}"
    context = {
        "project": project,
        "rows": found.items,
        "filters": run_filters.bar(request, asked, count),
        "narrows": asked.narrows,
        "page": run_parts.pager(request, found),
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "command": first_run_command(request, slug),
    }
    return render(request, "runs/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.WRITE)
    form = NewRunForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            made = run_service.create(actor, slug, form.new_run())
        except RefusedError as error:
            tell(form, error)
        else:
            messages.success(request, "The run is there. Attach its documents, then start it.")
            return redirect("runs-show", slug, made.run.id)
    context = {"project": project, "form": form}
    return render(request, "runs/new.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@gone.told
def edit(request: PageRequest, slug: str, run_id: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.WRITE)
    run = run_service.look(actor, slug, run_id)
    form = RunForm(run, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            if form.changes:
                run_service.change(actor, slug, run_id, form.changes, version=form.cleaned_data["version"])
        except PreconditionFailedError:
            form.add_error(None, "Somebody changed or started the run meanwhile. Look at it, then begin anew.")
        except RefusedError as error:
            tell(form, error)
        else:
            messages.success(request, "The run is changed." if form.changes else "Nothing was changed.")
            return redirect("runs-show", slug, run_id)
    context = {"project": project, "run": run, "form": form}
    return render(request, "runs/edit.html", context, status=422 if form.errors else 200)


@require_safe
@gone.told
def show(request: PageRequest, slug: str, run_id: str) -> HttpResponse:
    return page(request, slug, run_id)


def page(request: PageRequest, slug: str, run_id: str, attaching: AttachForm | None = None) -> HttpResponse:
    """The run; with a form to attach files that was filled in wrongly, that one in its place."""
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    view = run_service.get(actor, slug, run_id)
    asked, part = run_filters.read(request.GET), run_parts.asked_for(request, view)
    parts = run_parts.shown(request, actor, slug, run_id, part, asked)
    may_write = Scope.WRITE in actor.scopes_in(project.pk)
    may_attach = may_write and not view.run.phase.is_cancelled
    aliases = storages.aliases_of(actor, slug) if may_attach else []
    context = {
        "project": project,
        "view": view,
        "run": view.run,
        **parts,
        "part": part.value,
        "tabs": run_parts.tabs(request, part),
        "cells": run_filters.cells(request, view.tally, asked, part),
        "failures": run_failures.of(actor, slug, run_id) if view.tally.failed else None,
        "refused": view.tally.plans.get(Plan.REFUSED),
        "refused_url": link_with(request, state=DocumentState.REFUSED.value, view=Part.LIST.value, cursor=None),
        "filters": run_filters.document_bar(request, asked, _count(view, asked, parts["found"])),
        "narrows": asked.narrows,
        "choices": [CHOICES[name] for name in actions_for(view)] if may_write else [],
        "may_write": may_write,
        "command": attach_command(request, slug, run_id),
        "ask": request.GET.get("ask", ""),
        "attach": (attaching or AttachForm(aliases)) if may_attach else None,
        "upload": UploadForm() if may_attach else None,
        "here": link_with(request, view=part.value, ask=None),
    }
    return render(request, "runs/show.html", context, status=422 if attaching and attaching.errors else 200)


def actions_for(view: RunView) -> list[str]:
    """What an operator may do with it as it is, the likeliest first."""
    found = []
    if view.run.phase in (Phase.DRAFT, Phase.STARTED) and view.tally.plans.get(Plan.ATTACHED):
        found += ["start", "force"]
    if not view.run.phase.is_cancelled and (view.tally.plans.get(Plan.REFUSED) or _has_troubled(view)):
        found.append("retry")
    if not view.run.phase.is_cancelled and not view.state.is_final:
        found.append("cancel")
    found.append("clone")
    if view.state not in (RunState.STARTING, RunState.RUNNING):
        found.append("delete")
    return found


def _has_troubled(view: RunView) -> bool:
    return any(view.tally.jobs.get(state) for state in (JobState.FAILED, JobState.TIMEOUT))


def _count(view: RunView, asked: run_filters.Asked[DocumentState], found: Found[Any]) -> str:
    if not asked.text:
        counts = run_filters.by_state(view.tally)
        return wording.count_of(counts[asked.state] if asked.state else view.tally.documents, "document")
    has_more = found.next_cursor or found.previous_cursor
    return f"{wording.count_of(len(found.items), 'document')} {'on this page' if has_more else 'found'}"
