"""How a query is answered from the index: which rows, along which order, and what Python must still look at.

An order with null in it, or with mixed directions, cannot be sought by one comparison of tuples. What comes after a
place is therefore a few ranges, each an equality on the first fields and one bound: each one seek in the index.
"""

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, product
from typing import Any, Final, TypeGuard

from storage_app.records import cursors, grams, written
from storage_app.records.backend import Select, Selection
from storage_app.records.cursors import Seek, Terms
from storage_app.records.declarations import Ids, Key, Kind
from storage_app.records.file.rows import Row
from storage_app.records.file.tables import OrderedIndex, Table
from storage_app.records.operations import Record
from storage_app.records.query import AllOf, AnyOf, Condition, Node, Not, Op, Where, matches

Sql = tuple[str, tuple[Any, ...]]


def select(connection: sqlite3.Connection, table: Table, request: Select) -> Selection:
    rows, stopped_at = select_rows(connection, table, request)
    return Selection([Record(row.id, row.version, row.document) for row in rows], stopped_at)


def select_rows(
    connection: sqlite3.Connection, table: Table, request: Select
) -> tuple[list[Row], tuple[Key, ...] | None]:
    """The rows, and the place where a scan limit ended the search."""
    if (direct := _direct(table, request)) is not None:
        return [Row(table.collection, *row) for row in connection.execute(*direct)], None
    rows, left = _rows(connection, table, request)
    may_match = written.sieve(left)
    found: list[Row] = []
    for looked_at, row in enumerate(rows, 1):
        if row.text and (may_match is None or may_match(row.text)) and (not left or matches(left, row)):
            found.append(row)
            if len(found) == request.limit:
                break
        if looked_at == request.scan_limit:
            return found, _place(connection, table, request.terms, row)
    return found, None


def count(connection: sqlite3.Connection, table: Table, where: Where) -> int:
    if where and (groups := _kept_counts(connection, table, (), where)) is not None:
        return sum(groups.values())
    exact, left = _split(table, where)
    if not left:
        condition, values = _all(exact)
        statement = f"SELECT count(*) FROM {table.name} WHERE {condition}"  # noqa: S608
        return int(connection.execute(statement, values).fetchone()[0])
    return sum(matches(left, row) for row in _matching(connection, table, exact))


def count_by(
    connection: sqlite3.Connection, table: Table, by: tuple[str, ...], where: Where
) -> dict[tuple[Key, ...], int]:
    if (groups := _kept_counts(connection, table, by, where)) is not None:
        return groups
    exact, left = _split(table, where)
    counts: dict[tuple[Key, ...], int] = {}
    if left:
        for row in _matching(connection, table, exact):
            if matches(left, row):
                values = tuple(row.keys[name] for name in by)
                counts[values] = counts.get(values, 0) + 1
        return counts
    columns = ", ".join(table.columns[name] for name in by)
    condition, bound = _all(exact)
    group = f" GROUP BY {columns}" if by else ""
    statement = f"SELECT {columns}{', ' if by else ''}count(*) FROM {table.name} WHERE {condition}{group}"  # noqa: S608
    for row_values in connection.execute(statement, bound):
        counts[table.count_values(by, row_values[:-1])] = row_values[-1]
    return counts


_ROW: Final = "rowid, id, version, text, folder, placed"
_MOST_PARTS: Final = 1000
_FEW: Final = 1000
_FEW_CANDIDATES: Final = 5000
_SORTING_PAYS: Final = 4
_RANGES: Final = {Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">="}


def _direct(table: Table, request: Select) -> Sql | None:
    """The one statement for what claims and first pages ask: just the values that an index is apart by, in its order.

    Its text is made once for each such list.
    """
    if request.seek is not None or request.scan_limit is not None:
        return None
    names, values = [], []
    for node in request.where:
        if type(node) is not Condition or node.op is not Op.EQ or node.field is None:
            return None
        if node.value is None or not _bindable(node.value):
            return None
        names.append(node.field.name)
        values.append(node.value)
    key = request.terms, tuple(names)
    if key not in table.direct:
        table.direct[key] = _direct_statement(table, *key)
    statement = table.direct[key]
    return None if statement is None else (statement, (*values, request.limit))


