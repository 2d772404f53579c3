"""Batches: which changes go out together, and what becomes of each. Every change here is one transaction of a lease."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import Count, Min, Q, QuerySet, Sum
from django.utils import timezone

from storage_app.outbox import coalescing, pending
from storage_app.outbox.leases import Lease
from storage_app.outbox.tables import PendingChange, PendingState, SentBatch

KEPT: Final = timedelta(days=30)
MOST_MESSAGES: Final = 20


class Limits(NamedTuple):
    """When what waits goes out by itself: as old, as many, or as large; and no commit holds more than that."""

    window: timedelta
    files: int
    bytes: int


@dataclass(frozen=True)
class Due:
    """A project whose changes are to go out; with `asked` whatever the window says."""

    project: str
    files: int


def limits() -> Limits:
    """As settings have them."""
    given = settings.OUTBOX_LIMITS
    return Limits(timedelta(seconds=given["window"]), given["files"], given["bytes"])


def open_batch(alias: str) -> SentBatch | None:
    """One that was begun and whose end is not known."""
    return SentBatch.objects.filter(alias=alias, ended_at=None).order_by("id").first()


def due(alias: str, now: datetime) -> list[str]:
    """The projects whose changes are to go out now: old enough, many enough, or asked for; the oldest first."""
    waiting = PendingChange.objects.filter(alias=alias, state=PendingState.WAITING)
    groups = waiting.values("project").annotate(
        oldest=Min("waiting_since"), files=Count("id"), bytes=Sum("size"), asked_for=Count("id", filter=Q(asked=True))
    )
    most = limits()
    found = [
        (group["oldest"], group["project"])
        for group in groups
        if group["asked_for"]
        or group["files"] >= most.files
        or group["bytes"] >= most.bytes
        or group["oldest"] <= now - most.window
    ]
    return [project for _, project in sorted(found)]


def form(lease: Lease, project: str) -> SentBatch | None:
    """The oldest changes of the project, as many as one commit may hold; from now on they are no longer replaced."""
    with lease.change():
        waiting = PendingChange.objects.filter(alias=lease.alias, project=project, state=PendingState.WAITING)
        most = limits()
        chosen = _chosen(waiting.order_by("id").values_list("id", "size")[: most.files], most.bytes)
        if not chosen:
            return None
        batch = SentBatch.objects.create(
            mark=uuid.uuid4(), alias=lease.alias, project=project, message="", begun_at=timezone.now()
        )
        changes = {"state": PendingState.SENDING, "batch": batch, "looked": False, "before": None}
        waiting.filter(id__in=chosen).update(**changes)
        _save(batch, message=_message(batch.changes.order_by("id").values_list("message", "path")))
    return batch


def rows_of(batch: SentBatch) -> list[PendingChange]:
    return list(batch.changes.order_by("id"))


def note_try(lease: Lease, batch: SentBatch) -> None:
    with lease.change():
        _save(batch, tries=batch.tries + 1)


def note_before(lease: Lease, rows: Iterable[PendingChange]) -> None:
    """What the storage had of each, before anything is sent."""
    with lease.change():
        PendingChange.objects.bulk_update(rows, ["looked", "before"], batch_size=100)


def finish(lease: Lease, batch: SentBatch, rows: Sequence[PendingChange], commit: str) -> None:
    """These are in the storage. The batch ends with the last of its changes."""
    with lease.change():
        _save(batch, files=[*batch.files, *map(_file, rows)], commit=commit or batch.commit)
        PendingChange.objects.filter(pk__in=[row.pk for row in rows], state=PendingState.SENDING).delete()
        lease.succeeded()
        _end_if_empty(batch)


def park(lease: Lease, batch: SentBatch, row: PendingChange, reason: Mapping[str, Any]) -> None:
    """Refused for good: it waits for a person, and the others go."""
    with lease.change():
        PendingChange.objects.filter(pk=row.pk, state=PendingState.SENDING).update(
            state=PendingState.PARKED, batch=None, reason=dict(reason), asked=False
        )
        _end_if_empty(batch)


def give_back(lease: Lease, batch: SentBatch, rows: Iterable[PendingChange], *, asked: bool = False) -> None:
    """What was certainly not sent waits again; where a later change of the path came meanwhile, together with it."""
    with lease.change():
        _give_back(rows, asked)
        _end_if_empty(batch)


def pause(
    lease: Lease,
    batch: SentBatch,
    rows: Iterable[PendingChange],
    reason: Mapping[str, Any],
    until: datetime | None,
    *,
    unknown: bool,
) -> None:
    """Nothing goes out before then. Where the outcome is unknown the batch stays as it is, to be said again."""
    with lease.change():
        if not unknown:
            _give_back(rows, asked=True)
        lease.pause(reason, until)
        _end_if_empty(batch)


def sent(alias: str, project: str) -> QuerySet[SentBatch]:
    """What went out, the latest first."""
    return SentBatch.objects.filter(alias=alias, project=project, ended_at__isnull=False).order_by("-id")


def forget_old(now: datetime) -> int:
    return SentBatch.objects.filter(ended_at__lt=now - KEPT).delete()[0]


def _chosen(sizes: Iterable[tuple[int, int]], most_bytes: int) -> list[int]:
    """At least one, however large."""
    chosen: list[int] = []
    total = 0
    for id, size in sizes:
        total += size
        if chosen and total > most_bytes:
            break
        chosen.append(id)
    return chosen


def _message(changes: Iterable[tuple[str, str]]) -> str:
    """One message for all that were given; a single one stays as it is."""
    listed = list(changes)
    messages = list(dict.fromkeys(message.strip() for message, _ in listed if message.strip()))
    if len(messages) == 1:
        return messages[0]
    if not messages and len(listed) == 1:
        return f"Change {listed[0][1]}"
    headline = f"Change {len(listed)} files"
    shown = [f"- {message.splitlines()[0][:200]}" for message in messages[:MOST_MESSAGES]]
    left = [f"- and {len(messages) - MOST_MESSAGES} more"] if len(messages) > MOST_MESSAGES else []
    return "\n".join([headline, "", *shown, *left]) if shown else headline


def _file(row: PendingChange) -> dict[str, Any]:
    return {"path": row.path, "action": row.action, "size": row.size, "message": row.message, "author": row.author}


def _save(batch: SentBatch, **fields: Any) -> None:
    """By a condition that may fail: the project may have been deleted, with all that waited."""
    for name, value in fields.items():
        setattr(batch, name, value)
    SentBatch.objects.filter(pk=batch.pk).update(**fields)


def _end_if_empty(batch: SentBatch) -> None:
    """One that nothing of was sent leaves no trace."""
    if batch.changes.exists():
        return
    if batch.files:
        _save(batch, ended_at=timezone.now())
    else:
        SentBatch.objects.filter(pk=batch.pk).delete()


def _give_back(rows: Iterable[PendingChange], asked: bool) -> None:
    for row in rows:
        later = (
            PendingChange.objects.select_for_update()
            .filter(alias=row.alias, project=row.project, path=row.path, state=PendingState.WAITING)
            .first()
        )
        if later is None:
            PendingChange.objects.filter(pk=row.pk, state=PendingState.SENDING).update(
                state=PendingState.WAITING, batch=None, asked=asked, looked=False, before=None
            )
            continue
        after = coalescing.together(pending.change_in(row), pending.change_in(later))
        PendingChange.objects.filter(pk=row.pk).delete()
        if after is None:
            later.delete()
            continue
        pending.take_over(later, after)
        later.waiting_since = row.waiting_since
        later.asked = later.asked or asked
        later.save()
