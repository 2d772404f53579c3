"""What a link to something that was deleted leads to: a page that says what it was, and what is left of it."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from jobs_app.domain.access import Scope
from jobs_app.errors import GoneError
from jobs_app.pages.links import Link
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, jobs

Page = Callable[..., HttpResponse]


def told(page: Page) -> Page:
    """Round a page of one thing in a project, whose ids are named in its address."""

    @wraps(page)
    def answer(request: PageRequest, slug: str, **ids: str) -> HttpResponse:
        try:
            return page(request, slug, **ids)
        except GoneError as error:
            return _shown(request, slug, error, ids)

    return answer


def _shown(request: PageRequest, slug: str, gone: GoneError, ids: dict[str, str]) -> HttpResponse:
    project = access.project_for(actor_of(request), slug, Scope.READ)
    context = {"project": project, "gone": gone, "links": _LEFT[gone.kind](request, slug, ids)}
    return render(request, "errors/gone.html", context, status=HTTPStatus.GONE)


def _left_of_a_run(request: PageRequest, slug: str, ids: dict[str, str]) -> list[Link]:
    return [
        Link("Its jobs", f"{reverse('jobs', args=[slug])}?q=run:{ids['run_id']}"),
        Link("All runs", reverse("runs", args=[slug])),
    ]


def _left_of_a_document(request: PageRequest, slug: str, ids: dict[str, str]) -> list[Link]:
    return [Link("Its run", reverse("runs-show", args=[slug, ids["run_id"]]))]


def _left_of_a_job(request: PageRequest, slug: str, ids: dict[str, str]) -> list[Link]:
    trash = Link("The trash, from which it can come back", reverse("jobs-trash", args=[slug]))
    all_jobs = Link("All jobs", reverse("jobs", args=[slug]))
    return [trash, all_jobs] if jobs.is_in_trash(actor_of(request), slug, ids["job_id"]) else [all_jobs]


_LEFT: dict[str, Callable[[PageRequest, str, dict[str, str]], list[Link]]] = {
    "run": _left_of_a_run,
    "document": _left_of_a_document,
    "job": _left_of_a_job,
}
