"""A row of a record table, as text until somebody asks for more."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from storage_app import strict_json
from storage_app.records.database.layout import Layout
from storage_app.records.declarations import Key
from storage_app.records.errors import InvalidError
from storage_app.records.ids import RecordId
from storage_app.records.operations import Record


class UnreadableError(Exception):
    """A row in hand holds no record; it is to go to quarantine, and the work to be done again."""

    def __init__(self, layout: Layout, id: RecordId, reason: str) -> None:
        super().__init__(reason)
        self.layout, self.id, self.reason = layout, id, reason


@dataclass(frozen=True)
class Row:
    """A record as text, parsed when somebody asks."""

    layout: Layout
    id: RecordId
    version: int
    text: str

    @cached_property
    def document(self) -> dict[str, Any]:
        try:
            return strict_json.loads_object(self.text)
        except strict_json.StrictJSONError as error:
            raise UnreadableError(self.layout, self.id, str(error)) from error

    @cached_property
    def keys(self) -> Mapping[str, Key]:
        try:
            return self.layout.collection.keys(self.document)
        except InvalidError as error:
            raise UnreadableError(self.layout, self.id, str(error)) from error

    def record(self) -> Record:
        """Parsed once more, so that nobody else has it."""
        try:
            return Record(self.id, self.version, strict_json.loads_object(self.text))
        except strict_json.StrictJSONError as error:
            raise UnreadableError(self.layout, self.id, str(error)) from error
