"""Front matter: what stands between two lines `---` at the head of a text, in the small part of YAML that people write
there: names with values, lists, lists of names with values, quoted texts, comments.

Nothing else of YAML is read: anchors, tags, block texts and braces are refused with their line. So no text, however
hostile, makes an object, refers to another value, or takes more than one look at each of its lines.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

FENCE: Final = "---"
MOST_LINES: Final = 500
LONGEST_LINE: Final = 4000
DEEPEST: Final = 4

Value: TypeAlias = Any  # None, bool, int, float, str, or lists and dicts of these


class FrontMatterError(ValueError):
    """The sentence says what is wrong, and in which line where it is one."""

    def __init__(self, line: int | None, reason: str) -> None:
        super().__init__(reason if line is None else f"line {line} {reason}")


@dataclass(frozen=True, slots=True)
class Parted:
    """A text in its two parts; without front matter `values` is empty and `body` the whole."""

    values: dict[str, Value]
    body: str


def parted(text: str) -> Parted:
    """FrontMatterError for a head that cannot be read."""
    first, _, rest = text.partition("\n")
    if first.rstrip() != FENCE:
        return Parted({}, text)
    head: list[str] = []
    while rest:
        line, _, rest = rest.partition("\n")
        if line.rstrip() == FENCE:
            return Parted(_Reader(head).whole(), rest)
        head.append(line.removesuffix("\r"))
        if len(head) > MOST_LINES:
            raise FrontMatterError(MOST_LINES + 1, f"has more than {MOST_LINES} lines before the second {FENCE}")
    raise FrontMatterError(1, f"opens front matter that no second {FENCE} ends")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    indent: int
    text: str

    @property
    def is_item(self) -> bool:
        return self.text == "-" or self.text.startswith("- ")


class _Reader:
    """Goes over the lines once; a block is all that is indented alike."""

    def __init__(self, head: list[str]) -> None:
        self._lines = [line for number, text in enumerate(head, start=2) if (line := _line(number, text))]
        self._at = 0

    def whole(self) -> dict[str, Value]:
        if not self._lines:
            return {}
        first = self._lines[0]
        if first.indent or first.is_item:
            raise FrontMatterError(first.number, "must be a name and a value, at the left")
        values = self._mapping(0, 1)
        if self._at < len(self._lines):
            raise FrontMatterError(self._lines[self._at].number, "is an item of no list")
        return values

    def _mapping(self, indent: int, depth: int) -> dict[str, Value]:
        values: dict[str, Value] = {}
        while (line := self._next(indent)) and not line.is_item:
            match = _NAMED.fullmatch(line.text)
            if match is None:
                raise FrontMatterError(line.number, "must be `name: value`")
            name, said = match[1], match[2] or ""
            if name in values:
                raise FrontMatterError(line.number, f"names {name} a second time")
            self._at += 1
            values[name] = _scalar(line.number, said) if _is_said(said) else self._below(line, indent, depth)
        return values

    def _list(self, indent: int, depth: int) -> list[Value]:
        values: list[Value] = []
        while (line := self._next(indent)) and line.is_item:
            said = line.text[1:].lstrip()
            if _NAMED.fullmatch(said):
                # the item is a block of its own that begins behind the dash
                inner = indent + len(line.text) - len(said)
                self._lines[self._at] = _Line(line.number, inner, said)
                values.append(self._mapping(inner, _deeper(line, depth)))
            elif _is_said(said):
                self._at += 1
                values.append(_scalar(line.number, said))
            else:
                raise FrontMatterError(line.number, "has nothing behind the dash")
        return values

    def _below(self, line: _Line, indent: int, depth: int) -> Value:
        """The value of a name that has none on its line: the block below it, or nothing."""
        if self._at == len(self._lines):
            return None
        below = self._lines[self._at]
        if below.is_item and below.indent >= indent:
            return self._list(below.indent, _deeper(line, depth))
        return self._mapping(below.indent, _deeper(line, depth)) if below.indent > indent else None

    def _next(self, indent: int) -> _Line | None:
        """The line at hand where it is of the block; what is indented more belongs to nothing."""
        if self._at == len(self._lines):
            return None
        line = self._lines[self._at]
        if line.indent > indent:
            raise FrontMatterError(line.number, "is indented more than what it belongs to")
        if line.indent == indent:
            return line
        return None


def _line(number: int, text: str) -> _Line | None:
    if len(text) > LONGEST_LINE:
        raise FrontMatterError(number, f"has more than {LONGEST_LINE} characters")
    said = text.strip(" ")
    if not said or said.startswith("#"):
        return None
    if "\t" in said[:1]:
        raise FrontMatterError(number, "is indented with a tab; use spaces")
    return _Line(number, len(text) - len(text.lstrip(" ")), said)


def _deeper(line: _Line, depth: int) -> int:
    if depth == DEEPEST:
        raise FrontMatterError(line.number, f"is nested more than {DEEPEST} deep")
    return depth + 1


def _is_said(text: str) -> bool:
    return bool(text) and not text.startswith("#")


def _scalar(number: int, text: str) -> Value:
    if text.startswith("["):
        return _inline_list(number, text)
    value, rest = _word(number, text, "")
    if _is_said(rest.strip()):
        raise FrontMatterError(number, "goes on behind the value")
    return value


def _inline_list(number: int, text: str) -> list[Value]:
    values: list[Value] = []
    rest = text[1:].lstrip()
    while not rest.startswith("]"):
        value, rest = _word(number, rest, ",]")
        values.append(value)
        rest = rest.lstrip()
        if rest.startswith(","):
            rest = rest[1:].lstrip()
        elif not rest.startswith("]"):
            raise FrontMatterError(number, "opens a list that no ] ends on the same line")
    if _is_said(rest[1:].strip()):
        raise FrontMatterError(number, "goes on behind the list")
    return values


def _word(number: int, text: str, ends: str) -> tuple[Value, str]:
    """The first value of the text, and what follows it; one without quotes goes on until one of `ends`."""
    if text.startswith(('"', "'")):
        match = _QUOTED.match(text)
        if match is None:
            raise FrontMatterError(number, "opens a quote that does not end on the same line")
        return _unquoted(number, match[0]), text[match.end() :]
    if text.startswith(_MEANS_MORE):
        raise FrontMatterError(
            number, f"has {text[0]!r} before a value, which is not read here; put the value in quotes"
        )
    end = next((at for at, character in enumerate(text) if character in ends), len(text))
    said = _COMMENT.split(text[:end], maxsplit=1)[0].strip()
    if ": " in said or said.endswith(":"):
        raise FrontMatterError(number, "has a colon in the value; put the value in quotes")
    if not said:
        raise FrontMatterError(number, "has an empty place in the list")
    return _plain(said), text[end:]


def _unquoted(number: int, text: str) -> str:
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    try:
        value = str(json.loads(text))
        value.encode()
    except ValueError:
        raise FrontMatterError(number, "has a backslash in quotes that says nothing; double it") from None
    return value


def _plain(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


_NAMED: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]{0,63}):(?: +(.*))?")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\']|\'\')*\'')
_COMMENT: Final = re.compile(r"(?:^| )#")
_MEANS_MORE: Final = ("&", "*", "!", "|", ">", "{", "}", "]", "%", "@", "`", "? ", "- ", ",")
_WORDS: Final[dict[str, Value]] = {"true": True, "false": False, "null": None, "~": None}
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}", re.ASCII)
