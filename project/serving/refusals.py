"""What the front refuses before Django sees it, as problem documents."""

import json
from http import HTTPStatus
from typing import Any


class RefusedError(Exception):
    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"


class UnreadableRequestError(RefusedError):
    """The head of the request has no single meaning; the text says why."""


class HeadTooLargeError(RefusedError):
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "content_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"All headers together may have at most {limit:,} bytes.")


class BodyCutOffError(RefusedError):
    def __init__(self) -> None:
        super().__init__("The body ended before it was whole.")


class BodyTooLargeError(RefusedError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "content_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have at most {limit:,} bytes here.")


class BodyTooSlowError(RefusedError):
    status = HTTPStatus.REQUEST_TIMEOUT
    code = "request_timeout"

    def __init__(self) -> None:
        super().__init__("The body came too slowly.")


class FailedError(RefusedError):
    """Not refused but broken: what went wrong is in the log, not in the answer."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side.")


def messages(refusal: RefusedError) -> list[dict[str, Any]]:
    """The two ASGI messages that say it."""
    problem = {
        "type": "about:blank",
        "title": refusal.status.phrase,
        "status": int(refusal.status),
        "code": refusal.code,
        "detail": str(refusal),
    }
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        # the rest of a refused body may still be on the line
        (b"connection", b"close"),
    ]
    return [
        {"type": "http.response.start", "status": int(refusal.status), "headers": headers},
        {"type": "http.response.body", "body": json.dumps(problem).encode(), "more_body": False},
    ]
