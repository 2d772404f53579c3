"""One's own account: password and sessions."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs_app.errors import InvalidError, RateLimitedError
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, logins, people


@require_safe
def show(request: PageRequest) -> HttpResponse:
    actor = actor_of(request)
    context = {"memberships": people.memberships_of(request.user), "runs_the_server": actor.runs_the_server}
    return render(request, "account/index.html", context)


@sensitive_post_parameters("old_password", "password")
@require_http_methods(["GET", "HEAD", "POST"])
def change_password(request: PageRequest) -> HttpResponse:
    """Ends every other session; this one goes on."""
    forced = bool(request.session.get("must_change_password"))
    if request.method != "POST":
        return render(request, "account/password.html", {"forced": forced, "errors": {}})
    errors = _change_password(request, forced)
    if errors:
        return render(request, "account/password.html", {"forced": forced, "errors": errors}, status=422)
    request.session.pop("must_change_password", None)
    messages.success(request, "Your password is changed; every other session has ended.")
    return redirect("home" if forced else "account")


change_password.reachable_with_one_time_password = True  # type: ignore[attr-defined]  # read by the login gate


@require_safe
def sessions(request: PageRequest) -> HttpResponse:
    context = {"sessions": logins.sessions_of(request.user), "current_key": request.session.session_key}
    return render(request, "account/sessions.html", context)


@require_POST
def end_session(request: PageRequest, name: str) -> HttpResponse:
    logins.end_session(actor_of(request), request.user, name)
    messages.success(request, "That session has ended.")
    return redirect("account-sessions")


@require_POST
def end_other_sessions(request: PageRequest) -> HttpResponse:
    ended = logins.end_other_sessions(actor_of(request), request.user, request.session.session_key)
    messages.success(request, f"{ended} other {'session has' if ended == 1 else 'sessions have'} ended.")
    return redirect("account-sessions")


def _change_password(request: PageRequest, forced: bool) -> dict[str, str]:
    """What is wrong, by field; nothing where the password is changed."""
    try:
        if not forced and not logins.confirm_password(request.user, request.POST.get("old_password", "")):
            return {"old_password": "That is not your current password."}
        password = request.POST.get("password", "")
        if request.user.check_password(password):
            return {"password": "Choose another password than the current one."}
        people.change_password(access.actor_for_person(request.user), request.user, password)
    except InvalidError as error:
        return {"password": error.detail.removeprefix("password: ")}
    except RateLimitedError as error:
        return {"old_password": error.detail}
    update_session_auth_hash(request, request.user)
    return {}
