"""Deny by default: a page is for people who are logged in, unless its view says otherwise."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from jobs_app.services import logins
from project.frame import is_api

View = Callable[..., Any]


class LoginGate(LoginRequiredMiddleware):
    """Also ends sessions that are too old, and leads whoever has a one-time password to a new one."""

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., Any],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        if is_api(request):
            return None  # the API answers 401 itself, and knows tokens
        if request.user.is_authenticated:
            logins.enforce_limits(request)
        if not getattr(view_func, "login_required", True):
            return None
        answer: HttpResponseBase | None = super().process_view(request, view_func, view_args, view_kwargs)
        if answer is None and request.session.get("must_change_password") and not _changes_password(view_func):
            return redirect("account-password")
        return answer


def _changes_password(view_func: View) -> bool:
    return bool(getattr(view_func, "reachable_with_one_time_password", False))
