"""The first page: straight to the only project, else the list."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import projects


@require_safe
def show(request: PageRequest) -> HttpResponse:
    found = projects.visible(actor_of(request))[:2]
    if len(found) == 1:
        return redirect("project-home", slug=found[0].slug)
    return redirect("projects")
