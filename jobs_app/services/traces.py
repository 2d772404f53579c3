"""What is said of a thing that is no longer there: what it was, when it went, and who took it away."""

from collections.abc import Callable
from typing import TypeVar

from jobs_app.errors import NotFoundError
from jobs_app.models import AuditEntry, Project

V = TypeVar("V")
_DELETIONS = ("run.delete", "document.detach")


def found(project: Project, word: str, id: str, get: Callable[[str], V]) -> V:
    """The thing itself, or a NotFoundError that tells its end where that is known."""
    try:
        return get(id)
    except NotFoundError as error:
        if (end := _end_of(project, word, id)) is None:
            raise
        when = f"{end.at:%Y-%m-%d %H:%M} UTC"
        raise NotFoundError(f"The {word} {end.target_name!r} was deleted on {when} by {end.actor_name}.") from error


def _end_of(project: Project, word: str, id: str) -> AuditEntry | None:
    told = AuditEntry.objects.filter(project_slug=project.slug, at__gte=project.created_at, action__in=_DELETIONS)
    return told.filter(target_kind=word, target_id=id).order_by("-id").first()
