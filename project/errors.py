"""Django's own errors, answered in our shape: a problem document for programs, a page for people."""

import logging
import sys

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from project import faults, frame, problems, request_log

log = logging.getLogger("holdfast.errors")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return frame.answer_to(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return frame.answer_to(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return frame.answer_to(request, exception if isinstance(exception, Http404) else Http404())


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Also for what went wrong in middleware, where the frame's own way of saying it does not reach."""
    error = sys.exc_info()[1] or Exception()
    if faults.of(error) is None:
        log.exception("Unexpected error in %s %s", request.method, request_log.without_secrets(request.path))
    return frame.answer_to(request, error)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Usually a page that was open over a login or logout in another tab."""
    code = "csrf_failed"
    detail = "This page is older than your login. Load it again, then repeat what you did."
    return frame.page(request, code, detail) if not frame.is_api(request) else problems.response(code, detail)
