"""The contract of a record store.

Records are JSON objects in collections of a project. Each public method below says what a missing id gives, what is
atomic, what order a list has and which error comes; `tests/contracts/` holds every backend to it. Validation, bulk work
and digests stand here; what a backend fills in, and what it may do quicker, stands in `backend.py`.

**Projects.** Every call names exactly one project by its slug, and nothing it reads, writes, counts or waits for lies
in another. Sequences, unique values, counters, cursors and quarantine are per project too. A project comes into being
with its first record.

**Records.** `id` and `version` are the store's; the document is the caller's and never has these two names on its top
level. A document comes back as it went in: key order, big integers, `1` beside `1.0`. (A backend keeps JSON text; a
column type that rewrites numbers or key order will not do.) `created_at` and the like are the caller's, from `now()`.
Version 1 is the first; each change adds one. What is returned is a copy.

**Ids.** Time-ordered ones are UUIDv7 and grow within a process; two processes interleave by their clocks. Sequences
have no number twice, in any process, also after a delete, a crash or a restart; a refused insert uses none up. Any
text of 1 to 512 bytes without control characters is a `given` id, told apart code point by code point: a file system
that folds case or normalises must be shown an encoded name. The store never gives an id out again. Only a caller can
bring a deleted one back, by naming it (a trash does), and then in `given` and `time-ordered` collections only.

**Order.** Null comes before everything (last where descending), texts by code point, false before true, sequence ids as
numbers. Ties are broken by id, in the direction of the last field. Without an order: by id.

**Atomicity.** Each call, each `apply` and each batch of `…_where` is all or nothing, for readers of other threads and
processes as well as after a crash. Reads see what was acknowledged before they began, and never half of a write. A
page, a count or an export is not a snapshot across calls; a record that is there throughout is seen exactly once.

**Durability.** `DURABLE` (the default): when the call returns, the write has survived kill -9 and loss of power.
`KILL_SAFE` (claims, heartbeats): it has survived kill -9; a loss of power may undo it as a whole, with everything
that was atomic with it, and the version it made may then be made again. So whoever writes KILL_SAFE fences by a token
of his own in the guard, never by version alone. A DURABLE write makes every earlier write of the records it touches
durable with it.

**Waiting.** No lock is held while waiting for anything outside. A lock that is not had within `lock_timeout` seconds
is a LockTimeoutError and nothing was changed.

**Errors** are those of `errors.py`; any method may also raise LockTimeoutError, UnavailableError, StorageFullError,
StoragePermissionError or ReadOnlyError, and then nothing was changed (after UnavailableError: unknown). A single
record that cannot be read never makes a list fail: it goes to quarantine and the list goes on without it.

**Several records at once.** `apply` takes a list of operations; a transition, its event and its attempt are one
`apply` and one commit. A change may also be a function of the record; what it returns in `Outcome.then` joins the
same atomic write, which is how a claim or a sweep writes an event for each record it takes. Operations happen in the
order given, each sees those before it. A database locks the rows it knows beforehand in order of (collection, id), or
deadlocks follow.
"""

import contextlib
import hashlib
import re
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, Self, TypeVar

from storage_app import strict_json
from storage_app.records import cursors, pages, query, times
from storage_app.records.answers import (
    LARGEST_PAGE,
    Batch,
    Capabilities,
    CollectionStatistics,
    Digest,
    Exported,
    ExportedEntry,
    ExportedSequence,
    Page,
    Progress,
    Quarantined,
    Report,
    Upgrade,
)
from storage_app.records.backend import Backend, Select
from storage_app.records.cursors import Terms
from storage_app.records.declarations import FREE_PREFIX, Collection, Ids, Key, Kind, free_collection
from storage_app.records.errors import InvalidError, QuarantinedError, RecordNotFoundError
from storage_app.records.ids import RecordId, TimeOrderedIds
from storage_app.records.operations import (
    Append,
    Appended,
    Change,
    ChangeObserver,
    Delete,
    Durability,
    Entry,
    Insert,
    Operation,
    Record,
    Replace,
    Result,
    Update,
)
from storage_app.records.query import Conditions
from storage_app.records.streams import StreamEntry, StreamPage, check_stream
from storage_app.records.words import MOST_HITS, Hits, Meaning, word_select
from storage_app.search.query import Search

