"""The list of projects, making one, and the first page of one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from jobs_app.errors import AlreadyExistsError, InvalidError
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, projects


@require_safe
def index(request: PageRequest) -> HttpResponse:
    actor = actor_of(request)
    context = {"project_list": projects.visible(actor), "may_create": actor.runs_the_server}
    return render(request, "projects/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: PageRequest) -> HttpResponse:
    actor = actor_of(request)
    access.require_server(actor)
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            project = projects.create(actor, request.POST.get("slug", "").strip(), request.POST.get("name", ""))
        except InvalidError as error:
            errors = {item["place"]: item["reason"] for item in error.extra["errors"]}
        except AlreadyExistsError as error:
            errors = {"slug": error.detail}
        else:
            messages.success(request, f"Project {project.slug} is there.")
            return redirect("project-home", slug=project.slug)
    context = {"errors": errors, "slug": request.POST.get("slug", ""), "name": request.POST.get("name", "")}
    return render(request, "projects/new.html", context, status=422 if errors else 200)


@require_safe
def show(request: PageRequest, slug: str) -> HttpResponse:
    project = projects.get(actor_of(request), slug)
    return render(request, "projects/show.html", {"project": project})