def _direct_statement(table: Table, terms: Terms, names: tuple[str, ...]) -> str | None:
    reverse = tuple((name, not descending) for name, descending in terms)
    for index in table.orders:
        if index.terms in (terms, reverse) and sorted(index.within) == sorted(names):
            equal = " AND ".join([f"{table.columns[name]} = ?" for name in names]) or "1"
            order = ", ".join([f"{table.column(name)}{' DESC' if descending else ''}" for name, descending in terms])
            return f"SELECT {_ROW} FROM {table.name}{index.hint} WHERE {equal} ORDER BY {order} LIMIT ?"  # noqa: S608
    return None


def _place(connection: sqlite3.Connection, table: Table, terms: Terms, row: Row) -> tuple[Key, ...]:
    """Of a row that may have come without its text, since it was only walked over."""
    columns = ", ".join(table.column(name) for name, _ in terms)
    found = connection.execute(f"SELECT {columns} FROM {table.name} WHERE rowid = ?", (row.number,)).fetchone()  # noqa: S608
    return (*table.count_values(tuple(name for name, _ in terms[:-1]), found[:-1]), row.id)


def _rows(connection: sqlite3.Connection, table: Table, request: Select) -> tuple[Iterator[Row], Where]:
    """Rows that may match in the direction of travel, and the conditions that they were not yet held to."""
    index, parts, used = _along(table, request)
    others = tuple(node for node in request.where if node not in used)
    narrow = _narrow(connection, table, index, parts, request.limit, others) if others else None
    if narrow is not None:
        name, node, condition = narrow
        exact, left = (
            ([condition], _without(request.where, node)) if request.scan_limit else _split(table, request.where)
        )
        return _sought(connection, table, name, [()], (), request, exact), left
    if others and (candidates := _few_candidates(connection, table, others)) is not None:
        exact, left = _split(table, request.where, by_row=True)
        return _sought(connection, table, " NOT INDEXED", [()], (), request, [candidates, *exact]), left
    bounds = [node for node in others if _is_bound(node, table, request.terms)]
    exact, left = _split(table, (node for node in others if node not in bounds), by_row=True)
    if request.scan_limit and index.name:
        # Rows that are walked over come too, without their text, so that they can be counted.
        return _sought(connection, table, index.hint, parts, index.within, request, [], exact, bounds), left
    return _sought(connection, table, index.hint, parts, index.within, request, exact, (), bounds), left


def _is_bound(node: Node, table: Table, terms: Terms) -> TypeGuard[Condition]:
    """Whether a condition is on the field of the order, and so bounds the way itself."""
    return isinstance(node, Condition) and node.name == terms[0][0] and _comparison(table, node) is not None


def _few_candidates(connection: sqlite3.Connection, table: Table, where: Where) -> Sql | None:
    """The rows that the index of texts leaves, where those are few."""
    for name, index in table.grams.items():
        asked = grams.wanted(where, table.collection.by_name[name])
        if asked is None:
            continue
        chosen, values = f"SELECT rowid FROM {index} WHERE {index} MATCH ?", (grams.as_match(asked),)  # noqa: S608
        counted = f"SELECT count(*) FROM ({chosen} LIMIT {_FEW_CANDIDATES})"  # noqa: S608
        if connection.execute(counted, values).fetchone()[0] < _FEW_CANDIDATES:
            return f"{table.name}.rowid IN ({chosen})", values
    return None


def _along(table: Table, request: Select) -> tuple[OrderedIndex, list[tuple[Key, ...]], list[Node]]:
    """The index that gives the order and holds the most conditions, the values it is apart by, and what it holds."""
    fixed = _fixed(request.where)
    reverse = tuple((name, not descending) for name, descending in request.terms)
    best: tuple[OrderedIndex, list[tuple[Key, ...]]] | None = None
    for index in table.orders:
        if index.terms not in (request.terms, reverse) or not all(name in fixed for name in index.within):
            continue
        parts = list(islice(product(*(fixed[name][1] for name in index.within)), _MOST_PARTS + 1))
        if len(parts) <= _MOST_PARTS and (best is None or len(index.within) > len(best[0].within)):
            best = index, parts
    if best is None:
        return OrderedIndex("", request.terms), [()], []
    return *best, [fixed[name][0] for name in best[0].within]


