"""The highest number that each sequence ever gave out. Whoever takes one holds the row until he commits, so that a
refused insert uses none up.
"""

from typing import Final

from storage_app.records.database.transactions import Database, Transaction

TABLE: Final = "storage_app_recordsequence"


def locked(transaction: Transaction, project: str, collection: str) -> int:
    ((last,),) = transaction.fetch(
        f"INSERT INTO {TABLE} (project, collection, last) VALUES (%s, %s, 0)"
        f" ON CONFLICT (project, collection) DO UPDATE SET last = {TABLE}.last RETURNING last",
        (project, collection),
    )
    return int(last)


def write(transaction: Transaction, project: str, collection: str, last: int) -> None:
    transaction.later(
        f"UPDATE {TABLE} SET last = %s WHERE project = %s AND collection = %s", (last, project, collection)
    )


def last(database: Database, project: str, collection: str) -> int:
    rows = database.read(f"SELECT last FROM {TABLE} WHERE project = %s AND collection = %s", (project, collection))
    return int(rows[0][0]) if rows else 0
