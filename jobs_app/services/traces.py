"""What is said of a thing that is no longer there: what it was, when it went, and who took it away."""

from collections.abc import Callable
from typing import TypeVar

from jobs_app.errors import GoneError, NotFoundError
from jobs_app.models import AuditEntry, Project

V = TypeVar("V")
_RETURN = "job.restore"
_TOLD = ("run.delete", "document.detach", "job.delete", "job.erase", _RETURN)


def found(project: Project, kind: str, id: str, get: Callable[[str], V]) -> V:
    """The thing itself, or a GoneError that tells its end where that is known."""
    try:
        return get(id)
    except NotFoundError as error:
        if (end := _end_of(project, kind, id)) is None:
            raise
        raise GoneError(kind, end.target_name, end.at, end.actor_name) from error


def _end_of(project: Project, kind: str, id: str) -> AuditEntry | None:
    told = AuditEntry.objects.filter(project_slug=project.slug, at__gte=project.created_at, action__in=_TOLD)
    last = told.filter(target_kind=kind, target_id=id).order_by("-id").first()
    return None if last is None or last.action == _RETURN else last
