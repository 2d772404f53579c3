"""Conditions as SQL, as far as SQL says exactly the same; the rest is left to `query.matches`.

For null a comparison is unknown in SQL, which counts as false; `IS NOT TRUE` is the `NOT` that sees it so.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from storage_app.records import written
from storage_app.records.database.dialects import Dialect
from storage_app.records.database.layout import Layout
from storage_app.records.declarations import LARGEST_INTEGER, Key, Kind
from storage_app.records.query import AnyOf, Condition, Node, Not, Op, Where


@dataclass(frozen=True)
class Expression:
    """SQL with its parameters; `exact`: it holds for just the rows that match, otherwise for some more. `by_row` is the
    same said so that each row is judged by itself, where that is to be said."""

    sql: str
    parameters: tuple[Any, ...] = ()
    exact: bool = True
    by_row: str = ""


@dataclass(frozen=True)
class Keyed:
    """A comparison of an ordered field (or the id) with values, and those values if it holds the field to them."""

    name: str
    expression: Expression
    values: tuple[Key, ...] | None


@dataclass
class Narrowed:
    """A query's conditions, parted: what the database judges, and what is left to be judged row by row."""

    keyed: list[Keyed] = field(default_factory=list)
    others: list[Expression] = field(default_factory=list)
    rest: list[Node] = field(default_factory=list)

    @cached_property
    def fixed(self) -> dict[str, Keyed]:
        """Fields held to one or a few values, with the condition that does it."""
        return {each.name: each for each in reversed(self.keyed) if each.values is not None}

    @property
    def expressions(self) -> list[Expression]:
        return [*(each.expression for each in self.keyed), *self.others]


def narrowed(layout: Layout, dialect: Dialect, where: Where) -> Narrowed:
    result = Narrowed()
    for node in where:
        expression = _expression(layout, dialect, node)
        if expression is None or not expression.exact:
            result.rest.append(node)
        if expression is None:
            continue
        if isinstance(node, Condition) and expression.exact and _is_ordered(layout, node):
            result.keyed.append(Keyed(_name(node), expression, _values(node)))
        else:
            result.others.append(expression)
    return result


def judged(layout: Layout, dialect: Dialect, node: Node) -> Expression | None:
    """The condition, where the database can judge it just as `query.matches` does."""
    expression = _expression(layout, dialect, node)
    return expression if expression is not None and expression.exact else None