def _narrow(
    connection: sqlite3.Connection,
    table: Table,
    index: OrderedIndex,
    parts: list[tuple[Key, ...]],
    limit: int,
    others: Where,
) -> tuple[str, Node, Sql] | None:
    """A condition that leaves so few rows that sorting them beats walking the order: its index's hint, and its form."""
    best: tuple[int, str, Node, Sql] | None = None
    for node in others:
        if not isinstance(node, Condition) or (name := _index_hint(table, node)) is None:
            continue
        if (condition := _sql(table, node)) is None:
            continue
        statement = f"SELECT count(*) FROM (SELECT 1 FROM {table.name}{name} WHERE {condition[0]} LIMIT {_FEW + 1})"  # noqa: S608
        few = connection.execute(statement, condition[1]).fetchone()[0]
        if few <= _FEW and (best is None or few < best[0]):
            best = few, name, node, condition
    if best is None or _size(connection, table, index, parts) * limit <= _SORTING_PAYS * best[0] * best[0]:
        return None
    return best[1:]


def _index_hint(table: Table, condition: Condition) -> str | None:
    """The hint for the index in which the rows of a condition lie together; empty for what is found without one."""
    if condition.op is Op.NE or (condition.op is Op.CONTAINS and not _is_tag(condition)):
        return None
    if condition.path == ("id",):
        return table.order_for("id").hint
    if condition.field is None:
        return None
    if _is_tag(condition):
        return "" if condition.op is Op.CONTAINS else None
    return table.order_for(condition.field.name).hint if condition.field.name in table.columns else None


def _size(connection: sqlite3.Connection, table: Table, index: OrderedIndex, parts: list[tuple[Key, ...]]) -> int:
    """About how many rows the order has to walk over."""
    if index.within and index.within in table.counted:
        number = table.counted.index(index.within)
        return sum(_kept(connection, table, number, part) for part in parts)
    row = connection.execute("SELECT records FROM catalog WHERE name = ?", (table.collection.name,)).fetchone()
    return int(row[0]) if row else 0


def _sought(
    connection: sqlite3.Connection,
    table: Table,
    hint: str,
    parts: list[tuple[Key, ...]],
    within: tuple[str, ...],
    request: Select,
    exact: list[Sql],
    shown: Sequence[Sql] = (),
    bounds: Sequence[Condition] = (),
) -> Iterator[Row]:
    """`shown` are conditions on which a row has its text or none; `bounds` are on the field of the order."""
    backwards = request.seek is not None and request.seek.backwards
    terms = tuple((name, descending != backwards) for name, descending in request.terms)
    ranges = _ranges_after(table, terms, request.seek)
    columns = "".join(f", {table.column(name)}" for name, _ in terms) if len(parts) > 1 else ""
    order = ", ".join(f"{table.column(name)}{' DESC' if descending else ''}" for name, descending in terms)
    # A sort of everything that matches is asked for no more rows than the caller can use.
    condition, asked = _all(list(shown))
    row = _ROW.replace("text", f"CASE WHEN {condition} THEN text ELSE '' END") if shown else _ROW
    limit = "" if request.scan_limit else f" LIMIT {request.limit}" if _nothing_left(table, request) else ""

    def along(part: tuple[Key, ...]) -> Iterator[tuple[Any, ...]]:
        fixed = [_equal(table.columns[name], value) for name, value in zip(within, part, strict=True)]
        for depth, beyond in ranges:
            held = [_bound(table, node, depth, terms[0][1]) if request.seek else _bound(table, node) for node in bounds]
            condition, values = _all([*fixed, *beyond, *held, *exact])
            statement = f"SELECT {row}{columns} FROM {table.name}{hint} WHERE {condition} ORDER BY {order}{limit}"  # noqa: S608
            yield from connection.execute(statement, (*asked, *values))

    if len(parts) == 1:
        return (Row(table.collection, *row) for row in along(parts[0]))
    place = cursors.comparison(terms)
    merged = heapq.merge(*map(along, parts), key=lambda row: place(row[6:]))
    return (Row(table.collection, *row[:6]) for row in merged)


