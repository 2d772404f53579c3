"""Records set aside: out of their table, with their text as it was found, their streams waiting under their id."""

from typing import Any, Final

from storage_app import strict_json
from storage_app.records import times
from storage_app.records.answers import Quarantined
from storage_app.records.database import stream_tables
from storage_app.records.database.counting import Changes
from storage_app.records.database.layout import Layout
from storage_app.records.database.rows import QUARANTINE, delete
from storage_app.records.database.transactions import Database, Transaction
from storage_app.records.database.work import Work
from storage_app.records.declarations import Collection, Ids
from storage_app.records.errors import InvalidError, RecordNotFoundError
from storage_app.records.ids import RecordId
from storage_app.records.operations import Record, prepare


def set_aside(
    transaction: Transaction, layout: Layout, project: str, id: RecordId, reason: str, at: int
) -> Quarantined | None:
    """None where the record is not there. Goes by the columns, since the text may be unreadable."""
    columns = ["version", "document", *(column for _, column in layout.key_columns)]
    rows = transaction.fetch(
        f"SELECT {', '.join(columns)} FROM {layout.table} WHERE {layout.scope} AND id = %s"
        f"{' FOR UPDATE' if transaction.dialect.is_postgresql else ''}",
        [*layout.scope_values(project), id],
    )
    if not rows:
        return None
    version, text, *values = rows[0]
    keys = {name: layout.from_column(name, value) for (name, _), value in zip(layout.key_columns, values, strict=True)}
    entries = stream_tables.entry_count(transaction, project, layout.name, id)
    ((number,),) = transaction.fetch(
        f"INSERT INTO {QUARANTINE} (project, collection, record, version, reason, at, text)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (project, layout.name, str(id), version, reason, at, text),
    )
    delete(transaction, layout, project, [id])
    changes = Changes(project, transaction.dialect)
    changes.tally(layout.name, records=-1, entries=-entries, size=-len(text.encode()))
    changes.count(layout, keys, None)
    changes.write(transaction)
    return Quarantined(_shown(number), layout.name, id, reason, times.from_instant(at), text)


def listed(database: Database, collection_of: Any, project: str) -> list[Quarantined]:
    rows = database.read(f"SELECT {_COLUMNS} FROM {QUARANTINE} WHERE project = %s ORDER BY id", (project,))
    return [_quarantined(collection_of(row[1]), row) for row in rows]


def restore(
    work: Work, transaction: Transaction, collection_of: Any, project: str, id: str, text: str | None
) -> Record:
    row = _locked(transaction, project, id)
    collection: Collection = collection_of(row[1])
    found = _quarantined(collection, row)
    assert found.record_id is not None
    try:
        document = strict_json.loads_object(found.text if text is None else text)
    except strict_json.StrictJSONError as error:
        raise InvalidError(str(error), "document") from error
    record = work.put(collection.name, found.record_id, row[6] + 1, prepare(collection, document))
    entries = stream_tables.entry_count(transaction, project, collection.name, found.record_id)
    work.changes.tally(collection.name, entries=entries)
    transaction.later(f"DELETE FROM {QUARANTINE} WHERE id = %s", (row[0],))
    work.finish()
    return record


def discard(transaction: Transaction, collection_of: Any, project: str, id: str) -> Quarantined:
    row = _locked(transaction, project, id)
    stream_tables.discarded(transaction, project, row[1], [row[2]])
    transaction.later(f"DELETE FROM {QUARANTINE} WHERE id = %s", (row[0],))
    changes = Changes(project, transaction.dialect)
    changes.tally(row[1])
    changes.write(transaction)
    return _quarantined(collection_of(row[1]), row)


_COLUMNS: Final = "id, collection, record, reason, at, text, version"


def _locked(transaction: Transaction, project: str, id: str) -> tuple[Any, ...]:
    number = int(id) if id.isascii() and id.isdigit() and len(id) <= 18 else 0
    rows = transaction.fetch(
        f"SELECT {_COLUMNS} FROM {QUARANTINE} WHERE id = %s AND project = %s"
        f"{' FOR UPDATE' if transaction.dialect.is_postgresql else ''}",
        (number, project),
    )
    if not rows:
        raise RecordNotFoundError("quarantine", id)
    return rows[0]


def _quarantined(collection: Collection, row: tuple[Any, ...]) -> Quarantined:
    record_id: RecordId = int(row[2]) if collection.ids is Ids.SEQUENCE else row[2]
    return Quarantined(_shown(row[0]), row[1], record_id, row[3], times.from_instant(row[4]), row[5])


def _shown(number: int) -> str:
    return f"{number:016d}"
