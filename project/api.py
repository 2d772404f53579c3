"""The API object: strict about what comes in, one shape for every error; jobs_app's routers are mounted here."""

import logging
import re
import threading
from functools import cache
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema

from jobs_app.api import (
    artifacts,
    audit,
    claims,
    documents,
    failures,
    files,
    job_actions,
    job_files,
    job_finding,
    job_statistics,
    jobs,
    library,
    logs,
    maintenance,
    me,
    outbox,
    projects,
    quarantine,
    records,
    runs,
    saved_views,
    segments,
    storages,
    tokens,
    workers,
)
from jobs_app.api.authentication import AUTH
from jobs_app.errors import InvalidError, RefusedError
from project import frame, openapi, problems
from project.strict_parser import StrictParser

CONVERTED = re.compile(r"<(?:\w+:)?(\w+)>")
BUILDING = threading.Lock()
log = logging.getLogger("holdfast.api")


class StrictApi(NinjaAPI):
    """Refuses unknown query parameters, and describes the problems that each operation can answer with."""

    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        # Called once a request, after authentication and before a parameter is read: the one place for this check.
        known = _query_parameters(request) if request.GET else None
        unknown = sorted(set(request.GET) - known) if known is not None else ()
        if unknown:
            errors = [{"place": f"query.{name}", "reason": "is not a parameter of this call"} for name in unknown]
            raise InvalidError(f"Unknown query parameter: {', '.join(unknown)}", errors)
        return super().create_temporal_response(request)

    def get_openapi_schema(self, *, path_prefix: str | None = None, path_params: Any = None) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        openapi.complete(schema)
        return schema


api = StrictApi(
    title="Holdfast",
    version="1",
    description="A self-hosted control plane for document and agent pipelines.",
    parser=StrictParser(),
    auth=AUTH,
    openapi_url="/openapi.json",
    docs_url="/docs",
)
# Within a group fixed words come before ids: `jobs/export` is no job.
for module in (
    *(me, projects, tokens, audit),
    *(claims, job_actions, failures, job_finding, job_statistics, jobs, job_files, logs, saved_views, workers),
    *(storages, files, outbox),
    *(runs, documents, artifacts),
    *(library,),
    *(segments, records),
    *(maintenance, quarantine),
):
    api.add_router("", module.router)


@api.exception_handler(Exception)
def answer(request: HttpRequest, error: Exception) -> HttpResponse:
    """Any error as a problem document; what nobody expected is logged whole and told in one word."""
    known = problems.of(error)
    if known is not None:
        code, detail, extra = known
        frame.keep_refusal(request, code)
        return problems.response(code, detail, **extra)
    log.exception("Unexpected error in %s %s", request.method, request.path, exc_info=error)
    return problems.response("internal_error", "Something went wrong on our side; the log has the request's id.")


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [{"place": _place(item["loc"]), "reason": item["msg"]} for item in error.errors]
    detail = "; ".join(f"{item['place']}: {item['reason']}" for item in errors)
    return problems.response("validation_error", detail, errors=errors)


@api.exception_handler(AuthenticationError)
def unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return problems.response("unauthenticated", "Send a bearer token, or log in.")


@api.exception_handler(Http404)
def absent(request: HttpRequest, error: Http404) -> HttpResponse:
    return problems.response("not_found", "There is nothing at this address.")


@api.exception_handler(HttpError)
def refused(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, RefusedError):  # ninja wraps what our parser raised
        return answer(request, error.__cause__)
    return problems.for_status(HTTPStatus(error.status_code), str(error))


def _place(location: tuple[int | str, ...]) -> str:
    """`body.jobs.0.name`: where the value stands, without the name of our own parameter."""
    source, *rest = location
    return ".".join(str(part) for part in (source, *(rest[1:] if source == "body" and len(rest) > 1 else rest)))


def _query_parameters(request: HttpRequest) -> frozenset[str] | None:
    """None: any is a parameter of this call."""
    match = request.resolver_match
    assert match is not None
    return _query_parameters_by_path()[_path_of(match.route), request.method or ""]


@cache
def _path_of(route: str) -> str:
    """`projects/<slug:p>` as the document has it: `projects/{p}`."""
    return CONVERTED.sub(r"{\1}", route)


def _query_parameters_by_path() -> dict[tuple[str, str], frozenset[str] | None]:
    """Built by the first request; all others of that moment wait for it, instead of each building its own at the cost
    of half a second of everybody's processor."""
    with BUILDING:
        return _built_query_parameters()


@cache
def _built_query_parameters() -> dict[tuple[str, str], frozenset[str] | None]:
    found: dict[tuple[str, str], frozenset[str] | None] = {}
    for path, operations in api.get_openapi_schema(path_prefix="api/v1/")["paths"].items():
        for method, operation in operations.items():
            names = {p["name"] for p in operation.get("parameters", []) if p["in"] == "query"}
            found[path.lstrip("/"), method.upper()] = None if operation.get("x-open-query") else frozenset(names)
    return found
