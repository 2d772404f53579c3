"""Free records put right by hand. They have no trash: what is removed is gone, and its number is never given again."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.free_record import FreeRecord
from jobs_app.errors import InvalidError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import audit
from jobs_app.services.data_fixes import PAGE, Choice, Found, Row, Shown, checked_reason, differences, kept
from jobs_app.services.free_records import checked_id, records_of
from jobs_app.stores.values import time_out
from storage_app import strict_json
from storage_app.records.declarations import FREE_PREFIX

LONGEST_TITLE: Final = 80


class RecordFixes:
    """A record is named `<number>.<collection>`, the collection as an address has it."""

    name: Final = "records"
    noun: Final = "record"
    hint: Final = 'Fields and values as JSON: {"state": "open"}'
    has_trash: Final = False

    def parts(self, actor: Actor, slug: str) -> list[Choice]:
        """Its collections."""
        _, records = records_of(actor, slug, Scope.ADMIN)
        return [Choice(one.name, one.name) for one in records.collections()]

    def holds(self, collection: str) -> bool:
        return collection.startswith(FREE_PREFIX)

    def find(self, actor: Actor, slug: str, text: str, part: str, cursor: str | None) -> Found:
        _, records = records_of(actor, slug, Scope.ADMIN)
        collection = part or next((one.name for one in records.collections()), "")
        if not collection:
            return Found([], None, None)
        page = records.find(collection, _filters(text), "-id", PAGE, cursor)
        rows = [
            Row(_name(collection, one), _title(collection, one), "", one.created_at, _short(one))
            for one in page.records
        ]
        return Found(rows, page.next_cursor, page.previous_cursor)

    def get(self, actor: Actor, slug: str, id: str) -> Shown:
        _, records = records_of(actor, slug, Scope.ADMIN)
        collection, number = _place(id)
        one = records.get(collection, number)
        return Shown(id, _title(collection, one), collection, one.version, _document(one), frozenset({"data"}))

    def correct(self, actor: Actor, slug: str, id: str, changes: Mapping[str, Any], version: int, reason: str) -> None:
        why = checked_reason(reason)
        project, records = records_of(actor, slug, Scope.ADMIN)
        collection, number = _place(id)
        data = changes["data"]
        if not isinstance(data, dict):
            raise InvalidError.at("data", "must be an object")
        before = records.get(collection, number)
        after = records.change(collection, number, lambda _: data, version)
        detail = {**differences(_document(before), _document(after)), "reason": why}
        _audit(actor, project, collection, after, "correct", detail)

    def move(self, actor: Actor, slug: str, id: str, target: str, version: int, reason: str) -> None:
        raise InvalidError.at("target", "a record has no states")

    def remove(self, actor: Actor, slug: str, id: str, version: int, reason: str) -> None:
        why = checked_reason(reason)
        project, records = records_of(actor, slug, Scope.ADMIN)
        collection, number = _place(id)
        gone = records.delete(collection, number, version)
        _audit(
            actor, project, collection, gone, "erase", {"before": kept(_document(gone)), "after": None, "reason": why}
        )

    def bring_back(self, actor: Actor, slug: str, id: str, reason: str) -> None:
        raise NotFoundError(f"Record {id} is in no trash.")

    def erase(self, actor: Actor, slug: str, id: str, reason: str) -> None:
        _, records = records_of(actor, slug, Scope.ADMIN)
        collection, number = _place(id)
        self.remove(actor, slug, id, records.get(collection, number).version, reason)


def _place(id: str) -> tuple[str, int]:
    number, _, collection = id.partition(".")
    if not (number.isascii() and number.isdigit() and len(number) < 20 and collection):
        raise NotFoundError(f"There is no record {id[:80]!r} here.")
    return unquote(collection), checked_id(int(number))


def _name(collection: str, one: FreeRecord) -> str:
    return f"{one.id}.{quote(collection, safe='')}"


def _title(collection: str, one: FreeRecord) -> str:
    return f"{collection} {one.id}"


def _short(one: FreeRecord) -> str:
    return strict_json.dumps(one.data)[:LONGEST_TITLE]


def _filters(text: str) -> dict[str, Any]:
    try:
        return strict_json.loads_object(text) if text.strip() else {}
    except strict_json.StrictJSONError as error:
        raise InvalidError.at("search", f"give fields and values as a JSON object; {error}") from error


def _document(one: FreeRecord) -> dict[str, Any]:
    return {"created_at": time_out(one.created_at), "updated_at": time_out(one.updated_at), "data": dict(one.data)}


def _audit(
    actor: Actor, project: Project, collection: str, one: FreeRecord, verb: str, detail: Mapping[str, Any]
) -> None:
    target = audit.Target("record", str(one.id), f"{collection}/{one.id}")
    audit.record(actor, f"admin.record.{verb}", target, project=project, detail=detail)
