"""The files of records that were changed without them, and a project's end."""

import sqlite3
from typing import TYPE_CHECKING, TypeAlias

from storage_app.records.file import effects
from storage_app.records.file.changes import Changes
from storage_app.records.file.placing import Waiting
from storage_app.records.file.recovery import Replay
from storage_app.records.file.rows import Row, Rows
from storage_app.records.file.tables import Table
from storage_app.records.ids import RecordId

if TYPE_CHECKING:
    from storage_app.records.file.project import Project, Session


Ahead: TypeAlias = dict[tuple[str, RecordId], tuple[int, str]]  # version and temporary file of a record


def written_ahead(project: "Project", limit: int) -> Ahead:
    """Temporary files of some whose files wait, written before the lock is taken, so that nobody waits for that."""
    none: list[Row] = []
    waiting = project.read(lambda connection: _waiting(project, connection, limit), none)
    ahead: Ahead = {}
    try:
        for row in waiting:
            name = row.collection.name
            temporary = project.placing.write_temporary(name, row.id, row.version, row.text)
            ahead[name, row.id] = row.version, temporary
    except BaseException:
        give_back(project, ahead)
        raise
    return ahead


def give_back(project: "Project", ahead: Ahead) -> None:
    """Those that came too late."""
    for _, temporary in ahead.values():
        project.placing.spare(temporary)
    ahead.clear()


def _waiting(project: "Project", connection: sqlite3.Connection, limit: int) -> list[Row]:
    rows, found = Rows(connection), list[Row]()
    for (name,) in connection.execute("SELECT name FROM catalog").fetchall():
        if (table := project.table_of(name)) is not None and len(found) < limit:
            found += filter(None, (rows.find(table, id) for id in rows.unplaced(table, limit - len(found))))
    return found


class Following(Changes):
    """Files of records that were changed without them."""

    makes_room = True

    def __init__(self, project: "Project", session: "Session", limit: int, ahead: "Ahead") -> None:
        super().__init__()
        self._project = project
        self._ahead = ahead
        self._places: list[tuple[Table, RecordId, str | None]] = []
        for (name,) in session.connection.execute("SELECT name FROM catalog").fetchall():
            table = project.table_of(name)
            if table is None or len(self._places) >= limit:
                continue
            for id in session.rows.unplaced(table, limit - len(self._places)):
                row = session.rows.find(table, id)
                assert row is not None
                folder = project.placing.target(session.rows, row)
                self._places.append((table, id, row.folder))
                # With the text, since until it is synced the file may be lost that had it.
                self.effects.append(effects.Put(name, id, row.version, row.text, folder, row.folder))
                session.rows.place(table, row, folder, placed=False)

    def place(self, session: "Session", waiting: list[Waiting]) -> None:
        for table, id, left in self._places:
            ready = self._ahead.pop((table.collection.name, id), None)
            self._project.placing.refile(session.rows, table, id, [left], ready=ready)

    def take_back(self, project: "Project") -> None:
        """A file that is newer than its row says does no harm: it is written again when it is placed."""


class Wiping(Changes):
    """Everything of the project goes."""

    def __init__(self) -> None:
        super().__init__()
        self.effects.append(effects.Wiped())

    def place(self, session: "Session", waiting: list[Waiting]) -> None:
        replay = Replay(session.project, session.rows)
        replay.lsn = session.tail.lsn + 1
        replay.take(self.effects[0])

    def take_back(self, project: "Project") -> None:
        """Some files are gone, and the index has them all: they follow once more."""
        connection = project.index.writer()
        for (name,) in connection.execute("SELECT name FROM catalog").fetchall():
            if (table := project.table_of(name)) is not None:
                connection.execute(f"UPDATE {table.name} SET placed = 0")  # noqa: S608
        connection.execute("UPDATE streams SET filed = 0, bytes = 0")
