"""Check, repair and rebuilding: whether columns, counts and streams say what the documents say, and making them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from storage_app import strict_json
from storage_app.records.answers import Problem, Progress, Report
from storage_app.records.database import quarantine, rows, sequences, texts, words
from storage_app.records.database.counting import COUNTS, TALLIES, Changes, counter_name, stored_values
from storage_app.records.database.dialects import Dialect
from storage_app.records.database.layout import FREE_TABLE, Layout
from storage_app.records.database.row import Row, UnreadableError
from storage_app.records.database.rows import QUARANTINE
from storage_app.records.database.stream_tables import ENTRIES, STREAMS
from storage_app.records.database.transactions import Database, Parameters, Rows, Transaction
from storage_app.records.declarations import Key, Kind, free_collection
from storage_app.records.errors import LockTimeoutError
from storage_app.records.ids import RecordId
from storage_app.records.operations import Durability
from storage_app.records.query import fold

Fetch = Callable[[str, Parameters], Rows]


@dataclass(frozen=True)
class Task:
    """What is to be looked at, and whom to tell how far it is."""

    database: Database
    layouts: Sequence[Layout]
    project: str | None
    progress: Progress
    now: Callable[[], int]


@dataclass(frozen=True)
class _Found:
    """A row as it stands in its table: text, and the keys that its columns hold (folded where they do)."""

    layout: Layout
    id: RecordId
    version: int
    text: str
    columns: dict[str, Key]
    elements: dict[str, tuple[str, ...]]
    dialect: Dialect
    texts: Mapping[str, Any]  # by search field, what the index of texts has
    words: tuple[int, int, str | None, str] | None = None

    @property
    def keys(self) -> Mapping[str, Key]:
        return {**self.columns, **self.elements}

    @cached_property
    def row(self) -> Row:
        return Row(self.layout, self.id, self.version, self.text)

    def fault(self) -> tuple[str, str] | None:
        """The kind and the detail of what is wrong with it."""
        try:
            keys = self.row.keys
        except UnreadableError as error:
            return "unreadable", error.reason
        if strict_json.dumps(self.row.document) != self.text:
            return "index_stale", "the document was written by hand"
        for field in self.layout.collection.fields:
            if field.kind is Kind.WORDS:
                continue  # judged by its words, below
            wanted = keys[field.name]
            if field.kind is Kind.SEARCH and isinstance(wanted, str):
                wanted = fold(wanted)
            if field.kind is Kind.TEXT_LIST:
                if set(wanted if isinstance(wanted, tuple) else ()) != set(self.elements[field.name]):
                    return "index_stale", f"the elements of {field.name} are not those of the document"
            elif wanted != self.columns[field.name]:
                return "index_stale", f"the column of {field.name} is not what the document says"
            if field.kind is Kind.SEARCH and not self._is_indexed(field.name, wanted):
                return "index_stale", f"the index of texts does not have {field.name} as the document says it"
        if self.layout.collection.words and self.words != words.expected(self.layout, keys):
            return "index_stale", "the words are not those of the document"
        return None

    def _is_indexed(self, name: str, folded: Key) -> bool:
        if not isinstance(folded, str):
            return name not in self.texts
        return name in self.texts and bool(self.texts[name] == texts.mark(self.dialect, folded))


def checked(task: Task) -> Report:
    problems: list[Problem] = []
    records = entries = 0
    with task.database.snapshot() as fetch:
        for project, layout in _places(task, fetch):
            totals = _Totals(layout)
            for found in _rows(fetch, task.database, layout, project):
                records += 1
                totals.add(found)
                if fault := found.fault():
                    problems.append(Problem(fault[0], project, layout.name, found.id, fault[1]))
                if records % _STEP == 0:
                    task.progress(records, None)
            held, faults = _streams(fetch, layout, project)
            entries += held
            problems += faults
            problems += totals.differences(fetch, project, held)
            if layout.collection.words and (lost := words.orphans(fetch, layout, project)):
                problems.append(Problem("index_stale", project, layout.name, None, f"{lost} texts of no record"))
    task.progress(records, records)
    return Report(records, entries, problems)


def repaired(task: Task) -> Report:
    report = checked(task)
    for problem in report.problems:
        if problem.record_id is not None and problem.kind in ("unreadable", "index_stale"):
            layout = _layout(task, problem.collection)
            _mend(task, layout, problem.project, problem.record_id)
    if any(problem.kind == "stream" for problem in report.problems):
        for project, collection in {(p.project, p.collection) for p in report.problems if p.kind == "stream"}:
            _mend_streams(task, _layout(task, collection), project)
    if report.problems:
        rebuilt(task)
    again = checked(task)
    return Report(again.records, again.entries, report.problems, len(report.problems) - len(again.problems))


def rebuilt(task: Task) -> int:
    with task.database.snapshot() as fetch:
        places = list(_places(task, fetch))
    done = 0
    for project, layout in places:
        done = _rebuild_columns(task, layout, project, done)
        if layout.collection.words:
            _remove_orphaned_texts(task, layout, project)
        _rebuild_counts(task, layout, project)
    task.progress(done, done)
    return done


_STEP: Final = 1000
_CHUNK: Final = 500


def _layout(task: Task, name: str) -> Layout:
    found = next((layout for layout in task.layouts if layout.name == name), None)
    return found or Layout(free_collection(name.partition(".")[2]))


def _places(task: Task, fetch: Fetch) -> Iterator[tuple[str, Layout]]:
    """Every project and collection that has rows, tallies, streams or numbers."""
    places: set[tuple[str, str]] = set()
    for table in (TALLIES, sequences.TABLE, QUARANTINE, STREAMS, FREE_TABLE):
        places.update((row[0], row[1]) for row in _distinct(fetch, table, task.project))
    for layout in task.layouts:
        projects = [task.project] if task.project else _projects_of(fetch, layout.table)
        places.update((project, layout.name) for project in projects)
    known = {layout.name for layout in task.layouts}
    for project, name in sorted(places):
        if name in known or name.startswith("free."):
            yield project, _layout(task, name)


def _distinct(fetch: Fetch, table: str, project: str | None) -> Rows:
    if project is None:
        return fetch(f"SELECT DISTINCT project, collection FROM {table}", ())
    return fetch(f"SELECT DISTINCT project, collection FROM {table} WHERE project = %s", (project,))


def _projects_of(fetch: Fetch, table: str) -> list[str]:
    """From one to the next along the primary key, since a table may be large and its projects few."""
    projects: list[str] = []
    while True:
        ((following,),) = fetch(
            f"SELECT min(project) FROM {table} WHERE project > %s", (projects[-1] if projects else "",)
        )
        if following is None:
            return projects
        projects.append(following)


def _rows(fetch: Fetch, database: Database, layout: Layout, project: str) -> Iterator[_Found]:
    after: RecordId | None = None
    while True:
        condition, values = ("", []) if after is None else (" AND id > %s", [after])
        chunk = _found(fetch, database.dialect, layout, project, f"{condition} ORDER BY id LIMIT {_CHUNK}", values)
        yield from chunk
        if len(chunk) < _CHUNK:
            return
        after = chunk[-1].id


def _found(
    fetch: Fetch, dialect: Dialect, layout: Layout, project: str, tail: str, values: Sequence[Any]
) -> list[_Found]:
    columns = ["id", "version", "document", *(column for _, column in layout.key_columns)]
    found = fetch(
        f"SELECT {', '.join(columns)} FROM {layout.table} WHERE {layout.scope}{tail}",
        [*layout.scope_values(project), *values],
    )
    elements: dict[RecordId, dict[str, list[str]]] = {}
    if layout.lists and found:
        listed = fetch(
            f"SELECT id, field, element FROM {layout.elements_table} WHERE project = %s AND id >= %s AND id <= %s"
            " ORDER BY id",
            (project, min(row[0] for row in found), max(row[0] for row in found)),
        )
        for id, name, element in listed:
            elements.setdefault(id, {}).setdefault(name, []).append(element)
    indexed: dict[RecordId, dict[str, Any]] = {}
    if layout.searched and found:
        ids = [row[0] for row in found]
        for (id, name), mark in texts.stored(fetch, dialect, layout, project, min(ids), max(ids)).items():
            indexed.setdefault(id, {})[name] = mark
    worded: dict[RecordId, words.Stored] = {}
    if layout.collection.words and found:
        worded = words.stored(fetch, layout, project, min(row[0] for row in found), max(row[0] for row in found))
    return [
        _Found(
            layout,
            row[0],
            row[1],
            row[2],
            {
                name: layout.from_column(name, value)
                for (name, _), value in zip(layout.key_columns, row[3:], strict=True)
            },
            {field.name: tuple(elements.get(row[0], {}).get(field.name, ())) for field in layout.lists},
            dialect,
            indexed.get(row[0], {}),
            worded.get(row[0]),
        )
        for row in found
    ]


class _Totals:
    """What the rows come to, against what is kept."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._records = self._bytes = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._highest = 0

    def add(self, found: _Found) -> None:
        self._records += 1
        self._bytes += len(found.text.encode())
        if self._layout.numbered:
            self._highest = max(self._highest, int(found.id))
        for fields in self._layout.counters:
            values = strict_json.dumps([found.columns[name] for name in fields])
            self._counts[counter_name(fields), values] += 1

    def differences(self, fetch: Fetch, project: str, entries: int) -> Iterator[Problem]:
        name = self._layout.name

        def problem(kind: str, detail: str) -> Problem:
            return Problem(kind, project, name, None, detail)

        kept = {
            (row[0], row[1]): int(row[2])
            for row in fetch(
                f"SELECT counter, coalesce(whole_value, value), sum(number) FROM {COUNTS}"
                " WHERE project = %s AND collection = %s GROUP BY counter, coalesce(whole_value, value)",
                (project, name),
            )
            if row[2]
        }
        for key in sorted(kept.keys() | self._counts.keys()):
            if kept.get(key, 0) != self._counts[key]:
                yield problem("counter", f"{key[0]} {key[1][:200]} counts {kept.get(key, 0)}, not {self._counts[key]}")
        ((records, held, size),) = fetch(
            "SELECT coalesce(sum(records), 0), coalesce(sum(entries), 0), coalesce(sum(bytes), 0)"
            f" FROM {TALLIES} WHERE project = %s AND collection = %s AND stream = ''",
            (project, name),
        )
        for what, said, is_so in (
            ("records", records, self._records),
            ("entries", held, entries),
            ("bytes", size, self._bytes),
        ):
            if int(said) != is_so:
                yield problem("counter", f"{int(said)} {what} are tallied, not {is_so}")
        if self._layout.numbered:
            last = fetch(f"SELECT last FROM {sequences.TABLE} WHERE project = %s AND collection = %s", (project, name))
            if (last[0][0] if last else 0) < self._highest:
                yield problem("sequence", f"the sequence is behind the number {self._highest}")


