"""What is kept so that nobody has to count: tallies of collections and streams, and counts by values.

Both are rows that grow and shrink in the same transaction as the records they speak of. They come last in it, in
one order, so that writers wait for each other briefly and never in a circle.
"""

import hashlib
import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product, takewhile
from typing import Any, Final, TypeAlias

from storage_app import strict_json
from storage_app.records.database import bulk
from storage_app.records.database.conditions import Narrowed
from storage_app.records.database.dialects import Dialect
from storage_app.records.database.layout import Layout
from storage_app.records.database.transactions import Database, Transaction
from storage_app.records.declarations import Key

TALLIES: Final = "storage_app_recordtally"
COUNTS: Final = "storage_app_recordcount"
Place: TypeAlias = tuple[str, str, str, str]  # project, collection, counter, value


class Changes:
    """What one write does to the tallies and counts of a project."""

    def __init__(self, project: str, dialect: Dialect) -> None:
        self._project = project
        self._dialect = dialect
        self._tallies: dict[tuple[str, str], list[int]] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._whole: dict[str, str] = {}

    def tally(self, collection: str, stream: str = "", records: int = 0, entries: int = 0, size: int = 0) -> None:
        row = self._row(collection, stream)
        row[0] = 1
        row[1] += records
        row[2] += entries
        row[3] += size

    def grow(self, collection: str, entries: int) -> None:
        """More entries; to those who watch the records nothing has changed."""
        self._row(collection, "")[2] += entries

    def count(self, layout: Layout, before: Mapping[str, Key] | None, after: Mapping[str, Key] | None) -> None:
        for name, fields in layout.named_counters:
            if before is not None and after is not None and all(before[field] == after[field] for field in fields):
                continue
            for keys, step in ((before, -1), (after, 1)):
                if keys is not None:
                    values = tuple([keys[field] for field in fields])
                    self._counts[layout.name, name, self._stored(values)] += step

    def write(self, transaction: Transaction) -> None:
        shard = transaction.shard
        if self._tallies:
            tallies = [(self._project, *key, shard, *self._tallies[key]) for key in sorted(self._tallies)]
            sql, parameters = bulk.source(self._dialect, _TALLY_TYPES, tallies)
            transaction.later(_INTO_TALLIES.format(sql), parameters)
        counts = sorted(key for key, step in self._counts.items() if step)
        for start in range(0, len(counts), _ROWS):
            rows = [
                (self._project, *key, shard, self._whole.get(key[2]), self._counts[key])
                for key in counts[start : start + _ROWS]
            ]
            sql, parameters = bulk.source(self._dialect, _COUNT_TYPES, rows)
            transaction.later(_INTO_COUNTS.format(sql), parameters)

    def emptied(self) -> set[Place]:
        """Counts that fell, and may have come to nothing."""
        return {(self._project, *key) for key, step in self._counts.items() if step < 0}

    def _row(self, collection: str, stream: str) -> list[int]:
        return self._tallies.setdefault((collection, stream), [0, 0, 0, 0])

    def _stored(self, values: tuple[Key, ...]) -> str:
        text, whole = stored_values(values)
        if whole is not None:
            self._whole[text] = whole
        return text


class Emptied:
    """Counts that may have come to nothing, removed every now and then: a million workers leave no million rows."""

    def __init__(self) -> None:
        self._places: set[Place] = set()
        self._lock = threading.Lock()

    def note(self, places: Iterable[Place]) -> list[Place]:
        """Those to be swept now, if there are enough of them."""
        with self._lock:
            self._places.update(places)
            if len(self._places) < _SWEEP:
                return []
            due, self._places = sorted(self._places), set()
            return due


def sweep(transaction: Transaction, places: Sequence[Place]) -> None:
    """The rows are locked before they are added up: one that grows meanwhile is in another shard or waits."""
    lock = " FOR UPDATE" if transaction.dialect.is_postgresql else ""
    same = "(project = %s AND collection = %s AND counter = %s AND value = %s)"
    rows = transaction.fetch(
        f"SELECT project, collection, counter, value, shard, number FROM {COUNTS}"
        f" WHERE {' OR '.join([same] * len(places))} ORDER BY project, collection, counter, value, shard{lock}",
        [part for place in places for part in place],
    )
    sums: Counter[Place] = Counter()
    for project, collection, counter, value, _, number in rows:
        sums[project, collection, counter, value] += number
    for project, collection, counter, value, shard, _ in rows:
        if sums[project, collection, counter, value] == 0:
            transaction.later(
                f"DELETE FROM {COUNTS} WHERE project = %s AND collection = %s AND counter = %s AND value = %s"
                " AND shard = %s",
                (project, collection, counter, value, shard),
            )


def counter_name(fields: Sequence[str]) -> str:
    return ",".join(fields)


def stored_values(values: tuple[Key, ...]) -> tuple[str, str | None]:
    """Values as the key of a count; very long ones are cut and told apart by a digest, and kept whole beside it."""
    return _written(values, tuple(map(type, values)))  # true is not 1


