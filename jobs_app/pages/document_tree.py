"""The storages and the folders round the one that is open, as the side of the page shows them."""

from dataclasses import dataclass, field
from typing import Final

from jobs_app.domain.access import Actor
from jobs_app.pages import document_places as places
from jobs_app.services import files, storages
from storage_app import paths

DEEPEST: Final = 5  # levels that are listed: each is a question to the storage
MOST_SHOWN: Final = 100


@dataclass
class Branch:
    """`open` branches show what is in them; `more` were left out."""

    name: str
    url: str
    current: bool = False
    open: bool = False
    inside: list["Branch"] = field(default_factory=list)
    more: int = 0


def of(actor: Actor, slug: str, storage: str, folder: str) -> list[Branch]:
    """Every storage, this one with the folders that lead to the one that is open and those beside them."""
    found = without_folders(actor, slug, storage)
    for branch in found:
        if branch.open:
            branch.current = not folder
            _fill(branch, actor, slug, storage, "", folder, DEEPEST)
    return found


def without_folders(actor: Actor, slug: str, storage: str) -> list[Branch]:
    """Every storage; no one of them is asked."""
    aliases = storages.aliases_of(actor, slug)
    return [Branch(alias, places.folder_url(slug, alias), alias == storage, alias == storage) for alias in aliases]


def _fill(branch: Branch, actor: Actor, slug: str, storage: str, here: str, target: str, levels: int) -> None:
    inside = [info.path for info in files.listed(actor, slug, storage, prefix=here) if info.is_directory]
    on_the_way = {*paths.parents(target), target}
    shown = inside[:MOST_SHOWN] + [path for path in inside[MOST_SHOWN:] if path in on_the_way]
    branch.more = len(inside) - len(shown)
    for path in shown:
        child = Branch(places.name_of(path), places.folder_url(slug, storage, path), current=path == target)
        child.open = path in on_the_way
        if child.open and levels > 1:
            _fill(child, actor, slug, storage, path, target, levels - 1)
        branch.inside.append(child)
