"""Failures of one cause as one row: how often, since when, and everything that can be done to its jobs at once."""

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.operation import Action
from jobs_app.errors import InvalidError, NotFoundError
from jobs_app.pages.job_outcomes import tell_done
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, failures
from jobs_app.services.failures import Failure
from jobs_app.services.job_actions import Done

PAGE = 50
ORDERS: Mapping[str, str] = {"-last_seen_at": "Last seen first", "-count": "Most frequent first"}
ACTIONS: Mapping[str, tuple[Action, Callable[[Actor, str, str, str], Done]]] = {
    "retry": (Action.RETRY, failures.retry),
    "cancel": (Action.CANCEL, failures.cancel),
    "delete": (Action.DELETE, failures.delete),
}


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    order = request.GET.get("order", "")
    order = order if order in ORDERS else next(iter(ORDERS))
    page = failures.of(actor, slug, order, request.GET.get("cursor") or None, PAGE)
    context = {
        "project": project,
        "rows": page.failures,
        "sorting": _sorting(request, order),
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if "cursor" in request.GET else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
    }
    return render(request, "failures/index.html", context)


@require_POST
def act(request: PageRequest, slug: str, fingerprint: str, action: str) -> HttpResponse:
    """On every job of the cause: few at once, many as an operation."""
    kind, change = ACTIONS[action]
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    try:
        done = change(actor, slug, fingerprint, request.POST.get("reason", ""))
    except (NotFoundError, InvalidError) as error:
        messages.error(request, error.detail)
        return redirect("failures", slug)
    if done.operation is not None:
        messages.success(request, "It is under way in the background, and goes on without you.")
        return redirect("operation", slug, done.operation.id)
    tell_done(request, slug, kind, done)
    return redirect("failures", slug)


def latest(actor: Actor, slug: str, number: int) -> list[Failure]:
    """Causes that jobs stand failed by, the last seen first: for the overview."""
    found = failures.of(actor, slug, limit=number * 3).failures
    return [failure for failure in found if failure.standing][:number]


def _sorting(request: PageRequest, order: str) -> dict[str, dict[str, str]]:
    """For {% columns %}: both orders go down from the most."""
    first, second = ORDERS
    turned = {"Last seen": first, "In all": second}
    return {
        label: {
            "url": link_with(request, order=name if name != first else None, cursor=None),
            "direction": "descending" if order == name else "",
        }
        for label, name in turned.items()
    }
