"""What must stand in a document's text for a condition on a plain field to hold: a text is searched faster than it is
parsed, by an engine or here.

Every document is kept as `strict_json.dumps` writes it, so a value has one spelling, next to the last name of its path.
The same may stand elsewhere in the document: who finds it has still to look.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from storage_app import strict_json
from storage_app.records.query import RANGES, Condition, Node, Op

Sieve: TypeAlias = Callable[[str], bool]

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


def sieve(where: Iterable[Node]) -> Sieve | None:
    """Lets every text through that may meet all the conditions; None where all would be let through."""
    tests = [test for node in where if isinstance(node, Condition) and (test := _range_test(node)) is not None]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda text: all(test(text) for test in tests)


def _range_test(condition: Condition) -> Sieve | None:
    """Whether a number stands next to the name, anywhere, that lies within."""
    bound, holds = condition.value, RANGES.get(condition.op)
    if condition.field is not None or condition.path in (("id",), ("version",)) or holds is None:
        return None
    if isinstance(bound, bool) or not isinstance(bound, (int, float)):
        return None
    number = re.compile(re.escape(f"{strict_json.dumps(condition.path[-1])}:") + r"(-?[0-9][-+.eE0-9]*)")

    def test(text: str) -> bool:
        return any(holds(_value(digits), bound) for digits in number.findall(text))

    return test


def _value(digits: str) -> int | float:
    return int(digits) if digits.removeprefix("-").isdecimal() else float(digits)


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
