"""Records in a database, by statements of our own on Django's connection.

The tables come from migrations: those all collections share from `storage_app/models.py`, those of a declared
collection from its model (`tables.record_model`). Nothing here reads a model.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final, TypeVar

from storage_app.records import query, times, written
from storage_app.records.answers import Capabilities, CollectionStatistics, Exported, Progress, Quarantined, Report
from storage_app.records.backend import Select, Selection
from storage_app.records.base import RecordStore
from storage_app.records.cursors import Terms
from storage_app.records.database import (
    counting,
    imports,
    quarantine,
    sequences,
    stream_tables,
    texts,
    upkeep,
    words,
)
from storage_app.records.database.conditions import narrowed
from storage_app.records.database.counting import COUNTS, TALLIES, Emptied
from storage_app.records.database.layout import FREE_TABLE, Layout
from storage_app.records.database.recent import RecentRows
from storage_app.records.database.row import Row, UnreadableError
from storage_app.records.database.rows import QUARANTINE
from storage_app.records.database.selects import Search
from storage_app.records.database.transactions import Database, Transaction
from storage_app.records.database.work import Work
from storage_app.records.declarations import Collection, Key
from storage_app.records.errors import QuarantinedError, RecordNotFoundError, RecordStoreError
from storage_app.records.ids import RecordId
from storage_app.records.operations import Change, Durability, Operation, Outcome, Record, Result, Update, outcome
from storage_app.records.query import Conditions, Where
from storage_app.records.streams import StreamEntry
from storage_app.records.words import Hits, Tallies, WordSelect

T = TypeVar("T")


class DatabaseRecordStore(RecordStore):
    """`alias` names one of Django's databases, SQLite or PostgreSQL."""

    capabilities: ClassVar = Capabilities(persistent=True, shared=True)

    def __init__(
        self,
        collections: Iterable[Collection],
        *,
        clock: times.Clock = times.now,
        lock_timeout: float = 5.0,
        alias: str = "default",
    ) -> None:
        super().__init__(collections, clock=clock, lock_timeout=lock_timeout)
        self._database = Database(alias, lock_timeout)
        self._layouts = {name: Layout(collection) for name, collection in self._declared.items()}
        self._emptied = Emptied()
        self._recent = RecentRows()
        self._tallies = Tallies()
        self._is_far = self._database.dialect.is_postgresql  # a trip to it costs more than a statement

    def close(self) -> None:
        self._database.close()

    def projects(self) -> list[str]:
        rows = self._database.read(
            f"SELECT project FROM {TALLIES} WHERE stream = '' GROUP BY project, collection HAVING sum(records) > 0"
            f" UNION SELECT project FROM {sequences.TABLE} WHERE last > 0 UNION SELECT project FROM {QUARANTINE}"
        )
        return sorted(project for (project,) in rows)

    def check(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        return upkeep.checked(self._upkeep(project, progress))

    def repair(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        return upkeep.repaired(self._upkeep(project, progress))

    def rebuild_index(self, project: str | None = None, *, progress: Progress | None = None) -> int:
        return upkeep.rebuilt(self._upkeep(project, progress))

    def statistics(self, project: str) -> dict[str, CollectionStatistics]:
        return {
            name: CollectionStatistics(*counting.tallied(self._database, name, project)[1:])
            for name in self.collections(project)
        }

    def _get(self, project: str, collection: Collection, id: RecordId) -> Record:
        layout = self._layout(collection)
        rows = self._database.read(
            f"SELECT version, document FROM {layout.table} WHERE {layout.scope} AND id = %s",
            [*layout.scope_values(project), id],
        )
        if not rows:
            self._raise_missing(project, collection, id)
        try:
            return Row(layout, id, *rows[0]).record()
        except UnreadableError as error:
            self._set_aside(project, error)
            raise QuarantinedError(collection.name, id, error.reason) from error

    def _get_many(self, project: str, collection: Collection, ids: Sequence[RecordId]) -> list[Record]:
        if not ids:
            return []
        layout = self._layout(collection)
        wanted = list(dict.fromkeys(ids))
        rows = self._database.read(
            f"SELECT id, version, document FROM {layout.table} WHERE {layout.scope}"
            f" AND id IN ({', '.join(['%s'] * len(wanted))})",
            [*layout.scope_values(project), *wanted],
        )
        texts = {id: (version, text) for id, version, text in rows}
        return list(self._readable(project, (Row(layout, id, *texts[id]) for id in ids if id in texts)))

    def _apply(self, project: str, operations: Sequence[Operation], durability: Durability) -> list[Result]:
        known = self._recent.known(project, self._layouts, operations) if self._is_far else []

        def apply(work: Work, transaction: Transaction) -> list[Result]:
            if not transaction.careful:
                work.presume(known)
            return work.run(operations)

        return self._written(project, apply, durability)

    def _select(self, project: str, select: Select) -> Selection:
        bounded = select.scan_limit is not None
        search = self._search(project, select.collection, select.where, select.terms, bounded=bounded)
        chunk = select.limit if not search.narrowed.rest else min(max(select.limit, _CHUNK), _LARGEST_CHUNK)
        chunk = min(chunk, select.scan_limit or chunk)
        may_match = written.sieve(search.narrowed.rest)
        found: list[Record] = []
        for looked_at, row in enumerate(search.rows(self._database.read, chunk, select.seek), 1):
            if row.text is not None and (may_match is None or may_match(row.text)):
                candidate = Row(search.layout, row.id, row.version, row.text)
                for record in self._readable(project, [candidate], search.narrowed.rest):
                    found.append(record)
                    if len(found) == select.limit:
                        return Selection(found)
            if looked_at == select.scan_limit:
                return Selection(found, row.place)
        return Selection(found)

    def _find_words(self, project: str, asked: WordSelect) -> Hits:
        while True:
            try:
                return words.find(self._database, self._layout(asked.collection), project, asked, self._tallies)
            except UnreadableError as error:
                self._set_aside(project, error)

    def _count(self, project: str, collection: Collection, where: Where) -> int:
        if not where:
            return counting.tallied(self._database, collection.name, project)[1]
        return sum(self._count_by(project, collection, (), where).values())

    def _count_by(
        self, project: str, collection: Collection, by: tuple[str, ...], where: Where
    ) -> dict[tuple[Key, ...], int]:
        search = self._search(project, collection, where, (("id", False),))
        counts = counting.kept(self._database, search.layout, project, by, search.narrowed)
        if counts is not None:
            return counts
        if not search.narrowed.rest:
            return search.counts(self._database.read, by)
        counts = {}
        for row in search.rows(self._database.read, _LARGEST_CHUNK):
            assert row.text is not None
            candidate = Row(search.layout, row.id, row.version, row.text)
            for _ in self._readable(project, [candidate], search.narrowed.rest):
                group = tuple(candidate.keys[name] for name in by)
                counts[group] = counts.get(group, 0) + 1
        return counts

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
        where = query.compiled(collection, conditions)

        def claim(work: Work, transaction: Transaction) -> list[Record]:
            search = self._search(project, collection, where, terms, transaction.dialect.skip_locked)
            rows: list[Row] = []
            chunk = limit if not search.narrowed.rest else max(limit, _CHUNK)
            for found in search.rows(transaction.fetch, chunk):
                assert found.text is not None
                row = Row(search.layout, found.id, found.version, found.text)
                if search.narrowed.rest and not query.matches(search.narrowed.rest, row):
                    continue
                work.adopt(row)
                rows.append(row)
                if len(rows) == limit:
                    break
            left: set[RecordId] = set()
            observed = _observed(change, left) if callable(change) else change
            operations = [Update(collection.name, row.id, observed) for row in rows]
            results = work.run(operations) if operations else []
            return [result for result in results if isinstance(result, Record) and result.id not in left]

        return self._written(project, claim, durability)

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
        place = (collection.name, id, stream)
        found = stream_tables.entries(self._database, project, place, after, before, limit, backwards)
        self._require(project, collection, id)
        return found

    def _stream_names(self, project: str, collection: Collection, id: RecordId) -> list[str]:
        names = stream_tables.names(self._database, project, collection.name, id)
        self._require(project, collection, id)
        return names

    def _sequence(self, project: str, collection: Collection) -> int:
        return sequences.last(self._database, project, collection.name)

    def _import(self, project: str, collection: Collection, items: Iterable[Exported]) -> int:
        def take_in(batch: Sequence[Exported]) -> int:
            return self._written(
                project,
                lambda work, transaction: imports.take_in(work, transaction, project, collection.name, batch),
                Durability.DURABLE,
            )

        records = 0
        for batch in imports.batches(items, _IMPORTED_AT_ONCE):
            try:
                records += take_in(batch)
            except RecordStoreError:
                # What came before the one that is refused stays, so each on its own up to that one.
                records += sum(take_in([item]) for item in batch)
        return records

    def _change_counter(self, project: str, collection: Collection, stream: str | None) -> int:
        return counting.changes(self._database, collection.name, project, stream or "")

    def _collections(self, project: str) -> list[str]:
        rows = self._database.read(
            f"SELECT collection FROM {TALLIES} WHERE project = %s AND stream = '' GROUP BY collection"
            " HAVING sum(records) > 0"
            f" UNION SELECT collection FROM {sequences.TABLE} WHERE project = %s AND last > 0"
            f" UNION SELECT collection FROM {QUARANTINE} WHERE project = %s",
            (project, project, project),
        )
        return sorted(name for (name,) in rows)

    def _delete_project(self, project: str) -> int:
        tables = sorted({FREE_TABLE, *(layout.table for layout in self._layouts.values())})
        elements = [layout.elements_table for layout in self._layouts.values() if layout.lists]

        def delete(transaction: Transaction) -> int:
            if transaction.dialect.is_postgresql:
                # Otherwise a record written meanwhile could stay, uncounted.
                transaction.later(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE")
            records = sum(
                transaction.fetch(f"SELECT count(*) FROM {table} WHERE project = %s", (project,))[0][0]
                for table in tables
            )
            transaction.later(
                f"DELETE FROM {stream_tables.ENTRIES} WHERE stream IN"
                f" (SELECT id FROM {stream_tables.STREAMS} WHERE project = %s)",
                (project,),
            )
            for table in (
                *tables,
                *elements,
                words.TABLE,
                stream_tables.STREAMS,
                sequences.TABLE,
                COUNTS,
                QUARANTINE,
            ):
                transaction.later(f"DELETE FROM {table} WHERE project = %s", (project,))
            for layout in self._layouts.values():
                if layout.searched:
                    texts.remove_all(transaction.later, transaction.dialect, layout, project)
            transaction.later(
                f"UPDATE {TALLIES} SET changes = changes + 1, records = 0, entries = 0, bytes = 0 WHERE project = %s",
                (project,),
            )
            return int(records)

        return self._database.write(delete, Durability.DURABLE)

    def _quarantine(self, project: str, collection: Collection, id: RecordId, reason: str) -> Quarantined:
        layout, at = self._layout(collection), times.to_instant(self.now())
        found = self._database.write(
            lambda transaction: quarantine.set_aside(transaction, layout, project, id, reason, at), Durability.DURABLE
        )
        return found if found is not None else self._raise_missing(project, collection, id)

    def _quarantined(self, project: str) -> list[Quarantined]:
        return quarantine.listed(self._database, self.collection, project)

    def _quarantine_restore(self, project: str, quarantine_id: str, text: str | None) -> Record:
        return self._written(
            project,
            lambda work, transaction: quarantine.restore(
                work, transaction, self.collection, project, quarantine_id, text
            ),
            Durability.DURABLE,
        )

    def _quarantine_discard(self, project: str, quarantine_id: str) -> Quarantined:
        return self._database.write(
            lambda transaction: quarantine.discard(transaction, self.collection, project, quarantine_id),
            Durability.DURABLE,
        )

    def _written(self, project: str, act: Callable[[Work, Transaction], T], durability: Durability) -> T:
        """The answer of what was done in one transaction; a record that cannot be read is set aside on the way."""

        def write(transaction: Transaction) -> tuple[T, Work]:
            work = Work(self, self._layouts, project, transaction)
            return act(work, transaction), work

        while True:
            try:
                result, work = self._database.write(write, durability)
            except UnreadableError as error:
                self._set_aside(project, error)
                continue
            if self._is_far:
                self._recent.remember(project, work.changed())
            if due := self._emptied.note(work.changes.emptied()):
                self._database.write(lambda transaction: counting.sweep(transaction, due), Durability.KILL_SAFE)
            return result

    def _readable(self, project: str, rows: Iterable[Row], rest: Sequence[query.Node] = ()) -> Iterator[Record]:
        """The records of those that can be read (and match the rest of the conditions); others are set aside."""
        for row in rows:
            try:
                if not rest or query.matches(rest, row):
                    yield row.record()
            except UnreadableError as error:
                self._set_aside(project, error)

    def _set_aside(self, project: str, error: UnreadableError) -> None:
        at = times.to_instant(self.now())
        self._database.write(
            lambda transaction: quarantine.set_aside(transaction, error.layout, project, error.id, error.reason, at),
            Durability.DURABLE,
        )

    def _require(self, project: str, collection: Collection, id: RecordId) -> None:
        layout = self._layout(collection)
        sql = f"SELECT 1 FROM {layout.table} WHERE {layout.scope} AND id = %s"
        if not self._database.read(sql, [*layout.scope_values(project), id]):
            self._raise_missing(project, collection, id)

    def _raise_missing(self, project: str, collection: Collection, id: RecordId) -> Any:
        rows = self._database.read(
            f"SELECT reason FROM {QUARANTINE} WHERE project = %s AND collection = %s AND record = %s",
            (project, collection.name, str(id)),
        )
        if rows:
            raise QuarantinedError(collection.name, id, rows[0][0])
        raise RecordNotFoundError(collection.name, id)

    def _search(
        self, project: str, collection: Collection, where: Where, terms: Terms, lock: str = "", bounded: bool = False
    ) -> Search:
        layout = self._layout(collection)
        dialect = self._database.dialect
        return Search(layout, dialect, project, narrowed(layout, dialect, where), terms, lock, where, bounded)

    def _layout(self, collection: Collection) -> Layout:
        return self._layouts.get(collection.name) or Layout(collection)

    def _upkeep(self, project: str | None, progress: Progress | None) -> upkeep.Task:
        if project is not None:
            self._check_project(project)
        return upkeep.Task(
            self._database,
            list(self._layouts.values()),
            project,
            progress or (lambda done, total: None),
            lambda: times.to_instant(self.now()),
        )


_CHUNK: Final = 100
_LARGEST_CHUNK: Final = 1000
_IMPORTED_AT_ONCE: Final = 200


def _observed(change: Change, left: set[RecordId]) -> Callable[[Record], Outcome]:
    """The change, remembering whom it leaves as he is."""

    def observed(record: Record) -> Outcome:
        result = outcome(change, record)
        (left.add if result.changes is None else left.discard)(record.id)
        return result

    return observed
