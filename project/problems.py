"""Error code to status and title, once, for problem documents and for pages."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse

from project import faults, storage_faults
from storage_app.providers.errors import StorageError

log = logging.getLogger("holdfast.errors")
PROBLEM_JSON = "application/problem+json"

# Every code that a service, a record store, a storage or the server itself can answer with.
PROBLEMS: Mapping[str, tuple[int, str]] = {
    "malformed_json": (400, "The body is not JSON"),
    "bad_request": (400, "The request cannot be understood"),
    "unauthenticated": (401, "Log in, or send a token"),
    "permission_denied": (403, "Not allowed"),
    "csrf_failed": (403, "The request did not come from a page of ours"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Not possible here"),
    "not_acceptable": (406, "Not available in that form"),
    "request_timeout": (408, "The request came too slowly"),
    "already_exists": (409, "It exists already"),
    "conflict": (409, "It does not fit what is there now"),
    "version_conflict": (409, "Changed by somebody else meanwhile"),
    "guard_failed": (409, "It does not fit what is there now"),
    "quarantined": (409, "Set aside, since it could not be read"),
    "invalid_transition": (409, "Not possible in this state"),
    "lease_lost": (409, "The lease was lost"),
    "precondition_failed": (412, "Changed by somebody else meanwhile"),
    "content_too_large": (413, "Too large"),
    "unsupported_media_type": (415, "Send JSON"),
    "range_not_satisfiable": (416, "That range is not there"),
    "validation_error": (422, "Something in the request is wrong"),
    "invalid_query": (422, "The query cannot be read"),
    "invalid_path": (422, "Not a path that is allowed"),
    "idempotency_key_reused": (422, "The idempotency key belongs to another request"),
    "rate_limited": (429, "Too many requests"),
    "header_fields_too_large": (431, "The headers are too large"),
    "internal_error": (500, "Something went wrong on our side"),
    "storage_error": (500, "The store could not do it"),
    "unknown_backend": (500, "The configuration names something that is not there"),
    "network_error": (502, "A storage could not be reached"),
    "busy": (503, "Not now"),
    "lock_timeout": (503, "Busy: a lock could not be had in time"),
    "store_unavailable": (503, "The store does not answer for now"),
    "store_damaged": (503, "The store is damaged and needs a person"),
    "read_only": (503, "The store is read-only for now"),
    "storage_full": (507, "The disk is full"),
}
CODE_FOR_STATUS: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "content_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "internal_error",
}
RETRY_AFTER_SECONDS = 1


def status_of(code: str) -> int:
    return PROBLEMS[code][0]


def document(code: str, detail: str, **extra: Any) -> dict[str, Any]:
    """The RFC 9457 body."""
    status, title = PROBLEMS[code]
    return {"type": f"/docs/errors/#{code}", "title": title, "status": status, "detail": detail, "code": code, **extra}


def response(code: str, detail: str, **extra: Any) -> HttpResponse:
    """The body with the headers that belong to its status."""
    answer = HttpResponse(
        json.dumps(document(code, detail, **extra), ensure_ascii=False, default=str),
        status=status_of(code),
        content_type=PROBLEM_JSON,
    )
    answer.problem_code = code  # type: ignore[attr-defined]  # for the request's log line
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = 'Bearer realm="holdfast"'
    if answer.status_code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        answer["Retry-After"] = str(extra.get("retry_after", RETRY_AFTER_SECONDS))
    if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and "size" in extra:
        answer["Content-Range"] = f"bytes */{extra['size']}"
    return answer


def for_status(status: int, detail: str = "") -> HttpResponse:
    """For answers that Django or the server made without a code of ours."""
    code = CODE_FOR_STATUS.get(
        status, "internal_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "bad_request"
    )
    return response(code, detail or f"{PROBLEMS[code][1]}.")


def refusal(error: BaseException) -> HttpResponse | None:
    """The answer to an error that carries a code of the table; None for any other."""
    known = of(error)
    return None if known is None else response(known[0], known[1], **known[2])


def of(error: BaseException) -> tuple[str, str, dict[str, Any]] | None:
    """Code, sentence and extra fields of an error that carries a code of the table, or is a fault of database or disk,
    which is logged whole; None for any other."""
    if fault := faults.of(error):
        log.error("%s", fault[1], exc_info=error)
        return (*fault, {})
    if isinstance(error, StorageError):
        return storage_faults.of(error)
    code = getattr(error, "code", None)
    if not isinstance(code, str) or code not in PROBLEMS:
        return None
    extra = getattr(error, "extra", {})
    return code, str(getattr(error, "detail", error)), dict(extra)
