"""What waits to be sent, as a drawer of the documents and as a page of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from jobs_app.domain.access import Actor, Scope
from jobs_app.errors import RefusedError
from jobs_app.pages import document_places as places
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, storages
from jobs_app.services import outbox as outbox_service
from jobs_app.templatetags import wording
from storage_app.outbox.tables import PendingAction, PendingChange, PendingState, SentBatch

MOST_SHOWN: Final = 50
MOST_SENT: Final = 20


@dataclass(frozen=True, slots=True)
class Row:
    """`state`: waiting, sending or parked; then `reason` says why, and `content_url` has what was not taken."""

    id: int
    path: str
    url: str
    content_url: str
    action: str
    size: int
    state: str
    reason: str
    message: str
    author: str
    since: datetime


@dataclass(frozen=True, slots=True)
class SentFile:
    path: str
    url: str
    action: str
    size: int
    author: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A commit and what went out in it."""

    id: int
    commit: str
    headline: str
    files: Sequence[SentFile]
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Summary:
    """`held_up` says why nothing goes out for now."""

    waiting: int
    parked: int
    bytes: int
    next_send_at: datetime | None
    held_up: str
    url: str

    @property
    def total(self) -> int:
        return self.waiting + self.parked


@require_safe
def show(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    context = {
        "project": project,
        "storage": storages.get(actor, slug, storage),
        "steps": places.steps(slug, storage, "", last_has_address=True),
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "outbox": summary(actor, slug, storage),
        **contents(actor, slug, storage),
    }
    return render(request, "documents/outbox.html", context)


@require_POST
def flush(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    flushed = outbox_service.flush(actor_of(request), slug, storage)
    number = sum(len(batch.files) for batch in flushed.sent)
    if number:
        messages.success(request, f"{wording.count_of(number, 'file')} went out.")
    elif flushed.busy:
        messages.info(request, "Another process is sending at this moment, and takes these along.")
    elif reason := flushed.state.queue.reason.get("message"):
        messages.error(request, f"Nothing went out. {reason}")
    else:
        messages.info(request, "There was nothing to send.")
    return _back(slug, storage)


@require_POST
def retry(request: PageRequest, slug: str, storage: str, id: int) -> HttpResponse:
    return _done(
        request, slug, storage, lambda actor: outbox_service.retry(actor, slug, storage, id), "goes out with the next"
    )


@require_POST
def discard(request: PageRequest, slug: str, storage: str, id: int) -> HttpResponse:
    return _done(
        request, slug, storage, lambda actor: outbox_service.discard(actor, slug, storage, id), "was thrown away"
    )


def summary(actor: Actor, slug: str, storage: str) -> Summary:
    state = outbox_service.state(actor, slug, storage)
    queue = state.queue
    return Summary(
        queue.waiting + queue.sending,
        queue.parked,
        queue.bytes,
        state.next_send_at,
        str(queue.reason.get("message", "")),
        reverse("documents-outbox", args=[slug, storage]),
    )


def contents(actor: Actor, slug: str, storage: str) -> dict[str, Any]:
    """The changes, those that need a person first, and what went out last."""
    changes = outbox_service.pending(actor, slug, storage)
    parked = list(changes.filter(state=PendingState.PARKED)[:MOST_SHOWN])
    others = list(changes.exclude(state=PendingState.PARKED)[:MOST_SHOWN])
    sent = outbox_service.sent(actor, slug, storage).order_by("-id")[:MOST_SENT]
    return {
        "changes": [_row(change, slug, storage) for change in (*parked, *others)],
        "sent": [_sent(batch, slug, storage) for batch in sent],
    }


def _row(change: PendingChange, slug: str, storage: str) -> Row:
    return Row(
        change.pk,
        change.path,
        places.file_url(slug, storage, change.path),
        places.pending_url(slug, storage, change.pk) if _is_kept_here_alone(change) else "",
        change.action,
        change.size,
        change.state,
        str(change.reason.get("message", "")),
        change.message,
        change.author,
        change.waiting_since,
    )


def _is_kept_here_alone(change: PendingChange) -> bool:
    return change.state == PendingState.PARKED and change.action == PendingAction.WRITE


def _sent(batch: SentBatch, slug: str, storage: str) -> Sent:
    files = [
        SentFile(
            file["path"],
            places.file_url(slug, storage, file["path"]),
            file["action"],
            file["size"],
            file["author"],
        )
        for file in batch.files
    ]
    headline = batch.message.strip().partition("\n")[0]
    return Sent(batch.pk, batch.commit, headline, files, batch.ended_at)


def _done(request: PageRequest, slug: str, storage: str, deed: Callable[[Actor], object], said: str) -> HttpResponse:
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    try:
        deed(actor)
    except RefusedError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"The change {said}.")
    return _back(slug, storage)


def _back(slug: str, storage: str) -> HttpResponse:
    return redirect("documents-outbox", slug, storage)
