"""Entity tags of versioned things: `ETag` out, `If-None-Match` and `If-Match` in."""

import re
from typing import Final

from django.http import HttpRequest, HttpResponse

from jobs_app.errors import PreconditionFailedError

_TAG: Final = re.compile(r'"v([0-9]{1,18})(?:-[a-z]+)?"')


def etag(version: int, state: str = "") -> str:
    """`state` is a word for what an answer says besides, that may change while the version does not."""
    return f'"v{version}-{state}"' if state else f'"v{version}"'


def expected_version(request: HttpRequest) -> int | None:
    """The version that `If-Match` names, whatever else the tag says; None where any will do. A tag that was never ours
    cannot match.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    tag = _TAG.fullmatch(header.strip())
    if tag is None:
        raise PreconditionFailedError("If-Match must be the ETag of one earlier answer, or *.")
    return int(tag[1])


def is_current(request: HttpRequest, tag: str) -> bool:
    """Whether the caller has this version already. The comparison is the weak one, as for any GET."""
    header = request.headers.get("If-None-Match", "")
    return header.strip() == "*" or tag in [part.strip().removeprefix("W/") for part in header.split(",")]


def not_modified(tag: str) -> HttpResponse:
    response = HttpResponse(status=304)
    response["ETag"] = tag
    return response
