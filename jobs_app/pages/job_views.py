"""Saved views of the list of jobs: chosen from a menu, kept, renamed, shared and removed."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.saved_view import SavedView
from jobs_app.errors import AlreadyExistsError, InvalidError, InvalidQueryError
from jobs_app.pages import job_filters
from jobs_app.pages.job_filters import NEWEST_FIRST, ORDERS, Asked
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, saved_views
from jobs_app.services.saved_views import ViewContent

REFUSED = (AlreadyExistsError, InvalidError, InvalidQueryError)


def menu(actor: Actor, slug: str, request: HttpRequest, asked: Asked, is_readable: bool) -> dict[str, Any]:
    """The views there are, and what would be kept as a new one."""
    query = asked.as_query if is_readable else ""
    found: list[dict[str, Any]] = [
        {"view": view, "url": address(slug, view), "current": (view.query, view.order) == (query, asked.order)}
        for view in saved_views.of(actor, slug)
    ]
    current = next((each["view"].name for each in found if each["current"] and asked.narrows), "")
    can_save = is_readable and (asked.narrows or asked.order != NEWEST_FIRST)
    return {"found": found, "current": current, "query": query, "order": asked.order, "can_save": can_save}


def address(slug: str, view: SavedView) -> str:
    asked = {"q": view.query, "order": view.order if view.order != NEWEST_FIRST else ""}
    given = urlencode({name: value for name, value in asked.items() if value})
    return f"{reverse('jobs', args=[slug])}?{given}" if given else reverse("jobs", args=[slug])


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    may_share = Scope.WRITE in actor.scopes_in(project.pk)
    rows = [
        {
            "view": view,
            "url": address(slug, view),
            "order": ORDERS.get(view.order, view.order),
            "may_change": may_share or not view.shared,
        }
        for view in saved_views.of(actor, slug)
    ]
    return render(request, "jobs/views.html", {"project": project, "rows": rows, "may_share": may_share})


@require_POST
def save(request: PageRequest, slug: str) -> HttpResponse:
    """What the list shows, under a name."""
    content = _content(request)
    try:
        view = saved_views.create(actor_of(request), slug, content)
    except REFUSED as error:
        messages.error(request, error.detail)
        given = urlencode({"q": content.query, "order": content.order})
        return redirect(f"{reverse('jobs', args=[slug])}?{given}")
    messages.success(request, f"The view {view.name} is kept.")
    return redirect(address(slug, view))


@require_POST
def change(request: PageRequest, slug: str, view_id: str) -> HttpResponse:
    """Another name, or shared from now on, or no more."""
    actor = actor_of(request)
    before = saved_views.get(actor, slug, view_id)
    try:
        view = saved_views.change(actor, slug, view_id, _content(request, before))
    except REFUSED as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"The view {view.name} was changed.")
    return redirect("jobs-views", slug)


@require_POST
def remove(request: PageRequest, slug: str, view_id: str) -> HttpResponse:
    actor = actor_of(request)
    name = saved_views.get(actor, slug, view_id).name
    saved_views.delete(actor, slug, view_id)
    messages.success(request, f"The view {name} was removed.")
    return redirect("jobs-views", slug)


def _content(request: PageRequest, before: SavedView | None = None) -> ViewContent:
    given = request.POST
    order = given.get("order", before.order if before else "") or NEWEST_FIRST
    return ViewContent(
        name=given.get("name", ""),
        query=given.get("q", before.query if before else "")[: job_filters.LONGEST_QUERY],
        order=order,
        columns=before.columns if before else (),
        shared=given.get("shared") == "on",
    )
