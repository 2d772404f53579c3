"""What the front refuses before Django sees it, with the problem document, headers and log line of any refusal."""

from typing import Any

from django.http import HttpResponse

from project import problems, request_log
from project.request_context import request_id_from
from project.request_log import Answered
from project.security_headers import with_headers


class RefusedError(Exception):
    code = "bad_request"


class UnreadableRequestError(RefusedError):
    """The head of the request has no single meaning; the text says why."""


class HeadTooLargeError(RefusedError):
    code = "header_fields_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"All headers together may have at most {limit:,} bytes.")


class BodyCutOffError(RefusedError):
    def __init__(self) -> None:
        super().__init__("The body ended before it was whole.")


class BodyTooLargeError(RefusedError):
    code = "content_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have at most {limit:,} bytes here.")


class BodyTooSlowError(RefusedError):
    code = "request_timeout"

    def __init__(self) -> None:
        super().__init__("The body came too slowly.")


class FailedError(RefusedError):
    """Not refused but broken: what went wrong is in the log, not in the answer."""

    code = "internal_error"

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side; the log has the request's id.")


class FaultError(RefusedError):
    """The disk could not hold the body, or the like."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def answer(refusal: RefusedError, request_id: str) -> HttpResponse:
    response = problems.response(refusal.code, str(refusal))
    with_headers(response)
    response["X-Request-ID"] = request_id
    # the rest of a refused body may still be on the line
    response["Connection"] = "close"
    return response


def request_id_of(scope: dict[str, Any]) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return request_id_from(given.decode("latin-1"))


def note(refusal: RefusedError, scope: dict[str, Any], request_id: str, seconds: float) -> None:
    """Django never saw the request, so its frame does not log it."""
    status = problems.status_of(refusal.code)
    request_log.note("", Answered(scope["method"], scope["path"], status, seconds, refusal.code, request_id, "", ""))
