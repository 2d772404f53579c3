"""One's own account: password and sessions."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs_app.errors import RefusedError
from jobs_app.models import PersonSession
from jobs_app.pages.forms import ChangePasswordForm, NewPasswordForm, tell
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import logins, people

BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl")
BROWSER_NAMES = {"Edg": "Edge", "OPR": "Opera"}
SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")


@dataclass(frozen=True, slots=True)
class SessionRow:
    id: str
    agent: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    is_current: bool


@require_safe
def show(request: PageRequest) -> HttpResponse:
    context = {
        "memberships": people.memberships_of(request.user),
        "runs_the_server": actor_of(request).runs_the_server,
        "sessions_count": logins.sessions_of(request.user).count(),
    }
    return render(request, "account/index.html", context)


@sensitive_post_parameters("old_password", "password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def change_password(request: PageRequest) -> HttpResponse:
    """Ends every other session; this one goes on."""
    forced = bool(request.session.get("must_change_password"))
    form_class = NewPasswordForm if forced else ChangePasswordForm
    form = form_class(request.POST if request.method == "POST" else None)
    if form.is_valid() and _changed(request, form):
        request.session.pop("must_change_password", None)
        messages.success(request, "Your password is changed. Every other session of yours has ended.")
        return redirect("home" if forced else "account")
    template = "registration/first_password.html" if forced else "registration/password_change_form.html"
    return render(request, template, {"form": form}, status=422 if form.errors else 200)


change_password.reachable_with_one_time_password = True  # type: ignore[attr-defined]  # read by the login gate


@require_safe
def sessions(request: PageRequest) -> HttpResponse:
    rows = [_row(session, request.session.session_key) for session in logins.sessions_of(request.user)]
    return render(request, "account/sessions.html", {"sessions": rows})


@require_POST
def end_session(request: PageRequest, name: str) -> HttpResponse:
    if name == PersonSession(session_key=request.session.session_key or "").name:
        logins.log_out(request, actor_of(request))
        return redirect("login")
    try:
        logins.end_session(actor_of(request), request.user, name)
    except RefusedError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, "That session has ended.")
    return redirect("account-sessions")


@require_POST
def end_other_sessions(request: PageRequest) -> HttpResponse:
    ended = logins.end_other_sessions(actor_of(request), request.user, request.session.session_key)
    messages.success(request, f"{ended} other {'session has' if ended == 1 else 'sessions have'} ended.")
    return redirect("account-sessions")


def _changed(request: PageRequest, form: NewPasswordForm) -> bool:
    try:
        if isinstance(form, ChangePasswordForm):
            logins.confirm_password(request.user, form.cleaned_data["old_password"])
        people.change_password(actor_of(request), request.user, form.cleaned_data["password"])
    except RefusedError as error:
        tell(form, error)
        return False
    update_session_auth_hash(request, request.user)
    return True


def _row(session: PersonSession, current_key: str | None) -> SessionRow:
    return SessionRow(
        session.name,
        _said(session.agent),
        session.address,
        session.created_at,
        session.seen_at,
        session.session_key == current_key,
    )


def _said(agent: str) -> str:
    """`Firefox on Linux`, as far as a browser says the truth about itself."""
    browser = next((name for name in BROWSERS if f"{name}/" in agent), None)
    system = next((name for name in SYSTEMS if re.search(name, agent)), None)
    if browser is None:
        return agent[:60] or "Unknown program"
    name = BROWSER_NAMES.get(browser, browser)
    return f"{name} on {system}" if system else name
