"""Jobs, runs and copies of texts on their way out: what must follow, should nobody live to see them off."""

from typing import Final

from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection
from storage_app.records.errors import QuarantinedError, RecordNotFoundError
from storage_app.records.ids import RecordId

DEPARTURES: Final = Collection("departures")


def is_still_there(store: RecordStore, slug: str, collection: str, id: RecordId) -> bool:
    """Then nothing that belongs to it may go. A record in quarantine is there: it may be mended."""
    try:
        store.get(slug, collection, id)
    except RecordNotFoundError:
        return False
    except QuarantinedError:
        return True
    return True
