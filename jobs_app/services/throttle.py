"""How often something may be tried in a window, counted atomically for all processes together."""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from jobs_app.errors import RateLimitedError
from jobs_app.models import Throttle

CURRENT = "t.window_ends_at > %s AND t.window_ends_at <= excluded.window_ends_at"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` tries of a kind in a window."""

    kind: str
    count: int
    window: timedelta


def count(limit: Limit, subject: str) -> None:
    """Counts one try, and refuses it where it is one too many."""
    now = timezone.now()
    tries, window_ends_at = _counted(_key(limit, subject), now, now + limit.window)
    if tries > limit.count:
        raise _refusal(window_ends_at - now)


def forgive(limit: Limit, subject: str) -> None:
    """Starts the window anew, after a success."""
    Throttle.objects.filter(key=_key(limit, subject)).delete()


def remove_ended() -> int:
    removed, _ = Throttle.objects.filter(window_ends_at__lt=timezone.now()).delete()
    return removed


def _key(limit: Limit, subject: str) -> str:
    # a digest, so that no password typed into the name field is ever stored
    return hashlib.sha256(f"{limit.kind}\0{subject}".encode(errors="replace")).hexdigest()


def _counted(key: str, now: datetime, window_ends_at: datetime) -> tuple[int, datetime]:
    """One statement: two tries at once can not read the same number."""
    table = connection.ops.quote_name(Throttle._meta.db_table)
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS t (key, count, window_ends_at) VALUES (%s, 1, %s) "  # noqa: S608 - no user text
            "ON CONFLICT (key) DO UPDATE SET "
            # a window that ends later than a new one would is from before the clock was set back
            f"count = CASE WHEN {CURRENT} THEN t.count + 1 ELSE 1 END, "
            f"window_ends_at = CASE WHEN {CURRENT} THEN t.window_ends_at ELSE excluded.window_ends_at END "
            "RETURNING count",
            [key, adapt(window_ends_at), adapt(now), adapt(now)],
        )
        tries = cursor.fetchone()[0]
    return tries, Throttle.objects.values_list("window_ends_at", flat=True).filter(key=key).first() or window_ends_at


def _refusal(wait: timedelta) -> RateLimitedError:
    seconds = max(1, math.ceil(wait.total_seconds()))
    return RateLimitedError(f"Too many tries. Wait {seconds} seconds, then try again.", retry_after=seconds)