def _streams(fetch: Fetch, layout: Layout, project: str) -> tuple[int, list[Problem]]:
    """How many entries the records have, and streams that are not whole or belong to nothing."""
    record = "CAST(r.id AS text)" if layout.numbered else "r.id"
    scope = " AND ".join(f"r.{part}" for part in layout.scope.split(" AND "))
    found = fetch(
        f"SELECT s.record, s.name, s.last, (SELECT count(*) FROM {ENTRIES} AS e WHERE e.stream = s.id),"
        f" (SELECT coalesce(max(e.position), 0) FROM {ENTRIES} AS e WHERE e.stream = s.id),"
        f" EXISTS (SELECT 1 FROM {layout.table} AS r WHERE {scope} AND {record} = s.record),"
        f" EXISTS (SELECT 1 FROM {QUARANTINE} AS q WHERE q.project = s.project AND q.collection = s.collection"
        " AND q.record = s.record)"
        f" FROM {STREAMS} AS s WHERE s.project = %s AND s.collection = %s ORDER BY s.id",
        [*layout.scope_values(project), project, layout.name],
    )
    entries = 0
    problems = []
    for owner, name, last, count, highest, here, aside in found:
        id = int(owner) if layout.numbered else owner
        if here:
            entries += last
        if not here and not aside:
            problems.append(Problem("stream", project, layout.name, id, f"{name} belongs to no record"))
        elif not last == count == highest:
            detail = f"{name} ends at {last}, but holds {count} entries up to {highest}"
            problems.append(Problem("stream", project, layout.name, id, detail))
    return entries, problems


