"""What a session is about to do: the index is changed already, journal and files are not."""

from typing import TYPE_CHECKING

from storage_app.records.file import effects
from storage_app.records.file.placing import Waiting

if TYPE_CHECKING:
    from storage_app.records.file.project import Project, Session


class Changes:
    """In the order they are called; `take_back` when a step failed and the index is as it was before."""

    makes_room = False  # it may go beyond the journal's usual size, since others wait for it

    def __init__(self) -> None:
        self.effects: list[effects.Effect] = []

    def describe(self) -> None:
        """The effects are complete afterwards; the index is as it will be."""

    def prepare(self, session: "Session") -> list[Waiting]:
        """What can fail before anything has happened; the disk is writing the journal meanwhile."""
        return []

    def place(self, session: "Session", waiting: list[Waiting]) -> None:
        """The journal has it; now the files."""

    def take_back(self, project: "Project") -> None:
        """Files are made again as the index has them."""
