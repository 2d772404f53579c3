"""A project's settings: its name, its members, its tokens, its audit log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs_app.domain.access import ROLE_PHRASES, Role, Scope
from jobs_app.errors import RefusedError
from jobs_app.models import AuditEntry, Project, Token
from jobs_app.pages.forms import MemberForm, ProjectSettingsForm, TokenForm, tell
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, audit, paging, projects
from jobs_app.services import members as member_service
from jobs_app.services import tokens as token_service

AUDIT_PAGE = 50


@dataclass(frozen=True, slots=True)
class RoleRow:
    value: str
    label: str
    about: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    """`id` is how addresses name the person within the project."""

    id: str
    name: str
    username: str
    role: str
    since: datetime
    is_self: bool


@dataclass(frozen=True, slots=True)
class TokenRow:
    id: int
    name: str
    prefix: str
    scopes: list[str]
    state: str
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditRow:
    at: datetime
    actor: str
    action: str
    target: str
    result: str
    address: str
    details: Mapping[str, Any]


ROLES = [RoleRow(role.value, role.value.capitalize(), ROLE_PHRASES[role]) for role in Role]


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    known = {"name": project.name, "description": project.description}
    form = ProjectSettingsForm(request.POST if request.method == "POST" else None, initial=known)
    if form.is_valid():
        try:
            projects.change(actor, slug, **form.cleaned_data)
        except RefusedError as error:
            _tell_or_raise(form, error)
        else:
            messages.success(request, "The project's settings are saved.")
            return redirect("settings", slug=slug)
    elif request.method == "POST":
        access.require(actor, project, Scope.ADMIN)
    context = {"project": project, "form": form, "may_change": _may_change(request, project)}
    return render(request, "settings/index.html", context, status=422 if form.errors else 200)


@require_POST
def delete(request: PageRequest, slug: str) -> HttpResponse:
    try:
        projects.delete(actor_of(request), slug, request.POST.get("confirm", ""))
    except RefusedError as error:
        if error.code != "validation_error":
            raise
        messages.error(request, error.detail)
        return redirect("settings", slug=slug)
    messages.success(request, f"Project {slug} and everything of it is gone.")
    return redirect("projects")


@require_http_methods(["GET", "HEAD", "POST"])
def members(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    needs = Scope.ADMIN if request.method == "POST" else Scope.READ
    project = access.project_for(actor, slug, needs)
    form = MemberForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            member_service.set_role(actor, slug, form.cleaned_data["username"].strip(), form.cleaned_data["role"])
        except RefusedError as error:
            tell(form, error)
        else:
            messages.success(request, f"{form.cleaned_data['username']} is {form.cleaned_data['role']} of {slug}.")
            return redirect("settings-members", slug=slug)
    rows = [
        MemberRow(
            id=member.user.get_username(),
            name=member.user.get_full_name(),
            username=member.user.get_username(),
            role=member.role,
            since=member.created_at,
            is_self=member.user_id == request.user.pk,
        )
        for member in member_service.of(actor, slug)
    ]
    context = {
        "project": project,
        "members": rows,
        "roles": ROLES,
        "form": form,
        "may_change": _may_change(request, project),
    }
    return render(request, "settings/members.html", context, status=422 if form.errors else 200)


@require_POST
def member_role(request: PageRequest, slug: str, username: str) -> HttpResponse:
    role = request.POST.get("role", "")
    done = f"{username} is {role} of {slug}."
    _try(request, lambda: member_service.set_role(actor_of(request), slug, username, role), done)
    return redirect("settings-members", slug=slug)


@require_POST
def remove_member(request: PageRequest, slug: str, username: str) -> HttpResponse:
    done = f"{username} is no member any more."
    _try(request, lambda: member_service.remove(actor_of(request), slug, username), done)
    return redirect("settings-members", slug=slug)


@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: PageRequest, slug: str) -> HttpResponse:
    """The answer to the form shows the secret once; it stands in no address and on no later page."""
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.ADMIN)
    form = TokenForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        days = form.cleaned_data["days"]
        expires_at = timezone.now() + timedelta(days=days) if days else None
        try:
            made = token_service.create(actor, slug, form.cleaned_data["name"], form.cleaned_data["scopes"], expires_at)
        except RefusedError as error:
            tell(form, error)
        else:
            return _tokens(request, project, TokenForm(), made)
    return _tokens(request, project, form)


@require_POST
def revoke_token(request: PageRequest, slug: str, token_id: int) -> HttpResponse:
    _try(request, lambda: token_service.revoke(actor_of(request), slug, token_id), "The token has ended.")
    return redirect("settings-tokens", slug=slug)


@require_POST
def rotate_token(request: PageRequest, slug: str, token_id: int) -> HttpResponse:
    actor = actor_of(request)
    made = token_service.rotate(actor, slug, token_id)
    return _tokens(request, projects.get(actor, slug), TokenForm(), made)


@require_safe
def audit_log(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    text, action = request.GET.get("q", "").strip(), request.GET.get("action", "")
    found = audit.entries(actor, slug, audit.AuditFilter(action=action or None, text=text or None))
    page = paging.page(found, "-id", request.GET.get("cursor") or None, AUDIT_PAGE)
    context = {
        "project": projects.get(actor, slug),
        "entries": [_audit_row(entry) for entry in page.items],
        "filters": _audit_filters(request, text, action),
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if "cursor" in request.GET else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
    }
    return render(request, "settings/audit.html", context)


def _may_change(request: PageRequest, project: Project) -> bool:
    return Scope.ADMIN in actor_of(request).scopes_in(project.pk)


def _tokens(
    request: PageRequest, project: Project, form: TokenForm, made: tuple[Token, str] | None = None
) -> HttpResponse:
    rows = [_token_row(token) for token in token_service.of(actor_of(request), project.slug)]
    context: dict[str, Any] = {
        "project": project,
        "tokens": rows,
        "form": form,
        "may_change": True,
        "make_command": f"python3 manage.py tokens create --project {project.slug} --scope read --scope work",
    }
    if made is not None:
        token, secret = made
        address = request.build_absolute_uri("/api/v1/me")
        context |= {"made": token, "secret": secret, "curl": f'curl -H "Authorization: Bearer {secret}" {address}'}
    return render(request, "settings/tokens.html", context, status=422 if form.errors else 200)


def _token_row(token: Token) -> TokenRow:
    expired = token.expires_at is not None and token.expires_at <= timezone.now()
    state = "revoked" if token.revoked_at else "expired" if expired else "active"
    return TokenRow(token.pk, token.name, token.hint, token.scopes, state, token.expires_at, token.last_used_at)


def _audit_row(entry: AuditEntry) -> AuditRow:
    target = f"{entry.target_kind} {entry.target_name}".strip()
    return AuditRow(entry.at, entry.actor_name, entry.action, target, entry.outcome, entry.address, entry.detail)


def _audit_filters(request: PageRequest, text: str, action: str) -> dict[str, Any]:
    chips = [
        {"name": name, "value": value, "remove_url": link_without(request, key, "cursor")}
        for key, name, value in (("q", "text", text), ("action", "action", action))
        if value
    ]
    return {
        "action": request.path,
        "query": text,
        "placeholder": "Who, what or on what",
        "chips": chips,
        "clear_url": request.path,
        "menus": [],
    }


def _try(request: PageRequest, change: Callable[[], object], sentence: str) -> None:
    """For buttons: what a page that has grown stale asks for is answered on the page that follows."""
    try:
        change()
    except RefusedError as error:
        if error.code not in ("conflict", "validation_error", "stale"):
            raise
        messages.error(request, error.detail)
    else:
        messages.success(request, sentence)


def _tell_or_raise(form: ProjectSettingsForm, error: RefusedError) -> None:
    if error.code != "validation_error":
        raise error
    tell(form, error)