def _mend(task: Task, layout: Layout, project: str, id: RecordId) -> None:
    """Takes in what was written by hand, as a new version, or sets aside what cannot be read or takes what is taken."""

    def mend(transaction: Transaction) -> None:
        found = _locked(transaction, layout, project, id)
        if found is None or (fault := found.fault()) is None:
            return
        if fault[0] == "unreadable":
            quarantine.set_aside(transaction, layout, project, id, fault[1], task.now())
            return
        if transaction.careful:
            quarantine.set_aside(transaction, layout, project, id, "a unique value of it is taken", task.now())
            return
        _renew(transaction, project, found)

    task.database.write(mend, Durability.DURABLE)


def _locked(transaction: Transaction, layout: Layout, project: str, id: RecordId) -> _Found | None:
    lock = transaction.dialect.for_update
    found = _found(transaction.fetch, transaction.dialect, layout, project, f" AND id = %s{lock}", [id])
    return found[0] if found else None


def _renew(transaction: Transaction, project: str, found: _Found) -> None:
    """The document as we write it, with the keys that follow from it."""
    layout = found.layout
    renewed = Row(layout, found.id, found.version + 1, strict_json.dumps(found.row.document))
    rows.update(transaction, layout, project, [(found, renewed)])
    if layout.searched:
        texts.remove(transaction.later, transaction.dialect, layout, project, [found.id])
        texts.write(transaction.later, transaction.dialect, layout, project, [renewed])
    changes = Changes(project, transaction.dialect)
    changes.tally(layout.name, size=len(renewed.text.encode()) - len(found.text.encode()))
    changes.count(layout, found.columns, renewed.keys)
    changes.write(transaction)