def kept(
    database: Database, layout: Layout, project: str, by: tuple[str, ...], narrowed: Narrowed
) -> dict[tuple[Key, ...], int] | None:
    """The answer from kept counts, where the conditions do nothing but fix counted fields; otherwise None."""
    fixed = narrowed.fixed
    if narrowed.rest or len(narrowed.expressions) != len(fixed):
        return None
    fields = next((fields for fields in layout.counters if {*by, *fixed} <= set(fields)), None)
    if fields is None:
        return None
    found: dict[tuple[Key, ...], int] = {}
    for text, number in _rows(database, layout, project, fields, narrowed):
        values = strict_json.loads(text)
        assert isinstance(values, list)
        row: dict[str, Any] = dict(zip(fields, values, strict=True))
        if all(_is_among(row[name], fixed[name].values or ()) for name in fixed):
            group = tuple(row[name] for name in by)
            found[group] = found.get(group, 0) + int(number)
    return found


def tallied(database: Database, layout_name: str, project: str) -> tuple[int, int, int, int]:
    """Changes, records, entries and bytes of a collection."""
    ((changes, records, entries, size),) = database.read(
        "SELECT coalesce(sum(changes), 0), coalesce(sum(records), 0), coalesce(sum(entries), 0),"
        f" coalesce(sum(bytes), 0) FROM {TALLIES} WHERE project = %s AND collection = %s AND stream = ''",
        (project, layout_name),
    )
    return int(changes), int(records), int(entries), int(size)


def changes(database: Database, layout_name: str, project: str, stream: str) -> int:
    ((changes,),) = database.read(
        f"SELECT coalesce(sum(changes), 0) FROM {TALLIES} WHERE project = %s AND collection = %s AND stream = %s",
        (project, layout_name, stream),
    )
    return int(changes)


_ROWS: Final = 500
_SWEEP: Final = 200
_MOST_SOUGHT: Final = 1000
_PLAIN_VALUE: Final = 150
_TALLY_TYPES: Final = ("text", "text", "text", "smallint", *["bigint"] * 4)
_COUNT_TYPES: Final = ("text", "text", "text", "text", "smallint", "text", "bigint")
_INTO_TALLIES: Final = (
    f"INSERT INTO {TALLIES} (project, collection, stream, shard, changes, records, entries, bytes) {{}}"
    " ON CONFLICT (project, collection, stream, shard) DO UPDATE SET"
    f" changes = {TALLIES}.changes + excluded.changes, records = {TALLIES}.records + excluded.records,"
    f" entries = {TALLIES}.entries + excluded.entries, bytes = {TALLIES}.bytes + excluded.bytes"
)
_INTO_COUNTS: Final = (
    f"INSERT INTO {COUNTS} (project, collection, counter, value, shard, whole_value, number) {{}}"
    " ON CONFLICT (project, collection, counter, value, shard)"
    f" DO UPDATE SET number = {COUNTS}.number + excluded.number"
)


@lru_cache(maxsize=10_000, typed=True)
def _written(values: tuple[Key, ...], kinds: tuple[type, ...]) -> tuple[str, str | None]:
    text = strict_json.dumps(list(values))
    if len(text) <= _PLAIN_VALUE:
        return text, None
    return f"{text[:_PLAIN_VALUE]}#{hashlib.sha256(text.encode()).hexdigest()}", text


def _rows(
    database: Database, layout: Layout, project: str, fields: tuple[str, ...], narrowed: Narrowed
) -> list[tuple[Any, ...]]:
    """The rows of a counter; only those asked for where every field is held to a few values, else those that begin as
    they must, where its first fields are held to one value.
    """
    sql = (
        f"SELECT coalesce(whole_value, value), sum(number) FROM {COUNTS}"
        " WHERE project = %s AND collection = %s AND counter = %s"
    )
    parameters: list[Any] = [project, layout.name, counter_name(fields)]
    allowed = [narrowed.fixed[name].values or () if name in narrowed.fixed else () for name in fields]
    front = [values[0] for values in takewhile(lambda values: len(values) == 1, allowed)]
    if 0 < math.prod(map(len, allowed)) <= _MOST_SOUGHT:
        sought = [stored_values(values)[0] for values in product(*allowed)]
        sql += f" AND value IN ({', '.join(['%s'] * len(sought))})"
        parameters += sought
    elif front and len(prefix := strict_json.dumps(front)[:-1] + ",") <= _PLAIN_VALUE:
        sql += " AND value >= %s AND value < %s"
        parameters += [prefix, prefix[:-1] + "-"]  # the sign after the comma
    return database.read(sql + " GROUP BY coalesce(whole_value, value)", parameters)


def _is_among(value: Key, allowed: tuple[Key, ...]) -> bool:
    """By the kind as well: true is not 1."""
    return any(value == each and type(value) is type(each) for each in allowed)
