"""Free records: any JSON object, in collections that come into being with their first record."""

from collections.abc import Mapping
from typing import Any, Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.free_record import FreeCollection, FreeRecord
from jobs_app.errors import InvalidError
from jobs_app.models import Project
from jobs_app.services import access, audit
from jobs_app.stores.free_records import FreePage, FreeRecords
from storage_app.records.configured import record_store
from storage_app.records.ids import LARGEST_SEQUENCE

ORDERS: Final = ("id", "-id")
LONGEST_NAME: Final = 128


def collections(actor: Actor, slug: str) -> list[FreeCollection]:
    return records_of(actor, slug, Scope.READ)[1].collections()


def create(actor: Actor, slug: str, collection: str, data: Mapping[str, Any]) -> FreeRecord:
    """Under the next number of the collection."""
    project, records = records_of(actor, slug, Scope.WRITE)
    made = records.create(collection, data)
    _audit(actor, "record.create", project, collection, made)
    return made


def replace(
    actor: Actor, slug: str, collection: str, id: int, data: Mapping[str, Any], version: int | None = None
) -> FreeRecord:
    """The whole object; never creates."""
    project, records = records_of(actor, slug, Scope.WRITE)
    found = records.change(collection, checked_id(id), lambda _: data, version)
    _audit(actor, "record.replace", project, collection, found)
    return found


def patch(
    actor: Actor, slug: str, collection: str, id: int, changes: Mapping[str, Any], version: int | None = None
) -> FreeRecord:
    """The fields that are given; the others stay."""
    project, records = records_of(actor, slug, Scope.WRITE)
    found = records.change(collection, checked_id(id), lambda data: {**data, **changes}, version)
    _audit(actor, "record.change", project, collection, found, fields=sorted(changes)[:50])
    return found


def get(actor: Actor, slug: str, collection: str, id: int) -> FreeRecord:
    return records_of(actor, slug, Scope.READ)[1].get(collection, checked_id(id))


def delete(actor: Actor, slug: str, collection: str, id: int, version: int | None = None) -> FreeRecord:
    """The record as it was; its number is never given out again."""
    project, records = records_of(actor, slug, Scope.WRITE)
    gone = records.delete(collection, checked_id(id), version)
    _audit(actor, "record.delete", project, collection, gone)
    return gone


def find(
    actor: Actor,
    slug: str,
    collection: str,
    filters: Mapping[str, Any] | None = None,
    order: str = "id",
    limit: int = 50,
    cursor: str | None = None,
) -> FreePage:
    """One page of what matches. A page of a query may hold fewer than were asked for: go on with its cursor."""
    _, records = records_of(actor, slug, Scope.READ)
    if order not in ORDERS:
        raise InvalidError.at("order", f"choose one of {', '.join(ORDERS)}")
    return records.find(collection, filters or {}, order, limit, cursor)


def checked_id(id: object) -> int:
    if isinstance(id, bool) or not isinstance(id, int) or not 1 <= id <= LARGEST_SEQUENCE:
        raise InvalidError.at("id", "is a whole number from 1 on")
    return id


def records_of(actor: Actor, slug: str, needs: Scope) -> tuple[Project, FreeRecords]:
    project = access.project_for(actor, slug, needs)
    return project, FreeRecords(record_store(), project.slug)


def _audit(actor: Actor, action: str, project: Project, collection: str, record: FreeRecord, **detail: Any) -> None:
    target = audit.Target("record", str(record.id), f"{collection}/{record.id}")
    audit.record(actor, action, target, project=project, detail={"version": record.version, **detail})
