"""The operations of the contract, made to rows of the index, and what has to follow in journal and files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from storage_app import strict_json
from storage_app.records import query
from storage_app.records.declarations import Collection, Ids
from storage_app.records.errors import (
    AlreadyExistsError,
    GuardFailedError,
    InvalidError,
    QuarantinedError,
    RecordNotFoundError,
    RecordStoreError,
    VersionConflictError,
)
from storage_app.records.file import effects, quarantine
from storage_app.records.file.changes import Changes
from storage_app.records.file.placing import Waiting
from storage_app.records.file.project import Project, Session
from storage_app.records.file.rows import Row, StreamRow, base_folder, split_folder
from storage_app.records.file.tables import Table
from storage_app.records.file.walking import write_aside
from storage_app.records.ids import LARGEST_SEQUENCE, RecordId, check_sequence
from storage_app.records.operations import (
    Append,
    Appended,
    Delete,
    Insert,
    Operation,
    Prepared,
    Record,
    Replace,
    Result,
    Update,
    merged,
    outcome,
    prepare,
)
from storage_app.records.query import Where
from storage_app.records.streams import Numbers, PreparedEntry, prepared_entries

AT_ONCE: Final = 64  # more records in one go than this, and their files follow in the background


@dataclass
class Touched:
    """A record as it was before, and its state afterwards; None: it was not there, or is not any more."""

    table: Table
    id: RecordId
    folder: str | None  # where its files are when the session begins
    existed: bool
    version: int = 0
    text: str | None = None
    target: str | None = None  # where its files go; None: later
    put: bool = False
    gone: bool = False
    streams: dict[str, tuple[int, list[str]]] = field(default_factory=dict)  # first position and lines that are new
    gone_streams: list[str] = field(default_factory=list)


class Writing(Changes):
    """`at_once`: the files change with the call. Otherwise (claims, heartbeats, large batches) they follow."""

    def __init__(
        self,
        session: Session,
        table_of: Callable[[Collection], Table],
        declaration: Callable[[str], Collection],
        new_id: Callable[[], str],
        at_once: bool,
    ) -> None:
        super().__init__()
        self._session = session
        self._rows = session.rows
        self._table_of = table_of
        self._declaration = declaration
        self._new_id = new_id
        self._at_once = at_once
        self._touched: dict[tuple[str, RecordId], Touched] = {}
        self._numbered: dict[str, int] = {}
        self._placing = False

    # Operations

    def perform(self, operation: Operation) -> Result:
        table = self._table_of(self._declaration(operation.collection))
        if isinstance(operation, Insert):
            return self._insert(table, operation)
        if isinstance(operation, Append):
            return self._append(table, operation)
        row = self._row_to_change(table, operation)
        if row is None:
            return None
        if isinstance(operation, Delete):
            self._delete(table, row)
            return row.record()
        if isinstance(operation, Replace):
            return self._put(table, row, prepare(table.collection, operation.document))
        return self.change(table, row, operation)

    def change(self, table: Table, row: Row, operation: Update) -> Record:
        given = row.record() if callable(operation.change) else Record(row.id, row.version, {})
        result = outcome(operation.change, given)
        if result.changes is None:
            record = row.record()
        else:
            # The function had a copy of its own to play with; the change is made to the stored document.
            document = merged(row.document, result.changes)
            record = self._put(table, row, prepare(table.collection, document))
        for following in result.then:
            self.perform(following)
        return record

    def row(self, table: Table, id: RecordId) -> Row:
        row = self._rows.find(table, id)
        if row is None:
            raise missing(self._session, table.collection.name, id)
        return row

    def import_record(self, table: Table, record: Record) -> bool:
        """Whether it was not there yet."""
        id, prepared = table.collection.check_id(record.id), prepare(table.collection, record.document)
        row = self._rows.find(table, id)
        if row is not None:
            if (row.version, row.text) != (record.version, prepared.text):
                raise AlreadyExistsError(table.collection.name, "id", id, id)
            return False
        if is_aside(self._session, table.collection.name, id):
            raise AlreadyExistsError(table.collection.name, "id", id, id)
        self.refuse_taken(table, id, prepared)
        if table.collection.ids is Ids.SEQUENCE:
            self.number(table, max(int(id), self._rows.sequence(table)))
        self._create(table, id, record.version, prepared)
        return True

    def number(self, table: Table, last: int) -> None:
        self._numbered[table.collection.name] = last
        self._rows.numbered(table, last)

    def touched(self, table: Table, row: Row | None, id: RecordId) -> Touched:
        place = (table.collection.name, id)
        if (known := self._touched.get(place)) is None:
            known = Touched(table, id, row.folder if row else None, row is not None)
            if row is not None:
                known.target = row.folder if row.placed else None
            self._touched[place] = known
        return known

    def add_lines(self, table: Table, row: Row, name: str, lines: list[str], stream: StreamRow) -> None:
        touched = self.touched(table, row, row.id)
        _, known = touched.streams.setdefault(name, (stream.last + 1, []))
        known.extend(lines)
        self._rows.add_lines(table.collection.name, stream, lines)
        self._rows.stream_changed(table.collection.name, name)
        if not self._at_once and row.placed:
            self._rows.place(table, row, row.folder, placed=False)

    def refuse_taken(self, table: Table, id: RecordId, prepared: Prepared, before: Row | None = None) -> None:
        for unique in table.collection.unique_fields:
            value = prepared.keys[unique.name]
            if value is None or (before is not None and before.keys[unique.name] == value):
                continue
            holder = self._holder(table, unique.name, prepared)
            if holder is not None and holder != id:
                raise AlreadyExistsError(table.collection.name, unique.name, value, holder)

    def has_effects(self) -> bool:
        """Whether there is anything to write; a claim that finds nothing has none."""
        return bool(self._touched or self._numbered)

    def leaves_files_behind(self) -> bool:
        return not self._at_once and any(not touched.gone for touched in self._touched.values())

    # Journal and files

    def describe(self) -> None:
        self.effects = self._effects()

    def prepare(self, session: Session) -> list[Waiting]:
        placing = session.project.placing
        if not self._at_once:
            return []
        return [
            placing.prepare(touched.table.collection.name, touched.id, touched.version, touched.text, touched.target)
            for touched in self._touched.values()
            if touched.put and touched.text is not None and touched.target is not None
        ]

    def place(self, session: Session, waiting: list[Waiting]) -> None:
        self._placing = True
        placing = session.project.placing
        for touched in self._touched.values():
            # Files that are to go go in any case; only those that are to come may wait.
            if touched.folder is not None and (touched.gone or touched.gone_streams):
                placing.remove(touched.folder, touched.id, touched.gone_streams)
        for item in waiting:
            placing.rename(item)
        if self._at_once:
            for touched in self._touched.values():
                if not touched.gone:
                    self._place_streams(session, touched)

    def take_back(self, project: Project) -> None:
        if not self._placing:
            return
        connection = project.index.writer()
        connection.execute("BEGIN IMMEDIATE")
        session = Session(project, connection, self._session.tail)
        for touched in self._touched.values():
            project.placing.refile(
                session.rows, touched.table, touched.id, [touched.folder, touched.target], touched.streams, durable=True
            )
        session.commit_derived()

    def _effects(self) -> list[effects.Effect]:
        made: list[effects.Effect] = [effects.Numbered(name, last) for name, last in self._numbered.items()]
        for touched in self._touched.values():
            name = touched.table.collection.name
            if touched.existed and (touched.gone or touched.gone_streams):
                made.append(effects.Gone(name, touched.id, touched.folder))
            if touched.gone:
                continue
            if touched.put and touched.text is not None:
                target = touched.target if self._at_once else None
                made.append(effects.Put(name, touched.id, touched.version, touched.text, target, touched.folder))
            made += [
                effects.Added(name, touched.id, stream, first, tuple(lines))
                for stream, (first, lines) in touched.streams.items()
                if lines
            ]
        return made

    def _place_streams(self, session: Session, touched: Touched) -> None:
        if not (touched.existed or touched.streams or touched.folder):
            return
        placing, rows, target = session.project.placing, session.rows, touched.target
        assert target is not None
        known = rows.streams(touched.table.collection.name, touched.id)
        if touched.folder is not None and touched.folder != target:
            placing.move_streams(known, touched.id, touched.folder, target)
            placing.retire(touched.folder, touched.id)
        for stream in known:
            if stream.filed < stream.last:
                placing.file_entries(rows, stream, touched.id, target)

    # One operation each

    def _insert(self, table: Table, operation: Insert) -> Record:
        prepared = prepare(table.collection, operation.document)
        if isinstance(operation.version, bool) or operation.version < 1:
            raise InvalidError("must be at least 1", "version")
        id = self._id_for(table, operation.id)
        self.refuse_taken(table, id, prepared)
        if table.collection.ids is Ids.SEQUENCE:
            self.number(table, int(id))
        self._create(table, id, operation.version, prepared)
        return Record(id, operation.version, strict_json.loads_own(prepared.text))

    def _create(self, table: Table, id: RecordId, version: int, prepared: Prepared) -> None:
        touched = self.touched(table, None, id)
        if self._at_once and touched.target is None:
            touched.target = self._rows.folder_with_room(base_folder(table.collection, prepared.keys))
        target = touched.target if self._at_once else None
        self._rows.insert(table, id, version, prepared, target, placed=self._at_once)
        touched.put, touched.gone, touched.version, touched.text = True, False, version, prepared.text

    def _id_for(self, table: Table, given: RecordId | None) -> RecordId:
        name = table.collection.name
        if table.collection.ids is Ids.SEQUENCE:
            return self._number_for(table, given)
        if given is None and table.collection.ids is Ids.TIME_ORDERED:
            return self._new_id()
        id = table.collection.check_id(given)
        if self._rows.find(table, id) is not None or is_aside(self._session, name, id):
            raise AlreadyExistsError(name, "id", id, id)
        return id

    def _number_for(self, table: Table, given: RecordId | None) -> int:
        last = self._rows.sequence(table)
        if given is None:
            if last >= LARGEST_SEQUENCE:
                raise InvalidError("the sequence is at its end", "id")
            return last + 1
        if (number := check_sequence(given)) <= last:
            taken = self._rows.find(table, number) is not None
            raise AlreadyExistsError(table.collection.name, "id", number, number if taken else None)
        return number

    def _holder(self, table: Table, name: str, prepared: Prepared) -> RecordId | None:
        if name in table.columns:
            return self._rows.holder(table, name, prepared.keys[name])
        raise InvalidError("a field of this kind cannot be unique", name)

    def _row_to_change(self, table: Table, operation: Update | Replace | Delete) -> Row | None:
        id = table.collection.check_id(operation.id)
        where = query.compiled(table.collection, operation.guard)
        try:
            row = self.row(table, id)
            self._hold(table, row, operation.expected_version, where)
        except (RecordNotFoundError, QuarantinedError, VersionConflictError, GuardFailedError):
            if operation.optional:
                return None
            raise
        return row

    def _hold(self, table: Table, row: Row, expected: int | None, where: Where) -> None:
        if expected is not None and expected != row.version:
            raise VersionConflictError(table.collection.name, row.id, expected, row.version)
        if where and not query.matches(where, row):
            raise GuardFailedError(table.collection.name, row.id, row.version)

    def _put(self, table: Table, row: Row, prepared: Prepared) -> Record:
        self.refuse_taken(table, row.id, prepared, row)
        touched = self.touched(table, row, row.id)
        if self._at_once:
            self._aim(touched, base_folder(table.collection, prepared.keys), row.folder)
        folder = touched.target if self._at_once else row.folder
        version = row.version + 1
        self._rows.update(table, row, version, prepared, folder, placed=self._at_once)
        touched.put, touched.version, touched.text = True, version, prepared.text
        return Record(row.id, version, strict_json.loads_own(prepared.text))

    def _aim(self, touched: Touched, base: str, current: str | None) -> None:
        """The folder that the files go to; counted as one more there, and one less where they were."""
        if current is not None and split_folder(current)[0] == base:
            touched.target = current
            return
        if current is not None:
            self._rows.left_folder(current)
        touched.target = self._rows.folder_with_room(base)

    def _delete(self, table: Table, row: Row) -> None:
        touched = self.touched(table, row, row.id)
        touched.gone_streams += [stream.name for stream in self._rows.streams(table.collection.name, row.id)]
        self._rows.delete_streams(table.collection.name, row.id)
        self._rows.delete(table, row)
        if row.folder is not None:
            self._rows.left_folder(row.folder)
        touched.gone, touched.put, touched.target, touched.streams = True, False, None, {}

    def _append(self, table: Table, operation: Append) -> Appended:
        row = self.row(table, table.collection.check_id(operation.id))
        entries = prepared_entries(operation)
        name = table.collection.name
        stream = self._rows.stream(name, row.id, operation.stream)
        if not entries:
            return Appended(0, stream.last if stream else 0)
        stream = stream or self._rows.new_stream(name, row.id, operation.stream)
        new = self._new_entries(stream, operation.source, entries)
        if self._at_once and not row.placed:
            # The record's own file follows too, so that nothing of it is left waiting behind its stream.
            self._place_as_it_is(table, row)
        elif self._at_once:
            self.touched(table, row, row.id).target = row.folder
        lines = [line_of(stream.last + place, operation.source, entry) for place, entry in enumerate(new, 1)]
        self.add_lines(table, row, operation.stream, lines, stream)
        return Appended(len(new), stream.last)

    def _place_as_it_is(self, table: Table, row: Row) -> None:
        touched = self.touched(table, row, row.id)
        self._aim(touched, base_folder(table.collection, row.keys), row.folder)
        touched.put, touched.version, touched.text = True, row.version, row.text
        self._rows.place(table, row, touched.target, placed=True)

    def _new_entries(self, stream: StreamRow, source: str, entries: Sequence[PreparedEntry]) -> list[PreparedEntry]:
        if all(entry.number is None for entry in entries):
            return list(entries)
        numbers = Numbers(self._rows.numbers(stream, source))
        new = [entry for entry in entries if entry.number is None or numbers.add(entry.number)]
        self._rows.set_numbers(stream, source, numbers.ranges())
        return new


def line_of(position: int, source: str, entry: PreparedEntry) -> str:
    """An entry as it stands in the file of its stream."""
    from_whom = f',"source":{strict_json.dumps(source)}' if source else ""
    number = "" if entry.number is None else f',"number":{entry.number}'
    return f'{{"position":{position}{from_whom}{number},"data":{entry.text}}}'


def missing(session: Session, collection: str, id: RecordId) -> RecordStoreError:
    return missing_in(session.connection, collection, id)


def missing_in(connection: object, collection: str, id: RecordId) -> RecordStoreError:
    statement = "SELECT reason FROM quarantine WHERE collection = ? AND id = ? LIMIT 1"
    row = connection.execute(statement, (collection, id)).fetchone()  # type: ignore[attr-defined]
    return QuarantinedError(collection, id, row[0]) if row else RecordNotFoundError(collection, id)


def is_aside(session: Session, collection: str, id: RecordId) -> bool:
    statement = "SELECT 1 FROM quarantine WHERE collection = ? AND id = ?"
    return session.connection.execute(statement, (collection, id)).fetchone() is not None


class SettingAside(Changes):
    """One record to quarantine."""

    def __init__(self, session: Session, table: Table, row: Row, aside: quarantine.Aside) -> None:
        super().__init__()
        self._table, self._row, self._aside = table, row, aside
        self._streams = session.rows.streams(table.collection.name, row.id)
        session.rows.delete(table, row)
        if row.folder is not None:
            session.rows.left_folder(row.folder)
        session.connection.execute("INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?)", aside.row())
        self.effects.append(
            effects.SetAside(table.collection.name, row.id, aside.quarantine_id, row.folder, quarantine.to_text(aside))
        )

    def place(self, session: Session, waiting: list[Waiting]) -> None:
        project, row = session.project, self._row
        folder = quarantine.folder(self._aside.quarantine_id)
        write_aside(project, self._aside)
        for stream in self._streams:
            if row.folder is not None:
                project.placing.move_streams([stream], row.id, row.folder, folder)
            if stream.filed < stream.last:
                project.placing.file_entries(session.rows, stream, row.id, folder)
        if row.folder is not None:
            project.placing.remove(row.folder, row.id, ())

    def take_back(self, project: Project) -> None:
        folder = quarantine.folder(self._aside.quarantine_id)
        connection = project.index.writer()
        connection.execute("BEGIN IMMEDIATE")
        session = Session(project, connection, project.journal.tail())
        folders = [self._row.folder, folder]
        project.placing.refile(session.rows, self._table, self._row.id, folders, durable=True)
        session.commit_derived()
        remove_aside(project, self._aside.quarantine_id)


class Releasing(Changes):
    """One out of quarantine: back as a record, or for good."""

    def __init__(self, session: Session, table: Table | None, aside: quarantine.Aside, back: Prepared | None) -> None:
        super().__init__()
        self._table, self._aside, self._back, self._folder = table, aside, back, ""
        connection, rows = session.connection, session.rows
        connection.execute("DELETE FROM quarantine WHERE quarantine_id = ?", (aside.quarantine_id,))
        self._streams = [] if aside.id is None else rows.streams(aside.collection, aside.id)
        if back is not None and table is not None and aside.id is not None:
            self._folder = rows.folder_with_room(base_folder(table.collection, back.keys))
            rows.insert(table, aside.id, aside.version + 1, back, self._folder, placed=True)
            left = quarantine.folder(aside.quarantine_id)
            self.effects.append(
                effects.Put(aside.collection, aside.id, aside.version + 1, back.text, self._folder, left)
            )
        elif aside.id is not None:
            rows.delete_streams(aside.collection, aside.id)
            self.effects.append(effects.Gone(aside.collection, aside.id, quarantine.folder(aside.quarantine_id)))
        self.effects.append(effects.Released(aside.quarantine_id))

    def prepare(self, session: Session) -> list[Waiting]:
        aside = self._aside
        if self._back is None or aside.id is None:
            return []
        version, text = aside.version + 1, self._back.text
        return [session.project.placing.prepare(aside.collection, aside.id, version, text, self._folder)]

    def place(self, session: Session, waiting: list[Waiting]) -> None:
        project, aside = session.project, self._aside
        for item in waiting:
            project.placing.rename(item)
        if self._back is not None and aside.id is not None:
            left = quarantine.folder(aside.quarantine_id)
            project.placing.move_streams(self._streams, aside.id, left, self._folder)
        remove_aside(project, aside.quarantine_id)

    def take_back(self, project: Project) -> None:
        aside = self._aside
        write_aside(project, aside)
        if aside.id is None:
            return
        folder = quarantine.folder(aside.quarantine_id)
        for stream in self._streams:
            if self._folder:
                project.placing.move_streams([stream], aside.id, self._folder, folder)
        if self._folder:
            project.placing.remove(self._folder, aside.id, ())


def remove_aside(project: Project, quarantine_id: str) -> None:
    folder = f"{project.folder}/{quarantine.folder(quarantine_id)}"
    # The description goes last: what is half gone is then still something that can be discarded again.
    for entry in sorted(project.layer.entries(folder), key=lambda entry: entry.name == "record.json"):
        project.layer.remove(entry.path)
    project.layer.remove_folder(folder)
