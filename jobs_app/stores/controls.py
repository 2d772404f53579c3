"""What a claim must heed: pauses and drained workers, one record a project, so that a claim reads it in one look."""

from collections.abc import Callable
from typing import Any, Final

from jobs_app.domain.worker import Controls
from jobs_app.stores.values import mapping, stop_in, stop_out
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Ids
from storage_app.records.errors import AlreadyExistsError, RecordNotFoundError
from storage_app.records.operations import Record

CONTROLS: Final = Collection("controls", ids=Ids.GIVEN)
CLAIMS: Final = "claims"


def read(store: RecordStore, project: str) -> Controls:
    try:
        return from_record(store.get(project, CONTROLS.name, CLAIMS))
    except RecordNotFoundError:
        return Controls()


def change(store: RecordStore, project: str, decide: Callable[[Controls], Controls]) -> Controls:
    """The controls as `decide` leaves them; two who change at once both have their way."""

    def changed(record: Record) -> dict[str, Any]:
        return to_document(decide(from_record(record)))

    try:
        return from_record(store.update(project, CONTROLS.name, CLAIMS, changed))
    except RecordNotFoundError:
        try:
            return from_record(store.insert(project, CONTROLS.name, to_document(decide(Controls())), id=CLAIMS))
        except AlreadyExistsError:  # somebody else made the first one meanwhile
            return from_record(store.update(project, CONTROLS.name, CLAIMS, changed))


def to_document(controls: Controls) -> dict[str, Any]:
    return {
        "project": stop_out(controls.project) if controls.project else None,
        "content_types": {name: stop_out(stop) for name, stop in controls.content_types.items()},
        "workers": {name: stop_out(stop) for name, stop in controls.workers.items()},
    }


def from_record(record: Record) -> Controls:
    document = record.document
    return Controls(
        project=stop_in(document["project"]) if document["project"] is not None else None,
        content_types={name: stop_in(value) for name, value in mapping(document["content_types"]).items()},
        workers={name: stop_in(value) for name, value in mapping(document["workers"]).items()},
    )
