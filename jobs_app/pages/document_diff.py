"""What changed between two texts, line by line, in a time that is bounded whatever they are.

The shortest way from one to the other is sought as in E. Myers, "An O(ND) Difference Algorithm and Its Variations": its
price grows with the number of edits alone. difflib's own search takes minutes for 3,000 lines of which many are equal.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["same", "added", "removed", "gap"]

MOST_LINES: Final = 3000
MOST_EDITS: Final = 1000  # beyond them everything between the first and the last change counts as replaced
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
    matcher = _Matcher(before, after)
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


class _Matcher(difflib.SequenceMatcher[str]):
    """Groups and numbers what `_common` found."""

    def __init__(self, before: Sequence[str], after: Sequence[str]) -> None:
        super().__init__(None, before, after, autojunk=False)
        self._before, self._after = before, after

    def get_matching_blocks(self) -> list[difflib.Match]:
        before, after = self._before, self._after
        least = min(len(before), len(after))
        head = next((at for at in range(least) if before[at] != after[at]), least)
        rest = least - head
        tail = next((at for at in range(rest) if before[-1 - at] != after[-1 - at]), rest)
        old, new = before[head : len(before) - tail], after[head : len(after) - tail]
        blocks = [(0, 0, head)] if head else []
        blocks += [(head + at, head + new_at, size) for at, new_at, size in _common(old, new)]
        blocks += [(len(before) - tail, len(after) - tail, tail)] if tail else []
        return [difflib.Match(*block) for block in (*blocks, (len(before), len(after), 0))]


def _common(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int]]:
    """The runs of lines that a shortest way keeps: where in either text, and how many. None, where it is too long."""
    most = min(MOST_EDITS, len(old) + len(new))
    # the furthest line of the old text that a way reaches on each diagonal, and what it was before each edit
    reached, rounds = [0] * (2 * most + 3), []
    middle = most + 1
    for edits in range(most + 1):
        rounds.append(reached[middle - edits - 1 : middle + edits + 2])
        for diagonal in range(-edits, edits + 1, 2):
            here = middle + diagonal
            comes_down = diagonal == -edits or (diagonal != edits and reached[here - 1] < reached[here + 1])
            at = reached[here + 1] if comes_down else reached[here - 1] + 1
            while at < len(old) and at - diagonal < len(new) and old[at] == new[at - diagonal]:
                at += 1
            reached[here] = at
            if at >= len(old) and at - diagonal >= len(new):
                return _runs(rounds, len(old), len(new))
    return []


def _runs(rounds: Sequence[Sequence[int]], at: int, new_at: int) -> list[tuple[int, int, int]]:
    """The way back from the end."""
    runs: list[tuple[int, int, int]] = []
    for edits in range(len(rounds) - 1, -1, -1):
        reached, diagonal, here = rounds[edits], at - new_at, at - new_at + edits + 1
        comes_down = diagonal == -edits or (diagonal != edits and reached[here - 1] < reached[here + 1])
        start = (reached[here + 1] if comes_down else reached[here - 1] + 1) if edits else 0
        if at > start:
            runs.append((start, start - diagonal, at - start))
        at, new_at = (start, start - diagonal - 1) if comes_down else (start - 1, start - diagonal)
    return runs[::-1]
