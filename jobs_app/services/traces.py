"""What is said of a thing that is no longer there: what it was, when it went, and who took it away."""

from collections.abc import Callable
from typing import TypeVar

from jobs_app.errors import GoneError, NotFoundError
from jobs_app.models import AuditEntry, Project

V = TypeVar("V")
# One action each, so that an index leads to its few entries. A job in the trash tells of itself.
_TOLD = {"run": "run.delete", "document": "document.detach", "job": "job.erase"}


def found(project: Project, kind: str, id: str, get: Callable[[str], V]) -> V:
    """The thing itself, or a GoneError that tells its end where that is known."""
    try:
        return get(id)
    except GoneError:
        raise
    except NotFoundError as error:
        if (end := _end_of(project, kind, id)) is None:
            raise
        raise GoneError(kind, end.target_name, end.at, end.actor_name) from error


def _end_of(project: Project, kind: str, id: str) -> AuditEntry | None:
    told = AuditEntry.objects.filter(project_slug=project.slug, action=_TOLD[kind], at__gte=project.created_at)
    return told.filter(target_kind=kind, target_id=id).order_by("-id").first()
