"""Logging in, logging out, and accepting an invitation."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from jobs_app.errors import RateLimitedError, RefusedError
from jobs_app.pages.forms import LoginForm, NewPasswordForm, tell
from jobs_app.pages.requests import PageRequest, actor_of, address_of
from jobs_app.services import access, logins, people

# bound to its path, which `__Host-` does not allow
DEVICE_COOKIE = "__Secure-device" if settings.SESSION_COOKIE_SECURE else "device"


@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """A failed login keeps the name and says nothing about which half was wrong."""
    target = _safe_target(request)
    if request.method != "POST":
        if request.user.is_authenticated:
            return redirect(target)
        return _login_page(request, LoginForm(initial={"username": request.GET.get("username", "")}), target)
    form = LoginForm(request.POST)
    if not form.is_valid():
        return _login_page(request, form, target)
    device = request.COOKIES.get(DEVICE_COOKIE, "")
    try:
        user = logins.log_in(request, **form.cleaned_data, address=address_of(request), device=device)
    except RefusedError as error:
        tell(form, error)
        return _login_page(request, form, target, error)
    return _logged_in(request, user, target)


@require_POST
def log_out(request: PageRequest) -> HttpResponse:
    logins.log_out(request, actor_of(request))
    return redirect("login")


@login_not_required
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def accept_invitation(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Choosing the first password. The link works once, and only while there is no password."""
    user = people.invited(uid, token)
    form = NewPasswordForm(request.POST or None)
    if form.is_valid():
        try:
            people.change_password(
                access.actor_for_person(user, address_of(request)), user, form.cleaned_data["password"]
            )
        except RefusedError as error:
            tell(form, error)
        else:
            return redirect(f"{reverse('login')}?{urlencode({'username': user.get_username()})}")
    context = {"form": form, "person": user, "action": request.path}
    return render(request, "registration/invitation.html", context, status=422 if form.errors else 200)


def _logged_in(request: HttpRequest, user: User, target: str) -> HttpResponse:
    if people.must_change_password(user):
        request.session["must_change_password"] = True
        target = reverse("account-password")
    response = redirect(target)
    response.set_cookie(
        DEVICE_COOKIE,
        logins.device_mark(user.get_username()),
        max_age=logins.KNOWN_DEVICE_FOR,
        path=reverse("login"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


def _login_page(request: HttpRequest, form: LoginForm, target: str, error: RefusedError | None = None) -> HttpResponse:
    status = 429 if isinstance(error, RateLimitedError) else 422 if form.errors else 200
    response = render(request, "registration/login.html", {"form": form, "next": target}, status=status)
    if isinstance(error, RateLimitedError):
        response["Retry-After"] = str(error.extra["retry_after"])
    return response


def _safe_target(request: HttpRequest) -> str:
    """Only addresses of our own: a login must not end on somebody else's page."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if ours else resolve_url("home")
