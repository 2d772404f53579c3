"""Logging in, logging out, and accepting an invitation."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from jobs_app.errors import InvalidError, RateLimitedError, UnauthenticatedError
from jobs_app.pages.requests import PageRequest, actor_of, address_of
from jobs_app.services import access, logins, people

DEVICE_COOKIE = "device"


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """A failed login keeps the name and says nothing about which half was wrong."""
    target = _safe_target(request)
    if request.method != "POST":
        return redirect(target) if request.user.is_authenticated else _form(request, target)
    username = request.POST.get("username", "")
    device = request.COOKIES.get(DEVICE_COOKIE, "")
    try:
        user = logins.log_in(request, username, request.POST.get("password", ""), address_of(request), device)
    except (UnauthenticatedError, RateLimitedError) as error:
        return _form(request, target, username, error)
    if people.must_change_password(user):
        request.session["must_change_password"] = True
        target = reverse("account-password")
    response = redirect(target)
    response.set_cookie(
        DEVICE_COOKIE,
        logins.device_mark(user.get_username()),
        max_age=logins.KNOWN_DEVICE_FOR,
        path=reverse("login"),
        secure=request.is_secure(),
        httponly=True,
        samesite="Strict",
    )
    return response


@require_POST
def log_out(request: PageRequest) -> HttpResponse:
    logins.log_out(request, actor_of(request))
    return redirect("login")


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def accept_invitation(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Choosing the first password. The link works once and only while there is no password."""
    user = people.invited(uid, token)
    if request.method == "POST":
        try:
            password = request.POST.get("password", "")
            people.change_password(access.actor_for_person(user, address_of(request)), user, password)
        except InvalidError as error:
            return _invitation(request, user.get_username(), error.detail)
        return redirect(f"{reverse('login')}?username={user.get_username()}")
    return _invitation(request, user.get_username())


def _form(
    request: HttpRequest, target: str, username: str = "", error: UnauthenticatedError | RateLimitedError | None = None
) -> HttpResponse:
    context = {"username": username or request.GET.get("username", ""), "next": target, "error": error and error.detail}
    if isinstance(error, RateLimitedError):
        response = render(request, "registration/login.html", context, status=429)
        response["Retry-After"] = str(error.extra["retry_after"])
        return response
    return render(request, "registration/login.html", context, status=422 if error else 200)


def _invitation(request: HttpRequest, username: str, error: str | None = None) -> HttpResponse:
    context = {"username": username, "error": error}
    return render(request, "registration/invitation.html", context, status=422 if error else 200)


def _safe_target(request: HttpRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if ours else resolve_url("home")
