"""Round every request: an id, one log line, one count, and one way to say that something was refused."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.cache import patch_vary_headers

from project import metrics, problems
from project.request_context import RequestContext, current

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
API_PREFIX = "/api/"
log = logging.getLogger("holdfast.requests")


class RequestFrame:
    """The outermost middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        context = RequestContext(_request_id(request))
        request.META["request_id"] = context.request_id
        mark = current.set(context)
        try:
            response = self._get_response(request)
            if response.status_code >= HTTPStatus.BAD_REQUEST and is_api(request):
                response = _as_problem(response)
            response["X-Request-ID"] = context.request_id
            _note(request, response, context, time.perf_counter() - started)
        finally:
            current.reset(mark)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """What a view refuses, said on a page; the API says it in a problem document before it comes here."""
        refusal = problems.of(error)
        if refusal is None or is_api(request):
            return None
        code, detail, extra = refusal
        return page(request, code, detail, retry_after=extra.get("retry_after"))


def page(request: HttpRequest, code: str, detail: str, retry_after: int | None = None) -> HttpResponse:
    """The same sentence that a program would get, in the shell."""
    status, title = problems.PROBLEMS[code]
    problem = {"status": status, "title": title, "detail": detail, "code": code}
    context = {"problem": problem, "request_id": request.META.get("request_id", "")}
    template = "errors/500.html" if status == HTTPStatus.INTERNAL_SERVER_ERROR else "errors/problem.html"
    response = TemplateResponse(request, template, context, status=status).render()
    patch_vary_headers(response, ["HX-Request-Type"])
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def answer_to(request: HttpRequest, error: Exception) -> HttpResponseBase:
    """For the errors that Django raises itself before or around a view."""
    status, detail = _status_of(error)
    if is_api(request):
        return problems.for_status(status, detail)
    code = problems.CODE_FOR_STATUS[status]
    return page(request, code, detail or f"{problems.PROBLEMS[code][1]}.")


def _status_of(error: Exception) -> tuple[int, str]:
    match error:
        case Http404():
            return 404, "There is nothing at this address, or it is not yours to see."
        case PermissionDenied():
            return 403, str(error)
        case RequestDataTooBig():
            return 413, "The form is too large."
        case BadRequest() | SuspiciousOperation():
            return 400, "The request cannot be understood."
        case _:
            return 500, ""


def _request_id(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "")
    return given if SANE_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PREFIX)


def _as_problem(response: HttpResponseBase) -> HttpResponseBase:
    if response.headers.get("Content-Type", "").startswith(problems.PROBLEM_JSON):
        return response
    problem = problems.for_status(response.status_code)
    if "Allow" in response.headers:
        problem["Allow"] = response.headers["Allow"]
    return problem


def _note(request: HttpRequest, response: HttpResponseBase, context: RequestContext, seconds: float) -> None:
    match = request.resolver_match
    route = match.route if match else ""
    metrics.count_request(request.method or "", route, response.status_code, seconds)
    if log.isEnabledFor(logging.INFO):
        level = logging.ERROR if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
        fields = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "milliseconds": round(seconds * 1000, 1),
            "code": getattr(response, "problem_code", ""),
        }
        log.log(level, "%s %s %s", request.method, request.path, response.status_code, extra=fields)
