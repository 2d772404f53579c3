"""What is known of the request being answered, for logs; set and cleared by the frame."""

import os
import re
from contextvars import ContextVar

from django.http import HttpRequest

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestContext:
    """Who asked and about which project is looked up when a line is written: most requests write one, at their end."""

    __slots__ = ("_request", "request_id")

    def __init__(self, request_id: str, request: HttpRequest) -> None:
        self.request_id = request_id
        self._request = request

    @property
    def actor(self) -> str:
        """`token:worker 1`, `person:anna`; empty as long as nobody asked who it is, which a log line must not do."""
        known = getattr(self._request, "auth", None)
        if known is not None:
            return f"{known.kind}:{known.name}"
        user = getattr(self._request, "_cached_user", None)
        return f"person:{user.get_username()}" if user is not None and user.is_authenticated else ""

    @property
    def project(self) -> str:
        match = self._request.resolver_match
        return str(match.kwargs.get("p") or match.kwargs.get("slug") or "") if match else ""


current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def request_id_from(given: str) -> str:
    """The caller's own, where it is a sane one."""
    return given if SANE_REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
