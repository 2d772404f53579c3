"""The headers that every answer carries: pages, API, errors, static files, downloads.

A view that needs another policy (a download in a sandbox, the API's own docs page) sets the header itself and keeps it.
"""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

CONTENT_SECURITY_POLICY = "; ".join(
    f"{directive} {sources}"
    for directive, sources in {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "object-src": "'none'",
    }.items()
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for what does not read frame-ancestors
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    # private unless somebody said otherwise: static files and streams do
    "Cache-Control": "no-store",
}
PREPARED = {name.lower(): (name, value) for name, value in HEADERS.items()}


class SecurityHeaders:
    """First in MIDDLEWARE, so that what any other middleware answers has them too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return with_headers(self._get_response(request))


def with_headers(response: HttpResponseBase) -> HttpResponseBase:
    """The response, with every header it did not bring itself."""
    # Straight into the mapping: setdefault would check and encode the same ten constants again for every answer.
    present = response.headers._store
    for key, pair in PREPARED.items():
        present.setdefault(key, pair)
    return response
