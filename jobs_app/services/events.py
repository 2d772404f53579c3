"""A job's story: its events, and the attempts that workers made at it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Attempt, Event
from jobs_app.services.project_jobs import jobs_of

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class Lines(Generic[Line]):
    """Numbered lines in the order in which they came, and the number to go on after; None at the end."""

    lines: list[tuple[int, Line]]
    after: int | None


def of(actor: Actor, slug: str, id: str, after: int = 0, limit: int = 100) -> Lines[Event]:
    _, records = jobs_of(actor, slug, Scope.READ)
    records.get(id)
    return Lines(*records.events(id, after, limit))


def attempts(actor: Actor, slug: str, id: str, after: int = 0, limit: int = 100) -> Lines[Attempt]:
    """Those that ended; the one under way is told by the job itself."""
    _, records = jobs_of(actor, slug, Scope.READ)
    records.get(id)
    return Lines(*records.attempts(id, after, limit))
