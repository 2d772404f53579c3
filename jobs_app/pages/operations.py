"""Operations on many jobs: which there are, how far each came, what became of each job; stopped and undone."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from jobs_app.domain.access import Scope
from jobs_app.domain.operation import Action, ItemOutcome, Operation, OperationState
from jobs_app.errors import ConflictError, InvalidQueryError
from jobs_app.pages.job_filters import Asked
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, job_filters, operations
from jobs_app.services.project_jobs import now
from jobs_app.templatetags import wording

PAGE = 50
ITEMS = 100
WORDS = {
    Action.RETRY: "Retry",
    Action.CANCEL: "Cancel",
    Action.DELETE: "Delete",
    Action.RESTORE: "Bring back",
}
LOOKS = {
    OperationState.WAITING: ("pending", "Waiting"),
    OperationState.RUNNING: ("processing", "Running"),
    OperationState.STOPPED: ("cancelled", "Stopped"),
    OperationState.DONE: ("completed", "Done"),
}


@dataclass(frozen=True, slots=True)
class OperationRow:
    """`percent` None: how many there are is only known at the end. `left` is about how many seconds it still takes."""

    id: str
    title: str
    tone: str
    word: str
    is_open: bool
    which: str
    by: str
    why: str
    created_at: datetime
    ended_at: datetime | None
    matched: int | None
    changed: int
    refused: int
    percent: float | None
    left: float | None
    error: str
    undoes: str | None
    can_be_undone: bool


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    found = operations.of(actor, slug, request.GET.get("cursor") or None, PAGE)
    moment = now()
    context = {
        "project": project,
        "rows": [row(operation, moment) for operation in found.operations],
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if "cursor" in request.GET else "",
            "next_url": link_with(request, cursor=found.next_cursor) if found.next_cursor else "",
        },
    }
    return render(request, "operations/index.html", context)


@require_safe
def show(request: PageRequest, slug: str, operation_id: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    operation = operations.get(actor, slug, operation_id)
    wanted = request.GET.get("outcome", "")
    outcome = ItemOutcome(wanted) if wanted in set(ItemOutcome) else None
    start = request.GET.get("after", "")
    after = int(start) if start.isascii() and start.isdigit() and len(start) < 16 else 0
    items = operations.items(actor, slug, operation_id, after, ITEMS, outcome)
    address = reverse("operation", args=[slug, operation_id])
    context = {
        "project": project,
        "row": row(operation, now()),
        "items": items.items,
        "tabs": [
            {"label": label, "url": address + query, "current": wanted == value, "count": count}
            for label, query, value, count in (
                ("All", "", "", operation.done),
                ("Changed", "?outcome=changed", "changed", operation.changed),
                ("Left as they were", "?outcome=refused", "refused", operation.refused),
            )
        ],
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "page": {
            "summary": "",
            "first_url": link_without(request, "after") if after else "",
            "next_url": link_with(request, after=str(items.after)) if items.after else "",
        },
    }
    return render(request, "operations/show.html", context)


@require_POST
def stop(request: PageRequest, slug: str, operation_id: str) -> HttpResponse:
    try:
        operation = operations.stop(actor_of(request), slug, operation_id)
    except ConflictError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"Stopped after {operation.done}. What is done stays done.")
    return redirect("operation", slug, operation_id)


@require_POST
def undo(request: PageRequest, slug: str, operation_id: str) -> HttpResponse:
    """Another operation, which brings back what this one deleted."""
    try:
        again = operations.undo(actor_of(request), slug, operation_id)
    except ConflictError as error:
        messages.error(request, error.detail)
        return redirect("operation", slug, operation_id)
    messages.success(request, "They are being brought back.")
    return redirect("operation", slug, again.id)


def row(operation: Operation, moment: datetime) -> OperationRow:
    tone, word = LOOKS[operation.state]
    share = operation.done / operation.matched if operation.matched else None
    if operation.state is OperationState.DONE:
        share = 1.0
    return OperationRow(
        id=operation.id,
        title=_title(operation),
        tone=tone,
        word=word,
        is_open=not operation.state.is_final,
        which=which(operation),
        by=operation.deed.by.name,
        why=operation.deed.why,
        created_at=operation.created_at,
        ended_at=operation.ended_at,
        matched=operation.matched,
        changed=operation.changed,
        refused=operation.refused,
        percent=None if share is None else min(share, 1.0) * 100,
        left=_left(operation, moment),
        error=operation.error,
        undoes=operation.undoes,
        can_be_undone=operation.can_be_undone,
    )


def which(operation: Operation) -> str:
    """The jobs it is about, in the query language where a filter says it."""
    if operation.filter is not None:
        wanted = job_filters.from_value(operation.filter)
        told = Asked(
            text=wanted.text or "",
            states=tuple(wanted.statuses),
            content_type=wanted.content_type or "",
            worker_id=wanted.worker_id or "",
            tag=wanted.tag or "",
            order="",
        )
        try:
            return told.as_query or "every job"
        except InvalidQueryError:
            return told.text
    return "what another operation deleted" if operation.undoes else "jobs that were selected"


def _title(operation: Operation) -> str:
    is_told = operation.state.is_final and operation.matched is None
    known = operation.done if is_told else operation.matched
    verb = WORDS[operation.deed.action]
    return f"{verb} jobs" if known is None else f"{verb} {wording.count_of(known, 'job')}"


def _left(operation: Operation, moment: datetime) -> float | None:
    """At the pace so far, once there is one."""
    if operation.state is not OperationState.RUNNING or not operation.matched or not operation.started_at:
        return None
    if not operation.done:
        return None
    seconds = (moment - operation.started_at).total_seconds()
    return max(seconds / operation.done * (operation.matched - operation.done), 0.0)
