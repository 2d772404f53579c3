"""What changed between two texts, line by line."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

MOST_LINES: Final = 2000
AROUND: Final = 3

Mark = Literal["same", "gone", "new", "skipped"]


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`old` and `new` are the line's numbers; `skipped` stands for lines that are the same in both."""

    mark: Mark
    text: str
    old: int | None = None
    new: int | None = None

    @property
    def sign(self) -> str:
        return {"same": " ", "gone": "-", "new": "+", "skipped": "…"}[self.mark]


def compared(before: str, after: str) -> list[DiffLine] | None:
    """None where the texts are too long to be compared in a request; nothing where they are the same."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > MOST_LINES:
        return None
    lines: list[DiffLine] = []
    seen = 0
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(AROUND):
        if group[0][1] > seen:
            lines.append(_skipped(group[0][1] - seen))
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                lines += [
                    DiffLine("same", old[start + at], start + at + 1, new_start + at + 1) for at in range(end - start)
                ]
            else:
                lines += [DiffLine("gone", old[at], at + 1) for at in range(start, end)]
                lines += [DiffLine("new", new[at], None, at + 1) for at in range(new_start, new_end)]
        seen = group[-1][2]
    if lines and seen < len(old):
        lines.append(_skipped(len(old) - seen))
    return lines


def _skipped(number: int) -> DiffLine:
    return DiffLine("skipped", f"{number} line{'' if number == 1 else 's'} the same")
