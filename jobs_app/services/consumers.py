"""Which consumers are alive: each says so every few seconds, and silence is noticed."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from jobs_app.models import ConsumerBeat
from jobs_app.services import changes

BEAT_EVERY = timedelta(seconds=3)
SILENT_AFTER = timedelta(seconds=12)
GONE_AFTER = timedelta(seconds=20)  # then what it was at is given to others
FORGOTTEN_AFTER = timedelta(days=1)
TOPIC = changes.server_topic("consumers")


def started(consumer: str) -> None:
    now = timezone.now()
    ConsumerBeat.objects.update_or_create(consumer=consumer, defaults={"started_at": now, "beat_at": now})
    ConsumerBeat.objects.filter(beat_at__lt=now - FORGOTTEN_AFTER).delete()
    changes.touch(TOPIC)


def beat(consumer: str) -> None:
    if not ConsumerBeat.objects.filter(consumer=consumer).update(beat_at=timezone.now()):
        started(consumer)  # its row was forgotten, or the database was made anew


def stopped(consumer: str) -> None:
    ConsumerBeat.objects.filter(consumer=consumer).delete()
    changes.touch(TOPIC)


def is_there(now: datetime) -> Exists:
    """Of a run: whether the consumer that began it is still there, though it may be silent for a moment. One that was
    started anew under the same name, as in containers, is another one."""
    beats = ConsumerBeat.objects.filter(consumer=OuterRef("consumer"), started_at__lte=OuterRef("started_at"))
    return Exists(beats.filter(beat_at__gt=now - GONE_AFTER))


def alive() -> list[ConsumerBeat]:
    now = timezone.now()
    # a beat from the future is one from before the clock was set back, and says nothing
    beats = ConsumerBeat.objects.filter(beat_at__gt=now - SILENT_AFTER, beat_at__lt=now + SILENT_AFTER)
    return list(beats.order_by("consumer"))
