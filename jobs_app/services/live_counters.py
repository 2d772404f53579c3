"""The change counters that live pages and waiting calls look at, wherever each is kept.

A topic is `<project>/<noun>`. What lies in the record store is counted by the store itself; everything else by the
ORM's counters. Only transitions move `job-events`: a waiting claim is not woken by the heartbeats of others.
"""

from collections.abc import Collection, Mapping
from typing import Final

from jobs_app.services import changes, consumers
from jobs_app.stores.artifacts import ARTIFACTS
from jobs_app.stores.controls import CONTROLS
from jobs_app.stores.documents import DOCUMENTS
from jobs_app.stores.job_numbers import SHEETS
from jobs_app.stores.jobs import EVENTS, JOBS, LOGS
from jobs_app.stores.operations import OPERATIONS
from jobs_app.stores.runs import RUNS
from jobs_app.stores.workers import WORKERS
from storage_app.records.configured import record_store

JOB_EVENTS: Final = "job-events"
JOB_LOGS: Final = "job-logs"
PAUSES: Final = "pauses"
_IN_STORE: Final[Mapping[str, tuple[str, str | None]]] = {
    "jobs": (JOBS.name, None),
    JOB_EVENTS: (JOBS.name, EVENTS),
    JOB_LOGS: (JOBS.name, LOGS),
    "job-numbers": (SHEETS.name, None),
    "operations": (OPERATIONS.name, None),
    "workers": (WORKERS.name, None),
    "runs": (RUNS.name, None),
    "documents": (DOCUMENTS.name, None),
    "artifacts": (ARTIFACTS.name, None),
    PAUSES: (CONTROLS.name, None),
}


def read(topics: Collection[str]) -> Mapping[str, int]:
    """The value of each; one that is not there yet is left out, or 0."""
    in_store = {topic: place for topic in topics if (place := _place(topic)) is not None}
    elsewhere = set(topics) - in_store.keys()
    values = changes.values(elsewhere) if elsewhere else {}
    if consumers.TOPIC in elsewhere:
        # A consumer that dies tells nobody, so the number of those alive is counted anew with each look.
        values[consumers.TOPIC] = len(consumers.alive())
    for topic, (collection, stream) in in_store.items():
        values[topic] = record_store().change_counter(topic.partition("/")[0], collection, stream)
    return values


def _place(topic: str) -> tuple[str, str | None] | None:
    project, _, noun = topic.partition("/")
    return _IN_STORE.get(noun) if project else None
