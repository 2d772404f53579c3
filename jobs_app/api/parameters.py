"""Parameters that many operations share, and how an operation names the problems that are its own."""

from typing import Annotated, Any

from ninja import Header, Query

from jobs_app.services.paging import LARGEST_LIMIT

Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.", max_length=2000)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_LIMIT, description="The most items to answer with.")]
IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="The same key and body within 24 hours give the first answer again."),
]


def problems(*statuses: int, versioned: bool = False, conditional: bool = False) -> dict[str, Any]:
    """Statuses that the OpenAPI document lists for this operation beside those that any operation can give; and
    whether it is about a versioned thing, with `ETag`, `If-Match` and `If-None-Match`. `conditional`: a POST that
    takes `If-Match` too, since it changes what is there."""
    return {"x-problems": list(statuses), "x-versioned": versioned, "x-conditional": conditional}


def streamed(content_type: str) -> dict[str, Any]:
    """A 200 whose body is a stream of text."""
    return {"responses": {200: {"content": {content_type: {"schema": {"type": "string"}}}}}}
