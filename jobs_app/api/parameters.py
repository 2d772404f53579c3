"""Parameters that many operations share, and how an operation names the problems that are its own."""

import re
from typing import Annotated, Any

from ninja import Header, Query
from pydantic import BeforeValidator

from jobs_app.services import job_queries
from jobs_app.services.paging import LARGEST_LIMIT

PLAIN_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)


def _plain(value: object) -> object:
    """One spelling for one number: Python also takes `1_000`, ` 1 `, `+1`, `01` and the digits of other scripts."""
    if isinstance(value, str) and not PLAIN_NUMBER.fullmatch(value):
        raise ValueError("must be a whole number in plain digits")
    return value


# stands last, since ninja takes what comes first for the parameter's place
PLAIN = BeforeValidator(_plain)
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.", max_length=2000)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_LIMIT, description="The most items to answer with."), PLAIN]
Word = Annotated[str | None, Query(max_length=1000)]
JobQuery = Annotated[
    str | None,
    Query(
        max_length=job_queries.LONGEST,
        description='A query such as `status:failed type:pdf error:"timed out"`; see /docs/finding-jobs/.',
    ),
]
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
