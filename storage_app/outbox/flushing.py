"""Sends what is due, storage by storage; called by the clock, and by whoever does not want to wait for it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count
from django.utils import timezone

from storage_app.outbox import batches, leases, pending, sending
from storage_app.outbox.leases import Lease, LeaseLostError
from storage_app.outbox.tables import PendingChange, PendingState, SentBatch
from storage_app.providers.errors import StorageErrorCode

_log: Final = logging.getLogger(__name__)
_PENDING: Final = (PendingState.WAITING, PendingState.SENDING)

Stop = Callable[[], bool]  # whether time is up


@dataclass(frozen=True)
class Queue:
    """What there is of one project in one storage, and why nothing goes out, if so."""

    waiting: int
    sending: int
    parked: int
    bytes: int
    oldest: datetime | None
    retry_at: datetime | None
    reason: dict[str, Any]


@dataclass(frozen=True)
class Flushed:
    """`sent` ended, `projects` had something happen to them. `busy`: another process was sending, and what was asked
    for is left for it; `paused`: storages that are not tried for now.
    """

    sent: Sequence[SentBatch] = ()
    projects: frozenset[str] = frozenset()
    busy: bool = False
    paused: int = 0


def flush_due(stop: Stop = lambda: False) -> Flushed:
    """What the clock calls: the due changes of every storage."""
    sent: list[SentBatch] = []
    projects: set[str] = set()
    paused = 0
    for alias in _aliases():
        if stop():
            break
        if _is_paused(alias, timezone.now()):
            paused += 1
            continue
        flushed = _flush(alias, None, stop)
        sent += flushed.sent
        projects |= flushed.projects
    batches.forget_old(timezone.now())
    return Flushed(sent, frozenset(projects), paused=paused)


def flush(alias: str, project: str, stop: Stop = lambda: False) -> Flushed:
    """Everything of the project that waits, now. What was asked for stands, whatever happens to this call."""
    pending.ask(alias, project)
    line = leases.line(alias)
    limited = line.reason.get("code") == StorageErrorCode.RATE_LIMITED
    if limited and line.retry_at and line.retry_at > timezone.now():
        return Flushed()  # the storage has said until when
    return _flush(alias, project, stop)


def queue(alias: str, project: str) -> Queue:
    rows = PendingChange.objects.filter(alias=alias, project=project)
    counts = dict(rows.values_list("state").annotate(Count("id")))
    waiting = list(rows.filter(state__in=_PENDING).order_by("waiting_since").values_list("waiting_since", "size"))
    line = leases.line(alias)
    is_paused = bool(waiting) and line.retry_at is not None and line.retry_at > timezone.now()
    return Queue(
        waiting=counts.get(PendingState.WAITING, 0),
        sending=counts.get(PendingState.SENDING, 0),
        parked=counts.get(PendingState.PARKED, 0),
        bytes=sum(size for _, size in waiting),
        oldest=waiting[0][0] if waiting else None,
        retry_at=line.retry_at if is_paused else None,
        reason=dict(line.reason) if is_paused else {},
    )


def totals() -> dict[str, dict[str, int]]:
    """By storage and state, for metrics."""
    found: dict[str, dict[str, int]] = {}
    for alias, state, number in PendingChange.objects.values_list("alias", "state").annotate(Count("id")):
        found.setdefault(alias, {})[state] = number
    return found


def forget_project(project: str) -> int:
    """The project goes, and with it what it wanted sent."""
    gone = PendingChange.objects.filter(project=project).delete()[0]
    SentBatch.objects.filter(project=project).delete()
    return gone


def _aliases() -> list[str]:
    found = PendingChange.objects.filter(state__in=_PENDING).values_list("alias", flat=True).distinct()
    return sorted({*found, *SentBatch.objects.filter(ended_at=None).values_list("alias", flat=True)})


def _is_paused(alias: str, now: datetime) -> bool:
    retry_at = leases.line(alias).retry_at
    return retry_at is not None and retry_at > now


def _flush(alias: str, project: str | None, stop: Stop) -> Flushed:
    with leases.held(alias) as lease:
        if lease is None:
            return Flushed(busy=True)
        try:
            return _sent(lease, project, stop)
        except LeaseLostError:
            _log.warning("Another process sends to the storage now", extra={"storage": alias})
            return Flushed(busy=True)


def _sent(lease: Lease, project: str | None, stop: Stop) -> Flushed:
    """One batch after the other: first what was begun and never ended, then what is due."""
    sent: list[SentBatch] = []
    projects: set[str] = set()
    while not stop():
        batch = batches.open_batch(lease.alias) or _formed(lease, project)
        if batch is None:
            break
        projects.add(batch.project)
        id = batch.id
        step = sending.send(lease, batch)
        sent += SentBatch.objects.filter(pk=id, ended_at__isnull=False)
        if step is sending.Next.STOP:
            break
    return Flushed(sent, frozenset(projects))


def _formed(lease: Lease, project: str | None) -> SentBatch | None:
    due = batches.due(lease.alias, timezone.now())
    wanted = [each for each in due if project is None or each == project]
    return batches.form(lease, wanted[0]) if wanted else None
