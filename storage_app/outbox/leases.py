"""One writer for each storage, across processes: a lease with a token.

A lease may end while its holder is stopped and thinks otherwise. So every change of what is pending repeats the token
in its own transaction, and what is sent is conditional on what the storage had: a holder of the past changes nothing.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from storage_app.outbox.tables import OutboxLine

LENGTH: Final = timedelta(seconds=120)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=5)


class LeaseLostError(Exception):
    """Another process sends now; what it does counts."""


@dataclass(frozen=True)
class Lease:
    alias: str
    holder: str

    @contextmanager
    def change(self) -> Iterator[None]:
        """A transaction in which this lease holds; LeaseLostError before anything happens where it does not."""
        with transaction.atomic():
            until = timezone.now() + LENGTH
            if not OutboxLine.objects.filter(alias=self.alias, holder=self.holder).update(held_until=until):
                raise LeaseLostError(self.alias)
            yield

    def succeeded(self) -> None:
        """Part of the caller's change: everybody asks the storage anew, and nothing is in the way."""
        OutboxLine.objects.filter(alias=self.alias).update(sent=F("sent") + 1, failures=0, retry_at=None, reason={})

    def pause(self, reason: Mapping[str, Any], until: datetime | None) -> datetime:
        """Part of the caller's change: nothing is tried before then, and why."""
        line = OutboxLine.objects.get(alias=self.alias)
        if until is None:
            until = timezone.now() + min(FIRST_PAUSE * 2 ** min(line.failures, 10), LONGEST_PAUSE)
        OutboxLine.objects.filter(alias=self.alias).update(
            failures=F("failures") + 1, retry_at=until, reason=dict(reason)
        )
        return until


@contextmanager
def held(alias: str) -> Iterator[Lease | None]:
    """None where another holds it."""
    lease = _claimed(alias)
    try:
        yield lease
    finally:
        if lease:
            OutboxLine.objects.filter(alias=alias, holder=lease.holder).update(holder="", held_until=None)


def line(alias: str) -> OutboxLine:
    """As it is; for a storage that nothing was ever sent to, an empty one."""
    return OutboxLine.objects.filter(alias=alias).first() or OutboxLine(alias=alias)


def wrote_past(alias: str) -> None:
    """Something was written without the outbox: readers in other processes shall see it as well."""
    if not OutboxLine.objects.filter(alias=alias).update(sent=F("sent") + 1):
        OutboxLine.objects.get_or_create(alias=alias, defaults={"sent": 1})


def _claimed(alias: str) -> Lease | None:
    now = timezone.now()
    OutboxLine.objects.get_or_create(alias=alias)
    holder = secrets.token_hex(16)
    # What lies further ahead than a lease is from before the clock was set back.
    free = Q(held_until=None) | Q(held_until__lte=now) | Q(held_until__gt=now + 2 * LENGTH)
    taken = OutboxLine.objects.filter(free, alias=alias).update(holder=holder, held_until=now + LENGTH)
    return Lease(alias, holder) if taken else None
