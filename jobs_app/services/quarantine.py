"""Records that could not be read and were set aside: seen, mended, restored or let go by admins of their project."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from jobs_app.domain.access import Actor, Scope
from jobs_app.errors import NotFoundError
from jobs_app.models import Project
from jobs_app.services import access, audit
from storage_app.records.answers import Quarantined
from storage_app.records.configured import record_store

LONGEST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record in quarantine. Its id names the project too, since one address serves them all."""

    id: str
    project: str
    collection: str
    record_id: str
    reason: str
    at: datetime
    text: str

    def __str__(self) -> str:
        return f"{self.collection} {self.record_id}".strip()

    @property
    def name(self) -> str:
        """The id within the project."""
        return self.id.partition(".")[2]


def of(actor: Actor, slug: str) -> list[SetAside]:
    """Oldest first."""
    project = access.project_for(actor, slug, Scope.ADMIN)
    return [_shown(project, item) for item in record_store().quarantined(project.slug)]


def of_all(actor: Actor) -> list[SetAside]:
    """Of every project that the actor looks after."""
    looked_after = [each for each in access.visible_projects(actor) if Scope.ADMIN in actor.scopes_in(each.pk)]
    return [item for project in looked_after for item in of(actor, project.slug)]


def count(project: Project) -> int:
    return len(record_store().quarantined(project.slug))


def get(actor: Actor, public_id: str) -> SetAside:
    slug, _, _ = public_id.partition(".")
    found = next((item for item in of(actor, slug) if item.id == public_id), None)
    if found is None:
        raise NotFoundError(f"{public_id!r} is not in quarantine any more.")
    return found


def restore(actor: Actor, public_id: str, text: str | None = None) -> None:
    """Back among the records, mended to `text` or as it was; what still cannot be read stays where it is."""
    _settle(
        actor,
        public_id,
        "quarantine.restore",
        lambda slug, name: record_store().quarantine_restore(slug, name, text),
        after=text,
    )


def discard(actor: Actor, public_id: str) -> None:
    """Gone for good."""
    _settle(actor, public_id, "quarantine.discard", record_store().quarantine_discard)


def _settle(
    actor: Actor, public_id: str, action: str, settle: Callable[[str, str], object], after: str | None = None
) -> None:
    slug, _, name = public_id.partition(".")
    project = access.project_for(actor, slug, Scope.ADMIN)
    found = get(actor, public_id)
    settle(slug, name)
    detail = {"reason": found.reason, "before": _begin(found.text)}
    if after is not None:
        detail["after"] = _begin(after)
    audit.record(actor, action, found, project=project, detail=detail)


def _begin(text: str) -> str:
    """As much of it as the audit log keeps. It may hold anything, so what no text may hold is written out."""
    shown = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    return shown if len(shown) <= LONGEST_KEPT else f"{shown[:LONGEST_KEPT]} … {len(shown)} characters in all"


def _shown(project: Project, item: Quarantined) -> SetAside:
    record_id = "" if item.record_id is None else str(item.record_id)
    return SetAside(
        f"{project.slug}.{item.id}", project.slug, item.collection, record_id, item.reason, item.at, item.text
    )