def _nothing_left(table: Table, request: Select) -> bool:
    return all(_sql(table, node) is not None for node in request.where)


def _bound(table: Table, node: Condition, depth: int = 0, descending: bool | None = None) -> Sql:
    """A bound on the way. Beyond a place SQLite may take it for the beginning and walk to the place from there: it is
    said in a way that no index is used for, where the place holds the field already, or lies on the bound's own side.
    """
    begins = node.op in ((Op.LT, Op.LTE) if descending else (Op.GT, Op.GTE)) if descending is not None else False
    sql = _comparison(table, node, aside=node.op in _RANGES and (depth > 0 or begins))
    assert sql is not None
    return sql


def _ranges_after(table: Table, terms: Terms, seek: Seek | None) -> list[tuple[int, list[Sql]]]:
    """What lies beyond a place, in ranges that follow each other; with each, how many of the place's keys it shares."""
    if seek is None:
        return [(0, [])]
    ranges: list[tuple[int, list[Sql]]] = []
    for depth in reversed(range(len(terms))):
        equal = [
            _equal(table.column(name), key) for (name, _), key in zip(terms[:depth], seek.keys[:depth], strict=True)
        ]
        name, descending = terms[depth]
        inclusive = seek.inclusive and depth == len(terms) - 1
        beyond = _beyond(table.column(name), seek.keys[depth], descending, inclusive)
        ranges += [(depth, [*equal, bound]) for bound in beyond]
    return ranges


def _beyond(column: str, key: Key, descending: bool, inclusive: bool) -> list[Sql]:
    if key is None:
        here: list[Sql] = [(f"{column} IS NULL", ())] if inclusive else []
        return here + ([] if descending else [(f"{column} IS NOT NULL", ())])
    sign = ("<" if descending else ">") + ("=" if inclusive else "")
    after: list[Sql] = [(f"{column} {sign} ?", (key,))]
    # Nulls come last where descending; the id is never null.
    return [*after, (f"{column} IS NULL", ())] if descending and column != "id" else after


def _matching(connection: sqlite3.Connection, table: Table, exact: list[Sql]) -> Iterator[Row]:
    condition, values = _all(exact)
    for row in connection.execute(f"SELECT {_ROW} FROM {table.name} WHERE {condition}", values):  # noqa: S608
        yield Row(table.collection, *row)


def _kept_counts(
    connection: sqlite3.Connection, table: Table, by: tuple[str, ...], where: Where
) -> dict[tuple[Key, ...], int] | None:
    """The answer from kept counters, where the conditions do nothing but hold counted fields to values."""
    fixed = _fixed(where)
    if len(fixed) != len(where):
        return None
    needed = {*by, *fixed}
    if not needed:
        row = connection.execute("SELECT records FROM catalog WHERE name = ?", (table.collection.name,)).fetchone()
        return {(): row[0] if row else 0}
    number = next((number for number, fields in enumerate(table.counted) if needed <= set(fields)), None)
    if number is None:
        return None
    counts: dict[tuple[Key, ...], int] = {}
    for group, records in _counters(connection, table, number, {name: values for name, (_, values) in fixed.items()}):
        values = tuple(group[name] for name in by)
        counts[values] = counts.get(values, 0) + records
    return counts


