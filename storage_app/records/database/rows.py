"""The statements that read, lock and write rows of record tables."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from storage_app.records import query
from storage_app.records.database import bulk, texts, words
from storage_app.records.database.dialects import TYPES
from storage_app.records.database.layout import Layout
from storage_app.records.database.transactions import Transaction
from storage_app.records.declarations import Key, Kind
from storage_app.records.ids import RecordId

QUARANTINE: Final = "storage_app_recordquarantine"


class Stored(Protocol):
    @property
    def id(self) -> RecordId: ...
    @property
    def version(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def keys(self) -> Mapping[str, Key]: ...


def locked(
    transaction: Transaction, layout: Layout, project: str, ids: Sequence[RecordId], exclusive: bool
) -> dict[RecordId, tuple[int, str]]:
    """Version and text of those that are there, locked until the end of the transaction."""
    found: dict[RecordId, tuple[int, str]] = {}
    lock = transaction.dialect.for_update if exclusive else transaction.dialect.for_share
    for start in range(0, len(ids), _ROWS):
        among, values = _among(transaction, layout, ids[start : start + _ROWS])
        rows = transaction.fetch(
            f"SELECT id, version, document FROM {layout.table} WHERE {layout.scope} AND id {among} ORDER BY id{lock}",
            [*layout.scope_values(project), *values],
        )
        found.update({id: (version, text) for id, version, text in rows})
    return found


def holder(transaction: Transaction, layout: Layout, project: str, name: str, value: Key) -> RecordId | None:
    """Who has this unique value."""
    rows = transaction.fetch(
        f"SELECT id FROM {layout.table} WHERE {layout.scope} AND {layout.columns[name]} = %s",
        [*layout.scope_values(project), value],
    )
    return rows[0][0] if rows else None


def quarantine_reason(transaction: Transaction, layout: Layout, project: str, id: RecordId) -> str | None:
    rows = transaction.fetch(
        f"SELECT reason FROM {QUARANTINE} WHERE project = %s AND collection = %s AND record = %s",
        (project, layout.name, str(id)),
    )
    return rows[0][0] if rows else None


def delete(transaction: Transaction, layout: Layout, project: str, ids: Sequence[RecordId]) -> None:
    for start in range(0, len(ids), _ROWS):
        chunk = ids[start : start + _ROWS]
        among, values = _among(transaction, layout, chunk)
        transaction.later(
            f"DELETE FROM {layout.table} WHERE {layout.scope} AND id {among}", [*layout.scope_values(project), *values]
        )
        if layout.lists:
            _delete_elements(transaction, layout, project, chunk)
        if layout.collection.words:
            words.delete(transaction, layout, project, chunk)
        if layout.searched:
            texts.remove(transaction.later, transaction.dialect, layout, project, chunk)


def insert(transaction: Transaction, layout: Layout, project: str, rows: Sequence[Stored]) -> None:
    scope = layout.scope_values(project)
    columns = [*["project", "collection"][: len(scope)], "id", "version", "document"]
    columns += [column for _, column in layout.key_columns]
    types = [*["text"] * len(scope), _id_type(layout), "bigint", "text"]
    types += [TYPES[layout.kind(name)] for name, _ in layout.key_columns]
    for start in range(0, len(rows), _ROWS):
        values = [
            (*scope, row.id, row.version, row.text, *_column_values(layout, row)) for row in rows[start : start + _ROWS]
        ]
        sql, parameters = bulk.source(transaction.dialect, types, values)
        transaction.later(f"INSERT INTO {layout.table} ({', '.join(columns)}) {sql}", parameters)
    if layout.lists:
        _insert_elements(transaction, layout, project, rows)
    if layout.collection.words:
        words.insert(transaction, layout, project, rows)
    if layout.searched:
        texts.write(transaction.later, transaction.dialect, layout, project, rows)


def update(
    transaction: Transaction,
    layout: Layout,
    project: str,
    pairs: Sequence[tuple[Stored, Stored]],
    verified: bool = False,
) -> None:
    """Rows that were there, as they are now; only the columns that differ in one of them are named. `verified`: the
    rows are not locked, and all fails if one of them is not what it was taken for.
    """
    if len(pairs) > 1:
        _free_unique_values(transaction, layout, project, pairs)
    before = [_column_values(layout, old) for old, _ in pairs]
    now = [_column_values(layout, new) for _, new in pairs]
    differing = [
        number
        for number in range(len(layout.key_columns))
        if any(old[number] != new[number] for old, new in zip(before, now, strict=True))
    ]
    names = [layout.key_columns[number] for number in differing]
    columns = ["version", "document", *(column for _, column in names)]
    values = [
        (pair[1].version, pair[1].text, *(row[number] for number in differing))
        for pair, row in zip(pairs, now, strict=True)
    ]
    types = ["bigint", "text", *(TYPES[layout.kind(name)] for name, _ in names)]
    ids = [new.id for _, new in pairs]
    expected = [(old.version, old.text) for old, _ in pairs] if verified else []
    _set(transaction, layout, project, ids, columns, types, values, expected)
    if layout.lists:
        changed = [
            new for old, new in pairs if any(old.keys[field.name] != new.keys[field.name] for field in layout.lists)
        ]
        if changed:
            _delete_elements(transaction, layout, project, [row.id for row in changed])
            _insert_elements(transaction, layout, project, changed)
    if layout.collection.words:
        words.update(transaction, layout, project, pairs)
    if layout.searched:
        texts.rewrite(transaction.later, transaction.dialect, layout, project, pairs)


_ROWS: Final = 500


def _among(transaction: Transaction, layout: Layout, ids: Sequence[RecordId]) -> tuple[str, list[Any]]:
    return bulk.among(transaction.dialect, _id_type(layout), ids)


def _id_type(layout: Layout) -> str:
    return TYPES[layout.kind("id")]


def _column_values(layout: Layout, row: Stored) -> list[Key]:
    if not layout.searched:
        return [row.keys[name] for name, _ in layout.key_columns]
    return [
        query.fold(value) if layout.kind(name) is Kind.SEARCH and isinstance(value, str) else value
        for name, _ in layout.key_columns
        for value in (row.keys[name],)
    ]


def _set(
    transaction: Transaction,
    layout: Layout,
    project: str,
    ids: Sequence[RecordId],
    columns: Sequence[str],
    types: Sequence[str],
    values: Sequence[tuple[Any, ...]],
    expected: Sequence[tuple[int, str]],
) -> None:
    """`expected` are version and text of each row, if that is to be verified. Then PostgreSQL divides by zero where one
    is another, which undoes everything (`faults.is_conflict`): no number of rows comes back before the commit.
    """
    scope = layout.scope_values(project)
    if len(ids) == 1 or not transaction.dialect.is_postgresql:
        assignments = ", ".join(f"{column} = %s" for column in columns)
        for number, (id, row) in enumerate(zip(ids, values, strict=True)):
            sql = f"UPDATE {layout.table} SET {assignments} WHERE {layout.scope} AND id = %s"
            parameters = [*row, *scope, id]
            if expected:
                sql = _verifying(f"{sql} AND version = %s AND document = %s", 1)
                parameters += expected[number]
            transaction.later(sql, parameters)
        return
    assignments = ", ".join(f"{column} = v.{column}" for column in columns)
    scoped = " AND ".join(f"t.{part}" for part in layout.scope.split(" AND "))
    names = ["id", *columns, *(["old_version", "old_document"] if expected else [])]
    kinds = [_id_type(layout), *types, *(["bigint", "text"] if expected else [])]
    for start in range(0, len(ids), _ROWS):
        span = slice(start, start + _ROWS)
        old: Sequence[tuple[Any, ...]] = expected[span] or [()] * len(ids[span])
        chunk = [(id, *row, *was) for id, row, was in zip(ids[span], values[span], old, strict=True)]
        sql = (
            f"UPDATE {layout.table} AS t SET {assignments} FROM {bulk.arrays(kinds)} AS v ({', '.join(names)})"
            f" WHERE {scoped} AND t.id = v.id"
        )
        if expected:
            sql = _verifying(f"{sql} AND t.version = v.old_version AND t.document = v.old_document", len(chunk))
        transaction.later(sql, [*bulk.columns(chunk), *scope])


def _verifying(update: str, rows: int) -> str:
    return f"WITH done AS ({update} RETURNING 1) SELECT 1 / ((SELECT count(*) FROM done) = {rows})::int"


def _free_unique_values(
    transaction: Transaction, layout: Layout, project: str, pairs: Sequence[tuple[Stored, Stored]]
) -> None:
    """Records may hand unique values on to each other in one write, which the constraint would refuse half way."""
    for unique in layout.collection.unique_fields:
        ids = [old.id for old, new in pairs if old.keys[unique.name] not in (None, new.keys[unique.name])]
        for start in range(0, len(ids), _ROWS):
            among, values = _among(transaction, layout, ids[start : start + _ROWS])
            transaction.later(
                f"UPDATE {layout.table} SET {layout.columns[unique.name]} = NULL WHERE {layout.scope} AND id {among}",
                [*layout.scope_values(project), *values],
            )


def _delete_elements(transaction: Transaction, layout: Layout, project: str, ids: Sequence[RecordId]) -> None:
    for start in range(0, len(ids), _ROWS):
        among, values = _among(transaction, layout, ids[start : start + _ROWS])
        transaction.later(f"DELETE FROM {layout.elements_table} WHERE project = %s AND id {among}", [project, *values])


def _insert_elements(transaction: Transaction, layout: Layout, project: str, rows: Sequence[Stored]) -> None:
    elements = [
        (project, field.name, element, row.id)
        for row in rows
        for field in layout.lists
        if isinstance(value := row.keys[field.name], tuple)
        for element in dict.fromkeys(value)
    ]
    for start in range(0, len(elements), _ROWS):
        types = ["text", "text", "text", _id_type(layout)]
        sql, parameters = bulk.source(transaction.dialect, types, elements[start : start + _ROWS])
        transaction.later(f"INSERT INTO {layout.elements_table} (project, field, element, id) {sql}", parameters)
