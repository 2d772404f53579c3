"""The stream that pages live by, and the part of the shell that says what needs a person."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from jobs_app import live
from jobs_app.pages.requests import PageRequest
from jobs_app.services import access


def _may_follow(request: HttpRequest, project: str) -> bool:
    """Topics of the whole server have no project, and are for everybody who is logged in."""
    actor = access.actor_for_person(request.user)
    return not project or access.visible_projects(actor).filter(slug=project).exists()


stream = live.view(live.hub, _may_follow)


@require_safe
def vitals(request: PageRequest) -> HttpResponse:
    return render(request, "shell/vitals.html")
