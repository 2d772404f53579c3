"""The files of records that were changed without them, and a project's end."""

from typing import TYPE_CHECKING

from storage_app.records.file import effects
from storage_app.records.file.changes import Changes
from storage_app.records.file.placing import Waiting
from storage_app.records.file.recovery import Replay
from storage_app.records.file.tables import Table
from storage_app.records.ids import RecordId

if TYPE_CHECKING:
    from storage_app.records.file.project import Project, Session


class Following(Changes):
    """Files of records that were changed without them."""

    makes_room = True

    def __init__(self, project: "Project", session: "Session", limit: int) -> None:
        super().__init__()
        self._project = project
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
            self._project.placing.refile(session.rows, table, id, [left])

    def take_back(self, project: "Project") -> None:
        """A file that is newer than its row says does no harm: it is written again when it is placed."""


class Wiping(Changes):
    """Everything of the project goes."""

    def __init__(self) -> None:
        super().__init__()
        self.effects.append(effects.Wiped())

    def place(self, session: "Session", waiting: list[Waiting]) -> None:
        Replay(session.project, session.rows).take(self.effects[0])

    def take_back(self, project: "Project") -> None:
        """Some files are gone, and the index has them all: they follow once more."""
        connection = project.index.writer()
        for (name,) in connection.execute("SELECT name FROM catalog").fetchall():
            if (table := project.table_of(name)) is not None:
                connection.execute(f"UPDATE {table.name} SET placed = 0")  # noqa: S608
        connection.execute("UPDATE streams SET filed = 0, bytes = 0")
