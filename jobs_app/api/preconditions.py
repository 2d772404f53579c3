"""Entity tags of versioned things: `ETag` out, `If-None-Match` and `If-Match` in."""

from django.http import HttpRequest, HttpResponse

from jobs_app.errors import PreconditionFailedError


def etag(version: int) -> str:
    return f'"v{version}"'


def expected_version(request: HttpRequest) -> int | None:
    """The version that `If-Match` names; None where any will do. A tag that was never ours cannot match."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    tags = [tag.strip() for tag in header.split(",")]
    versions = [tag[2:-1] for tag in tags if tag.startswith('"v') and tag.endswith('"')]
    if len(versions) != 1 or len(tags) != 1 or not (versions[0].isascii() and versions[0].isdigit()):
        raise PreconditionFailedError("If-Match must be the ETag of one earlier answer, or *.")
    return int(versions[0])


def is_current(request: HttpRequest, tag: str) -> bool:
    """Whether the caller has this version already. The comparison is the weak one, as for any GET."""
    header = request.headers.get("If-None-Match", "")
    return header.strip() == "*" or tag in [part.strip().removeprefix("W/") for part in header.split(",")]


def not_modified(tag: str) -> HttpResponse:
    response = HttpResponse(status=304)
    response["ETag"] = tag
    return response
