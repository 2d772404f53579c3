"""The segments of one project in the record store. Every change of a segment is one call of `store` or `change` here:
decided on the record under the store's lock, and written with its line of history in the same atomic write.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from jobs_app.domain.new_segment import fingerprint
from jobs_app.domain.segment import Past, Segment, SegmentStep, Tier, state
from jobs_app.errors import (
    ConflictError,
    InvalidError,
    InvalidQueryError,
    NotFoundError,
    PreconditionFailedError,
)
from jobs_app.stores import segment_fields, segments
from jobs_app.stores.segments import HISTORY, SEGMENTS
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.ids import TimeOrderedIds
from storage_app.records.operations import Insert, Operation, Outcome, Record, Update
from storage_app.records.query import Conditions
from storage_app.records.words import Hits
from storage_app.search import nodes
from storage_app.search.errors import QueryError
from storage_app.search.query import Search, search_of

TIERS: Final = tuple(tier.value for tier in Tier)
MOST_AT_ONCE: Final = 500
log = logging.getLogger("holdfast.segments")

# What is decided of a segment at a moment; None: nothing is to be done, and no version is made.
Decide = Callable[[Segment, datetime], SegmentStep | None]


@dataclass(frozen=True, slots=True)
class SegmentPage:
    segments: list[Segment]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """`created` is false where the segment was there before: replaced, or the same text and type."""

    segment: Segment
    created: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, read: its tree for highlights and chips, and what it asks of texts."""

    query: nodes.Query
    search: Search | None


