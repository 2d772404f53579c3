"""Adds to ninja's OpenAPI document what it cannot know: the problems, headers and conditions of each operation."""

from typing import Any

from jobs_app.api.schemas import Problem
from project import problems

UNSAFE = frozenset({"post", "put", "patch", "delete"})
REQUEST_ID_HEADER = {
    "description": "The id of this request: the caller's `X-Request-ID` where it was a sane one.",
    "schema": {"type": "string"},
}


def describe_problems(schema: dict[str, Any]) -> None:
    """Fills in, for every operation, the statuses that the frame and the services answer with."""
    schema["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _describe(path, method, operation)


def _describe(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status in sorted(_statuses(path, method, operation)):
        responses.setdefault(status, _problem(status))
    for status, answer in responses.items():
        answer.setdefault("headers", {})["X-Request-ID"] = REQUEST_ID_HEADER
        if int(status) in (429, 503):
            answer["headers"]["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "integer"}}


def _statuses(path: str, method: str, operation: dict[str, Any]) -> set[int]:
    statuses = {401, 422, 500, 503} | set(operation.pop("x-problems", []))
    if "{" in path:
        statuses |= {403, 404}
    if method in UNSAFE:
        statuses |= {403}
    if "requestBody" in operation:
        statuses |= {400, 413, 415}
    return statuses


def _problem(status: int) -> dict[str, Any]:
    codes = [code for code, (known, _) in problems.PROBLEMS.items() if known == status]
    return {
        "description": f"{problems.PROBLEMS[codes[0]][1]} (`code`: {', '.join(codes)})",
        "content": {problems.PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
