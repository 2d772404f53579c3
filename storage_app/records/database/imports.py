"""Taking in what another store gave out, a batch at a time."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from storage_app import strict_json
from storage_app.records.answers import Exported, ExportedEntry, ExportedSequence
from storage_app.records.database.stream_tables import ENTRIES, STREAMS
from storage_app.records.database.transactions import Transaction
from storage_app.records.database.work import Work
from storage_app.records.errors import AlreadyExistsError, InvalidError
from storage_app.records.ids import RecordId
from storage_app.records.operations import Append, Record
from storage_app.records.streams import StreamEntry, prepared_entries


def batches(items: Iterable[Exported], size: int) -> Iterator[list[Exported]]:
    batch: list[Exported] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def take_in(work: Work, transaction: Transaction, project: str, collection: str, batch: Sequence[Exported]) -> int:
    records = 0
    for place, group in groupby(batch, key=_place):
        items = list(group)
        if place is not None:
            id, stream = place
            _entries(
                work,
                transaction,
                project,
                collection,
                id,
                stream,
                [item.entry for item in items if isinstance(item, ExportedEntry)],
            )
            continue
        for item in items:
            if isinstance(item, ExportedSequence):
                work.raise_sequence(collection, item.last)
            elif isinstance(item, Record):
                records += work.import_record(collection, item)
    work.finish()
    return records


def _place(item: Exported) -> tuple[RecordId, str] | None:
    return (item.id, item.stream) if isinstance(item, ExportedEntry) else None


def _entries(
    work: Work,
    transaction: Transaction,
    project: str,
    collection: str,
    id: RecordId,
    stream: str,
    entries: Sequence[StreamEntry],
) -> None:
    """What is there already must be equal; the rest must follow the stream's end without a gap."""
    work.required(collection, id)
    texts = [prepared_entries(Append("", "", stream, [entry.data], entry.source))[0].text for entry in entries]
    ((number, end),) = transaction.fetch(
        f"INSERT INTO {STREAMS} (project, collection, record, name, last) VALUES (%s, %s, %s, %s, 0)"
        f" ON CONFLICT (project, collection, record, name) DO UPDATE SET last = {STREAMS}.last RETURNING id, last",
        (project, collection, str(id), stream),
    )
    there = {
        row[0]: StreamEntry(row[0], strict_json.loads_object(row[1]), row[2], row[3])
        for row in transaction.fetch(
            f"SELECT position, data, source, number FROM {ENTRIES}"
            " WHERE stream = %s AND position >= %s AND position <= %s",
            (number, entries[0].position, entries[-1].position),
        )
    }
    before = end
    for entry, text in zip(entries, texts, strict=True):
        if entry.position <= end:
            if there.get(entry.position) != entry:
                raise AlreadyExistsError(stream, "position", entry.position, id)
            continue
        if entry.position != end + 1:
            raise InvalidError(f"{entry.position} does not follow {end}", "position")
        transaction.later(
            f"INSERT INTO {ENTRIES} (stream, position, source, number, data) VALUES (%s, %s, %s, %s, %s)",
            (number, entry.position, entry.source, entry.number, text),
        )
        end = entry.position
        there[end] = entry
    if end > before:
        transaction.later(f"UPDATE {STREAMS} SET last = %s WHERE id = %s", (end, number))
        work.changes.tally(collection, stream)
        work.changes.tally(collection, entries=end - before)