def after_prefix(prefix: str) -> str | None:
    """The first text after all that begin with the prefix; None where there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)


_RANGES: Final = {Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">="}
_NEVER: Final = Expression("1 = 0")
_ALWAYS: Final = Expression("1 = 1")


def _expression(layout: Layout, dialect: Dialect, node: Node) -> Expression | None:
    if isinstance(node, Condition):
        return _comparison(layout, dialect, node)
    if isinstance(node, Not):
        part = _within(layout, dialect, node.part)
        return Expression(f"({part.sql}) IS NOT TRUE", part.parameters) if part and part.exact else None
    found = [_within(layout, dialect, part) for part in node.parts]
    known = [expression for expression in found if expression is not None]
    is_choice = isinstance(node, AnyOf)
    if len(known) < len(found) and (is_choice or not known):
        return None
    if not known:
        return _NEVER if is_choice else _ALWAYS
    return Expression(
        f"({(' OR ' if is_choice else ' AND ').join(expression.sql for expression in known)})",
        tuple(value for expression in known for value in expression.parameters),
        exact=len(known) == len(found) and all(expression.exact for expression in known),
    )


def _within(layout: Layout, dialect: Dialect, node: Node) -> Expression | None:
    """As a part of another condition."""
    if isinstance(node, Condition) and node.field is not None and node.field.kind is Kind.TEXT_LIST:
        return _element(layout, node, alone=False)
    return _expression(layout, dialect, node)


def _comparison(layout: Layout, dialect: Dialect, node: Condition) -> Expression | None:
    """None where only a look at the record tells."""
    if not _can_be_sent(node.value):
        return None
    if node.field is not None and node.field.kind is Kind.TEXT_LIST:
        return _element(layout, node)
    if node.field is not None and node.field.kind is Kind.WORDS:
        return None
    if node.field is not None and node.field.kind is Kind.SEARCH:
        return _words(layout.columns[node.field.name], dialect, node)
    if _is_ordered(layout, node):
        return _keyed(layout.column(_name(node)), node, dialect)
    if node.path == ("version",) and node.field is None:
        return _keyed("version", node, dialect)
    return _in_the_text(node, dialect)


def _keyed(column: str, node: Condition, dialect: Dialect) -> Expression | None:
    op, value = node.op, node.value
    if op in (Op.EQ, Op.NE):
        sign = "=" if op is Op.EQ else dialect.is_distinct
        if value is None:
            return Expression(f"{column} IS {'' if op is Op.EQ else 'NOT '}NULL")
        return Expression(f"{column} {sign} %s", (value,))
    if op is Op.IN:
        return _among(column, value)
    if op is Op.ISNULL:
        return Expression(f"{column} IS {'' if value else 'NOT '}NULL")
    if op in _RANGES:
        return Expression(f"{column} {_RANGES[op]} %s", (value,))
    if op is Op.CONTAINS:
        return Expression(f"{dialect.position}({column}, %s) > 0", (value,))
    if op is Op.STARTSWITH:
        end = after_prefix(value)
        if end is None:
            return Expression(f"{column} >= %s", (value,))
        return Expression(f"({column} >= %s AND {column} < %s)", (value, end))
    return None  # __search folds, and no database does it as we do


def _among(column: str, values: tuple[Any, ...]) -> Expression:
    known = tuple(dict.fromkeys(value for value in values if value is not None))
    parts = []
    if known:
        parts.append(f"{column} IN ({', '.join(['%s'] * len(known))})")
    if len(known) < len(set(values)):
        parts.append(f"{column} IS NULL")
    return Expression(f"({' OR '.join(parts)})", known) if parts else _NEVER


def _element(layout: Layout, node: Condition, alone: bool = True) -> Expression | None:
    if node.op is not Op.CONTAINS or node.field is None or not _can_be_sent(node.value):
        return None
    sought = (
        f"SELECT 1 FROM {layout.elements_table} AS e WHERE e.project = {layout.table}.project"
        f" AND e.field = %s AND e.element = %s AND e.id = {layout.table}.id"
    )
    # With an offset, of nothing, PostgreSQL looks each row's element up; without, it may gather all rows that have it.
    by_row = f"EXISTS ({sought} LIMIT 1 OFFSET 0)"
    return Expression(f"EXISTS ({sought})" if alone else by_row, (node.field.name, node.value), by_row=by_row)


def _words(column: str, dialect: Dialect, node: Condition) -> Expression | None:
    """The column holds the folded text."""
    if node.op is Op.ISNULL:
        return Expression(f"{column} IS {'' if node.value else 'NOT '}NULL")
    if node.op is not Op.SEARCH:
        return None
    parts = " AND ".join(f"{dialect.position}({column}, %s) > 0" for _ in node.value)
    return Expression(f"({parts})", node.value)


def _in_the_text(node: Condition, dialect: Dialect) -> Expression | None:
    """The value of a plain field stands in the document as we write it. May stand elsewhere."""
    if not _can_be_sent(node.path) or not (texts := written.wanted(node)):
        return None
    found = " OR ".join([f"{dialect.position}(document, %s) > 0"] * len(texts))
    return Expression(f"({found})", texts, exact=False)


def _is_ordered(layout: Layout, node: Condition) -> bool:
    if node.field is not None:
        return node.field in layout.ordered
    return node.path == ("id",)


def _name(node: Condition) -> str:
    return node.field.name if node.field else "id"


def _values(node: Condition) -> tuple[Key, ...] | None:
    if node.op is Op.EQ:
        return (node.value,)
    if node.op is Op.IN:
        return tuple(dict.fromkeys(node.value))
    return (None,) if node.op is Op.ISNULL and node.value else None


def _can_be_sent(value: object) -> bool:
    """What no document can hold cannot be asked of a database either: half characters, U+0000, numbers past 64 bits."""
    if isinstance(value, tuple):
        return all(map(_can_be_sent, value))
    if isinstance(value, str):
        return "\0" not in value and (value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value))
    if isinstance(value, int):
        return -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER
    return True
