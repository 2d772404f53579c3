"""Artifacts as records, and which contents are the same under hashes of different kinds."""

import hashlib
import json
from typing import Any, Final

from jobs_app.domain.artifact import Artifact
from jobs_app.stores.noun_records import Noun
from jobs_app.stores.values import by_in, by_out, known_time, mapping, number, optional_text, text, time_out
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from storage_app.records.errors import AlreadyExistsError
from storage_app.records.operations import Record

ARTIFACTS: Final = Collection(
    "artifacts",
    fields=(
        Field("run_id", Kind.TEXT),
        Field("document_id", Kind.TEXT),
        Field("job_id", Kind.TEXT),
        Field("fingerprint", Kind.TEXT),
        Field("content_hash", Kind.TEXT),
        Field("place", Kind.TEXT, unique=True),  # makes the same report, sent again, one artifact
    ),
    orders=tuple(
        Order(("id",), within=(name,)) for name in ("run_id", "document_id", "job_id", "fingerprint", "content_hash")
    ),
)
# A hash of another kind, by name, and the content's SHA-256: worked out once, remembered for good.
CONTENTS: Final = Collection("contents", ids=Ids.GIVEN)


def place_of(artifact: Artifact) -> str:
    parts = (artifact.document_id, artifact.job_id, artifact.attempt, artifact.output, artifact.storage, artifact.path)
    written = json.dumps([*parts, artifact.content_hash, artifact.fingerprint])
    return hashlib.sha256(written.encode()).hexdigest()


def to_document(artifact: Artifact) -> dict[str, Any]:
    return {
        "run_id": artifact.run_id,
        "document_id": artifact.document_id,
        "job_id": artifact.job_id,
        "attempt": artifact.attempt,
        "output": artifact.output,
        "storage": artifact.storage,
        "path": artifact.path,
        "content_hash": artifact.content_hash,
        "size": artifact.size,
        "source": artifact.source,
        "options": dict(artifact.options),
        "fingerprint": artifact.fingerprint,
        "created_at": time_out(artifact.created_at),
        "created_by": by_out(artifact.created_by),
        "deferred": artifact.deferred,
        "place": place_of(artifact),
    }


def from_record(record: Record) -> Artifact:
    document = record.document
    return Artifact(
        id=str(record.id),
        version=record.version,
        run_id=text(document["run_id"]),
        document_id=text(document["document_id"]),
        job_id=optional_text(document["job_id"]),
        attempt=None if document["attempt"] is None else number(document["attempt"]),
        output=text(document["output"]),
        storage=text(document["storage"]),
        path=text(document["path"]),
        content_hash=text(document["content_hash"]),
        size=number(document["size"]),
        source=optional_text(document["source"]),
        options=mapping(document["options"]),
        fingerprint=optional_text(document["fingerprint"]),
        created_at=known_time(document["created_at"]),
        created_by=by_in(document["created_by"]),
        deferred=bool(document["deferred"]),
    )


ARTIFACT: Final = Noun("artifact", ARTIFACTS, from_record, to_document)


def remember_content(store: RecordStore, project: str, known: dict[str, str]) -> None:
    """Hashes of other kinds with the SHA-256 of their content; what is remembered already stays."""
    there = {str(record.id) for record in store.get_many(project, CONTENTS.name, list(known))}
    for known_hash, content in known.items():
        if known_hash not in there:
            try:
                store.insert(project, CONTENTS.name, {"content": content}, id=known_hash)
            except AlreadyExistsError:
                continue  # somebody else worked it out at the same moment


def known_contents(store: RecordStore, project: str, hashes: list[str]) -> dict[str, str]:
    """At most 1,000 at once."""
    return {
        str(record.id): text(record.document["content"]) for record in store.get_many(project, CONTENTS.name, hashes)
    }
