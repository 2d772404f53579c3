"""What a backend fills in, and what follows from that for all of them.

`RecordStore` in `base.py` is the contract that callers see; it checks arguments and compiles conditions, terms and
seeks before anything here is called.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage_app.records import query
from storage_app.records.answers import LARGEST_PAGE, Exported, ExportedEntry, Quarantined
from storage_app.records.cursors import Seek, Terms
from storage_app.records.declarations import Collection, Key
from storage_app.records.errors import LockTimeoutError, QuarantinedError, RecordNotFoundError
from storage_app.records.ids import RecordId
from storage_app.records.operations import Change, ChangeObserver, Durability, Operation, Record, Result, Update
from storage_app.records.query import Conditions, Row, Where
from storage_app.records.streams import StreamEntry
from storage_app.records.words import Hits, WordSelect, scanned, text_of

BEYOND: Final = 2**62  # above every position of a stream


@dataclass(frozen=True)
class Select:
    """A validated query as a backend gets it: up to `limit` rows of `where` in the order of `terms`, from `seek` on.

    With `seek.backwards` rows come in reverse. `scan_limit` bounds how many rows are looked at.
    """

    collection: Collection
    where: Where
    terms: Terms
    limit: int
    seek: Seek | None = None
    scan_limit: int | None = None


@dataclass(frozen=True)
class Selection:
    """Rows in the direction of travel. `stopped_at` is the place of the last row looked at, if the scan limit ended
    it.
    """

    records: list[Record]
    stopped_at: tuple[Key, ...] | None = None


class Backend(ABC):
    """A method that is not abstract may be overridden by something quicker that answers the same."""

    # What a backend fills in

    @abstractmethod
    def _get(self, project: str, collection: Collection, id: RecordId) -> Record: ...

    @abstractmethod
    def _apply(self, project: str, operations: Sequence[Operation], durability: Durability) -> list[Result]:
        """As `apply`; ids, documents (`operations.prepare`), guards and entries are still to be checked on the way."""

    @abstractmethod
    def _select(self, project: str, select: Select) -> Selection: ...

    @abstractmethod
    def _count(self, project: str, collection: Collection, where: Where) -> int: ...

    @abstractmethod
    def _count_by(
        self, project: str, collection: Collection, by: tuple[str, ...], where: Where
    ) -> dict[tuple[Key, ...], int]: ...

    @abstractmethod
    def _read(
        self,
        project: str,
        collection: Collection,
        id: RecordId,
        stream: str,
        after: int,
        before: int,
        limit: int,
        backwards: bool,
    ) -> tuple[list[StreamEntry], int]:
        """Up to `limit` entries with after < position < before, first ones or (backwards) last ones, ascending; and the
        stream's end. RecordNotFoundError for the record.
        """

    @abstractmethod
    def _stream_names(self, project: str, collection: Collection, id: RecordId) -> list[str]:
        """Sorted; RecordNotFoundError for the record."""

    @abstractmethod
    def _sequence(self, project: str, collection: Collection) -> int:
        """The highest number ever given out, 0 before the first."""

    @abstractmethod
    def _import(self, project: str, collection: Collection, items: Iterable[Exported]) -> int: ...

    @abstractmethod
    def _change_counter(self, project: str, collection: Collection, stream: str | None) -> int: ...

    @abstractmethod
    def _collections(self, project: str) -> list[str]: ...

    @abstractmethod
    def _delete_project(self, project: str) -> int: ...

    @abstractmethod
    def _quarantine(self, project: str, collection: Collection, id: RecordId, reason: str) -> Quarantined: ...

    @abstractmethod
    def _quarantined(self, project: str) -> list[Quarantined]: ...

    @abstractmethod
    def _quarantine_restore(self, project: str, quarantine_id: str, text: str | None) -> Record: ...

    @abstractmethod
    def _quarantine_discard(self, project: str, quarantine_id: str) -> Quarantined: ...

    # What is shared, and may be overridden by something quicker

    def _find_words(self, project: str, asked: WordSelect) -> Hits:
        return scanned(asked, self._texts(project, asked))

    def _texts(self, project: str, asked: WordSelect) -> Iterator[tuple[str, Row]]:
        seek: Seek | None = None
        terms = asked.collection.order_terms(("id",))
        while True:
            select = Select(asked.collection, (), terms, LARGEST_PAGE, seek)
            records = self._select(project, select).records
            for record in records:
                row = _RecordRow(record, asked.collection.keys(record.document))
                if (text := text_of(asked.field, row.keys)) is not None:
                    yield text, row
            if len(records) < LARGEST_PAGE:
                return
            seek = Seek((records[-1].id,))

    def _get_many(self, project: str, collection: Collection, ids: Sequence[RecordId]) -> list[Record]:
        found = []
        for id in ids:
            with contextlib.suppress(RecordNotFoundError, QuarantinedError):
                found.append(self._get(project, collection, id))
        return found

    def _claim(
        self,
        project: str,
        collection: Collection,
        conditions: Conditions,
        change: Change,
        terms: Terms,
        limit: int,
        durability: Durability,
    ) -> list[Record]:
        """Select, then change each that still matches; what others took in between is made up for by another round."""
        where = query.compiled(collection, conditions)
        taken: list[Record] = []
        for _ in range(_CLAIM_ROUNDS):
            select = Select(collection, where, terms, limit - len(taken))
            candidates = self._select(project, select).records
            observer = ChangeObserver()
            operations = [
                Update(collection.name, record.id, observer(change), guard=conditions, optional=True)
                for record in candidates
            ]
            results = self._apply(project, operations, durability) if operations else []
            taken += observer.changed(results)
            lost = sum(result is None for result in results)
            if not lost or len(taken) == limit:
                return taken
        raise LockTimeoutError("others kept taking the records first")

    def _exported_entries(self, project: str, collection: Collection, id: RecordId) -> Iterator[ExportedEntry]:
        for stream in self._stream_names(project, collection, id):
            after = 0
            while True:
                entries, _ = self._read(project, collection, id, stream, after, BEYOND, LARGEST_PAGE, False)
                for entry in entries:
                    yield ExportedEntry(id, stream, entry)
                if not entries:
                    break
                after = entries[-1].position


_CLAIM_ROUNDS: Final = 100


@dataclass(frozen=True)
class _RecordRow:
    record: Record
    keys: Mapping[str, Key]

    @property
    def id(self) -> RecordId:
        return self.record.id

    @property
    def version(self) -> int:
        return self.record.version

    @property
    def document(self) -> Mapping[str, Any]:
        return self.record.document
