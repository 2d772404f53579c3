"""Every answer is held against GitHub's own description of its API, where `GITHUB_DESCRIPTION` names it (README.md)."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

from openapi_schema_validator import OAS30Validator

from tests.github_double.messages import Answer

VARIABLE: Final = "GITHUB_DESCRIPTION"
_MOST_ITEMS: Final = 50  # of a long list, as many are looked at: the others are made by the same lines


def disagreements(method: str, answer: Answer, media_type: str) -> list[str]:
    """What is wrong with an answer, if anything. The description's lists of statuses are known to be incomplete."""
    if not is_there():
        return []
    operation = _description()["paths"].get(answer.template, {}).get(method.lower())
    if operation is None or not answer.is_json:
        return []
    described = operation["responses"].get(str(answer.status))
    if described is None:
        schema: Any = {"$ref": "#/components/schemas/basic-error"}
        if answer.status < 400:
            return [f"{method} {answer.template} has no answer {answer.status}"]
    else:
        schema = _schema(described, media_type)
    where = f"{method} {answer.template} {answer.status}"
    return [f"{where}: {problem}" for problem in _problems(schema, answer.body)]


def is_there() -> bool:
    return VARIABLE in os.environ


def _schema(described: dict[str, Any], media_type: str) -> Any:
    if "$ref" in described:
        described = _description()["components"]["responses"][described["$ref"].rpartition("/")[2]]
    content = described.get("content", {})
    for known, value in content.items():
        if known in media_type:
            return value["schema"]
    return content.get("application/json", {}).get("schema", {})


def _problems(schema: Any, body: Any) -> list[str]:
    found = _validator(json.dumps(schema)).iter_errors(_shortened(body))
    return [f"{error.json_path}: {error.message[:300]}" for error in found]


@cache
def _validator(schema: str) -> OAS30Validator:
    return OAS30Validator({"allOf": [json.loads(schema)], "components": _description()["components"]})


@cache
def _description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(os.environ[VARIABLE]).read_text(encoding="utf-8"), object_hook=_tolerant)
    return found


def _tolerant(part: dict[str, Any]) -> dict[str, Any]:
    """GitHub's alternatives overlap (two kinds of error without a required property), and its discriminator, a hint
    for generators, says nothing of lists.
    """
    part.pop("discriminator", None)
    if "oneOf" in part:
        part["anyOf"] = part.pop("oneOf")
    return part


def _shortened(body: Any) -> Any:
    if isinstance(body, list):
        return body[:_MOST_ITEMS]
    if isinstance(body, dict) and isinstance(body.get("tree"), list):
        return {**body, "tree": body["tree"][:_MOST_ITEMS]}
    return body
