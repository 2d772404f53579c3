"""The files of records that were changed without them, and a project's end."""

import sqlite3
from collections.abc import Sequence
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


Place: TypeAlias = tuple[Table, RecordId]
Ahead: TypeAlias = dict[tuple[str, RecordId], tuple[int, str]]  # version and temporary file of a record


def waiting(project: "Project", connection: sqlite3.Connection, limit: int) -> list[Place]:
    """Records whose files are not as the index has them."""
    rows, found = Rows(connection), list[Place]()
    for (name,) in connection.execute("SELECT name FROM catalog").fetchall():
        if (table := project.table_of(name)) is not None and len(found) < limit:
            found += [(table, id) for id in rows.unplaced(table, limit - len(found))]
    return found


def written_ahead(project: "Project", places: Sequence[Place]) -> Ahead:
    """Temporary files of those that wait, written before the lock is taken, so that nobody waits for that."""
    none: list[Row] = []
    ahead: Ahead = {}
    try:
        for row in project.read(lambda connection: _unplaced(connection, places), none):
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


def _unplaced(connection: sqlite3.Connection, places: Sequence[Place]) -> list[Row]:
    rows = Rows(connection)
    return [row for table, id in places if (row := rows.find(table, id)) is not None and not row.placed]


class Following(Changes):
    """Files of records that were changed without them; those that have theirs meanwhile are passed over."""

    makes_room = True

    def __init__(self, project: "Project", session: "Session", places: Sequence[Place], ahead: "Ahead") -> None:
        super().__init__()
        self._project = project
        self._ahead = ahead
        self.all_new = True  # none of these records had a file before
        self._places: list[tuple[Table, RecordId, str | None]] = []
        for table, id in places:
            row = session.rows.find(table, id)
            if row is None or row.placed:
                continue
            self.all_new &= row.folder is None
            folder = project.placing.target(session.rows, row)
            self._places.append((table, id, row.folder))
            # With the text, since until it is synced the file may be lost that had it.
            self.effects.append(effects.Put(table.collection.name, id, row.version, row.text, folder, row.folder))
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
