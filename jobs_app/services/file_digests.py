"""Whether a file still is what it was when somebody saw it. Whoever keeps files says so, by an entry in `LOOKUPS`."""

from collections.abc import Callable

from jobs_app.domain.segment import Source

# Takes the project's slug, the storage (None: the default one), the path and the digest that was seen, and answers
# whether the file is another now (gone counts as that); None where it cannot tell.
Lookup = Callable[[str, str | None, str, str], bool | None]
LOOKUPS: list[Lookup] = []


def is_stale(slug: str, source: Source) -> bool | None:
    """None: there is no file, or nobody can tell."""
    if source.path is None or source.digest is None:
        return None
    for lookup in LOOKUPS:
        found = lookup(slug, source.storage, source.path, source.digest)
        if found is not None:
            return found
    return None
