"""The stream that pages live by, and the part of the shell that says what needs a person."""

from collections.abc import Collection, Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from jobs_app import live
from jobs_app.pages.requests import PageRequest
from jobs_app.services import access, changes, consumers


def _counters(topics: Collection[str]) -> Mapping[str, int]:
    """A consumer that dies tells nobody, so the number of those alive is counted anew with each look."""
    values = changes.values(topics)
    if consumers.TOPIC in topics:
        values[consumers.TOPIC] = len(consumers.alive())
    return values


def _may_follow(request: HttpRequest, project: str) -> bool:
    """Topics of the whole server have no project, and are for everybody who is logged in."""
    actor = access.actor_for_person(request.user)
    return not project or access.visible_projects(actor).filter(slug=project).exists()


hub = live.Hub(_counters)
stream = live.view(hub, _may_follow)


@require_safe
def vitals(request: PageRequest) -> HttpResponse:
    return render(request, "shell/vitals.html")