def _counters(
    connection: sqlite3.Connection, table: Table, number: int, fixed: Mapping[str, tuple[Key, ...]]
) -> Iterator[tuple[Mapping[str, Key], int]]:
    """Each by the values it is of: few that are known are looked up, else all are read."""
    fields = table.counted[number]
    if all(name in fixed for name in fields):
        few = list(islice(product(*(fixed[name] for name in fields)), _MOST_PARTS + 1))
        if len(few) <= _MOST_PARTS:
            yield from (
                (dict(zip(fields, values, strict=True)), _kept(connection, table, number, values)) for values in few
            )
            return
    columns = ", ".join(f"v{place}" for place in range(len(fields)))
    for row in connection.execute(f"SELECT {columns}, n FROM {table.counts} WHERE f = ? AND n > 0", (number,)):  # noqa: S608
        group = dict(zip(fields, table.count_values(fields, row[:-1]), strict=True))
        if all(group[name] in allowed for name, allowed in fixed.items()):
            yield group, row[-1]


def _kept(connection: sqlite3.Connection, table: Table, number: int, values: tuple[Key, ...]) -> int:
    statement = f"SELECT n FROM {table.counts} WHERE f = ? AND key = ?"  # noqa: S608
    row = connection.execute(statement, (number, table.count_key(values))).fetchone()
    return int(row[0]) if row else 0


def _fixed(where: Where) -> dict[str, tuple[Condition, tuple[Key, ...]]]:
    """Ordered fields that a condition holds to one value or a few."""
    found: dict[str, tuple[Condition, tuple[Key, ...]]] = {}
    for node in where:
        if isinstance(node, Condition) and node.field and node.field.kind not in (Kind.TEXT_LIST, Kind.SEARCH):
            values = _values(node)
            if values is not None and all(map(_bindable, values)):
                found.setdefault(node.field.name, (node, values))
    return found


def _values(condition: Condition) -> tuple[Key, ...] | None:
    if condition.op is Op.EQ:
        return (condition.value,)
    if condition.op is Op.IN:
        return tuple(dict.fromkeys(condition.value))
    return (None,) if condition.op is Op.ISNULL and condition.value else None


def _without(where: Where, node: Node) -> Where:
    return tuple(other for other in where if other is not node)


def _split(table: Table, where: Iterable[Node], by_row: bool = False) -> tuple[list[Sql], Where]:
    """What the index can say, and the conditions of which that is not the whole. `by_row`: of rows that come along some
    way, each looks up its own elements; the list of all rows with an element may be as long as the table.
    """
    said, left = [], []
    for node in where:
        condition = _sql(table, node, by_row)
        if condition is None:
            left.append(node)
            condition = _in_the_text(node)
        if condition is not None:
            said.append(condition)
    return said, tuple(left)


def _in_the_text(node: Node) -> Sql | None:
    """What stands in the text of every document that meets the condition, and in some others."""
    if isinstance(node, Not):
        return None
    if not isinstance(node, Condition):
        found = [_in_the_text(part) for part in node.parts]
        known = [part for part in found if part is not None]
        if not known or (isinstance(node, AnyOf) and len(known) < len(found)):
            return None
        joined = (" OR " if isinstance(node, AnyOf) else " AND ").join(sql for sql, _ in known)
        return f"({joined})", tuple(chain.from_iterable(values for _, values in known))
    texts = written.wanted(node)
    if not texts or not all(map(_bindable, texts)):
        return None
    return f"({' OR '.join(['instr(text, ?) > 0'] * len(texts))})", texts


def _all(conditions: list[Sql]) -> Sql:
    if not conditions:
        return "1", ()
    return " AND ".join(sql for sql, _ in conditions), tuple(chain.from_iterable(values for _, values in conditions))


def sql_of(table: Table, node: Node) -> Sql | None:
    """The condition where the index can judge it just as `matches` does; columns stand without their table's name."""
    return _sql(table, node)


def _sql(table: Table, node: Node, by_row: bool = False) -> Sql | None:
    """The condition in SQL where that means exactly the same, and is never null."""
    if isinstance(node, Condition):
        return _comparison(table, node, by_row)
    if isinstance(node, Not):
        part = _sql(table, node.part, by_row)
        return part and (f"NOT ({part[0]})", part[1])
    parts = [_sql(table, part, by_row) for part in node.parts]
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return None
    if not known:
        return ("1" if isinstance(node, AllOf) else "0"), ()
    joined = (" OR " if isinstance(node, AnyOf) else " AND ").join(f"({sql})" for sql, _ in known)
    return f"({joined})", tuple(chain.from_iterable(values for _, values in known))


