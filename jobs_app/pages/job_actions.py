"""What an operator does to jobs: one at a time from a job's page, or to those selected in a list."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.http import require_POST

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.errors import ConflictError, InvalidError, InvalidTransitionError, NotFoundError, RefusedError
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, jobs
from jobs_app.templatetags import wording

MOST_AT_ONCE = 500
MOST_UNDONE_AT_ONCE = 40  # as many ids as fit into an address
# What can be refused because the page has grown stale; anything else is a page of its own.
STALE = (ConflictError, InvalidTransitionError, InvalidError)

Change = Callable[[Actor, str, str, str], Job]
ACTIONS: Mapping[str, tuple[Change, str]] = {
    "retry": (jobs.retry, "put back into the queue"),
    "cancel": (jobs.cancel, "cancelled"),
    "release": (jobs.take_back, "taken back from its worker"),
    "delete": (jobs.delete, "moved to the trash"),
}
IN_BULK = ("retry", "cancel", "delete")


@dataclass
class Outcome:
    """What came of an action on several jobs; `refused` counts the reasons."""

    changed: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


@require_POST
def act(request: PageRequest, slug: str, job_id: str, action: str) -> HttpResponse:
    change, done = ACTIONS[action]
    try:
        job = change(actor_of(request), slug, job_id, request.POST.get("reason", ""))
    except STALE as error:
        messages.error(request, error.detail)
        return redirect("jobs-show", slug, job_id)
    if action == "delete":
        _say(request, f"{_short(job.name)} was {done}.", undo=reverse("jobs-restore", args=[slug]) + _ids([job_id]))
        return redirect("jobs", slug)
    asked_only = action == "cancel" and job.status is JobState.PROCESSING
    _say(request, "Its worker is told to stop with its next heartbeat." if asked_only else f"The job was {done}.")
    return redirect("jobs-show", slug, job_id)


@require_POST
def act_on_many(request: PageRequest, slug: str) -> HttpResponse:
    """Up to 500 of those selected, one by one; each that is refused says why and holds up none of the others."""
    actor, action = actor_of(request), request.POST.get("action", "")
    access.project_for(actor, slug, Scope.WRITE)
    if action not in IN_BULK:
        raise InvalidError.at("action", f"choose one of {', '.join(IN_BULK)}")
    change, done = ACTIONS[action]
    outcome = _try_each(_given_ids(request), lambda id: change(actor, slug, id, request.POST.get("reason", "")))
    undo = ""
    if action == "delete" and 0 < len(outcome.changed) <= MOST_UNDONE_AT_ONCE:
        undo = reverse("jobs-restore", args=[slug]) + _ids(outcome.changed)
    _tell(request, outcome, done, undo)
    return redirect(_back(request, reverse("jobs", args=[slug])))


@require_POST
def restore(request: PageRequest, slug: str) -> HttpResponse:
    """Out of the trash: those whose ids are given, in the form or, for an undo, in the address."""
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    ids = _given_ids(request)
    outcome = _try_each(ids, lambda id: jobs.restore(actor, slug, id))
    _tell(request, outcome, "brought back")
    return redirect("jobs-show", slug, ids[0]) if outcome.changed == ids[:1] else redirect("jobs-trash", slug)


@require_POST
def erase(request: PageRequest, slug: str) -> HttpResponse:
    """Out of the trash for good."""
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    outcome = _try_each(_given_ids(request), lambda id: jobs.erase(actor, slug, id))
    _tell(request, outcome, "removed for good")
    return redirect("jobs-trash", slug)


def _given_ids(request: PageRequest) -> list[str]:
    ids = list(dict.fromkeys([*request.POST.getlist("id"), *request.GET.getlist("id")]))
    if not 1 <= len(ids) <= MOST_AT_ONCE:
        raise InvalidError.at("id", f"select 1 to {MOST_AT_ONCE} jobs")
    return ids


def _try_each(ids: list[str], change: Callable[[str], object]) -> Outcome:
    outcome = Outcome()
    for id in ids:
        try:
            change(id)
        except (*STALE, NotFoundError, RefusedError) as error:
            outcome.refused[error.detail.replace(id, "").replace("''", "").strip()] += 1
        else:
            outcome.changed.append(id)
    return outcome


def _tell(request: PageRequest, outcome: Outcome, done: str, undo: str = "") -> None:
    if outcome.changed:
        number = len(outcome.changed)
        _say(request, f"{wording.count_of(number, 'job')} {'was' if number == 1 else 'were'} {done}.", undo)
    for reason, number in outcome.refused.most_common(3):
        messages.error(
            request, f"{wording.count_of(number, 'job')} left as {'it was' if number == 1 else 'they were'}: {reason}"
        )


def _say(request: PageRequest, sentence: str, undo: str = "") -> None:
    """The address that undoes it travels with the message; components/_toasts.html makes a button of it."""
    messages.success(request, sentence, extra_tags=undo)


def _ids(ids: list[str]) -> str:
    return f"?{urlencode({'id': ids}, doseq=True)}"


def _back(request: PageRequest, otherwise: str) -> str:
    """To the list as it was, if that is an address of ours."""
    back = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None, require_https=False)
    return back if back.startswith("/") and is_ours else otherwise


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:80]}…"
