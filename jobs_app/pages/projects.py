"""The list of projects, and making one."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from jobs_app.errors import RefusedError
from jobs_app.pages.forms import ProjectForm, tell
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, people, projects


@dataclass(frozen=True, slots=True)
class ProjectCard:
    slug: str
    name: str
    about: str
    role: str
    created_at: datetime


@require_safe
def index(request: PageRequest) -> HttpResponse:
    actor = actor_of(request)
    roles = {membership.project_id: membership.role for membership in people.memberships_of(request.user)}
    cards = [
        ProjectCard(each.slug, each.name, each.description, roles.get(each.pk, ""), each.created_at)
        for each in projects.visible(actor)
    ]
    return render(request, "projects/index.html", {"projects": cards, "may_create": actor.runs_the_server})


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: PageRequest) -> HttpResponse:
    actor = actor_of(request)
    access.require_server(actor)
    form = ProjectForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            project = projects.create(actor, **form.cleaned_data)
        except RefusedError as error:
            tell(form, error)
        else:
            messages.success(request, f"Project {project.slug} is there.")
            return redirect("project-home", slug=project.slug)
    return render(request, "projects/new.html", {"form": form}, status=422 if form.errors else 200)
