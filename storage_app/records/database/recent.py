"""Rows this process wrote last, so that the next write to one of them need not fetch it first.

A worker's job is claimed, beaten for and completed by the same few processes. What is remembered is never trusted: the
statement that writes says which version and which text it takes for granted, and fails if the row is another.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from storage_app.records.database.layout import Layout
from storage_app.records.database.row import Row
from storage_app.records.ids import RecordId
from storage_app.records.operations import Operation, Update

Place: TypeAlias = tuple[str, str, RecordId]  # project, collection, id


class RecentRows:
    def __init__(self) -> None:
        self._rows: OrderedDict[Place, Row] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, project: str, rows: Iterable[Row]) -> None:
        with self._lock:
            for row in rows:
                if len(row.text) <= _LONGEST:
                    self._rows[project, row.layout.name, row.id] = row
            while len(self._rows) > _MOST:
                self._rows.popitem(last=False)

    def known(self, project: str, layouts: dict[str, Layout], operations: Sequence[Operation]) -> list[Row]:
        """The rows of all these operations, if all are plain updates of rows that are remembered; otherwise none.

        Not with functions, which may bring more with them, nor with appends, which lock their streams: those would
        then be locked before the record, and everybody else does it the other way round.
        """
        if len(operations) > _MOST_AT_ONCE:
            return []
        rows: list[Row] = []
        with self._lock:
            for operation in operations:
                if not isinstance(operation, Update) or callable(operation.change):
                    return []
                found = self._rows.pop((project, operation.collection, operation.id), None)
                if found is None or operation.collection not in layouts:
                    return []
                rows.append(found)
        return rows


_LONGEST: Final = 16 * 1024
_MOST: Final = 1000
_MOST_AT_ONCE: Final = 100
