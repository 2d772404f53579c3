"""Messages of agents: an action and its payload in, a result or an error with its kind out."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.free_record import FreeRecord
from jobs_app.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
    RefusedError,
)
from jobs_app.services import access, free_records
from storage_app.records.errors import RecordStoreError

DEFAULT_COLLECTION: Final = "tasks"
MOST_RECORDS: Final = 1000
MOST_WINDOWS: Final = 20  # of 5,000 records that one query looks at


def answer(actor: Actor, slug: str, action: object, payload: object) -> dict[str, Any]:
    """Never raises for what a message can get wrong; what concerns the project itself is refused as everywhere."""
    access.project_for_one_of(actor, slug, (Scope.READ, Scope.WRITE))  # each action asks for its own
    try:
        return {"status": "success", **_perform(actor, slug, action, payload)}
    except PermissionDeniedError:
        raise
    except NotFoundError as error:
        return _refused("not_found", error.detail)
    except (ConflictError, PreconditionFailedError) as error:
        return _refused("conflict", error.detail)
    except InvalidError as error:
        return _refused("validation_error", error.detail)
    except RefusedError as error:
        return _refused("storage_error", error.detail)
    except RecordStoreError as error:
        return _refused("storage_error", str(error))


def _perform(actor: Actor, slug: str, action: object, payload: object) -> dict[str, Any]:
    if not isinstance(action, str) or action not in ACTIONS:
        raise InvalidError.at("action", f"choose one of {', '.join(ACTIONS)}")
    if not isinstance(payload, dict):
        raise InvalidError.at("payload", "must be an object")
    act, names = ACTIONS[action]
    unknown = sorted(set(payload) - {*names, "collection"})
    if unknown:
        raise InvalidError.at(f"payload.{unknown[0]}", f"is no part of {action}")
    collection = payload.get("collection", DEFAULT_COLLECTION)
    if not isinstance(collection, str):
        raise InvalidError.at("payload.collection", "must be a text")
    return act(actor, slug, collection, payload)


def _save(actor: Actor, slug: str, collection: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    record = _one_of(payload, "task", "record")
    if not isinstance(record, dict):
        raise InvalidError.at("payload.task", "must be an object")
    data = {name: value for name, value in record.items() if name != "id"}
    id = record.get("id")
    if id is None:
        return {"result": flat(free_records.create(actor, slug, collection, data))}
    return {"result": flat(free_records.replace(actor, slug, collection, id, data))}


def _get(actor: Actor, slug: str, collection: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"result": flat(free_records.get(actor, slug, collection, _one_of(payload, "task_id", "id")))}


def _delete(actor: Actor, slug: str, collection: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"result": flat(free_records.delete(actor, slug, collection, _one_of(payload, "task_id", "id")))}


def _list(actor: Actor, slug: str, collection: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    return _found(actor, slug, collection, {}, payload)


def _query(actor: Actor, slug: str, collection: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    filters = payload.get("filters")
    if not isinstance(filters, dict):
        raise InvalidError.at("payload.filters", "must be an object")
    return _found(actor, slug, collection, filters, payload)


def _found(
    actor: Actor, slug: str, collection: str, filters: Mapping[str, Any], payload: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything up to the limit; where there is more, also the cursor to go on with. One page of a query looks at a
    few thousand records, and an agent that finds nothing in them believes that there is nothing: so many are looked at.
    """
    limit, cursor = payload.get("limit", MOST_RECORDS), payload.get("cursor")
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_RECORDS:
        raise InvalidError.at("payload.limit", f"must be from 1 to {MOST_RECORDS}")
    if cursor is not None and not isinstance(cursor, str):
        raise InvalidError.at("payload.cursor", "must be a text")
    found: list[FreeRecord] = []
    for _ in range(MOST_WINDOWS):
        page = free_records.find(actor, slug, collection, filters, "id", limit - len(found), cursor)
        found, cursor = [*found, *page.records], page.next_cursor
        if cursor is None or len(found) == limit:
            break
    result = {"result": [flat(record) for record in found]}
    return result if cursor is None else {**result, "next_cursor": cursor}


def flat(record: FreeRecord) -> dict[str, Any]:
    """The object with its number in it."""
    return {**record.data, "id": record.id}


def _one_of(payload: Mapping[str, Any], name: str, other: str) -> Any:
    given = [key for key in (name, other) if key in payload]
    if len(given) != 1:
        raise InvalidError.at(f"payload.{name}", f"give {name} (or {other}), once")
    return payload[given[0]]


def _refused(kind: str, sentence: str) -> dict[str, Any]:
    return {"status": "error", "error": sentence, "error_type": kind}


Act = Callable[[Actor, str, str, Mapping[str, Any]], dict[str, Any]]
ACTIONS: Final[Mapping[str, tuple[Act, frozenset[str]]]] = {
    "storage_save": (_save, frozenset({"task", "record"})),
    "storage_get": (_get, frozenset({"task_id", "id"})),
    "storage_delete": (_delete, frozenset({"task_id", "id"})),
    "storage_list": (_list, frozenset({"limit", "cursor"})),
    "storage_query": (_query, frozenset({"filters", "limit", "cursor"})),
}
