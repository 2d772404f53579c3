"""Workers as records: who asked for work, when last, and what they said of themselves."""

from typing import Any, Final

from jobs_app.domain.worker import Worker
from jobs_app.stores.values import known_time, mapping, text, texts, time_out
from storage_app.records.declarations import Collection, Field, Ids, Kind
from storage_app.records.operations import Record

WORKERS: Final = Collection("workers", ids=Ids.GIVEN, fields=(Field("last_seen_at", Kind.TIME),))


def to_document(worker: Worker) -> dict[str, Any]:
    return {
        "first_seen_at": time_out(worker.first_seen_at),
        "last_seen_at": time_out(worker.last_seen_at),
        "content_types": None if worker.content_types is None else list(worker.content_types),
        "software_version": worker.software_version,
        "capabilities": dict(worker.capabilities),
    }


def from_record(record: Record) -> Worker:
    document = record.document
    return Worker(
        id=str(record.id),
        first_seen_at=known_time(document["first_seen_at"]),
        last_seen_at=known_time(document["last_seen_at"]),
        content_types=None if document["content_types"] is None else texts(document["content_types"]),
        software_version=text(document["software_version"]),
        capabilities=mapping(document["capabilities"]),
    )