def _mend_streams(task: Task, layout: Layout, project: str) -> None:
    """Numbers positions without gaps again, and drops what belongs to no record."""
    with task.database.snapshot() as fetch:
        _, problems = _streams(fetch, layout, project)
    broken = sorted({str(problem.record_id) for problem in problems})
    orphans = {str(problem.record_id) for problem in problems if "belongs to no record" in problem.detail}

    def mend(transaction: Transaction) -> None:
        for record in broken:
            for (stream,) in transaction.fetch(
                f"SELECT id FROM {STREAMS} WHERE project = %s AND collection = %s AND record = %s ORDER BY id",
                (project, layout.name, record),
            ):
                if record in orphans:
                    transaction.later(f"DELETE FROM {ENTRIES} WHERE stream = %s", (stream,))
                    transaction.later(f"DELETE FROM {STREAMS} WHERE id = %s", (stream,))
                    continue
                positions = transaction.fetch(
                    f"SELECT position FROM {ENTRIES} WHERE stream = %s ORDER BY position", (stream,)
                )
                for wanted, (position,) in enumerate(positions, 1):
                    if wanted != position:
                        transaction.later(
                            f"UPDATE {ENTRIES} SET position = %s WHERE stream = %s AND position = %s",
                            (wanted, stream, position),
                        )
                transaction.later(f"UPDATE {STREAMS} SET last = %s WHERE id = %s", (len(positions), stream))

    task.database.write(mend, Durability.DURABLE)


