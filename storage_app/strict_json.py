"""The one reader and writer of JSON: files, API bodies and commands all pass here, so every backend refuses alike.

Refused in both directions: NaN and infinities (also `1e999`), duplicate keys, nesting deeper than 64, lone surrogates
and U+0000 (raw or escaped), anything that is not UTF-8 (a byte order mark included), integers of more than 1,000
digits. Integers within that bound are exact; other numbers are IEEE doubles, and `1` and `1.0` stay what they were.

Reading is on the path of every `get`, hence its form: the interpreter's own scanner does the work, hooks catch what
only they can see, substring checks on the raw text decide whether anything dearer is needed, and the place of a fault
is looked up only once there is one.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue] | None"
JSONObject: TypeAlias = "dict[str, JSONValue]"

DEEPEST: Final = 64
MOST_DIGITS: Final = 1000


class StrictJSONError(ValueError):
    """What is wrong and where; line and column count from 1, position is the character's index from 0.

    A value that cannot be written has no place: line and column are then 0.
    """

    def __init__(self, reason: str, text: str = "", position: int | None = None) -> None:
        self.reason = reason
        self.position = position or 0
        self.line = text.count("\n", 0, self.position) + 1 if position is not None else 0
        self.column = self.position - text.rfind("\n", 0, self.position) if position is not None else 0
        super().__init__(f"{reason} at line {self.line}, column {self.column}" if self.line else reason)


def loads(source: bytes | bytearray | memoryview | str) -> JSONValue:
    """The value that the text stands for, or StrictJSONError."""
    text = source if isinstance(source, str) else _decoded(source)
    if not text.isascii():
        _refuse_unencodable(text, source)
    value = _parsed(text)
    if text.count("{") + text.count("[") > DEEPEST and _depth(value) > DEEPEST:
        raise StrictJSONError(*_place_of_depth(text))
    if "\\u" in text:
        _refuse_escapes(text)
    return value


def loads_object(source: bytes | bytearray | memoryview | str) -> JSONObject:
    """As `loads`, where nothing but an object will do."""
    value = loads(source)
    if not isinstance(value, dict):
        raise StrictJSONError(f"Expected an object, found {type_name(value)}", "", 0)
    return value


def loads_own(text: str) -> JSONObject:
    """The object of a text that `dumps` wrote or `loads` has judged before: a quarter of the price."""
    try:
        found: JSONObject = _SCAN_OWN(text, 0)[0]
    except (StopIteration, ValueError):  # rot: let the judge say where
        return loads_object(text)
    return found


def dumps(value: object) -> str:
    """Compact text in the order of the keys, the same for the same value; what `loads` refuses is refused."""
    _refuse_keys_and_depth(value)
    try:
        text = _encode(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise StrictJSONError(_writing_fault(error)) from error
    if not text.isascii():
        _refuse_unencodable(text, value="written")
    # Only these two can still hide in the text; both are rare enough to be settled by reading it again.
    if "\\u0000" in text or _may_hold_long_digits(text):
        loads(text)
    return text


def dumps_bytes(value: object) -> bytes:
    return dumps(value).encode()


def type_name(value: object) -> str:
    """What JSON calls this value."""
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return type(value).__name__


_TYPE_NAMES: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (type(None), "null"),
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a string"),
    (Mapping, "an object"),
    ((list, tuple), "an array"),
)
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_BLANK: Final = " \t\n\r"
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"([ \t\n\r]*:)?|[{}\[\]]|-?[0-9][-+.eE0-9]*|-?[A-Z][A-Za-z]+')


class _FaultError(Exception):
    """A hook refused; the scanner does not tell where, so the text is searched afterwards."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _FaultError
    return members


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _FaultError
    return number


def _short(digits: str) -> int:
    if len(digits) > MOST_DIGITS and len(digits.lstrip("-")) > MOST_DIGITS:
        raise _FaultError
    return int(digits)


def _refuse_constant(name: str) -> None:
    raise _FaultError


_Scan: TypeAlias = Callable[[str, int], tuple[Any, int]]


def _scanner(parse_int: Callable[[str], int] | None = None) -> _Scan:
    decoder: Any = json.JSONDecoder(
        object_pairs_hook=_unique, parse_float=_finite, parse_int=parse_int, parse_constant=_refuse_constant
    )
    return cast(_Scan, decoder.scan_once)


_SCAN: Final = _scanner()
_SCAN_OWN: Final = cast(_Scan, cast(Any, json.JSONDecoder()).scan_once)
_SCAN_INTEGERS: Final = _scanner(parse_int=_short)
# A run of more than 1,000 digits covers two neighbours of a sample taken every 500 characters.
_TWO_DIGITS: Final = re.compile(r"[0-9]{2}")
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_encode: Final = _ENCODER.encode


def _decoded(source: bytes | bytearray | memoryview) -> str:
    raw = bytes(source)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        raise StrictJSONError("Not UTF-8", before, len(before)) from error


