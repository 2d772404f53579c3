"""Who is asking: a bearer token, else the dashboard's session with its CSRF token on unsafe methods."""

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from jobs_app.domain.access import Actor
from jobs_app.errors import RefusedError, UnauthenticatedError
from jobs_app.services import access, logins, tokens

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITE = frozenset({"same-origin", "none"})


class CsrfFailedError(RefusedError):
    code = "csrf_failed"


class ApiRequest(HttpRequest):
    """A request that passed authentication."""

    auth: Actor


class TokenAuth(HttpBearer):
    """The header only, never a query parameter. A bad token ends here: no session is tried in its place."""

    openapi_description = "A token made under Settings, Tokens, or with `manage.py tokens create`."

    def __call__(self, request: HttpRequest) -> Actor | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer":
            raise UnauthenticatedError("Send the token as: Authorization: Bearer <token>")
        return self.authenticate(request, secret.strip())

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        found = tokens.authenticate(token)
        if found is None:
            raise UnauthenticatedError("This token is unknown, expired or revoked.")
        return access.actor_for_token(found, *_origin(request))


class SessionAuth(APIKeyCookie):
    """The login of the dashboard."""

    param_name = settings.SESSION_COOKIE_NAME
    openapi_description = "The dashboard's login; unsafe methods need its CSRF token in `X-CSRFToken`."

    def __init__(self) -> None:
        super().__init__(csrf=False)  # checked below, with a second guard

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        if request.user.is_authenticated:
            logins.enforce_limits(request)
        if not request.user.is_authenticated or request.session.get("must_change_password"):
            return None
        if request.method not in SAFE_METHODS:
            _refuse_foreign(request)
        return access.actor_for_person(request.user, *_origin(request))


AUTH = [TokenAuth(), SessionAuth()]


def _origin(request: HttpRequest) -> tuple[str, str]:
    return request.META.get("REMOTE_ADDR", ""), request.META.get("request_id", "")


def _refuse_foreign(request: HttpRequest) -> None:
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in OWN_SITE or check_csrf(request):
        raise CsrfFailedError("Send the CSRF token of the session in X-CSRFToken, or use a bearer token.")
