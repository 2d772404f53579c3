"""Every page with made-up content, empty, full and hostile: templates are looked at and checked without any service.

`/full/…` and `/empty/…` are drawn by `_view`; behind them stand the addresses of the product, so every link works.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.safestring import mark_safe

from jobs_app import urls
from jobs_app.pages import styleguide
from jobs_app.pages.styleguide import FILTERS, HOSTILE, LONG
from tests.browser import preview_jobs, preview_library

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
PROJECT = SimpleNamespace(
    name="Quarterly reports", slug="reports", created_at=NOW - timedelta(days=90), role="admin", about=""
)
HOSTILE_PROJECT = SimpleNamespace(name=f"{HOSTILE} {LONG}", slug="a" * 63, created_at=NOW, role="viewer", about=LONG)


class NameForm(forms.Form):
    name = forms.CharField(help_text="Shown in lists and in the switcher.")


class ProjectForm(NameForm):
    slug = forms.SlugField(help_text="Part of every address; it cannot be changed later.")


class PersonForm(forms.Form):
    first_name = forms.CharField(required=False)
    last_name = forms.CharField(required=False)
    email = forms.EmailField()


class MemberForm(forms.Form):
    username = forms.CharField()
    role = forms.ChoiceField(choices=[("viewer", "Viewer"), ("operator", "Operator"), ("admin", "Admin")])


class TokenForm(forms.Form):
    name = forms.CharField(help_text="Who or what will use it.")
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in ("read", "write", "work", "admin")], widget=forms.CheckboxSelectMultiple
    )
    expires_in_days = forms.IntegerField(initial=90, help_text="At most 365.")


class LoginForm(forms.Form):
    username = forms.CharField()
    password = forms.CharField(widget=forms.PasswordInput)


class PasswordForm(forms.Form):
    old_password = forms.CharField(widget=forms.PasswordInput)
    new_password1 = forms.CharField(
        label="New password", widget=forms.PasswordInput, help_text="<ul><li>At least 8 characters.</li></ul>"
    )
    new_password2 = forms.CharField(label="The same again", widget=forms.PasswordInput)


@dataclass(frozen=True)
class Sample:
    """A template with what it shows when there is much, and when there is nothing."""

    template: str
    full: dict[str, Any]
    empty: dict[str, Any]


def _wrong(form: type[forms.Form], sentence: str) -> forms.Form:
    made = form({})
    made.add_error(None, sentence)
    return made


def _task(name: str, title: str, about: str, state: str | None, *, running: bool = False) -> SimpleNamespace:
    return SimpleNamespace(
        name=name,
        title=title,
        about=about,
        schedule="every minute",
        next_at=NOW + timedelta(minutes=1),
        is_running=running,
        last=SimpleNamespace(state=state, started_at=NOW, seconds=1.2) if state else None,
        runs=styleguide.sample(NOW)["runs"] if state else [],
    )


ROLES = [
    {"value": "viewer", "label": "Viewer", "about": "Sees everything of the project."},
    {"value": "operator", "label": "Operator", "about": "Also retries, cancels, uploads and edits."},
    {"value": "admin", "label": "Admin", "about": "Also changes settings, members and tokens."},
]
MEMBERS = [
    {"id": 1, "name": "Ada Lovelace", "username": "ada", "role": "admin", "since": NOW, "is_self": True},
    {"id": 2, "name": "", "username": "grace", "role": "operator", "since": NOW, "is_self": False},
    {"id": 3, "name": HOSTILE, "username": LONG, "role": "viewer", "since": NOW, "is_self": False},
]
TOKENS = [
    {
        "id": index, "name": name, "prefix": f"hf_{index}ab3", "scopes": ["read", "work"], "state": state,
        "created_at": NOW, "last_used_at": None if index else NOW, "expires_at": NOW + timedelta(days=30),
    }
    for index, (name, state) in enumerate([("ci", "active"), (HOSTILE, "expired"), (LONG, "revoked")])
]  # fmt: skip
ENTRIES = [
    {
        "at": NOW, "actor": "ada", "action": "token.created", "target": "ci", "address": "10.0.0.7",
        "result": "done", "details": {"scopes": ["read", "work"]},
    },
    {
        "at": NOW, "actor": HOSTILE, "action": "member.removed", "target": LONG, "address": "2001:db8::1",
        "result": "refused", "details": {},
    },
]  # fmt: skip
SESSIONS = [
    {
        "id": 1,
        "agent": "Firefox on Linux",
        "address": "10.0.0.7",
        "last_seen_at": NOW,
        "created_at": NOW,
        "is_current": True,
    },
    {"id": 2, "agent": HOSTILE, "address": "2001:db8::1", "last_seen_at": NOW, "created_at": NOW, "is_current": False},
]
HISTORY = [
    {
        "task": "expiry",
        "state": "succeeded",
        "started_at": NOW,
        "seconds": 0.34,
        "counts": {"checked": 1204, "expired": 3},
        "error": "",
    },
    {
        "task": "outbox",
        "state": "failed",
        "started_at": NOW,
        "seconds": 30.0,
        "counts": {},
        "error": f"{HOSTILE} {LONG}",
    },
]
PAGE = {"summary": "50 of 1,204", "first_url": "", "previous_url": "", "next_url": "?cursor=x"}
NO_FILTERS = {**FILTERS, "chips": [], "query": "", "count": "nothing"}
TASKS = [
    _task(
        "expiry", "Expiry sweep", "Settles leases, attempts and deadlines that have run out.", "succeeded", running=True
    ),
    _task("outbox", "Outbox", "Sends pending changes of a branch as one commit.", "failed"),
    _task("index", "Index check", "Repairs what is derived.", None),
]

SAMPLES = {
    "projects": Sample(
        "projects/index.html",
        {"projects": [PROJECT, HOSTILE_PROJECT], "may_create": True, "project": None},
        {"projects": [], "project": None},
    ),
    "project-new": Sample(
        "projects/new.html", {"form": ProjectForm()}, {"form": _wrong(ProjectForm, "A project of this name exists.")}
    ),
    "settings": Sample(
        "settings/index.html",
        {
            "form": NameForm({"name": PROJECT.name}),
            "may_change": True,
            "contents": "312 jobs and 4 members",
            "facts": [{"label": "Storage", "value": "1.2 GB"}],
        },
        {"form": NameForm(), "project": HOSTILE_PROJECT},
    ),
    "settings-members": Sample(
        "settings/members.html",
        {"members": MEMBERS, "roles": ROLES, "form": MemberForm(), "may_change": True},
        {"members": MEMBERS[:1], "roles": ROLES},
    ),
    "settings-tokens": Sample(
        "settings/tokens.html",
        {
            "tokens": TOKENS,
            "form": TokenForm(),
            "may_change": True,
            "secret": f"hf_{LONG}",
            "made": TOKENS[0],
            "curl": "curl -H 'Authorization: Bearer hf_…' http://127.0.0.1:8000/api/v1/me",
        },
        {"tokens": [], "make_command": "python3 manage.py tokens create --project reports --scope read --scope work"},
    ),
    "settings-audit": Sample(
        "settings/audit.html",
        {"entries": ENTRIES, "filters": FILTERS, "page": PAGE},
        {"entries": [], "filters": NO_FILTERS},
    ),
    "account": Sample(
        "account/index.html",
        {"form": PersonForm(), "sessions_count": 2, "memberships": [{"project": PROJECT, "role": "Admin"}]},
        {"form": _wrong(PersonForm, "Not saved."), "sessions_count": 1, "memberships": []},
    ),
    "account-sessions": Sample("account/sessions.html", {"sessions": SESSIONS}, {"sessions": SESSIONS[:1]}),
    "account-password": Sample(
        "registration/password_change_form.html", {"form": PasswordForm()}, {"form": PasswordForm({})}
    ),
    "first-password": Sample("registration/first_password.html", {"form": PasswordForm()}, {"form": PasswordForm({})}),
    "login": Sample(
        "registration/login.html",
        {"form": LoginForm(), "next": "/"},
        {"form": _wrong(LoginForm, "This name and password do not go together.")},
    ),
    "maintenance": Sample(
        "maintenance/index.html",
        {"tasks": TASKS, "history": HISTORY, "page": PAGE, "may_run": True, "project": None},
        {"tasks": TASKS[2:], "history": [], "project": None},
    ),
    "docs": Sample(
        "docs/page.html",
        {
            "document": {"title": "Quick start", "html": mark_safe("<h1>Quick start</h1><p>Read the table.</p>")},
            "pages": [
                {"title": "Quick start", "url": "?", "current": True},
                {"title": LONG, "url": "?", "current": False},
            ],
        },
        {"document": {"title": "Nothing", "html": mark_safe("<h1>Nothing</h1>")}, "pages": []},
    ),
    "403": Sample(
        "errors/problem.html",
        {"problem": {"status": 403, "title": "Not allowed", "detail": HOSTILE}},
        {"frame": "shell_bare.html"},
    ),
    "500": Sample("errors/500.html", {"request_id": "req-0198c0f2"}, {}),
    "problem": Sample(
        "errors/problem.html",
        {"problem": {"status": 429, "title": "Too many", "detail": "Try again in 30 s."}},
        {"problem": {"status": 503, "title": LONG, "detail": HOSTILE}, "frame": "shell_bare.html"},
    ),
    "offline": Sample("errors/offline.html", {}, {}),
    **{name: Sample(*sample) for name, sample in preview_jobs.SAMPLES.items()},
    **{name: Sample(*sample) for name, sample in preview_library.SAMPLES.items()},
}


def _view(name: str, filling: str) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        sample = SAMPLES[name]
        context = {"project": PROJECT, "frame": "shell.html", "projects": [PROJECT, HOSTILE_PROJECT]}
        return render(request, sample.template, context | (sample.full if filling == "full" else sample.empty))

    return view


def _nothing(request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
    return HttpResponse("<!doctype html><html lang=en><title>Elsewhere</title><h1>Elsewhere</h1>")


def silent_stream(request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
    """To a stream of events: do not ask again."""
    return HttpResponse(status=204, content_type="text/event-stream")


def _refused(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<p data-sentence>The storage archive is full.</p>", status=507)


SILENT = ("live", "vitals", "favicon")
SAMPLE_OF = {"project-home": "overview", "jobs-show": "job"}


def _stand_in(name: str) -> Callable[..., HttpResponse]:
    """What answers at an address of the product: its sample where there is one, else next to nothing."""
    if name == "styleguide":
        return styleguide.show
    if name in SILENT:
        return silent_stream
    sample = SAMPLE_OF.get(name, name)
    return _view(sample, "full") if sample in SAMPLES else _nothing


urlpatterns = [
    *(path(f"{filling}/{name}/", _view(name, filling)) for name in SAMPLES for filling in ("full", "empty")),
    path("admin/", admin.site.urls),
    path("refused/", _refused),
    *(
        path(str(page.pattern), _stand_in(page.name), name=page.name)
        for page in urls.urlpatterns
        if isinstance(page, URLPattern) and page.name
    ),
]
