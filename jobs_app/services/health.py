"""Whether everything that is needed answers, with the reason where it does not."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import DatabaseError, connection

from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.models import ChangeCounter
from jobs_app.services import changes, consumers

log = logging.getLogger("holdfast.health")
TOPIC = changes.server_topic("health")


@dataclass(frozen=True, slots=True)
class Report:
    """`reason` is empty where all is well; it is read by anybody, so it names no address and no secret."""

    name: str
    reason: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason


def database() -> Report:
    """Answers, and is the one that was prepared: a file that was deleted is opened anew and empty without a word."""
    try:
        if connection.vendor == "sqlite" and not Path(connection.settings_dict["NAME"]).exists():
            return Report("database", "The database's file is gone.")
        ChangeCounter.objects.exists()
    except DatabaseError:
        log.exception("The database does not answer.")
        return Report("database", "The database does not answer.")
    return Report("database")


# What must answer before traffic is sent here; the project adds the queue, the record store and the storages.
NEEDED: list[Callable[[], Report]] = [database]


def needed() -> list[Report]:
    return [check() for check in NEEDED]


def consumer() -> Report:
    """Pages work without a consumer, so it is told to people and does not stop traffic."""
    try:
        if consumers.alive():
            return Report("consumer")
    except DatabaseError:
        return Report("consumer", "Whether a consumer is running is not known without the database.")
    return Report("consumer", "No consumer is running: nothing is swept, sent or cleaned up.")


def run(deadline: Deadline) -> Counts:
    reports = needed()
    failing = [report for report in reports if not report.ok]
    for report in failing:
        log.warning("%s: %s", report.name, report.reason)
    return {"checked": len(reports), "failing": len(failing)}
