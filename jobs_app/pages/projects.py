"""The list of projects, making one, and the first page of one."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from jobs_app.domain.access import Role
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


@require_safe
def show(request: PageRequest, slug: str) -> HttpResponse:
    project = projects.get(actor_of(request), slug)
    context = {
        "project": project,
        "token_command": f"python3 manage.py tokens create --project {slug} --scope read --scope work",
        "curl": f'curl -H "Authorization: Bearer $TOKEN" {request.build_absolute_uri("/api/v1/me")}',
        "member_command": f"python3 manage.py people role NAME --project {slug} {Role.OPERATOR}",
    }
    return render(request, "projects/show.html", context)
