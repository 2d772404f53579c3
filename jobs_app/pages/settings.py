"""A project's settings: its name, its members, its tokens, its audit log."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs_app.domain.access import ROLE_PHRASES, SCOPE_PHRASES, Scope
from jobs_app.errors import ConflictError, InvalidError, NotFoundError
from jobs_app.models import Project, Token
from jobs_app.pages.requests import PageRequest, actor_of, is_partial
from jobs_app.services import access, audit, paging, projects
from jobs_app.services import members as member_service
from jobs_app.services import tokens as token_service

AUDIT_PAGE = 50
LONGEST_DAYS = 3650


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            projects.change(
                actor, slug, name=request.POST.get("name", ""), description=request.POST.get("description", "")
            )
        except InvalidError as error:
            errors = _by_field(error)
        else:
            messages.success(request, "The project's settings are saved.")
            return redirect("settings", slug=slug)
    context = {"project": project, "errors": errors, "may_change": Scope.ADMIN in actor.scopes_in(project.pk)}
    return render(request, "settings/index.html", context, status=422 if errors else 200)


@require_POST
def delete(request: PageRequest, slug: str) -> HttpResponse:
    try:
        projects.delete(actor_of(request), slug, request.POST.get("confirm", ""))
    except InvalidError as error:
        messages.error(request, error.detail)
        return redirect("settings", slug=slug)
    messages.success(request, f"Project {slug} and everything of it is gone.")
    return redirect("projects")


@require_http_methods(["GET", "HEAD", "POST"])
def members(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    errors: dict[str, str] = {}
    if request.method == "POST":
        username = request.POST.get("username", "").strip()
        try:
            member_service.set_role(actor, slug, username, request.POST.get("role", ""))
        except (InvalidError, NotFoundError, ConflictError) as error:
            errors = {"username": error.detail}
        else:
            messages.success(request, f"{username} is {request.POST['role']} of {slug}.")
            return redirect("settings-members", slug=slug)
    context = {
        "project": project,
        "members": member_service.of(actor, slug),
        "roles": ROLE_PHRASES.items(),
        "errors": errors,
        "username": request.POST.get("username", ""),
        "may_change": Scope.ADMIN in actor.scopes_in(project.pk),
    }
    return render(request, "settings/members.html", context, status=422 if errors else 200)


@require_POST
def remove_member(request: PageRequest, slug: str, username: str) -> HttpResponse:
    _try(
        request, lambda: member_service.remove(actor_of(request), slug, username), f"{username} is no member any more."
    )
    return redirect("settings-members", slug=slug)


@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: PageRequest, slug: str) -> HttpResponse:
    """The answer to the form shows the secret once; it stands in no address and no later page."""
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.ADMIN)
    errors: dict[str, str] = {}
    made, secret = None, ""
    if request.method == "POST":
        try:
            days = _days(request.POST.get("days", ""))
            made, secret = token_service.create(
                actor,
                slug,
                request.POST.get("name", ""),
                request.POST.getlist("scopes"),
                timezone.now() + timedelta(days=days) if days else None,
            )
        except InvalidError as error:
            errors = _by_field(error)
    return _tokens(request, project, errors=errors, made=made, secret=secret, status=422 if errors else 200)


@require_POST
def revoke_token(request: PageRequest, slug: str, token_id: int) -> HttpResponse:
    _try(request, lambda: token_service.revoke(actor_of(request), slug, token_id), "The token has ended.")
    return redirect("settings-tokens", slug=slug)


@require_POST
def rotate_token(request: PageRequest, slug: str, token_id: int) -> HttpResponse:
    made, secret = token_service.rotate(actor_of(request), slug, token_id)
    return _tokens(request, projects.get(actor_of(request), slug), made=made, secret=secret)


@require_safe
def audit_log(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    conditions = audit.AuditFilter(
        actor=request.GET.get("actor") or None,
        action=request.GET.get("action") or None,
        target=request.GET.get("target") or None,
        after=_moment(request.GET.get("after", "")),
        before=_moment(request.GET.get("before", "")),
    )
    page = paging.page(audit.entries(actor, slug, conditions), "-id", request.GET.get("cursor") or None, AUDIT_PAGE)
    context = {"project": projects.get(actor, slug), "entries": page.items, "next_cursor": page.next_cursor}
    template = "settings/audit/_rows.html" if is_partial(request) else "settings/audit.html"
    return render(request, template, context | {"conditions": request.GET})


def _tokens(
    request: PageRequest,
    project: Project,
    *,
    errors: dict[str, str] | None = None,
    made: Token | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "project": project,
        "tokens": token_service.of(actor_of(request), project.slug),
        "scopes": SCOPE_PHRASES.items(),
        "errors": errors or {},
        "made": made,
        "secret": secret,
        "chosen": request.POST.getlist("scopes") or [Scope.READ],
        "name": "" if made else request.POST.get("name", ""),
        "api_url": request.build_absolute_uri("/api/v1"),
        "now": timezone.now(),
    }
    response = render(request, "settings/tokens.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _by_field(error: InvalidError) -> dict[str, str]:
    return {item["place"]: item["reason"] for item in error.extra["errors"]}


def _try(request: PageRequest, change: Callable[[], None], sentence: str) -> None:
    """For buttons: what a page that has grown stale asks for is answered on the page that follows."""
    try:
        change()
    except (ConflictError, NotFoundError) as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, sentence)


def _days(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= LONGEST_DAYS):
        raise InvalidError.at("days", f"give a whole number from 1 to {LONGEST_DAYS}, or nothing")
    return int(text)


def _moment(text: str) -> datetime | None:
    """A day or a time from the address; what is neither narrows nothing, as the filter's chip then shows."""
    try:
        day = parse_date(text)
        moment = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001 - set below
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None
