"""Streams in their tables. A stream's row is locked by whoever appends, and says where it ends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage_app import strict_json
from storage_app.records.database import bulk
from storage_app.records.database.counting import Changes
from storage_app.records.database.transactions import Database, Transaction
from storage_app.records.ids import RecordId
from storage_app.records.operations import Append, Appended
from storage_app.records.streams import PreparedEntry, StreamEntry

STREAMS: Final = "storage_app_recordstream"
ENTRIES: Final = "storage_app_recordentry"


@dataclass(frozen=True)
class _Appending:
    place: tuple[str, str, str]  # collection, record, name
    source: str
    entries: list[PreparedEntry]


class Streams:
    """The appends of one write, gathered, and settled together: one trip to lock, one for the numbers known."""

    def __init__(self, transaction: Transaction, project: str, changes: Changes) -> None:
        self._transaction = transaction
        self._project = project
        self._changes = changes
        self._waiting: list[tuple[int, _Appending]] = []
        self._settled: dict[int, Appended] = {}
        self._removed: dict[str, list[str]] = {}
        self._asked = 0

    def append(self, collection: str, id: RecordId, append: Append, entries: list[PreparedEntry]) -> int:
        """A ticket for what `settle` gives."""
        if str(id) in self._removed.get(collection, ()):
            self._remove()
        ticket, self._asked = self._asked, self._asked + 1
        self._waiting.append((ticket, _Appending((collection, str(id), append.stream), append.source, entries)))
        return ticket

    def remove(self, collection: str, id: RecordId) -> None:
        if any(appending.place[:2] == (collection, str(id)) for _, appending in self._waiting):
            self._append()
        self._removed.setdefault(collection, []).append(str(id))

    def settle(self) -> dict[int, Appended]:
        self._remove()
        self._append()
        return self._settled

    def _remove(self) -> None:
        for collection, records in sorted(self._removed.items()):
            removed = discarded(self._transaction, self._project, collection, records)
            self._changes.tally(collection, entries=-removed)
        self._removed = {}

    def _append(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        ends = self._ends([appending.place for _, appending in waiting if appending.entries])
        ends.update(self._known_ends({appending.place for _, appending in waiting} - ends.keys()))
        known = self._known_numbers([appending for _, appending in waiting], ends)
        rows: list[tuple[Any, ...]] = []
        grown: dict[int, int] = {}
        for ticket, appending in waiting:
            stream, end = ends.get(appending.place, (0, 0))
            added = 0
            for entry in appending.entries:
                if entry.number is not None:
                    if (stream, appending.source, entry.number) in known:
                        continue
                    known.add((stream, appending.source, entry.number))
                added += 1
                rows.append((stream, end + added, appending.source, entry.number, entry.text))
            if appending.entries:
                ends[appending.place] = (stream, end + added)
                collection, _, name = appending.place
                self._changes.tally(collection, name)
            if added:
                grown[stream] = end + added
                # Not a change of the records: only of what they hold.
                self._changes.grow(appending.place[0], added)
            self._settled[ticket] = Appended(added, end + added)
        self._insert(rows)
        self._grow(grown)

    def _ends(self, places: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], tuple[int, int]]:
        """Where these streams end, locked; those that are not there are made."""
        wanted = sorted(set(places))
        found: dict[tuple[str, str, str], tuple[int, int]] = {}
        for start in range(0, len(wanted), _ROWS):
            chunk = [(self._project, *place, 0) for place in wanted[start : start + _ROWS]]
            sql, parameters = bulk.source(self._transaction.dialect, ("text", "text", "text", "text", "bigint"), chunk)
            rows = self._transaction.fetch(
                f"INSERT INTO {STREAMS} (project, collection, record, name, last) {sql}"
                f" ON CONFLICT (project, collection, record, name) DO UPDATE SET last = {STREAMS}.last"
                " RETURNING collection, record, name, id, last",
                parameters,
            )
            found.update({(row[0], row[1], row[2]): (row[3], row[4]) for row in rows})
        return found

    def _known_ends(self, places: set[tuple[str, str, str]]) -> dict[tuple[str, str, str], tuple[int, int]]:
        """As `_ends`, for appends of nothing, which make no stream."""
        found = {}
        for place in sorted(places):
            rows = self._transaction.fetch(
                f"SELECT id, last FROM {STREAMS} WHERE project = %s AND collection = %s AND record = %s AND name = %s",
                (self._project, *place),
            )
            if rows:
                found[place] = (int(rows[0][0]), int(rows[0][1]))
        return found

    def _known_numbers(
        self, appending: Sequence[_Appending], ends: dict[tuple[str, str, str], tuple[int, int]]
    ) -> set[tuple[int, str, int]]:
        """The numbers among these that were sent before."""
        known: set[tuple[int, str, int]] = set()
        for each in appending:
            numbers = [entry.number for entry in each.entries if entry.number is not None]
            stream, end = ends.get(each.place, (0, 0))
            for start in range(0, len(numbers) if end else 0, _ROWS):
                among, values = bulk.among(self._transaction.dialect, "bigint", numbers[start : start + _ROWS])
                rows = self._transaction.fetch(
                    f"SELECT number FROM {ENTRIES} WHERE stream = %s AND source = %s AND number {among}",
                    (stream, each.source, *values),
                )
                known.update((stream, each.source, int(number)) for (number,) in rows)
        return known

    def _grow(self, grown: dict[int, int]) -> None:
        """Locked by us already, so in any order."""
        if self._transaction.dialect.is_postgresql and len(grown) > 1:
            self._transaction.later(
                f"UPDATE {STREAMS} AS s SET last = v.last FROM {bulk.arrays(('bigint', 'bigint'))} AS v (id, last)"
                " WHERE s.id = v.id",
                bulk.columns(list(grown.items())),
            )
            return
        for stream, last in grown.items():
            self._transaction.later(f"UPDATE {STREAMS} SET last = %s WHERE id = %s", (last, stream))

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for start in range(0, len(rows), _ROWS):
            types = ("bigint", "bigint", "text", "bigint", "text")
            sql, parameters = bulk.source(self._transaction.dialect, types, rows[start : start + _ROWS])
            self._transaction.later(f"INSERT INTO {ENTRIES} (stream, position, source, number, data) {sql}", parameters)


def discarded(transaction: Transaction, project: str, collection: str, records: Sequence[str]) -> int:
    """The streams of these records are no more; how many entries they had."""
    removed = 0
    for start in range(0, len(records), _ROWS):
        among, values = bulk.among(transaction.dialect, "text", records[start : start + _ROWS])
        streams = transaction.fetch(
            f"SELECT id, last FROM {STREAMS} WHERE project = %s AND collection = %s AND record {among}",
            (project, collection, *values),
        )
        for position in range(0, len(streams), _ROWS):
            ids = [id for id, _ in streams[position : position + _ROWS]]
            among, values = bulk.among(transaction.dialect, "bigint", ids)
            transaction.later(f"DELETE FROM {ENTRIES} WHERE stream {among}", values)
            transaction.later(f"DELETE FROM {STREAMS} WHERE id {among}", values)
        removed += sum(last for _, last in streams)
    return removed


def entry_count(transaction: Transaction, project: str, collection: str, id: RecordId) -> int:
    ((entries,),) = transaction.fetch(
        f"SELECT coalesce(sum(last), 0) FROM {STREAMS} WHERE project = %s AND collection = %s AND record = %s",
        (project, collection, str(id)),
    )
    return int(entries)


def names(database: Database, project: str, collection: str, id: RecordId) -> list[str]:
    rows = database.read(
        f"SELECT name FROM {STREAMS} WHERE project = %s AND collection = %s AND record = %s AND last > 0 ORDER BY name",
        (project, collection, str(id)),
    )
    return [name for (name,) in rows]


def entries(
    database: Database,
    project: str,
    place: tuple[str, RecordId, str],
    after: int,
    before: int,
    limit: int,
    backwards: bool,
) -> tuple[list[StreamEntry], int]:
    """In one statement, so that the end and the entries are of one moment."""
    collection, id, name = place
    rows = database.read(
        f"SELECT s.last, e.position, e.data, e.source, e.number FROM {STREAMS} AS s LEFT JOIN {ENTRIES} AS e"
        " ON e.stream = s.id AND e.position > %s AND e.position < %s"
        " WHERE s.project = %s AND s.collection = %s AND s.record = %s AND s.name = %s"
        f" ORDER BY e.position{' DESC' if backwards else ''} LIMIT {limit}",
        (after, before, project, collection, str(id), name),
    )
    found = [StreamEntry(row[1], strict_json.loads_object(row[2]), row[3], row[4]) for row in rows if row[1]]
    return found[::-1] if backwards else found, int(rows[0][0]) if rows else 0


_ROWS: Final = 500