LARGEST_BATCH: Final = 10_000
SCAN_LIMIT: Final = 10_000
POLL_SECONDS: Final = 0.1

T = TypeVar("T", Record, Appended)


class RecordStore(Backend):
    """See the module's text; `collections` are all that are declared, free collections are known by their name.

    A store object may be used from any number of threads, but not on both sides of a fork.
    """

    capabilities: ClassVar[Capabilities]

    def __init__(
        self, collections: Iterable[Collection], *, clock: times.Clock = times.now, lock_timeout: float = 5.0
    ) -> None:
        self._clock = clock
        self._lock_timeout = lock_timeout
        self._time_ordered_id = TimeOrderedIds(clock)
        self._declared = {collection.name: collection for collection in collections}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives back files and connections. Twice is harmless; nothing else may be called afterwards."""

    def now(self) -> datetime:
        """The store's clock: leases and due times are reckoned by it, never by a worker's."""
        return self._clock()

    def new_id(self, collection: str) -> str:
        """An id for a time-ordered collection, for a record that other operations of the same `apply` must name."""
        if self.collection(collection).ids is not Ids.TIME_ORDERED:
            raise InvalidError("has no ids to be had beforehand", collection)
        return self._time_ordered_id()

    def collection(self, name: str) -> Collection:
        """The declaration; InvalidError for a name that is neither declared nor free."""
        if name in self._declared:
            return self._declared[name]
        if name.startswith(FREE_PREFIX):
            return free_collection(name.removeprefix(FREE_PREFIX))
        raise InvalidError(f"{ascii(name)[:80]} is not a collection", "collection")

    # Single records

    def insert(
        self,
        project: str,
        collection: str,
        document: Mapping[str, Any],
        *,
        id: RecordId | None = None,
        durability: Durability = Durability.DURABLE,
    ) -> Record:
        """The new record, at version 1. AlreadyExistsError for an id or unique value that is taken; for a number of a
        sequence that is not above all that ever were; for one in quarantine. InvalidError for an id of the wrong form,
        none in a `given` collection, or a document that cannot be stored.
        """
        return self._one(Record, project, Insert(collection, document, id), durability)

    def insert_many(
        self,
        project: str,
        collection: str,
        documents: Sequence[Mapping[str, Any]],
        *,
        durability: Durability = Durability.DURABLE,
    ) -> list[Record]:
        """The new records in the order given, with ids that grow in that order; all or none. Errors as `insert`."""
        results = self.apply(project, [Insert(collection, document) for document in documents], durability=durability)
        return [record for record in results if isinstance(record, Record)]

    def get(self, project: str, collection: str, id: RecordId) -> Record:
        """RecordNotFoundError with the id, QuarantinedError, InvalidError for an id of the wrong form."""
        declared = self._checked(project, collection)
        return self._get(project, declared, declared.check_id(id))

    def get_many(self, project: str, collection: str, ids: Sequence[RecordId]) -> list[Record]:
        """Those that are there, in the order of `ids`; missing and quarantined ones are left out. At most 1,000."""
        declared = self._checked(project, collection)
        _check_count(len(ids), LARGEST_PAGE, "ids", least=0)
        return self._get_many(project, declared, [declared.check_id(id) for id in ids])

    def update(
        self,
        project: str,
        collection: str,
        id: RecordId,
        change: Change,
        *,
        expected_version: int | None = None,
        guard: Conditions = (),
        durability: Durability = Durability.DURABLE,
    ) -> Record:
        """The record after the change: top-level fields are set (REMOVE takes one out), the others stay.

        RecordNotFoundError; then VersionConflictError with the current version; then GuardFailedError: in this order,
        all judged in the same atomic step as the write. AlreadyExistsError for a unique value that is taken. A function
        gets the record and gives changes, an Outcome, or None for "leave it", which makes no version.
        """
        operation = Update(collection, id, change, expected_version, guard)
        return self._one(Record, project, operation, durability)

    def replace(
        self,
        project: str,
        collection: str,
        id: RecordId,
        document: Mapping[str, Any],
        *,
        expected_version: int | None = None,
        guard: Conditions = (),
        durability: Durability = Durability.DURABLE,
    ) -> Record:
        """As `update`, with a whole new document. Never creates."""
        operation = Replace(collection, id, document, expected_version, guard)
        return self._one(Record, project, operation, durability)

    def delete(
        self,
        project: str,
        collection: str,
        id: RecordId,
        *,
        expected_version: int | None = None,
        guard: Conditions = (),
    ) -> Record:
        """The record as it was; its streams go with it. Errors as `update`, so the second time RecordNotFoundError."""
        return self._one(Record, project, Delete(collection, id, expected_version, guard), Durability.DURABLE)

    def apply(
        self, project: str, operations: Sequence[Operation], *, durability: Durability = Durability.DURABLE
    ) -> list[Result]:
        """All operations or none, in order, each seeing those before it; at most 10,000.

        A result for each: the record (deleted: as it was), Appended, or None for an optional one that did not apply.
        What a change adds by `Outcome.then` happens right after it and has no result. The first error undoes all.
        """
        self._check_project(project)
        _check_count(len(operations), LARGEST_BATCH, "operations", least=0)
        for operation in operations:
            self.collection(operation.collection)
        return self._apply(project, operations, durability) if operations else []

    # Lists and numbers

    def query(
        self,
        project: str,
        collection: str,
        conditions: Conditions = (),
        *,
        order: str | Sequence[str] = "id",
        limit: int = 50,
        cursor: str | None = None,
        scan_limit: int | None = None,
    ) -> Page:
        """Up to `limit` (1 to 1,000) matching records in the order, from the cursor on.

        `order` is `id`, an orderable declared field, or the `by` of a declared Order; `-` in front for descending, and
        an Order may be read in reverse by turning every sign. InvalidError for anything else, for a wrong condition and
        for a cursor of another project, collection or order; a cursor may be used with other conditions.
        `scan_limit` bounds the records looked at where conditions have no index.
        """
        declared = self._checked(project, collection)
        _check_count(limit, LARGEST_PAGE, "limit")
        terms = self._terms(declared, order)
        seek = cursors.decode(project, declared, terms, cursor) if cursor is not None else None
        where = query.compiled(declared, conditions)
        selection = self._select(project, Select(declared, where, terms, limit + 1, seek, scan_limit))
        return pages.record_page(project, declared, terms, seek, limit, selection)

    def count(self, project: str, collection: str, conditions: Conditions = ()) -> int:
        """How many match; a lookup for none, for one indexed field, and for declared counters."""
        declared = self._checked(project, collection)
        return self._count(project, declared, query.compiled(declared, conditions))

    def count_by(
        self, project: str, collection: str, by: Sequence[str], conditions: Conditions = ()
    ) -> dict[tuple[Key, ...], int]:
        """Counts by the values of one or more declared fields of kind text, integer or boolean, sorted, null first.

        A lookup where the fields, with those of the conditions, are counted. Values with no record do not appear.
        """
        declared = self._checked(project, collection)
        for name in by:
            if name not in declared.by_name or declared.by_name[name].kind not in _COUNTABLE:
                raise InvalidError(f"{name!r} is not a field that {collection} can be counted by", "by")
        terms = tuple((name, False) for name in by)
        counts = self._count_by(project, declared, tuple(by), query.compiled(declared, conditions))
        place = cursors.comparison(terms)
        return {values: counts[values] for values in sorted(counts, key=place) if counts[values]}

    def find_words(
        self,
        project: str,
        collection: str,
        search: Search | None,
        conditions: Conditions = (),
        *,
        meaning: Meaning,
        most: int = MOST_HITS,
    ) -> Hits:
        """The records whose words answer the search and that meet the conditions: the newest `most` (1 to 2,000)
        of them by the field's `newest`, then by id; whether there are more; and the statistics to rank them by, of all
        texts of the collection in this project and of no other.

        `meaning` gives the condition that a `field:value` of the search stands for. InvalidError for a collection
        without a field of words. A record whose text is null or missing is never found, and not counted.
        """
        declared = self._checked(project, collection)
        return self._find_words(project, word_select(declared, search, meaning, conditions, most))

    # Work on what matches

    def claim_first(
        self,
        project: str,
        collection: str,
        conditions: Conditions,
        change: Change,
        *,
        order: str | Sequence[str] = "id",
        limit: int = 1,
        durability: Durability = Durability.KILL_SAFE,
    ) -> list[Record]:
        """The first `limit` (1 to 1,000) that match in the order, changed, as they are now; [] where none match.

        No two callers ever get the same record, as long as the change makes it match no more. Callers at the same
        time may each skip what another is just taking, so together they keep the order only roughly; alone, exactly.
        A record whose change is None is left, and no other is taken in its place.

        With `FOR UPDATE SKIP LOCKED`, BEGIN IMMEDIATE or a lock: select the rows, compute each change here in Python,
        write them in one statement: two round trips and a commit, whatever the limit.
        """
        declared = self._checked(project, collection)
        _check_count(limit, LARGEST_PAGE, "limit")
        terms = self._terms(declared, order)
        query.compiled(declared, conditions)
        return self._claim(project, declared, conditions, change, terms, limit, durability)

    def update_where(
        self,
        project: str,
        collection: str,
        conditions: Conditions,
        change: Change,
        *,
        order: str | Sequence[str] = "id",
        limit: int = 500,
        cursor: str | None = None,
        durability: Durability = Durability.DURABLE,
    ) -> Batch:
        """One batch: the first `limit` that match from the cursor on are changed, each only if it still matches then.

        Call again with the cursor until it is None; after a restart, with the last cursor, or from the start where the
        change makes a record match no more. Each batch is atomic. Records whose change is None are left and not
        reported.
        """
        return self._batch(
            project,
            collection,
            conditions,
            order,
            limit,
            cursor,
            durability,
            lambda id, observed: Update(collection, id, observed(change), guard=conditions, optional=True),
        )

    def delete_where(
        self,
        project: str,
        collection: str,
        conditions: Conditions,
        *,
        order: str | Sequence[str] = "id",
        limit: int = 500,
        cursor: str | None = None,
    ) -> Batch:
        """As `update_where`; the records deleted, as they were."""
        return self._batch(
            project,
            collection,
            conditions,
            order,
            limit,
            cursor,
            Durability.DURABLE,
            lambda id, _: Delete(collection, id, guard=conditions, optional=True),
        )

    # Streams

    def append(
        self,
        project: str,
        collection: str,
        id: RecordId,
        stream: str,
        entries: Sequence[Entry | Mapping[str, Any]],
        *,
        source: str = "",
        durability: Durability = Durability.DURABLE,
    ) -> Appended:
        """Adds entries (at most 10,000) at the end, all or none, and leaves the record and its version alone.

        An entry whose number this source already sent to this stream adds nothing: a batch may be resent, in part, in
        another order, by several at once. RecordNotFoundError for the record; a stream begins with its first entry.
        """
        return self._one(Appended, project, Append(collection, id, stream, entries, source), durability)

    def read_stream(
        self,
        project: str,
        collection: str,
        id: RecordId,
        stream: str,
        *,
        after: int = 0,
        before: int | None = None,
        backwards: bool = False,
        limit: int = 100,
        conditions: Conditions = (),
        scan_limit: int = SCAN_LIMIT,
    ) -> StreamPage:
        """Up to `limit` (1 to 1,000) matching entries between the positions `after` and `before`, both exclusive.

        Forwards from `after`, or backwards from `before` (None: the end); either way in order of position. The end of a
        long stream costs what its start costs. Conditions look at the entry's data; no more than `scan_limit` entries
        are looked at, so a page may hold fewer than there are: go on with `after` or `before` of the page.
        RecordNotFoundError for the record; a stream without entries is empty.
        """
        declared = self._checked(project, collection)
        check_stream(stream)
        _check_count(limit, LARGEST_PAGE, "limit")
        where = query.compiled(_ENTRIES, conditions)
        record_id = declared.check_id(id)

        def read(low: int, high: int, count: int) -> tuple[list[StreamEntry], int]:
            return self._read(project, declared, record_id, stream, low, high, count, backwards)

        return pages.stream_page(read, where, pages.Span(max(after, 0), before, backwards, limit, scan_limit))

    # Watching

    def change_counter(self, project: str, collection: str, stream: str | None = None) -> int:
        """A number that differs, once a write has been acknowledged, from every number read before the write began;
        in every process. Of records of the collection, or of appends to streams of that name in it. Cheap: one lookup.
        It may change without need and start anywhere, but never falls, also where the project is deleted: a smaller
        number was read before a larger one.
        """
        declared = self._checked(project, collection)
        return self._change_counter(project, declared, None if stream is None else check_stream(stream))

    def wait_for_change(
        self, project: str, collection: str, seen: int, timeout: float, stream: str | None = None
    ) -> int:
        """The counter as soon as it is not `seen`, or at the end of the time. Blocks; `aio` has one that does not."""
        deadline = time.monotonic() + timeout
        while (counter := self.change_counter(project, collection, stream)) == seen:
            if (left := deadline - time.monotonic()) <= 0:
                break
            time.sleep(min(POLL_SECONDS, left))
        return counter

    # Projects

    @abstractmethod
    def projects(self) -> list[str]:
        """The slugs of all projects that hold a record, ever gave out a number, or have something in quarantine,
        sorted.
        """

    def collections(self, project: str) -> list[str]:
        """The names of its collections that hold a record, ever gave out a number, or have something in quarantine,
        sorted.
        """
        self._check_project(project)
        return self._collections(project)

    def delete_project(self, project: str) -> int:
        """Removes everything of the project, quarantine and sequences too; how many records it had, 0 if none."""
        self._check_project(project)
        return self._delete_project(project)

    # Health

    @abstractmethod
    def check(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        """Looks at everything (of a project) and changes nothing: records readable and valid, indexes and counters
        true.
        """

    @abstractmethod
    def repair(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        """Puts right what `check` finds: derived data is made anew, edits by hand are taken in (as a new version), what
        cannot be read goes to quarantine. No readable record is ever lost. A `check` afterwards is clean.
        """

    @abstractmethod
    def rebuild_index(self, project: str | None = None, *, progress: Progress | None = None) -> int:
        """Makes indexes and counters anew from the records; how many records. Reads and writes go on or wait."""

    def upgrades(self) -> list[Upgrade]:
        """The steps of the stored form, oldest first; none where the form never changed or others see to it."""
        return []

    def upgrade(self, *, progress: Progress | None = None) -> list[Upgrade]:
        """Takes the steps that are not applied yet, in order; those it took. May be broken off and begun again."""
        return []

    @abstractmethod
    def statistics(self, project: str) -> dict[str, CollectionStatistics]:
        """By collection: records, stream entries, bytes of JSON text. No scan of records."""

    # Quarantine

    def quarantine(self, project: str, collection: str, id: RecordId, reason: str) -> Quarantined:
        """Sets a record aside that does not make sense to its owner. Lists, counts and unique values forget it; its
        streams wait; its id stays taken; `get` and writes raise QuarantinedError. RecordNotFoundError if missing.
        """
        declared = self._checked(project, collection)
        return self._quarantine(project, declared, declared.check_id(id), reason)

    def quarantined(self, project: str) -> list[Quarantined]:
        """All of a project, oldest first."""
        self._check_project(project)
        return self._quarantined(project)

    def quarantine_restore(self, project: str, quarantine_id: str, text: str | None = None) -> Record:
        """Back among the records, with the document mended to `text` (None: as it was) and a version one higher.

        RecordNotFoundError for the quarantine id; InvalidError if it still cannot be read; AlreadyExistsError if a
        unique value was taken meanwhile; then it stays in quarantine."""
        self._check_project(project)
        return self._quarantine_restore(project, quarantine_id, text)

    def quarantine_discard(self, project: str, quarantine_id: str) -> Quarantined:
        """Gone for good, with its streams. RecordNotFoundError for the quarantine id."""
        self._check_project(project)
        return self._quarantine_discard(project, quarantine_id)

    # Moving whole collections

    def export(self, project: str, collection: str) -> Iterator[Exported]:
        """Everything of a collection in order: the sequence, then each record by id, followed by its stream entries by
        stream name and position. Streams through; quarantine is not part of it.
        """
        declared = self._checked(project, collection)
        if declared.ids is Ids.SEQUENCE:
            yield ExportedSequence(self._sequence(project, declared))
        cursor: str | None = None
        while True:
            page = self.query(project, collection, cursor=cursor, limit=200)
            for record in page.records:
                yield record
                with contextlib.suppress(RecordNotFoundError, QuarantinedError):  # it went while we were on our way
                    yield from self._exported_entries(project, declared, record.id)
            if (cursor := page.next_cursor) is None:
                return

    def import_(self, project: str, collection: str, items: Iterable[Exported]) -> int:
        """Takes in what `export` gave, with ids, versions, positions, sources, numbers and the sequence; how many
        records.

        Resumable: what is there already and equal is passed over. AlreadyExistsError for a record that is there and
        different, InvalidError for a record that cannot be stored or an entry that does not follow its stream's end;
        what came before stays. A sequence never goes down.
        """
        declared = self._checked(project, collection)
        return self._import(project, declared, items)

    def digest(self, project: str, collection: str) -> Digest:
        """A digest of what `export` gives."""
        hasher, records, entries = hashlib.sha256(), 0, 0
        for item in self.export(project, collection):
            records += isinstance(item, Record)
            entries += isinstance(item, ExportedEntry)
            hasher.update(strict_json.dumps_bytes(_digestible(item)) + b"\n")
        return Digest(records, entries, hasher.hexdigest())

    def _batch(
        self,
        project: str,
        collection: str,
        conditions: Conditions,
        order: str | Sequence[str],
        limit: int,
        cursor: str | None,
        durability: Durability,
        operation: Callable[[RecordId, ChangeObserver], Operation],
    ) -> Batch:
        _check_count(limit, LARGEST_PAGE, "limit")
        page = self.query(project, collection, conditions, order=order, limit=limit, cursor=cursor)
        observer = ChangeObserver()
        operations = [operation(record.id, observer) for record in page.records]
        results = self._apply(project, operations, durability) if operations else []
        return Batch(observer.changed(results), page.next_cursor)

    def _one(self, kind: type[T], project: str, operation: Operation, durability: Durability) -> T:
        (result,) = self.apply(project, [operation], durability=durability)
        assert isinstance(result, kind)
        return result

    def _checked(self, project: str, collection: str) -> Collection:
        self._check_project(project)
        return self.collection(collection)

    def _check_project(self, project: str) -> None:
        if not _SLUG.fullmatch(project):
            raise InvalidError(f"{ascii(project)[:80]} is not a project's slug", "project")

    def _terms(self, collection: Collection, order: str | Sequence[str]) -> Terms:
        terms = collection.order_terms((order,) if isinstance(order, str) else order)
        if len(terms) <= 2 and terms[0][1] == terms[-1][1]:
            return terms
        if terms not in collection.declared_terms:
            raise InvalidError(f"{order!r} is not an order that {collection.name} declares", "order")
        return terms


_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_COUNTABLE: Final = frozenset({Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN})
_ENTRIES: Final = Collection("entries", ids=Ids.SEQUENCE)


def _check_count(count: int, most: int, place: str, least: int = 1) -> None:
    if isinstance(count, bool) or not least <= count <= most:
        raise InvalidError(f"must be from {least} to {most}", place)


def _digestible(item: Exported) -> list[Any]:
    if isinstance(item, Record):
        return ["record", item.id, item.version, item.document]
    if isinstance(item, ExportedSequence):
        return ["sequence", item.last]
    entry = item.entry
    return ["entry", item.id, item.stream, entry.position, entry.data, entry.source, entry.number]
