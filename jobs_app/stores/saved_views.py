"""Saved views as records. `slot` is unique: a name stands once among the shared ones, and once among somebody's own."""

import hashlib
from typing import Any, Final

from jobs_app.domain.saved_view import SavedView
from jobs_app.stores.values import by_in, by_out, known_time, text, texts, time_out
from storage_app.records.declarations import Collection, Field, Kind
from storage_app.records.operations import Record

SHARED: Final = "shared"
SAVED_VIEWS: Final = Collection(
    "saved_views", fields=(Field("shelf", Kind.TEXT), Field("slot", Kind.TEXT, unique=True))
)


def shelf_of(owner: str, shared: bool) -> str:
    return SHARED if shared else f"of {owner}"


def to_document(view: SavedView) -> dict[str, Any]:
    shelf = shelf_of(view.owner, view.shared)
    return {
        "name": view.name,
        "query": view.query,
        "order": view.order,
        "columns": list(view.columns),
        "shared": view.shared,
        "owner": view.owner,
        "made_by": by_out(view.made_by),
        "created_at": time_out(view.created_at),
        "updated_at": time_out(view.updated_at),
        "shelf": shelf,
        "slot": hashlib.sha256(f"{shelf}\0{view.name.casefold()}".encode()).hexdigest(),
    }


def from_record(record: Record) -> SavedView:
    document = record.document
    return SavedView(
        id=str(record.id),
        version=record.version,
        name=text(document["name"]),
        query=text(document["query"]),
        order=text(document["order"]),
        columns=texts(document["columns"]),
        shared=document["shared"] is True,
        owner=text(document["owner"]),
        made_by=by_in(document["made_by"]),
        created_at=known_time(document["created_at"]),
        updated_at=known_time(document["updated_at"]),
    )
