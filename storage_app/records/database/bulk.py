"""Many rows in one statement. On PostgreSQL they go as one array a column: the statement is the same for any number,
so it is planned once.
"""

from collections.abc import Sequence
from typing import Any, Final

from storage_app.records.database.dialects import Dialect


def source(dialect: Dialect, types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """What stands after INSERT INTO table (columns)."""
    if dialect.is_postgresql and len(rows) > _FEW:
        return f"SELECT * FROM {arrays(types)}", columns(rows)
    places = f"({', '.join(['%s'] * len(types))})"
    return f"VALUES {', '.join([places] * len(rows))}", [value for row in rows for value in row]


def arrays(types: Sequence[str]) -> str:
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in types)})"


def columns(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """The arrays, written by us: the driver looks at each element anew, which takes longer than storing it."""
    return [_array(column) for column in zip(*rows, strict=True)]


def among(dialect: Dialect, kind: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """What stands after a column."""
    if len(values) == 1:
        return "= %s", [values[0]]
    if dialect.is_postgresql:
        return f"= ANY(%s::{kind}[])", [_array(values)]
    return f"IN ({', '.join(['%s'] * len(values))})", list(values)


_FEW: Final = 3


def _array(values: Sequence[Any]) -> str:
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value) if isinstance(value, float) else str(value)
