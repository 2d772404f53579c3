"""A row of a record table, as text until somebody asks for more."""

from collections.abc import Mapping
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


class Row:
    """A record as text, parsed when somebody asks, and then once."""

    __slots__ = ("_document", "_keys", "id", "layout", "text", "version")

    def __init__(
        self, layout: Layout, id: RecordId, version: int, text: str, keys: Mapping[str, Key] | None = None
    ) -> None:
        self.layout = layout
        self.id = id
        self.version = version
        self.text = text
        self._document: dict[str, Any] | None = None
        self._keys = keys

    @property
    def document(self) -> dict[str, Any]:
        if self._document is None:
            self._document = self._parsed()
        return self._document

    @property
    def keys(self) -> Mapping[str, Key]:
        if self._keys is None:
            try:
                self._keys = self.layout.collection.keys(self.document)
            except InvalidError as error:
                raise UnreadableError(self.layout, self.id, str(error)) from error
        return self._keys

    def record(self) -> Record:
        """Parsed once more, so that nobody else has it."""
        return Record(self.id, self.version, self._parsed())

    def _parsed(self) -> dict[str, Any]:
        try:
            return strict_json.loads_object(self.text)
        except strict_json.StrictJSONError as error:
            raise UnreadableError(self.layout, self.id, str(error)) from error
