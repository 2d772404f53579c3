"""Files as they come in and go out, wherever they lie."""

from typing import Any, Final

from ninja import Schema
from pydantic import Field

from jobs_app.api.schemas import MOMENT, Time, page_of, shown_as

FILE: Final = {"path": "out/report.md", "size": 1204, "sha": f"sha256:{'0f' * 32}", "last_modified": MOMENT}
BYTES: Final[dict[str, Any]] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
# For an operation that takes bytes; any content type will do.
BINARY_BODY: Final = {"requestBody": {"required": True, "content": BYTES}}


class FileOut(Schema):
    model_config = shown_as(FILE)
    path: str
    size: int
    sha: str | None = Field(description="The content's hash, which in quotes is its `ETag`.")
    last_modified: Time | None


class FilePage(Schema):
    model_config = page_of(FILE)
    items: list[FileOut]
    next_cursor: str | None


def downloaded(known: type[Schema]) -> dict[str, Any]:
    """For an operation that gives bytes, or as JSON what is known of them."""
    told = {"application/json": {"schema": {"$ref": f"#/components/schemas/{known.__name__}"}}}
    return {"responses": {200: {"content": {**BYTES, **told}}, 206: {"content": BYTES}}}
