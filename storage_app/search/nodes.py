"""What a query is once read: a small tree, its canonical text, and the changes that chips and menus make to it.

`parse(str(query))` is the query again. Two nodes are equal when they mean the same; where they stood in the text
(`position`, `length`) does not count.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from storage_app.search.fields import Comparison


@dataclass(frozen=True)
class Value:
    """A value as it was written, quotes resolved. `prefix`: a `*` stood behind it."""

    text: str
    quoted: bool = False
    prefix: bool = False
    position: int = dataclasses.field(default=0, compare=False)
    length: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True)
class Text:
    """A plain word, or with `quoted` a phrase."""

    text: str
    quoted: bool = False
    prefix: bool = False
    position: int = dataclasses.field(default=0, compare=False)
    length: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True)
class Term:
    """`field` is the canonical name, with its path if it is a dotted one. A range has two values, a list several."""

    field: str
    comparison: Comparison
    values: tuple[Value, ...]
    position: int = dataclasses.field(default=0, compare=False)
    length: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True)
class And:
    parts: tuple["Node", ...]
    position: int = dataclasses.field(default=0, compare=False)
    length: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True)
class Or:
    parts: tuple["Node", ...]
    position: int = dataclasses.field(default=0, compare=False)
    length: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True)
class Not:
    part: "Node"
    position: int = dataclasses.field(default=0, compare=False)
    length: int = dataclasses.field(default=0, compare=False)


OPERATORS: Final = ("AND", "OR", "NOT")
Node: TypeAlias = Text | Term | And | Or | Not


@dataclass(frozen=True)
class Query:
    """`node` is None where nothing is asked: everything matches."""

    node: Node | None = None

    @property
    def parts(self) -> tuple[Node, ...]:
        """What must hold, one chip each."""
        if self.node is None:
            return ()
        return self.node.parts if isinstance(self.node, And) else (self.node,)

    def __str__(self) -> str:
        if isinstance(self.node, Or):
            return _written(self.node, within=Or)
        return " ".join(_written(part, within=And) for part in self.parts)

    def __bool__(self) -> bool:
        return self.node is not None


def of(parts: Sequence[Node]) -> Query:
    """The query for which all of these must hold."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,))]
    if len(flat) < 2:
        return Query(flat[0] if flat else None)
    start = min(part.position for part in flat)
    return Query(And(tuple(flat), start, max(part.position + part.length for part in flat) - start))


def written(node: Node) -> str:
    """The canonical text of a part, for a chip."""
    return _written(node, within=And)


def without(query: Query, node: Node) -> Query:
    """The query with one of its parts taken away, however deep it stands; unchanged if it is not there."""
    left = None if query.node is None else _without(query.node, node)
    return Query() if left is None else of([left])


def with_term(query: Query, term: Node, *, instead: bool = False) -> Query:
    """One more thing that must hold, unless it is asked already. `instead`: in place of what the query as a whole asks
    of the same field with the same comparison.
    """
    if term in query.parts and not instead:
        return query
    kept = [part for part in query.parts if not (instead and _same_question(part, term))]
    return of([*kept, term])


def term(name: str, *values: str, comparison: Comparison = Comparison.IS) -> Term:
    """A term for a value that may hold anything; quotes are set where the text needs them."""
    return Term(name, comparison, tuple(Value(value, quoted=needs_quotes(value)) for value in values))


def text(value: str) -> Text:
    """A plain word for a text that may hold anything; quotes are set where the text needs them."""
    return Text(value, quoted=not re.fullmatch(r"\w+", value) or value in OPERATORS)


def values_of(query: Query, name: str) -> tuple[str, ...]:
    """The values that the query as a whole asks of a field: what is ticked in its menu."""
    return tuple(
        value.text
        for part in query.parts
        if isinstance(part, Term) and part.field == name and part.comparison is Comparison.IS
        for value in part.values
    )


def toggled(query: Query, name: str, value: str) -> Query:
    """A tick set or taken away in the menu of a field whose values are alternatives."""
    ticked = values_of(query, name)
    wanted = [one for one in ticked if one != value] if value in ticked else [*ticked, value]
    question = term(name, *wanted)
    if wanted:
        return with_term(query, question, instead=True)
    return of([part for part in query.parts if not _same_question(part, question)])


def leaves(node: Node | None) -> Iterator[Text | Term]:
    if isinstance(node, (And, Or)):
        for part in node.parts:
            yield from leaves(part)
    elif isinstance(node, Not):
        yield from leaves(node.part)
    elif node is not None:
        yield node


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_PLAIN_VALUE: Final = re.compile(r"[^\s\"()|,*<>=\\][^\s\"()|,*\\]*")


def needs_quotes(value: str) -> bool:
    return not _PLAIN_VALUE.fullmatch(value) or ".." in value or value.startswith((":", "//"))


def _without(node: Node, gone: Node) -> Node | None:
    if node is gone or (node == gone and (node.position, node.length) == (gone.position, gone.length)):
        return None
    if isinstance(node, Not):
        left = _without(node.part, gone)
        return None if left is None else negated(left, node.position, node.length)
    if isinstance(node, (And, Or)):
        kept = [part for part in (_without(part, gone) for part in node.parts) if part is not None]
        return joined(type(node), kept) if kept else None
    return node


def joined(kind: type[And] | type[Or], parts: Sequence[Node]) -> Node:
    """The parts as one node, those of the same kind taken in; a single one stands for itself."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, kind) else (part,))]
    if len(flat) == 1:
        return flat[0]
    start = min(part.position for part in flat)
    return kind(tuple(flat), start, max(part.position + part.length for part in flat) - start)


def negated(node: Node, position: int, length: int) -> Node:
    return node.part if isinstance(node, Not) else Not(node, position, length)


def _same_question(part: Node, other: Node) -> bool:
    return (
        isinstance(part, Term)
        and isinstance(other, Term)
        and (part.field, part.comparison) == (other.field, other.comparison)
    )


def _written(node: Node, within: type[And] | type[Or] | type[Not]) -> str:
    if isinstance(node, Text):
        return (quote(node.text) if node.quoted else node.text) + "*" * node.prefix
    if isinstance(node, Term):
        return _written_term(node)
    if isinstance(node, Not):
        part = _written(node.part, within=Not)
        return f"-({part})" if part.startswith(("-", ">")) else f"-{part}"  # `->` is a word
    if isinstance(node, Or):
        text = " OR ".join(_written(part, within=Or) for part in node.parts)
        return text if within is Or else f"({text})"
    text = " ".join(_written(part, within=And) for part in node.parts)
    return f"({text})" if within is Not else text


def _written_term(node: Term) -> str:
    if node.comparison is Comparison.SET:
        return f"{node.field}:*"
    values = [(quote(one.text) if one.quoted else one.text) + "*" * one.prefix for one in node.values]
    if node.comparison is Comparison.RANGE:
        return f"{node.field}:{values[0]}..{values[1]}"
    return f"{node.field}{node.comparison.value}{','.join(values)}"
