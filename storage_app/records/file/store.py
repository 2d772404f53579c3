"""Records in files: one readable JSON file each, a journal for what is acknowledged, an index for what is asked."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final, TypeVar

from storage_app import strict_json
from storage_app.records import query, times
from storage_app.records.answers import (
    Capabilities,
    CollectionStatistics,
    Exported,
    ExportedEntry,
    ExportedSequence,
    Progress,
    Quarantined,
    Report,
)
from storage_app.records.backend import Select, Selection
from storage_app.records.base import RecordStore
from storage_app.records.cursors import Terms
from storage_app.records.declarations import Collection, Key
from storage_app.records.errors import (
    AlreadyExistsError,
    InvalidError,
    RecordNotFoundError,
    RecordStoreError,
)
from storage_app.records.file import checking, quarantine, selecting, word_finding
from storage_app.records.file.journal import SEGMENT_BYTES
from storage_app.records.file.layer import FileLayer
from storage_app.records.file.project import Project, Session
from storage_app.records.file.settling import Settler
from storage_app.records.file.tables import Table
from storage_app.records.file.writing import (
    AT_ONCE,
    Releasing,
    SettingAside,
    Writing,
    line_of,
    missing_in,
)
from storage_app.records.ids import RecordId, TimeOrderedIds
from storage_app.records.operations import (
    Append,
    Change,
    Durability,
    Operation,
    Record,
    Result,
    Update,
    prepare,
)
from storage_app.records.query import Conditions, Where
from storage_app.records.streams import Numbers, PreparedEntry, StreamEntry, prepared_entries
from storage_app.records.words import Hits, Tallies, WordSelect
from storage_app.search.ranking import Statistics

T = TypeVar("T")
_IMPORTED_AT_ONCE: Final = 500


class FileRecordStore(RecordStore):
    """See `storage_app/README.md`, "The file store". All processes must be given the same collections."""

    capabilities: ClassVar = Capabilities(persistent=True, shared=True)

    def __init__(
        self,
        collections: Iterable[Collection],
        *,
        root: str | os.PathLike[str],
        clock: times.Clock = times.now,
        lock_timeout: float = 5.0,
        journal_bytes: int = SEGMENT_BYTES,
        layer: FileLayer | None = None,
    ) -> None:
        super().__init__(collections, clock=clock, lock_timeout=lock_timeout)
        self._root = os.path.abspath(root)  # noqa: PTH100
        self._layer = layer or FileLayer()
        self._journal_bytes = journal_bytes
        self._projects: dict[str, Project] = {}
        self._tallies = Tallies()
        self._tables: dict[str, Table] = {}
        self._guard = threading.Lock()
        self._settler = Settler()
        self._quarantine_id = TimeOrderedIds(clock)

    def close(self) -> None:
        """What is not yet in files or not yet durable there becomes so."""
        self._settler.stop()
        projects, self._projects = self._projects, {}
        failure: RecordStoreError | None = None
        for project in projects.values():
            try:
                project.close_cleanly()
            except RecordStoreError as error:  # nothing is lost: the journal has it; but somebody should know
                failure = error
            project.close()
        if failure is not None:
            raise failure

    def settle(self) -> None:
        """As `close`, without closing: afterwards the files alone have everything, durably."""
        for slug in self._slugs():
            self._project(slug).settle()

    # Projects

    def projects(self) -> list[str]:
        return [slug for slug in self._slugs() if self._collections(slug)]

    def _collections(self, project: str) -> list[str]:
        statement = "SELECT name FROM catalog WHERE records > 0 OR sequence > 0 UNION SELECT collection FROM quarantine"
        return self._project(project).read(
            lambda connection: sorted(row[0] for row in connection.execute(statement)), []
        )

    def _delete_project(self, project: str) -> int:
        found = self._project(project)
        return found.erase() if found.exists() else 0

    # Health

    def check(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        return checking.check(self._chosen(project), progress)

    def repair(self, project: str | None = None, *, progress: Progress | None = None) -> Report:
        return checking.repair(self._chosen(project), progress)

    def rebuild_index(self, project: str | None = None, *, progress: Progress | None = None) -> int:
        done = 0
        for found in self._chosen(project):
            done += found.rebuild(_after(done, progress))
        return done

    def statistics(self, project: str) -> dict[str, CollectionStatistics]:
        self._check_project(project)
        names = set(self._collections(project))
        statement = "SELECT name, records, entries, bytes FROM catalog ORDER BY name"
        rows: list[Any] = self._project(project).read(lambda connection: connection.execute(statement).fetchall(), [])
        return {name: CollectionStatistics(*numbers) for name, *numbers in rows if name in names}

    # Reading

    def _get(self, project: str, collection: Collection, id: RecordId) -> Record:
        table = self._table(collection)
        statement = f"SELECT version, text FROM {table.name} WHERE id = ?"  # noqa: S608

        def work(connection: Any) -> Record | RecordStoreError:
            row = connection.execute(statement, (id,)).fetchone()
            if row is None:
                return missing_in(connection, collection.name, id)
            return Record(id, row[0], strict_json.loads_own(row[1]))

        nothing: Record | RecordStoreError = RecordNotFoundError(collection.name, id)
        found = self._ask(project, table, work, nothing)
        if isinstance(found, RecordStoreError):
            raise found
        return found

    def _get_many(self, project: str, collection: Collection, ids: Sequence[RecordId]) -> list[Record]:
        table = self._table(collection)
        marks = ",".join("?" * len(ids))
        statement = f"SELECT id, version, text FROM {table.name} WHERE id IN ({marks})"  # noqa: S608

        def work(connection: Any) -> dict[RecordId, tuple[int, str]]:
            return {row[0]: row[1:] for row in connection.execute(statement, ids)}

        nothing: dict[RecordId, tuple[int, str]] = {}
        found = self._ask(project, table, work, nothing) if ids else nothing
        return [Record(id, found[id][0], strict_json.loads_own(found[id][1])) for id in ids if id in found]

    def _select(self, project: str, select: Select) -> Selection:
        table = self._table(select.collection)
        return self._ask(project, table, lambda connection: selecting.select(connection, table, select), Selection([]))

    def _find_words(self, project: str, asked: WordSelect) -> Hits:
        table = self._table(asked.collection)
        nothing = Hits([], False, Statistics(0, 0, dict.fromkeys(asked.scored, 0)))
        counter = self._change_counter(project, asked.collection, None)

        def work(connection: Any) -> Hits:
            return word_finding.find(connection, table, asked, project, counter, self._tallies)

        return self._ask(project, table, work, nothing)

    def _count(self, project: str, collection: Collection, where: Where) -> int:
        table = self._table(collection)
        return self._ask(project, table, lambda connection: selecting.count(connection, table, where), 0)

    def _count_by(
        self, project: str, collection: Collection, by: tuple[str, ...], where: Where
    ) -> dict[tuple[Key, ...], int]:
        table = self._table(collection)
        return self._ask(project, table, lambda connection: selecting.count_by(connection, table, by, where), {})

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
        statement = "SELECT stream, last FROM streams WHERE collection = ? AND id = ? AND name = ?"

        def work(connection: Any) -> tuple[list[StreamEntry], int]:
            number, last = connection.execute(statement, (collection.name, id, stream)).fetchone() or (0, 0)
            return self._read_range(connection, number, after, min(before, last + 1), limit, backwards), last

        return self._read_entries(project, collection, id, work, self._table(collection))

    def _read_entries(
        self, project: str, collection: Collection, id: RecordId, work: Callable[[Any], T], table: Table
    ) -> T:
        """`work`, where the record exists."""
        statement = f"SELECT 1 FROM {table.name} WHERE id = ?"  # noqa: S608

        def guarded(connection: Any) -> T | RecordStoreError:
            if connection.execute(statement, (id,)).fetchone() is None:
                return missing_in(connection, collection.name, id)
            return work(connection)

        nothing: T | RecordStoreError = RecordNotFoundError(collection.name, id)
        found = self._ask(project, table, guarded, nothing)
        if isinstance(found, RecordStoreError):
            raise found
        return found

    def _read_range(
        self, connection: Any, stream: int, after: int, before: int, limit: int, backwards: bool
    ) -> list[StreamEntry]:
        order = "DESC" if backwards else "ASC"
        statement = (
            "SELECT line FROM entries WHERE stream = ? AND position > ? AND position < ? "  # noqa: S608
            f"ORDER BY position {order} LIMIT ?"
        )
        rows = connection.execute(statement, (stream, after, before, limit)).fetchall()
        return [entry_of(row[0]) for row in (reversed(rows) if backwards else rows)]

    def _stream_names(self, project: str, collection: Collection, id: RecordId) -> list[str]:
        statement = "SELECT name FROM streams WHERE collection = ? AND id = ? AND last > 0 ORDER BY name"
        table = self._table(collection)
        return self._read_entries(
            project,
            collection,
            id,
            lambda connection: [row[0] for row in connection.execute(statement, (collection.name, id))],
            table,
        )

    def _sequence(self, project: str, collection: Collection) -> int:
        statement = "SELECT sequence FROM catalog WHERE name = ?"

        def work(connection: Any) -> int:
            row = connection.execute(statement, (collection.name,)).fetchone()
            return int(row[0]) if row else 0

        return self._ask(project, self._table(collection), work, 0)

    def _change_counter(self, project: str, collection: Collection, stream: str | None) -> int:
        values: tuple[str, ...] = (collection.name,)
        statement = "SELECT changed FROM catalog WHERE name = ?"
        if stream is not None:
            values = (collection.name, stream)
            statement = "SELECT changed FROM changes WHERE collection = ? AND stream = ?"

        def work(connection: Any) -> int:
            row = connection.execute(statement, values).fetchone()
            row = row or connection.execute("SELECT born FROM here").fetchone()
            return int(row[0])

        return self._project(project).read(work, 0)

    # Writing

    def _apply(self, project: str, operations: Sequence[Operation], durability: Durability) -> list[Result]:
        tables = {self._table(self.collection(operation.collection)) for operation in operations}
        durable = durability is Durability.DURABLE
        at_once = durable and len(operations) <= AT_ONCE

        def work(session: Session) -> list[Result]:
            writing = self._writing(session, at_once)
            results = [writing.perform(operation) for operation in operations]
            return self._committed(session, writing, durable, results)

        results = self._write(project, work, *tables)
        if len(operations) > AT_ONCE:
            self._project(project).keep_up(len(operations))
        return results

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
        table = self._table(collection)
        select = Select(collection, query.compiled(collection, conditions), terms, limit)
        durable = durability is Durability.DURABLE

        def work(session: Session) -> list[Record]:
            writing = self._writing(session, durable and limit <= AT_ONCE)
            taken: list[Record] = []
            for row in selecting.select_rows(session.connection, table, select)[0]:
                changed = writing.change(table, row, Update(collection.name, row.id, change))
                if changed.version != row.version:
                    taken.append(changed)
            return self._committed(session, writing, durable, taken)

        if not self._project(project).exists():
            return []
        return self._write(project, work, table)

    def _import(self, project: str, collection: Collection, items: Iterable[Exported]) -> int:
        records, batch = 0, []
        for item in items:
            batch.append(item)
            if len(batch) == _IMPORTED_AT_ONCE:
                records += self._import_batch(project, collection, batch)
                batch = []
        return records + (self._import_batch(project, collection, batch) if batch else 0)

    def _quarantine(self, project: str, collection: Collection, id: RecordId, reason: str) -> Quarantined:
        table = self._table(collection)

        def work(session: Session) -> Quarantined:
            row = self._writing(session, True).row(table, id)
            aside = quarantine.Aside(
                self._quarantine_id(),
                collection.name,
                id,
                row.version,
                quarantine.storable(reason),
                self.now(),
                row.text,
            )
            session.commit(SettingAside(session, table, row, aside), durable=True)
            return aside.quarantined()

        if not self._project(project).exists():
            raise RecordNotFoundError(collection.name, id)
        return self._write(project, work, table)

    def _quarantined(self, project: str) -> list[Quarantined]:
        statement = "SELECT * FROM quarantine ORDER BY at, quarantine_id"

        def work(connection: Any) -> list[Quarantined]:
            return [quarantine.from_row(row).quarantined() for row in connection.execute(statement)]

        return self._project(project).read(work, [])

    def _quarantine_restore(self, project: str, quarantine_id: str, text: str | None) -> Record:
        def work(session: Session) -> Record:
            aside, table = self._aside(session, quarantine_id)
            if aside.id is None or table is None:
                raise InvalidError("its id cannot be told; it can only be discarded", "id")
            try:
                document = strict_json.loads_object((aside.good or aside.text) if text is None else text)
            except strict_json.StrictJSONError as error:
                raise InvalidError(str(error), "document") from error
            if session.rows.find(table, aside.id) is not None:
                raise AlreadyExistsError(aside.collection, "id", aside.id, aside.id)
            prepared = prepare(table.collection, document)
            self._writing(session, True).refuse_taken(table, aside.id, prepared)
            releasing = Releasing(session, table, aside, prepared)
            session.commit(releasing, durable=True)
            return Record(aside.id, aside.version + 1, strict_json.loads_own(prepared.text))

        return self._write_existing(project, work, quarantine_id)

    def _quarantine_discard(self, project: str, quarantine_id: str) -> Quarantined:
        def work(session: Session) -> Quarantined:
            aside, table = self._aside(session, quarantine_id)
            session.commit(Releasing(session, table, aside, None), durable=True)
            return aside.quarantined()

        return self._write_existing(project, work, quarantine_id)

    def _aside(self, session: Session, quarantine_id: str) -> tuple[quarantine.Aside, Table | None]:
        statement = "SELECT * FROM quarantine WHERE quarantine_id = ?"
        row = session.connection.execute(statement, (quarantine_id,)).fetchone()
        if row is None:
            raise RecordNotFoundError("quarantine", quarantine_id)
        return quarantine.from_row(row), self._table_of(row[1])

    # What it stands on

    def _ask(self, project: str, table: Table, work: Callable[[Any], T], missing: T) -> T:
        return self._project(project).read(work, missing, table)

    def _write(self, project: str, work: Callable[[Session], T], *tables: Table) -> T:
        return self._project(project).change(work, *tables)

    def _write_existing(self, project: str, work: Callable[[Session], T], quarantine_id: str) -> T:
        if not self._project(project).exists():
            raise RecordNotFoundError("quarantine", quarantine_id)
        return self._write(project, work)

    def _committed(self, session: Session, writing: Writing, durable: bool, results: T) -> T:
        if writing.has_effects():
            session.commit(writing, durable)
            if writing.leaves_files_behind():
                self._settler.soon(session.project, large=durable)
            self._settler.note(session.project, session.tail)
        return results

    def _writing(self, session: Session, at_once: bool) -> Writing:
        return Writing(session, self._table, self.collection, self._time_ordered_id, at_once)

    def _import_batch(self, project: str, collection: Collection, items: list[Exported]) -> int:
        """As many as can be; what came before a wrong one stays."""
        table = self._table(collection)
        failure: list[RecordStoreError] = []

        def work(session: Session) -> int:
            failure.clear()
            writing = self._writing(session, at_once=False)
            records = 0
            for item in items:
                try:
                    records += self._import_item(session, writing, table, item)
                except RecordStoreError as error:
                    failure.append(error)
                    break
            return self._committed(session, writing, True, records)

        records = self._write(project, work, table)
        self._project(project).keep_up(len(items))
        if failure:
            raise failure[0]
        return records

    def _import_item(self, session: Session, writing: Writing, table: Table, item: Exported) -> bool:
        if isinstance(item, ExportedSequence):
            if item.last > session.rows.sequence(table):
                writing.number(table, item.last)
            return False
        if isinstance(item, Record):
            return writing.import_record(table, item)
        self._import_entry(session, writing, table, item)
        return False

    def _import_entry(self, session: Session, writing: Writing, table: Table, item: ExportedEntry) -> None:
        row, entry, rows = writing.row(table, item.id), item.entry, session.rows
        append = Append(table.collection.name, item.id, item.stream, [entry.data], entry.source)
        (prepared,) = prepared_entries(append)
        name = table.collection.name
        stream = rows.stream(name, item.id, item.stream)
        last = stream.last if stream else 0
        if entry.position <= last and stream is not None:
            (there,) = self._read_range(
                session.connection, stream.number, entry.position - 1, entry.position + 1, 1, False
            )
            if there != entry:
                raise AlreadyExistsError(item.stream, "position", entry.position, item.id)
            return
        if entry.position != last + 1:
            raise InvalidError(f"{entry.position} does not follow {last}", "position")
        stream = stream or rows.new_stream(name, item.id, item.stream)
        if entry.number is not None:
            numbers = Numbers(rows.numbers(stream, entry.source))
            numbers.add(entry.number)
            rows.set_numbers(stream, entry.source, numbers.ranges())
        line = line_of(entry.position, entry.source, PreparedEntry(prepared.text, entry.number))
        writing.add_lines(table, row, item.stream, [line], stream)

    def _chosen(self, project: str | None) -> list[Project]:
        if project is not None:
            self._check_project(project)
        slugs = self._slugs() if project is None else [project]
        return [found for slug in slugs if (found := self._project(slug)).exists()]

    def _slugs(self) -> list[str]:
        names = [entry.name for entry in self._layer.entries(self._root) if entry.is_dir()]
        return [name for name in names if not name.startswith(".")]

    def _project(self, slug: str) -> Project:
        found = self._projects.get(slug)
        if found is None:
            with self._guard:
                found = self._projects.get(slug)
                if found is None:
                    found = self._projects[slug] = Project(
                        self._layer,
                        self._root,
                        slug,
                        self._lock_timeout,
                        self._journal_bytes,
                        self._table_of,
                        lambda: [self._table(collection) for collection in self._declared.values()],
                    )
        return found

    def _table(self, collection: Collection) -> Table:
        found = self._tables.get(collection.name)
        if found is None:
            found = self._tables[collection.name] = Table(collection)
        return found

    def _table_of(self, name: str) -> Table | None:
        try:
            return self._table(self.collection(name))
        except InvalidError:
            return None


def entry_of(line: str) -> StreamEntry:
    fields: dict[str, Any] = strict_json.loads_own(line)
    return StreamEntry(fields["position"], fields["data"], fields.get("source", ""), fields.get("number"))


def _after(done: int, progress: Progress | None) -> Progress | None:
    return None if progress is None else lambda more, total: progress(done + more, total)
