"""Whether everything that is needed answers, with the reason where it does not."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.db import DatabaseError, connection

from jobs_app.domain.maintenance import Counts, Deadline
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
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
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
    if consumers.alive():
        return Report("consumer")
    return Report("consumer", "No consumer is running: nothing is swept, sent or cleaned up.")


def run(deadline: Deadline) -> Counts:
    reports = needed()
    failing = [report for report in reports if not report.ok]
    for report in failing:
        log.warning("%s: %s", report.name, report.reason)
    return {"checked": len(reports), "failing": len(failing)}
