"""Reading one `field:value`: which field is meant, how it is compared, and whether the value can be read."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from storage_app.search import values
from storage_app.search.errors import QueryError
from storage_app.search.fields import LISTED, ORDERED, PREFIXED, Comparison, Field, Fields, Kind, nearest
from storage_app.search.nodes import Term, Value, quote
from storage_app.search.scanner import Scanner
from storage_app.search.values import UnreadableError

_ANY_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)  # whether a time can be read does not depend on the day


def read(scanner: Scanner, fields: Fields) -> Term | None:
    """The term that begins here, or None where a plain word does."""
    start = scanner.place
    match = _NAME.match(scanner.text, start)
    if match is None or _is_word(scanner.text, match):
        return None
    name = match[1]
    field = fields.find(name)
    if field is None:
        if _passes_as_word(name, scanner.text, match.end(), fields):
            return None
        raise _unknown(scanner, fields, name)
    scanner.place = match.end()
    term = _read_values(scanner, field, fields.canonical(name))
    checked = tuple(check(field, term.comparison, value) for value in term.values)
    return replace(term, values=checked, position=start, length=scanner.place - start)


def check(field: Field, comparison: Comparison, value: Value) -> Value:
    """The value in its canonical spelling, or a QueryError at its place."""
    try:
        return _checked(field, comparison, value)
    except UnreadableError as error:
        raise QueryError(value.position, value.length, f"{field.name}: {error.sentence}", error.suggestion) from error


_NAME: Final = re.compile(r"([^\W\d][\w-]*+(?:\.[^\s:\"()|,]++)?+):")
_SIGN: Final = re.compile(r">=|<=|>|<|=|")
_SIGNS: Final = {
    ">": Comparison.GT,
    ">=": Comparison.GTE,
    "<": Comparison.LT,
    "<=": Comparison.LTE,
    "=": Comparison.IS,
    "": Comparison.IS,
}
_NUMERIC_RANGE: Final = re.compile(r"[-+0-9.eE]*?\.\.[-+0-9.eE]*")
_LONGEST_WORD: Final = 512  # bytes; nothing longer is indexed


def _is_word(text: str, match: "re.Match[str]") -> bool:
    """`std::vector` and `http://…` are words, whatever the fields are called."""
    return text.startswith((":", "//"), match.end())


def _passes_as_word(name: str, text: str, place: int, fields: Fields) -> bool:
    """Nothing that looks like a field is meant: `Error: it broke`, a path on drive C, `storage.py:12`."""
    following = text[place : place + 1]
    if not following or following.isspace() or following in "\\)|":
        return True
    return "." in name and fields.nearest(name) is None


def _unknown(scanner: Scanner, fields: Fields, name: str) -> QueryError:
    start = scanner.place
    close = fields.nearest(name)
    if close is not None:
        field = fields.by_name[close.partition(".")[0]]
        sentence = f"“{close}path” needs the path that is meant" if close.endswith(".") else f"Unknown field “{name}”"
        return QueryError(start, len(name), sentence, None if field.dotted and close.endswith(".") else close)
    end = scanner.word_end()
    whole = scanner.text[start:end]
    return QueryError(start, len(whole), f"Unknown field “{name}”; a text with a colon goes into quotes", quote(whole))


def _read_values(scanner: Scanner, field: Field, name: str) -> Term:
    sign = scanner.take(_SIGN)
    comparison = _SIGNS[sign[0] if sign else ""]
    if sign and sign[0]:
        _check_sign(scanner, field, sign)
    first = _read_value(scanner, field)
    if comparison is not Comparison.IS or (sign and sign[0]):
        found = [first]
    elif first.text == "*" and not first.quoted:
        _check_set(field, first)
        return Term(name, Comparison.SET, ())
    elif ends := _range_ends(field, first):
        return Term(name, Comparison.RANGE, ends)
    else:
        found = [first]
    while field.kind in LISTED and scanner.ahead() == ",":
        if comparison is not Comparison.IS:
            raise QueryError(scanner.place, 1, "A comparison takes one value")
        scanner.place += 1
        found.append(_read_value(scanner, field))
    distinct = tuple(dict.fromkeys(found))
    return Term(name, comparison, distinct)


def _check_sign(scanner: Scanner, field: Field, sign: "re.Match[str]") -> None:
    if sign[0] != "=" and field.kind not in ORDERED:
        raise QueryError(sign.start(), len(sign[0]), f"{field.name} knows no more and less", "")
    if field.implied is not Comparison.IS:
        raise QueryError(sign.start(), len(sign[0]), f"{field.name} takes a value without a sign", "")


def _check_set(field: Field, star: Value) -> None:
    if field.kind in (Kind.TAG, Kind.SUBSTRING) or field.implied is not Comparison.IS:
        raise QueryError(star.position, star.length, f"{field.name} needs a value")


def _read_value(scanner: Scanner, field: Field) -> Value:
    value = scanner.quoted() if scanner.ahead() == '"' else scanner.plain(comma=field.kind in LISTED)
    if not value.text:
        raise QueryError(value.position, 0, f"{field.name} needs a value")
    if field.kind in PREFIXED and not value.quoted and len(value.text) > 1 and value.text.endswith("*"):
        return replace(value, text=value.text[:-1], prefix=True)
    return value


def _range_ends(field: Field, value: Value) -> tuple[Value, Value] | None:
    if field.kind not in ORDERED or value.quoted or ".." not in value.text:
        return None
    if field.kind is Kind.VALUE and not _NUMERIC_RANGE.fullmatch(value.text):
        return None
    if field.implied is not Comparison.IS:
        raise QueryError(value.position, value.length, f"{field.name} takes one value")
    low, _, high = value.text.partition("..")
    if not low and not high:
        raise QueryError(value.position, value.length, "A range needs one end at least")
    return (
        Value(low, position=value.position, length=len(low)),
        Value(high, position=value.position + len(low) + 2, length=len(high)),
    )


def _checked(field: Field, comparison: Comparison, value: Value) -> Value:
    if comparison is Comparison.RANGE and not value.text:
        return value
    if value.prefix and (field.kind not in PREFIXED):
        raise UnreadableError("cannot be asked by a beginning")
    if field.kind is Kind.CHOICE:
        return replace(value, text=_choice(field, value.text))
    if field.kind in (Kind.WORD, Kind.TAG) and len(value.text.encode()) > _LONGEST_WORD:
        raise UnreadableError(f"no value is longer than {_LONGEST_WORD} bytes")
    if field.kind is Kind.TAG and not value.quoted and value.text.endswith("*"):
        raise UnreadableError("cannot be asked by a beginning; a * that is meant goes into quotes", quote(value.text))
    if field.kind is Kind.INTEGER:
        values.integer(value.text)
    elif field.kind is Kind.NUMBER or (field.kind is Kind.VALUE and comparison is not Comparison.IS):
        values.number(value.text)
    elif field.kind is Kind.DURATION:
        values.duration(value.text)
    elif field.kind is Kind.TIME:
        _check_time(field, comparison, value.text)
    return value


def _check_time(field: Field, comparison: Comparison, text: str) -> None:
    moments = values.moments(text, _ANY_DAY)
    if moments.is_instant and comparison is Comparison.IS and field.implied is Comparison.IS:
        raise UnreadableError(f"“{text}” is an instant, and nothing happens just then", f">{text}")


def _choice(field: Field, text: str) -> str:
    for choice in field.choices:
        if choice.casefold() == text.casefold():
            return choice
    close = nearest(text.lower(), field.choices)
    raise UnreadableError(f"“{text[:40]}” is none of {', '.join(field.choices)}", close)
