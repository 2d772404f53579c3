"""Which fields a query may name, and what their values are. Whoever asks declares it; this package knows none.

Fields(
    (
        Field("status", Kind.CHOICE, choices=("pending", "failed")),
        Field("type", Kind.WORD, record=("content_type",)),
        Field("error", Kind.TEXT, record=("error_message",)),
        Field("created", Kind.TIME, record=("created_at",)),
        Field("before", Kind.TIME, record=("created_at",), implied=Comparison.LT),
        Field("options", Kind.VALUE, record=("task_options",), dotted=True),
    ),
    words=("search",),
)
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final


class Kind(StrEnum):
    """What a value of the field is, and what it is compared with.

    | kind | `field:value` holds when |
    | --- | --- |
    | text | every word of it is somewhere in the text, whatever the case (so `val*` is `val`) |
    | word | equal, case and all; `val*`: begins with it; `a,b`: one of them |
    | tag | the list has it; `a,b`: one of them |
    | choice | one of the choices, whatever the case; `a,b`: one of them |
    | integer, number | equal; `>` `>=` `<` `<=`; `1..5`, `1..`, `..5` with the ends; `1,2`: one of them |
    | time | within the year, month, day, minute or second named; `>` after it, `<` before it, `>=`, `<=`, ranges |
    | duration | `5m` is from 5 minutes to below 6; `>` `>=` `<` `<=` and ranges go by the exact value |
    | value | any JSON: text, number, true, false or null of that spelling; quoted: text; `val*`; comparisons: numbers |
    | substring | the text has exactly this in it, whatever the case; search by words only |

    Of every kind but the last, `field:*` holds when there is a value at all.
    """

    TEXT = "text"
    WORD = "word"
    TAG = "tag"
    CHOICE = "choice"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"
    DURATION = "duration"
    VALUE = "value"
    SUBSTRING = "substring"


class Comparison(StrEnum):
    IS = ":"
    GT = ":>"
    GTE = ":>="
    LT = ":<"
    LTE = ":<="
    RANGE = ".."  # two values, either of which may be empty
    SET = ":*"


ORDERED: Final = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.TIME, Kind.DURATION, Kind.VALUE})
LISTED: Final = frozenset({Kind.WORD, Kind.TAG, Kind.CHOICE, Kind.INTEGER, Kind.NUMBER, Kind.VALUE})
PREFIXED: Final = frozenset({Kind.TEXT, Kind.WORD, Kind.VALUE})


@dataclass(frozen=True)
class Field:
    """`record` are the paths in a record that it looks at, any of which may match (by default the name itself).

    `dotted`: `name.path.to.it` names a path below. `implied`: what `name:value` without a sign means.
    `help` is half a sentence for those who choose from a list."""

    name: str
    kind: Kind
    record: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    dotted: bool = False
    implied: Comparison = Comparison.IS
    help: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        return self.record or (self.name,)


@dataclass(frozen=True)
class Fields:
    """`words` are the record fields in which plain words are looked for; with none, plain words are refused there."""

    fields: tuple[Field, ...]
    words: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {name: field for field in self.fields for name in (field.name, *field.aliases)}

    def find(self, name: str) -> Field | None:
        """The field of a name as somebody wrote it, dots and all."""
        head, dot, _ = name.partition(".")
        field = self.by_name.get(head.lower())
        return field if field is not None and field.dotted == bool(dot) else None

    def canonical(self, name: str) -> str:
        head, dot, path = name.partition(".")
        return f"{self.by_name[head.lower()].name}{dot}{path}"

    def nearest(self, name: str) -> str | None:
        """The name that was probably meant; one with a dot at its end still needs a path."""
        head, dot, path = name.partition(".")
        known = [name for name, field in self.by_name.items() if field.dotted or not dot]
        found = nearest(head.lower(), known)
        if found is None:
            return None
        field = self.by_name[found]
        return f"{field.name}.{path}" if field.dotted and dot and path else field.name + "." * field.dotted


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one that was probably meant."""
    return next(iter(difflib.get_close_matches(word[:100], list(known), 1, 0.6)), None)