class SegmentRecords:
    """Cheap to make; holds nothing but where to look."""

    def __init__(self, store: RecordStore, project: str) -> None:
        self._store = store
        self._project = project

    @property
    def place(self) -> tuple[RecordStore, str]:
        return self._store, self._project

    def now(self) -> datetime:
        return self._store.now()

    def new_id(self) -> str:
        """As the store makes them; the collection's are given, since an import brings its own."""
        return _new_id()

    def change_counter(self) -> int:
        return self._store.change_counter(self._project, SEGMENTS.name)

    def get(self, id: str, *, in_trash: bool = False) -> Segment:
        """NotFoundError for what is absent, and for a segment on the other side of the trash."""
        with translated(id):
            record = self._store.get(self._project, SEGMENTS.name, id)
        segment = self._read_or_set_aside(record)
        if segment is None or (segment.trashed is not None) != in_trash:
            raise _absent(id)
        return segment

    def get_many(self, ids: Sequence[str], *, in_trash: bool = False) -> list[Segment]:
        """Those that are there, in this order; at most 1,000."""
        with translated():
            records = self._store.get_many(self._project, SEGMENTS.name, list(ids))
        return [one for one in self._readable(records) if (one.trashed is not None) == in_trash]

    def find(
        self, conditions: Conditions, order: str | Sequence[str], limit: int, cursor: str | None = None
    ) -> SegmentPage:
        with translated():
            page = self._store.query(self._project, SEGMENTS.name, conditions, order=order, limit=limit, cursor=cursor)
        return SegmentPage(self._readable(page.records), page.next_cursor, page.previous_cursor)

    def walk(self, conditions: Conditions, order: str) -> Iterator[Segment]:
        """All that match, a page at a time."""
        cursor: str | None = None
        while True:
            page = self.find(conditions, order, MOST_AT_ONCE, cursor)
            yield from page.segments
            if (cursor := page.next_cursor) is None:
                return

    def count_by(self, by: Sequence[str], conditions: Conditions = ()) -> dict[tuple[Any, ...], int]:
        with translated():
            return self._store.count_by(self._project, SEGMENTS.name, by, conditions)

    def count(self, conditions: Conditions) -> int:
        with translated():
            return self._store.count(self._project, SEGMENTS.name, conditions)

    def find_words(self, asked: Asked, conditions: Conditions, now: datetime) -> Hits:
        with translated():
            return self._store.find_words(
                self._project,
                SEGMENTS.name,
                asked.search,
                conditions,
                meaning=partial(segment_fields.meaning, now=now),
            )

    def create(self, made: Sequence[Segment]) -> list[Segment]:
        """All or none, in the order given. The store's AlreadyExistsError for an id or a text that is taken."""
        operations = [
            Insert(SEGMENTS.name, segments.to_document(segment), segment.id, segment.version) for segment in made
        ]
        with translated():
            results = self._store.apply(self._project, operations)
        return [segments.from_record(result) for result in results if isinstance(result, Record)]

    def twin(self, text: str, kind: str) -> str | None:
        """The id of the one that has this text and type."""
        with translated():
            page = self._store.query(
                self._project, SEGMENTS.name, {"merge_key": fingerprint(text, kind)}, order="merge_key", limit=1
            )
        return str(page.records[0].id) if page.records else None

    def change(self, id: str, decide: Decide, *, version: int | None = None, in_trash: bool = False) -> Segment:
        """The segment as `decide` leaves it, judged on what it is at that very moment. Where its text is another's
        already it is marked as a duplicate.
        """
        for as_duplicate in (False, True):
            try:
                with translated(id):
                    record = self._store.update(
                        self._project,
                        SEGMENTS.name,
                        id,
                        self._deciding(id, decide, in_trash=in_trash, as_duplicate=as_duplicate),
                        expected_version=version,
                    )
                return segments.from_record(record)
            except store_errors.AlreadyExistsError:
                if as_duplicate:
                    raise
        raise AssertionError("a duplicate has no text of its own to collide with")

    def change_many(self, ids: Sequence[str], decide: Decide, guard: Conditions) -> list[Segment]:
        """Those that were changed, in one atomic write; what is not there, or not as the guard says, is left."""
        done: set[str] = set()

        def noting(id: str) -> Callable[[Record], Outcome | None]:
            deciding = self._deciding(id, decide, in_trash=False, as_duplicate=False)

            def act(record: Record) -> Outcome | None:
                outcome = deciding(record)
                (done.discard if outcome is None else done.add)(id)
                return outcome

            return act

        operations: list[Operation] = [
            Update(SEGMENTS.name, id, noting(id), guard=guard, optional=True) for id in dict.fromkeys(ids)
        ]
        with translated():
            results = self._store.apply(self._project, operations)
        return [
            segments.from_record(result) for result in results if isinstance(result, Record) and str(result.id) in done
        ]

    def claim_text(self, id: str) -> Segment:
        """It is no duplicate any more. The store's AlreadyExistsError where another still has its text."""

        def changed(record: Record) -> dict[str, Any]:
            alone = replace(segments.from_record(record), duplicate=False)
            document = segments.to_document(alone)
            return {name: document[name] for name in ("duplicate", "merge_key")}

        with translated(id):
            return segments.from_record(self._store.update(self._project, SEGMENTS.name, id, changed))

    def purge(self, id: str, conditions: Conditions) -> bool:
        """Gone for good, with its history, if it still is as the conditions say."""
        with translated(id):
            try:
                self._store.delete(self._project, SEGMENTS.name, id, guard=conditions)
            except (store_errors.GuardFailedError, store_errors.RecordNotFoundError):
                return False
        return True

    def purge_where(self, conditions: Conditions, order: str, cursor: str | None) -> tuple[int, str | None]:
        batch = self._store.delete_where(self._project, SEGMENTS.name, conditions, order=order, cursor=cursor)
        return len(batch.records), batch.cursor

    def history(self, id: str, before: int | None = None, limit: int = 100) -> tuple[list[Past], int | None]:
        """Newest first, and where to go on."""
        with translated(id):
            page = self._store.read_stream(
                self._project, SEGMENTS.name, id, HISTORY, before=before, backwards=True, limit=limit
            )
        return [segments.past_in(entry.data) for entry in reversed(page.entries)], page.before

    def as_of(self, segment: Segment, version: int) -> dict[str, Any]:
        """The fields that it had at an earlier version, going back step by step."""
        if not 1 <= version <= segment.version:
            raise NotFoundError(f"Segment {segment.id} has no version {version}.")
        values, before = segments.values_out(state(segment)), None
        while True:
            steps, before = self.history(segment.id, before)
            for step in steps:
                if step.version <= version:
                    return segments.values_in(values)
                values.update(step.before)
            if before is None:
                return segments.values_in(values)

    def _deciding(
        self, id: str, decide: Decide, *, in_trash: bool, as_duplicate: bool
    ) -> Callable[[Record], Outcome | None]:
        def changed(record: Record) -> Outcome | None:
            segment, now = segments.from_record(record), self.now()
            if (segment.trashed is not None) != in_trash:
                raise _absent(id)
            step = decide(segment, now)
            if step is None:
                return None
            after = step.segment
            if as_duplicate:
                after = replace(after, duplicate=after.trashed is None)
            elif (after.text, after.type) != (segment.text, segment.type):
                after = replace(after, duplicate=False)
            return segments.outcome(record, segment, replace(step, segment=after), now)

        return changed

    def _readable(self, records: Iterable[Record]) -> list[Segment]:
        return [segment for record in records if (segment := self._read_or_set_aside(record)) is not None]

    def _read_or_set_aside(self, record: Record) -> Segment | None:
        try:
            return segments.from_record(record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"not a segment: {type(error).__name__}: {error}"
            log.warning("Segment %s of %s goes to quarantine: %s", record.id, self._project, reason)
            try:
                self._store.quarantine(self._project, SEGMENTS.name, record.id, reason)
            except (store_errors.RecordNotFoundError, store_errors.QuarantinedError):
                log.info("Segment %s of %s was deleted or set aside by somebody else.", record.id, self._project)
            return None


def read_query(text: str) -> Asked:
    """InvalidQueryError says what is wrong and where."""
    try:
        query = segment_fields.parse(text)
    except QueryError as error:
        raise InvalidQueryError(str(error), error.position, error.length, error.corrected(text)) from error
    return Asked(query, search_of(query, segment_fields.FIELDS))


@contextmanager
def translated(id: str | None = None) -> Iterator[None]:
    """Refusals of the store, in the words of `errors.py`; a taken text or id is for the caller to judge."""
    try:
        yield
    except QueryError as error:
        raise InvalidQueryError(str(error), error.position, error.length) from error
    except store_errors.RecordNotFoundError as error:
        raise _absent(error.details["id"]) from error
    except store_errors.QuarantinedError as error:
        raise ConflictError(f"Segment {error.details['id']} was set aside; see the quarantine.") from error
    except store_errors.VersionConflictError as error:
        current = error.details["version"]
        raise PreconditionFailedError(
            f"The segment was changed meanwhile; it is at version {current} now.", current_version=current
        ) from error
    except store_errors.InvalidError as error:
        place = error.details["place"]
        if place == "id" and id is not None:
            raise _absent(id) from error  # what can be no id is as absent as any other
        raise InvalidError.at(place or "request", error.message.removeprefix(f"{place}: ")) from error


def _absent(id: object) -> NotFoundError:
    return NotFoundError(f"There is no segment {str(id)[:80]!r} here.")


_new_id: Final = TimeOrderedIds()
