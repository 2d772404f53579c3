"""Documents of runs as records. `place` is what makes attaching the same file to the same run twice one document."""

import hashlib
from typing import Any, Final

from jobs_app.domain.document import Document, Plan, Why
from jobs_app.stores.noun_records import Noun
from jobs_app.stores.values import known_time, mapping, number, optional_text, text, texts, time_out
from storage_app.records.declarations import Collection, Field, Kind, Order
from storage_app.records.operations import Record

DOCUMENTS: Final = Collection(
    "documents",
    fields=(
        Field("run_id", Kind.TEXT),
        Field("plan", Kind.TEXT),
        Field("content_hash", Kind.TEXT),
        Field("job_id", Kind.TEXT, unique=True),
        Field("place", Kind.TEXT, unique=True),
        Field("search", Kind.SEARCH),
    ),
    orders=(Order(("id",), within=("run_id",)), Order(("id",), within=("run_id", "plan"))),
    counters=(("run_id", "plan"),),
)


def place_of(run_id: str, storage: str, path: str) -> str:
    return hashlib.sha256(f"{run_id}\0{storage}\0{path}".encode()).hexdigest()


def to_document(document: Document) -> dict[str, Any]:
    return {
        "run_id": document.run_id,
        "storage": document.storage,
        "path": document.path,
        "filename": document.filename,
        "content_hash": document.content_hash,
        "size": document.size,
        "attached_at": time_out(document.attached_at),
        "content": document.content,
        "inline": document.inline,
        "options": dict(document.options),
        "plan": document.plan.value,
        "why": document.why.value if document.why else None,
        "detail": document.detail,
        "job_id": document.job_id,
        "served_by": list(document.served_by),
        "attached_hash": document.attached_hash,
        "place": place_of(document.run_id, document.storage, document.path),
        "search": f"{document.path}\n{document.filename}",
    }


def from_record(record: Record) -> Document:
    document = record.document
    return Document(
        id=str(record.id),
        version=record.version,
        run_id=text(document["run_id"]),
        storage=text(document["storage"]),
        path=text(document["path"]),
        filename=text(document["filename"]),
        content_hash=text(document["content_hash"]),
        size=number(document["size"]),
        attached_at=known_time(document["attached_at"]),
        content=optional_text(document["content"]),
        inline=bool(document["inline"]),
        options=mapping(document["options"]),
        plan=Plan(document["plan"]),
        why=Why(document["why"]) if document["why"] is not None else None,
        detail=text(document["detail"]),
        job_id=optional_text(document["job_id"]),
        served_by=texts(document["served_by"]),
        attached_hash=optional_text(document["attached_hash"]),
    )


DOCUMENT: Final = Noun("document", DOCUMENTS, from_record, to_document)
