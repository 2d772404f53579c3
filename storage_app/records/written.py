"""What must stand in a document's text for a condition on a plain field to hold: for engines that search a text faster
than anybody parses it.

Every document is kept as `strict_json.dumps` writes it, so a value has one spelling, next to the last name of its path.
The same may stand elsewhere in the document: who finds it has still to look.
"""

from typing import Final

from storage_app import strict_json
from storage_app.records.query import Condition, Op

_MOST: Final = 20
_PLAIN_NUMBERS: Final = 10**15  # up to here a float is written with all its digits


def wanted(condition: Condition) -> tuple[str, ...] | None:
    """One of these; None where nothing can be said."""
    if condition.field is not None or condition.path in (("id",), ("version",)):
        return None
    if condition.op not in (Op.EQ, Op.IN):
        return None
    values = condition.value if condition.op is Op.IN else (condition.value,)
    if len(values) > _MOST or not all(map(_has_one_spelling, values)):
        return None
    name = strict_json.dumps(condition.path[-1])
    return tuple(f"{name}:{spelling}" for value in values for spelling in _spellings(value))


def _has_one_spelling(value: object) -> bool:
    if isinstance(value, (int, float)):
        return abs(value) < _PLAIN_NUMBERS
    return isinstance(value, str)


def _spellings(value: bool | int | float | str) -> tuple[str, ...]:
    """Of a number, how it begins: 2 is 2.0 as well."""
    if isinstance(value, (bool, str)):
        return (strict_json.dumps(value),)
    if value == 0:
        return "0", "-0"
    return (strict_json.dumps(int(value) if value == int(value) else value),)
