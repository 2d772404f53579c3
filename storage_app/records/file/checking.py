"""What `check` looks at and `repair` puts right: files against the index, both ways, and the sums.

Both read without the lock, for that would stop everyone; what looks wrong is looked at once more under it.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from storage_app.records.answers import Problem, Progress, Report
from storage_app.records.file import recovery, repairing, walking
from storage_app.records.file.project import Project, Session
from storage_app.records.file.repairing import Fault
from storage_app.records.file.tables import Table
from storage_app.records.ids import RecordId

_PAGE: Final = 1000


def check(projects: Iterable[Project], progress: Progress | None) -> Report:
    return _summed([_Check(project, progress, mend=False).run() for project in projects])


def repair(projects: Iterable[Project], progress: Progress | None) -> Report:
    return _summed([_Check(project, progress, mend=True).run() for project in projects])


@dataclass
class _Check:
    project: Project
    progress: Progress | None
    mend: bool
    records: int = 0
    entries: int = 0
    problems: list[Problem] = field(default_factory=list)
    _files_seen: int = 0

    def run(self) -> Report:
        if self.mend:
            self.project.settle()  # so that the journal has nothing to say any more against what the files hold
        for table in self._tables():
            self._files(table)
            self._rows(table)
        self._sums()
        if self.progress:
            self.progress(self.records, self.records)
        repaired = len(self.problems) if self.mend else 0
        return Report(self.records, self.entries, self.problems, repaired)

    def _tables(self) -> list[Table]:
        known = [table.collection.name for table in recovery.tables_of(self.project)]
        listed: list[Any] = self.project.read(
            lambda connection: connection.execute("SELECT name FROM catalog").fetchall(), []
        )
        found = dict.fromkeys([*known, *(row[0] for row in listed)])
        tables = [table for name in found if (table := self.project.table_of(name)) is not None]
        self.project.load(*tables)
        return tables

    def _files(self, table: Table) -> None:
        for records, streams in walking.folders(self.project, table):
            for found in records:
                self._files_seen += 1
                self._report(self._files_seen)
                self._look(
                    table,
                    lambda connection, found=found: repairing.record_fault(  # type: ignore[misc]  # bound now
                        self.project, connection, table, found
                    ),
                )
            for found in streams:
                self._look(
                    table,
                    lambda connection, found=found: repairing.stream_fault(  # type: ignore[misc]  # bound now
                        self.project, connection, table, found
                    ),
                )

    def _rows(self, table: Table) -> None:
        """Rows whose files are gone."""
        for id in _ids(self.project, table):
            self.records += 1
            self._report(self._files_seen + self.records)
            self._look(
                table,
                lambda connection, id=id: repairing.missing_fault(  # type: ignore[misc]  # bound now
                    self.project, connection, table, id
                ),
            )
        statement = "SELECT coalesce(sum(last), 0) FROM streams WHERE collection = ?"
        self.entries += self.project.read(
            lambda connection: int(connection.execute(statement, (table.collection.name,)).fetchone()[0]), 0
        )

    def _look(self, table: Table, judge: Callable[[sqlite3.Connection], Fault | None]) -> None:
        if self.project.read(judge, None) is None:
            return

        def work(session: Session) -> Fault | None:
            fault = judge(session.connection)
            if fault is not None and self.mend:
                repairing.mend(session, table, fault)
            return fault

        fault = self.project.change(work, table)
        if fault is not None:  # else somebody was just writing it
            name = table.collection.name
            self.problems.append(Problem(fault.kind, self.project.slug, name, fault.id, fault.detail))

    def _sums(self) -> None:
        none: list[tuple[str, str, str]] = []
        wrong = self.project.read(lambda connection: list(_wrong_sums(self.project, connection)), none)
        if not wrong:
            return
        with self.project.session() as session:
            wrong = list(_wrong_sums(self.project, session.connection))
        for kind, collection, detail in wrong:
            self.problems.append(Problem(kind, self.project.slug, collection, None, detail))
        if wrong and self.mend:
            self.project.rebuild()

    def _report(self, looked_at: int) -> None:
        if self.progress and looked_at % _PAGE == 0:
            self.progress(self._files_seen, None)


def _ids(project: Project, table: Table) -> Iterator[RecordId]:
    last: RecordId | None = None
    while True:
        where = "" if last is None else "WHERE id > ?"
        statement = f"SELECT id FROM {table.name} {where} ORDER BY id LIMIT {_PAGE}"  # noqa: S608
        values = () if last is None else (last,)
        page: list[Any] = project.read(
            lambda connection, statement=statement, values=values: connection.execute(statement, values).fetchall(),  # type: ignore[misc]  # bound now
            [],
            table,
        )
        yield from (row[0] for row in page)
        if len(page) < _PAGE:
            return
        last = page[-1][0]


def _wrong_sums(project: Project, connection: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    connection.execute("SAVEPOINT one_view")
    try:
        for (state,) in connection.execute("PRAGMA integrity_check(5)").fetchall():
            if state != "ok":
                yield "index_stale", "", state
        for (name,) in connection.execute("SELECT name FROM catalog").fetchall():
            table = project.table_of(name)
            if table is not None:
                yield from _wrong_sums_of(connection, table)
    finally:
        connection.execute("RELEASE one_view")


def _wrong_sums_of(connection: sqlite3.Connection, table: Table) -> Iterator[tuple[str, str, str]]:
    name = table.collection.name
    kept = connection.execute("SELECT records, bytes, entries FROM catalog WHERE name = ?", (name,)).fetchone()
    counted = connection.execute(
        f"SELECT count(*), coalesce(sum(length(CAST(text AS BLOB))), 0) FROM {table.name}"  # noqa: S608
    ).fetchone()
    entries = connection.execute(
        "SELECT count(*) FROM entries JOIN streams USING (stream) WHERE collection = ?", (name,)
    ).fetchone()
    if kept != (*counted, *entries):
        yield "counter", name, f"counted are {(*counted, *entries)} records, bytes and entries, kept is {kept}"
    for number, fields in enumerate(table.counted):
        columns = ", ".join(table.columns[field_name] for field_name in fields)
        true = connection.execute(
            f"SELECT {columns}, count(*) FROM {table.name} GROUP BY {columns}"  # noqa: S608
        ).fetchall()
        values = ", ".join(f"v{place}" for place in range(len(fields)))
        stored = connection.execute(
            f"SELECT {values}, n FROM {table.counts} WHERE f = ? AND n <> 0",  # noqa: S608
            (number,),
        ).fetchall()
        if set(true) != set(stored) or len(true) != len(stored):
            yield "counter", name, f"the counter of {', '.join(fields)} is not true"


def _summed(reports: list[Report]) -> Report:
    return Report(
        sum(report.records for report in reports),
        sum(report.entries for report in reports),
        [problem for report in reports for problem in report.problems],
        sum(report.repaired for report in reports),
    )