def _rebuild_columns(task: Task, layout: Layout, project: str, done: int) -> int:
    after: RecordId | None = None
    while True:
        condition, values = ("", []) if after is None else (" AND id > %s", [after])
        with task.database.snapshot() as fetch:
            chunk = _found(
                fetch, task.database.dialect, layout, project, f"{condition} ORDER BY id LIMIT {_CHUNK}", values
            )
        for found in chunk:
            if found.fault() is not None:
                _mend(task, layout, project, found.id)
        done += len(chunk)
        task.progress(done, None)
        if len(chunk) < _CHUNK:
            return done
        after = chunk[-1].id


def _remove_orphaned_texts(task: Task, layout: Layout, project: str) -> None:
    task.database.write(lambda transaction: words.remove_orphans(transaction, layout, project), Durability.DURABLE)


def _rebuild_counts(task: Task, layout: Layout, project: str) -> None:
    """Counted by the database, while nobody writes to this table."""

    def rebuild(transaction: Transaction) -> None:
        postgresql = transaction.dialect.is_postgresql
        if postgresql:
            transaction.later(f"LOCK TABLE {layout.table} IN SHARE ROW EXCLUSIVE MODE")
        scope = layout.scope_values(project)
        transaction.later(f"DELETE FROM {COUNTS} WHERE project = %s AND collection = %s", (project, layout.name))
        for fields in layout.counters:
            columns = ", ".join(layout.columns[name] for name in fields)
            for *values, number in transaction.fetch(
                f"SELECT {columns}, count(*) FROM {layout.table} WHERE {layout.scope} GROUP BY {columns}", scope
            ):
                keys = tuple(layout.from_column(name, value) for name, value in zip(fields, values, strict=True))
                text, whole = stored_values(keys)
                transaction.later(
                    f"INSERT INTO {COUNTS} (project, collection, counter, value, shard, whole_value, number)"
                    " VALUES (%s, %s, %s, %s, 0, %s, %s)",
                    (project, layout.name, counter_name(fields), text, whole, number),
                )
        size = "octet_length(document)" if postgresql else "length(CAST(document AS BLOB))"
        highest = "coalesce(max(id), 0)" if layout.numbered else "0"
        ((records, total, last),) = transaction.fetch(
            f"SELECT count(*), coalesce(sum({size}), 0), {highest} FROM {layout.table} WHERE {layout.scope}", scope
        )
        entries = _entries_of_records(transaction, layout, project)
        transaction.later(
            f"UPDATE {TALLIES} SET records = 0, entries = 0, bytes = 0"
            " WHERE project = %s AND collection = %s AND stream = ''",
            (project, layout.name),
        )
        changes = Changes(project, transaction.dialect)
        changes.tally(layout.name, records=int(records), entries=entries, size=int(total))
        changes.write(transaction)
        if layout.numbered and last > sequences.locked(transaction, project, layout.name):
            sequences.write(transaction, project, layout.name, int(last))

    try:
        task.database.write(rebuild, Durability.DURABLE)
    except LockTimeoutError as error:
        raise LockTimeoutError(f"{layout.name} is too busy to be counted anew; try again") from error


def _entries_of_records(transaction: Transaction, layout: Layout, project: str) -> int:
    record = "CAST(r.id AS text)" if layout.numbered else "r.id"
    scope = " AND ".join(f"r.{part}" for part in layout.scope.split(" AND "))
    ((entries,),) = transaction.fetch(
        f"SELECT coalesce(sum(s.last), 0) FROM {STREAMS} AS s WHERE s.project = %s AND s.collection = %s"
        f" AND EXISTS (SELECT 1 FROM {layout.table} AS r WHERE {scope} AND {record} = s.record)",
        [project, layout.name, *layout.scope_values(project)],
    )
    return int(entries)
