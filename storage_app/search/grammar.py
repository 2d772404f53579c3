r"""The one query language of pages, API, commands and saved views. Any text is a query, or a QueryError with its place.

| written | means |
| --- | --- |
| `timed out` | both words (`AND` may stand between) |
| `"timed out"` | the phrase; `\"` and `\\` inside stand for `"` and `\` |
| `pre*` `"timed o"*` | what begins so |
| `a OR b`, `a | b` | one of the two; binds less than standing side by side |
| `-a`, `NOT a`, `-(a b)` | not |
| `status:failed`, `name:"my job"` | a field; `status:failed,timeout` one of several |
| `created:>2026-01-01` `priority:>=5` `priority:1..5` `created:..-2h` | comparisons and ranges |
| `options.lang:de` | a path below a dotted field |
| `error:*` | has any value |

A word goes up to the next blank, quote or `|`; brackets that close within it belong to it, as in `main()`. `->`,
`--flag`, `http://…`, `12:30` and `std::vector` are words. `AND`, `OR` and `NOT` are operators in capitals only.
What is taken for an operator and is not meant so goes into quotes. Reading takes linear time; length, number of terms
and depth are bounded.
"""

import re
from dataclasses import replace
from typing import Final

from storage_app.search import terms
from storage_app.search.errors import QueryError
from storage_app.search.fields import Fields
from storage_app.search.nodes import (
    OPERATORS,
    And,
    Node,
    Not,
    Or,
    Query,
    Term,
    Text,
    joined,
    leaves,
    negated,
    of,
    quote,
)
from storage_app.search.scanner import Scanner

LONGEST: Final = 2000
MOST_TERMS: Final = 50
DEEPEST: Final = 8


def parse(text: str, fields: Fields) -> Query:
    """The query that a text is; QueryError says what is wrong and where."""
    if len(text) > LONGEST:
        raise QueryError(LONGEST, len(text) - LONGEST, f"A query has at most {LONGEST} characters")
    if bad := _UNREADABLE.search(text):
        raise QueryError(bad.start(), 1, "This character is no text", "")
    query = _Reader(text, fields).query()
    _check_size(query)
    return query


_UNREADABLE: Final = re.compile("[\x00\ud800-\udfff]")
_OPERATOR: Final = re.compile(rf"(?:{'|'.join(OPERATORS)})(?=[\s()|\"]|$)")
_BARS: Final = re.compile(r"\|+")
_DEEPEST_BRACKET: Final = 50
_TOO_DEEP: Final = f"This is nested too deep; {DEEPEST} levels are the most"


class _Reader:
    def __init__(self, text: str, fields: Fields) -> None:
        self.scanner = Scanner(text)
        self.fields = fields
        self.depth = 0

    def query(self) -> Query:
        self.scanner.skip_blanks()
        if not self.scanner.ahead():
            return Query()
        node = self._alternatives()
        if self.scanner.ahead():
            raise QueryError(self.scanner.place, 1, "There is no bracket that this one closes", "")
        return of([node])

    def _alternatives(self) -> Node:
        parts = [self._together()]
        while sign := self._either():
            parts.append(self._together(after=sign))
        return joined(Or, parts)

    def _either(self) -> "re.Match[str] | None":
        match = _BARS.match(self.scanner.text, self.scanner.place) or self._operator("OR")
        if match:
            self.scanner.place = match.end()
        return match

    def _together(self, after: "re.Match[str] | None" = None) -> Node:
        parts: list[Node] = []
        self.scanner.skip_blanks()
        while (ahead := self.scanner.ahead()) and ahead not in "|)" and not self._operator("OR"):
            if sign := self._operator("AND"):
                self._require(bool(parts), sign)
                self.scanner.place = sign.end()
                self.scanner.skip_blanks()
                after = sign
                self._require(not self._at_end_of_group(), sign)
            parts.append(self._one())
            after = None
            self.scanner.skip_blanks()
        if not parts:
            raise self._missing(after)
        return joined(And, parts)

    def _at_end_of_group(self) -> bool:
        ahead = self.scanner.ahead()
        return not ahead or ahead in "|)" or bool(self._operator("OR") or self._operator("AND"))

    def _one(self) -> Node:
        start = self.scanner.place
        if self._takes_minus():
            return self._negation(start, self.scanner.place - start)
        if sign := self._operator("NOT"):
            self.scanner.place = sign.end()
            self.scanner.skip_blanks()
            self._require(not self._at_end_of_group(), sign)
            return self._negation(start, sign.end() - start)
        if self.scanner.ahead() == "(":
            return self._group()
        return self._leaf()

    def _takes_minus(self) -> bool:
        """A minus before something; `->`, `--flag` and a minus by itself are words."""
        following = self.scanner.ahead(2)
        if following[:1] != "-" or len(following) < 2 or following[1] in "->)|" or following[1].isspace():
            return False
        self.scanner.place += 1
        return True

    def _negation(self, start: int, length: int) -> Node:
        self._deeper(start, length)
        node = self._one()
        self.depth -= 1
        return negated(node, start, self.scanner.place - start)

    def _group(self) -> Node:
        start = self.scanner.place
        self._deeper(start, 1)
        self.scanner.place += 1
        node = self._alternatives()
        if self.scanner.ahead() != ")":
            raise QueryError(start, 1, "This bracket is not closed", "")
        self.scanner.place += 1
        self.depth -= 1
        return replace(node, position=start, length=self.scanner.place - start)

    def _deeper(self, start: int, length: int) -> None:
        self.depth += 1
        if self.depth > _DEEPEST_BRACKET:
            raise QueryError(start, length, _TOO_DEEP)

    def _leaf(self) -> Text | Term:
        if self.scanner.ahead() == '"':
            value = self.scanner.quoted()
            return Text(value.text, True, value.prefix, value.position, value.length)
        if term := terms.read(self.scanner, self.fields):
            return term
        value = self.scanner.plain()
        prefix = len(value.text) > 1 and value.text.endswith("*")
        return Text(value.text[:-1] if prefix else value.text, False, prefix, value.position, value.length)

    def _operator(self, name: str) -> "re.Match[str] | None":
        match = _OPERATOR.match(self.scanner.text, self.scanner.place)
        return match if match and match[0] == name else None

    def _require(self, good: bool, sign: "re.Match[str]") -> None:
        if not good:
            raise self._missing(sign)

    def _missing(self, sign: "re.Match[str] | None") -> QueryError:
        if sign is None:
            sign = _BARS.match(self.scanner.text, self.scanner.place) or self._operator("OR")
        if sign:
            sentence = f"{sign[0]} needs something {'behind it' if sign[0] == 'NOT' else 'on both sides'}"
            return QueryError(sign.start(), len(sign[0]), sentence, quote(sign[0]))
        if self.scanner.place and self.scanner.ahead() == ")" and self.depth:
            return QueryError(self.scanner.place - 1, 2, "There is nothing in the brackets", "")
        return QueryError(self.scanner.place, 1, "There is no bracket that this one closes", "")


def _check_size(query: Query) -> None:
    for count, leaf in enumerate(leaves(query.node), 1):
        if count > MOST_TERMS:
            raise QueryError(leaf.position, leaf.length, f"A query has at most {MOST_TERMS} terms")
    if query.node is not None:
        _check_depth(query.node, DEEPEST)


def _check_depth(node: Node, left: int) -> None:
    if left == 0:
        raise QueryError(node.position, node.length, _TOO_DEEP)
    parts = node.parts if isinstance(node, (And, Or)) else (node.part,) if isinstance(node, Not) else ()
    for part in parts:
        _check_depth(part, left - 1)