def _refuse_unencodable(text: str, value: object) -> None:
    if text.startswith("\ufeff"):
        raise StrictJSONError("Byte order mark", text, 0)
    if isinstance(value, str):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            place = None if value == "written" else error.start
            raise StrictJSONError("Lone surrogate", text, place) from error


def _parsed(text: str) -> JSONValue:
    start = 0 if text[:1] not in _BLANK else len(text) - len(text.lstrip(_BLANK))
    scan = _SCAN_INTEGERS if _may_hold_long_digits(text) else _SCAN
    try:
        value, end = scan(text, start)
    except StopIteration as stop:
        raise StrictJSONError(_what_stands_there(text, stop.value), text, stop.value) from None
    except json.JSONDecodeError as error:
        raise StrictJSONError(error.msg, text, error.pos) from None
    except _FaultError:
        raise StrictJSONError(*_place_of_fault(text)) from None
    except RecursionError:
        if (place := _place_of_depth(text))[2] is None:
            raise  # the caller's own stack was nearly full; the text is not to blame
        raise StrictJSONError(*place) from None
    if end != len(text) and (rest := text[end:].lstrip(_BLANK)):
        raise StrictJSONError("Extra data", text, len(text) - len(rest))
    return cast(JSONValue, value)


def _may_hold_long_digits(text: str) -> bool:
    return len(text) > MOST_DIGITS and _TWO_DIGITS.search(text[::500]) is not None


def _what_stands_there(text: str, position: int) -> str:
    return (
        "Empty text"
        if not text.strip(_BLANK)
        else "Expected a value" + ("" if position < len(text) else ", found the end")
    )


def _refuse_escapes(text: str) -> None:
    """Backslashes stand only inside strings by now, so escapes can be read without looking at anything else."""
    high_at = high_end = -1
    for match in _ESCAPE.finditer(text):
        code = int(match[1], 16) if match[1] else -1
        if code == 0:
            raise StrictJSONError("U+0000 is not allowed", text, match.start())
        completes = 0xDC00 <= code <= 0xDFFF and match.start() == high_end
        if high_at >= 0 and not completes:
            raise StrictJSONError("Lone surrogate", text, high_at)
        if 0xDC00 <= code <= 0xDFFF and not completes:
            raise StrictJSONError("Lone surrogate", text, match.start())
        high_at, high_end = (match.start(), match.end()) if 0xD800 <= code <= 0xDBFF else (-1, -1)
    if high_at >= 0:
        raise StrictJSONError("Lone surrogate", text, high_at)


def _depth(value: object) -> int:
    """Level by level, so that depth costs no stack."""
    depth = 0
    level: list[Any] = [value] if type(value) not in _SCALARS else []
    while level:
        depth += 1
        level = [
            child
            for item in level
            for child in (item.values() if type(item) is dict else item)
            if type(child) not in _SCALARS
        ]
    return depth


def _place_of_depth(text: str) -> tuple[str, str, int | None]:
    depth = 0
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part in "{[":
            depth += 1
            if depth > DEEPEST:
                return f"Nested deeper than {DEEPEST}", text, match.start()
        elif part in "}]":
            depth -= 1
    return f"Nested deeper than {DEEPEST}", text, None


def _place_of_fault(text: str) -> tuple[str, str, int]:
    """The first fault that a hook can have met, by reading the parts once more."""
    open_keys: list[set[str]] = []
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part in "{[":
            open_keys.append(set())
        elif part in "}]":
            open_keys.pop()
        elif part[0] == '"':
            if match[1] and open_keys:
                key = json.loads(part[: -len(match[1])])
                if key in open_keys[-1]:
                    return f"Duplicate key {key[:100]!r}", text, match.start()
                open_keys[-1].add(key)
        elif reason := _number_fault(part):
            return reason, text, match.start()
    raise AssertionError("a hook refused a text in which no fault can be found")


def _number_fault(token: str) -> str:
    if token.lstrip("-") in ("NaN", "Infinity"):
        return f"{token} is not a JSON number"
    if any(sign in token for sign in ".eE"):
        return "Number too large for a double" if math.isinf(float(token)) else ""
    return f"Integer of more than {MOST_DIGITS} digits" if len(token.lstrip("-")) > MOST_DIGITS else ""


def _refuse_keys_and_depth(value: object) -> None:
    """The encoder would turn the key 1 into "1" and None into "null"; and only here is a deep value met before it."""
    level: list[Any] = [value] if type(value) not in _SCALARS else []
    depth = 0
    while level:
        depth += 1
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                try:
                    "".join(item)
                except TypeError:
                    raise StrictJSONError("Object keys must be strings") from None
                children: Iterable[Any] = item.values()
            elif isinstance(item, (list, tuple)):
                children = item
            else:
                continue
            if depth > DEEPEST:
                raise StrictJSONError(f"Nested deeper than {DEEPEST}")
            below += [child for child in children if type(child) not in _SCALARS]
        level = below


def _writing_fault(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"Nested deeper than {DEEPEST}"
    if isinstance(error, TypeError):
        return str(error)
    if "Out of range float" in str(error):
        return "NaN and infinities are not JSON numbers"
    return f"Integer of more than {MOST_DIGITS} digits"