def _comparison(table: Table, condition: Condition, by_row: bool = False, aside: bool = False) -> Sql | None:
    """`aside`: said so that SQLite uses no index for it."""
    column = _column(table, condition)
    if aside and column is not None:
        column = f"+{column}"
    op, value = condition.op, condition.value
    if condition.field is not None and condition.field.name in table.texts:
        return _in_text(table.texts[condition.field.name], condition)
    if _is_tag(condition) and op is Op.CONTAINS and _bindable(value):
        inner = f"SELECT row FROM {table.tags} WHERE field = ? AND element = ?"  # noqa: S608
        if by_row:
            # The sign takes the number's type away: for that SQLite would turn each row's into one, past the index.
            return f"EXISTS ({inner} AND row = +{table.name}.rowid)", (condition.name, value)
        return f"{table.name}.rowid IN ({inner})", (condition.name, value)
    if column is None or not all(map(_bindable, value if isinstance(value, tuple) else (value,))):
        return None
    if op is Op.ISNULL:
        return f"{column} IS {'' if value else 'NOT '}NULL", ()
    if op is Op.EQ:
        return _equal(column, value)
    if op is Op.NE:
        return f"{column} IS NOT ?", (value,)
    if op is Op.IN:
        values = [item for item in value if item is not None]
        listed = f"{column} IN ({','.join('?' * len(values))})" if values else "0"
        if None in value:
            return f"({listed} OR {column} IS NULL)", tuple(values)
        return _never_null(listed, column), tuple(values)
    if op in _RANGES:
        return _never_null(f"{column} {_RANGES[op]} ?", column), (value,)
    if op is Op.STARTSWITH:
        return _prefix(column, value)
    if op is Op.CONTAINS and (condition.field is None or condition.field.kind is Kind.TEXT):
        return _never_null(f"instr({column}, ?) > 0", column), (value,)
    return None


def _in_text(column: str, condition: Condition) -> Sql | None:
    """The column holds the folded text."""
    if condition.op is Op.ISNULL:
        return f"{column} IS {'' if condition.value else 'NOT '}NULL", ()
    if condition.op is not Op.SEARCH or not all(map(_bindable, condition.value)):
        return None
    return _never_null(" AND ".join([f"instr({column}, ?) > 0"] * len(condition.value)), column), condition.value


def _never_null(sql: str, column: str) -> str:
    """SQL's third truth value would make a `Not` around it fail for null."""
    return sql if column in ("id", "version") else f"({sql} AND {column} IS NOT NULL)"


def _prefix(column: str, prefix: str) -> Sql:
    if not prefix:
        return f"{column} IS NOT NULL", ()
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return _never_null(f"{column} >= ?", column), (prefix,)
    following = ord(stem[-1]) + 1
    end = stem[:-1] + chr(0xE000 if following == 0xD800 else following)  # surrogates are no characters
    return _never_null(f"{column} >= ? AND {column} < ?", column), (prefix, end)


def _equal(column: str, value: Key) -> Sql:
    return (f"{column} IS NULL", ()) if value is None else (_never_null(f"{column} = ?", column), (value,))


def _column(table: Table, condition: Condition) -> str | None:
    if condition.field is not None:
        return table.columns.get(condition.field.name)
    if condition.path == ("version",):
        return "version"
    if condition.path != ("id",) or condition.op is Op.ISNULL or condition.op in (Op.SEARCH,):
        return None
    return "id" if table.collection.ids is not Ids.SEQUENCE or condition.op is not Op.CONTAINS else None


def _is_tag(condition: Condition) -> bool:
    return condition.field is not None and condition.field.kind is Kind.TEXT_LIST


def _bindable(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii() or not any(0xD800 <= ord(character) <= 0xDFFF for character in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63
