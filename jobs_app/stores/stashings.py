"""What was stashed at one go, for its undo: the ids, where they are too many for an address."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from jobs_app.errors import NotFoundError
from jobs_app.stores.values import texts, time_out
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Kind
from storage_app.records.times import to_text

STASHINGS: Final = Collection("stashings", fields=(Field("at", Kind.TIME),))


class StashingRecords:
    """Cheap to make; holds nothing but where to look."""

    def __init__(self, store: RecordStore, project: str) -> None:
        self._store = store
        self._project = project

    def keep(self, ids: Sequence[str]) -> str:
        document = {"at": time_out(self._store.now()), "ids": list(ids)}
        return str(self._store.insert(self._project, STASHINGS.name, document).id)

    def take(self, id: str) -> tuple[str, ...]:
        """The ids, which are kept no longer. NotFoundError where they were taken before, or left since."""
        try:
            return texts(self._store.delete(self._project, STASHINGS.name, id).document["ids"])
        except (store_errors.RecordNotFoundError, store_errors.InvalidError) as error:
            raise NotFoundError("There is nothing to undo here any more.") from error

    def remove_before(self, moment: datetime, cursor: str | None) -> tuple[int, str | None]:
        batch = self._store.delete_where(
            self._project, STASHINGS.name, {"at__lt": to_text(moment)}, order="at", cursor=cursor
        )
        return len(batch.records), batch.cursor
