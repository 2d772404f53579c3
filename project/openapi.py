"""Adds to ninja's OpenAPI document what it cannot know: the problems, headers and conditions of each operation."""

from http import HTTPStatus
from typing import Any

from jobs_app.api.schemas import Problem
from project import problems

Schema = dict[str, Any]

SAFE = frozenset({"get", "head"})
UNSAFE = frozenset({"post", "put", "patch", "delete"})
ALWAYS = frozenset({400, 401, 422, 431, 500, 503})
WITH_BODY = frozenset({408, 413, 415})
WITH_A_TAG = frozenset({200, 201, 202, 206, 304})


def _header(description: str, kind: str = "string", *, required: bool = True) -> Schema:
    return {"description": description, "required": required, "schema": {"type": kind}}


REQUEST_ID = _header("The id of this request: the caller's `X-Request-ID` where it was a sane one.")
CHALLENGE = _header("`Bearer`, since a token would help.")
RETRY_AFTER = _header("Seconds to wait.", "integer")
LOCATION = _header("Where the new thing is.")
ETAG = _header("The version, for `If-Match` and `If-None-Match`.")
REPLAYED = _header("`true` where this is the answer given before to the same key.", required=False)
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "description": "The `ETag` that the change is meant for; another version is 412.",
    "schema": {"type": "string"},
}
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The `ETag` that is known already; the same version is 304.",
    "schema": {"type": "string"},
}


def complete(schema: Schema) -> None:
    """Fills in, for every operation, what the frame and the services answer with."""
    schema["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)


def _complete(path: str, method: str, operation: Schema) -> None:
    versioned, conditional = operation.pop("x-versioned", False), operation.pop("x-conditional", False)
    parameters, responses = operation["parameters"], operation["responses"]
    if conditional or (versioned and method != "post"):
        parameters.append(IF_NONE_MATCH if method in SAFE else IF_MATCH)
    names = {parameter["name"] for parameter in parameters}
    for status in _statuses(path, method, operation, names):
        responses.setdefault(status, _problem(status))
    for status, answer in responses.items():
        answer["headers"] = _headers(int(status), names, versioned)
    operation["responses"] = dict(sorted(responses.items()))


def _statuses(path: str, method: str, operation: Schema, parameters: set[str]) -> set[int]:
    statuses = set(ALWAYS) | set(operation.pop("x-problems", []))
    if "{" in path:
        statuses |= {403, 404}
    if method in UNSAFE:
        statuses |= {403, 507}
    if "requestBody" in operation:
        statuses |= WITH_BODY if "application/json" in operation["requestBody"]["content"] else {408, 413}
    if "If-Match" in parameters:
        statuses |= {412}
    if "Idempotency-Key" in parameters:
        statuses |= {409}
    return statuses


def _headers(status: int, parameters: set[str], versioned: bool) -> dict[str, Schema]:
    headers = {"X-Request-ID": REQUEST_ID}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = CHALLENGE
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = RETRY_AFTER
    if status == HTTPStatus.CREATED:
        headers["Location"] = LOCATION
    if versioned and status in WITH_A_TAG:
        headers["ETag"] = ETAG
    if "Idempotency-Key" in parameters and status < HTTPStatus.MULTIPLE_CHOICES:
        headers["Idempotent-Replayed"] = REPLAYED
    return headers


def _problem(status: int) -> Schema:
    codes = [code for code, (known, _) in problems.PROBLEMS.items() if known == status]
    return {
        "description": f"{problems.PROBLEMS[codes[0]][1]} (`code`: {', '.join(codes)})",
        "content": {problems.PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
