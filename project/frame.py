"""Round every request: an id, one log line, one count, and one way to say that something was refused."""

import time
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.cache import patch_vary_headers

from jobs_app.services import access, audit
from jobs_app.streaming import Later
from project import problems, request_log
from project.request_context import RequestContext, current, request_id_from
from project.request_log import Answered

API_PREFIX = "/api/"


class RequestFrame:
    """The outermost middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        context = RequestContext(request_id_from(request.headers.get("X-Request-ID", "")), request)
        request.META["request_id"] = context.request_id
        mark = current.set(context)
        try:
            response = self._answer(request)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                response = _as_problem(response) if is_api(request) else _as_page(request, response)
            if isinstance(response, Later) and is_api(request):
                response.refusal = problems.refusal
            response["X-Request-ID"] = context.request_id
            _note_at_its_end(request, response, context, started)
        finally:
            current.reset(mark)
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            request.get_host()  # refuses a host that is not ours, before anything is built on it
            _refuse_nul(request)
        except SuspiciousOperation as error:
            return answer_to(request, error)
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """What a view refuses, said on a page; the API says it in a problem document before it comes here."""
        refusal = problems.of(error)
        if refusal is None or is_api(request):
            return None
        code, detail, extra = refusal
        keep_refusal(request, code)
        return page(request, code, detail, retry_after=extra.get("retry_after"))


def page(request: HttpRequest, code: str, detail: str, retry_after: int | None = None) -> HttpResponse:
    """The same sentence that a program would get, in the shell."""
    status, title = problems.PROBLEMS[code]
    problem = {"status": status, "title": title, "detail": detail, "code": code}
    context = {"problem": problem, "request_id": request.META.get("request_id", "")}
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # without the request, whose session and person may be what cannot be had
        response: HttpResponse = HttpResponse(render_to_string("errors/500.html", context), status=status)
    else:
        response = TemplateResponse(request, "errors/problem.html", context, status=status).render()
    patch_vary_headers(response, ["HX-Request-Type"])
    if status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after is None:
        retry_after = problems.RETRY_AFTER_SECONDS
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def keep_refusal(request: HttpRequest, code: str) -> None:
    """Into the audit log, where somebody known may not do what they asked for."""
    if code != "permission_denied" or request.resolver_match is None:
        return
    actor = getattr(request, "auth", None) or access.actor_for_person(
        request.user, request.META.get("REMOTE_ADDR", ""), request.META.get("request_id", "")
    )
    kwargs = request.resolver_match.kwargs
    audit.refused(actor, f"{request.method} {request.path}", kwargs.get("p") or kwargs.get("slug") or "")


def answer_to(request: HttpRequest, error: BaseException) -> HttpResponseBase:
    """For the errors that Django raises itself before or around a view."""
    if known := problems.of(error):
        code, detail, extra = known
        if is_api(request):
            return problems.response(code, detail, **extra)
        return page(request, code, detail, extra.get("retry_after"))
    status, detail = _status_of(error)
    if is_api(request):
        return problems.for_status(status, detail)
    code = problems.CODE_FOR_STATUS[status]
    return page(request, code, detail or f"{problems.PROBLEMS[code][1]}.")


def _status_of(error: BaseException) -> tuple[int, str]:
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


def _refuse_nul(request: HttpRequest) -> None:
    """PostgreSQL takes no NUL in a text and would fail on it deep in a query; here it is refused for every database."""
    if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
        raise SuspiciousOperation("The address has a NUL in it.")


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PREFIX)


def _as_problem(response: HttpResponseBase) -> HttpResponseBase:
    if response.headers.get("Content-Type", "").startswith(problems.PROBLEM_JSON):
        return response
    problem = problems.for_status(response.status_code)
    if "Allow" in response.headers:
        problem["Allow"] = response.headers["Allow"]
    return problem


def _as_page(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Django says 405 with an empty page, which is where a login leads that a button had asked for."""
    if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED or request.path_info.startswith(settings.STATIC_URL):
        return response
    said = page(request, "method_not_allowed", "This address is for a button to send to. Go to the page it stands on.")
    said["Allow"] = response.headers.get("Allow", "")
    return said


def _note_at_its_end(request: HttpRequest, response: HttpResponseBase, context: RequestContext, started: float) -> None:
    """What is streamed or comes later has its true status and duration only when it is closed."""

    def note() -> None:
        match = request.resolver_match
        request_log.note(
            match.route if match else "",
            Answered(
                request.method or "",
                request.path,
                response.status_code,
                time.perf_counter() - started,
                getattr(response, "problem_code", ""),
                context.request_id,
                context.actor,
                context.project,
            ),
        )

    if not response.streaming:
        note()
        return
    response.request_context = context  # type: ignore[attr-defined]  # for what is logged while it is under way
    response._resource_closers.append(note)  # type: ignore[attr-defined]  # how Django closes files with a response
