"""Values that are suggested while somebody types a query, told by what the newest records have."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from storage_app.search.completion import MOST

RECENT: Final = 200  # records that tags, paths in objects and the like are suggested from


def beginning(values: Iterable[str], typed: str) -> list[str]:
    """The most frequent first."""
    counts = Counter(value for value in values if value.lower().startswith(typed.lower()))
    return sorted(counts, key=lambda value: (-counts[value], value))[:MOST]


def paths_of(trees: Iterable[Any]) -> Iterator[str]:
    for tree in trees:
        yield from _paths(tree, "", 0)


def values_at(trees: Iterable[Any], path: str) -> Iterator[str]:
    for tree in trees:
        for name in path.split("."):
            tree = tree.get(name) if isinstance(tree, dict) else None
        if isinstance(tree, bool):
            yield "true" if tree else "false"
        elif isinstance(tree, str | int | float) and len(str(tree)) <= 100:
            yield str(tree)


_DEEPEST: Final = 4


def _paths(tree: Any, above: str, depth: int) -> Iterator[str]:
    if not isinstance(tree, dict) or depth >= _DEEPEST:
        return
    for name, value in tree.items():
        if not name or any(sign in name for sign in ' .:"(),|') or not name.isprintable():
            continue  # no query can name it
        yield above + name
        yield from _paths(value, f"{above}{name}.", depth + 1)
