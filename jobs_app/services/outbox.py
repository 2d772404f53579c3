"""The outbox of a project: what waits, what was sent in which commit, what is parked; send now, retry, discard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.errors import NotFoundError
from jobs_app.models import Project
from jobs_app.services import access, audit, changes
from jobs_app.services.files import NOUN, PATIENCE
from jobs_app.services.storages import audit_target, defined_for
from storage_app import file_storages
from storage_app.outbox import batches, flushing
from storage_app.outbox import pending as pending_changes
from storage_app.outbox.flushing import Queue
from storage_app.outbox.tables import PendingChange, PendingState, SentBatch


@dataclass(frozen=True, slots=True)
class OutboxState:
    """`next_send_at`: when what waits goes out by itself; None where nothing waits."""

    storage: str
    queue: Queue
    next_send_at: datetime | None


@dataclass(frozen=True, slots=True)
class Flush:
    """What went out, and what is left. `busy`: another process is sending, and takes what was asked for with it."""

    sent: Sequence[SentBatch]
    busy: bool
    state: OutboxState


def state(actor: Actor, slug: str, storage: str) -> OutboxState:
    _, alias = _place(actor, slug, storage, Scope.READ)
    return _state(alias, slug)


def states(actor: Actor, slug: str) -> list[OutboxState]:
    """Of every storage of the project."""
    project = access.project_for(actor, slug, Scope.READ)
    return [_state(each.alias, project.slug) for each in file_storages.defined(project.slug)]


def pending(actor: Actor, slug: str, storage: str) -> QuerySet[PendingChange]:
    """What waits, is being sent or is parked; oldest first, without contents."""
    project, alias = _place(actor, slug, storage, Scope.READ)
    return pending_changes.of_project(alias, project.slug)


def sent(actor: Actor, slug: str, storage: str) -> QuerySet[SentBatch]:
    """What went out within the last month, and in which commit."""
    project, alias = _place(actor, slug, storage, Scope.READ)
    return batches.sent(alias, project.slug)


def change(actor: Actor, slug: str, storage: str, id: int) -> PendingChange:
    """With its content."""
    project, alias = _place(actor, slug, storage, Scope.READ)
    return _change(project, alias, id)


def flush(actor: Actor, slug: str, storage: str) -> Flush:
    """Sends what waits, now. Where the storage does not take it, `state` says why. What is left when the caller has
    waited long enough was asked for, and goes out by the clock.
    """
    project, alias = _place(actor, slug, storage, Scope.WRITE)
    patience = Deadline(PATIENCE)
    flushed = flushing.flush(alias, project.slug, lambda: patience.passed)
    with transaction.atomic():
        detail = {"batches": len(flushed.sent), "commits": [batch.commit for batch in flushed.sent][:20]}
        audit.record(actor, "outbox.flush", audit.Target("storage", alias, alias), project=project, detail=detail)
        changes.touch(changes.project_topic(project.slug, NOUN))
    return Flush(flushed.sent, flushed.busy, _state(alias, project.slug))


def retry(actor: Actor, slug: str, storage: str, id: int) -> PendingChange:
    """A parked change is tried once more, with the next sending."""
    project, alias = _place(actor, slug, storage, Scope.WRITE)
    with transaction.atomic():
        found = pending_changes.retry(_change(project, alias, id))
        audit.record(actor, "outbox.retry", audit_target(alias, found.path), project=project)
        changes.touch(changes.project_topic(project.slug, NOUN))
    return found


def discard(actor: Actor, slug: str, storage: str, id: int) -> None:
    """A change that waits or is parked is thrown away; there is no way back."""
    project, alias = _place(actor, slug, storage, Scope.WRITE)
    with transaction.atomic():
        found = _change(project, alias, id)
        pending_changes.discard(found)
        detail = {"action": found.action, "sha": found.sha256, "size": found.size}
        audit.record(actor, "outbox.discard", audit_target(alias, found.path), project=project, detail=detail)
        changes.touch(changes.project_topic(project.slug, NOUN))


def parked(slug: str) -> int:
    """In all storages of a project, for the banner."""
    return PendingChange.objects.filter(project=slug, state=PendingState.PARKED).count()


def totals() -> dict[str, dict[str, int]]:
    """Changes by storage and state, for metrics."""
    return flushing.totals()


def run(deadline: Deadline) -> Counts:
    """What the clock calls: sends what is due."""
    flushed = flushing.flush_due(lambda: deadline.passed)
    if flushed.projects:
        with transaction.atomic():
            changes.touch(*(changes.project_topic(slug, NOUN) for slug in flushed.projects))
    files = sum(len(batch.files) for batch in flushed.sent)
    return {"batches": len(flushed.sent), "files": files, "paused": flushed.paused}


def _place(actor: Actor, slug: str, storage: str, needs: Scope) -> tuple[Project, str]:
    project = access.project_for(actor, slug, needs)
    return project, defined_for(project, storage).alias


def _change(project: Project, alias: str, id: int) -> PendingChange:
    found = PendingChange.objects.filter(alias=alias, project=project.slug, pk=id).first()
    if found is None:
        raise NotFoundError(f"There is no pending change {id} here; it was sent or discarded.")
    return found


def _state(alias: str, slug: str) -> OutboxState:
    queue = flushing.queue(alias, slug)
    next_send_at = queue.retry_at or (
        queue.oldest + batches.limits().window if queue.oldest and queue.waiting else None
    )
    return OutboxState(alias, queue, next_send_at)
