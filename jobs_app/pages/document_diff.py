"""What changed between two texts, line by line; within bounds, since comparing takes quadratic time."""

import difflib
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["same", "added", "removed", "gap"]

MOST_LINES: Final = 3000
CONTEXT: Final = 3


@dataclass(frozen=True, slots=True)
class Line:
    """`old` and `new` are the numbers of the line in either text; a gap stands for lines that are the same."""

    kind: Kind
    text: str = ""
    old: int | None = None
    new: int | None = None


@dataclass(frozen=True, slots=True)
class Diff:
    lines: list[Line]
    added: int = 0
    removed: int = 0
    too_long: bool = False

    @property
    def same(self) -> bool:
        return not (self.added or self.removed or self.too_long)


def between(old: str, new: str) -> Diff:
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > MOST_LINES:
        return Diff([], too_long=old != new)
    lines: list[Line] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(CONTEXT)):
        if number or group[0][1] > 0:
            lines.append(Line("gap"))
        for kind, start, end, new_start, new_end in group:
            if kind == "equal":
                lines.extend(
                    Line("same", before[start + step], start + step + 1, new_start + step + 1)
                    for step in range(end - start)
                )
                continue
            lines.extend(Line("removed", before[at], at + 1, None) for at in range(start, end))
            lines.extend(Line("added", after[at], None, at + 1) for at in range(new_start, new_end))
    return Diff(lines, sum(line.kind == "added" for line in lines), sum(line.kind == "removed" for line in lines))
