"""Full texts in the index: a table of tokens beside the records, and FTS5 over it, kept true by triggers.

Derived as all of the index is, and written in the transaction that enters the record.
"""

import sqlite3
from collections.abc import Mapping

from storage_app.records.declarations import Key
from storage_app.records.file.tables import Table
from storage_app.records.words import newest_of, text_of
from storage_app.search import tokens


def change(
    connection: sqlite3.Connection, table: Table, number: int, before: Mapping[str, Key], after: Mapping[str, Key]
) -> None:
    """The row's text as it was and is; no keys: there was, or is, no row."""
    field = table.collection.words
    if field is None:
        return
    old, new = (text_of(table.collection, keys) if keys else None for keys in (before, after))
    if old == new:
        if new is not None and newest_of(field, before) != newest_of(field, after):
            connection.execute(table.words.touch, (newest_of(field, after), number))
        return
    if old is not None:
        connection.execute(table.words.delete, (number,))
    if new is not None:
        found = tokens.indexed(new)
        values = (number, newest_of(field, after), tokens.length(found), tokens.index_text_of(found), new.casefold())
        connection.execute(table.words.insert, values)
