"""What jobs use of the library: settled when a job is made, to the very content, and never again."""

from collections.abc import Sequence

from jobs_app.domain import library
from jobs_app.domain.access import SYSTEM
from jobs_app.domain.library import Kind, Use, Wanted
from jobs_app.errors import InvalidError, NotFoundError
from jobs_app.services import library as library_service
from jobs_app.services.library import Entry


def settle(slug: str, asked: Sequence[tuple[str, Sequence[Wanted]]]) -> list[tuple[Use, ...]]:
    """For each job, by its place in the request, what it uses. InvalidError names every text and variable that is
    missing or unknown. A text that several name is looked at once, so that all of them use the same content.
    Whoever may make jobs may have them use any text.
    """
    entries: dict[tuple[str, str], Entry | str] = {}
    faults: list[tuple[str, str]] = []
    for place, uses in asked:
        if len(uses) > library.MOST_USES:
            faults.append((f"{place}uses", f"has {len(uses)} texts; {library.MOST_USES} is the most"))
            continue
        for number, wanted in enumerate(uses):
            faults += _faults(slug, f"{place}uses.{number}", wanted, entries)
    if faults:
        errors = [{"place": place, "reason": reason} for place, reason in faults]
        raise InvalidError("; ".join(f"{place}: {reason}" for place, reason in faults), errors)
    pinned = {
        key: (entry, library_service.pin(slug, entry)) for key, entry in entries.items() if isinstance(entry, Entry)
    }
    return [tuple(_use(wanted, *pinned[wanted.kind, wanted.name]) for wanted in uses) for _, uses in asked]


def _faults(
    slug: str, place: str, wanted: Wanted, entries: dict[tuple[str, str], Entry | str]
) -> list[tuple[str, str]]:
    if wanted.kind not in set(Kind):
        return [(f"{place}.kind", f"choose one of {', '.join(Kind)}")]
    key = (wanted.kind, wanted.name)
    if key not in entries:
        entries[key] = _found(slug, wanted)
    entry = entries[key]
    if isinstance(entry, str):
        return [(f"{place}.name", entry)]
    return [
        (f"{place}.variables.{name}" if name else f"{place}.variables", reason)
        for name, reason in library.variable_faults(entry.text.variables, wanted.variables)
    ]


def _found(slug: str, wanted: Wanted) -> Entry | str:
    """The text, or why no job can use it."""
    if reason := library.name_fault(wanted.name):
        return reason
    kind = Kind(wanted.kind)
    try:
        entry = library_service.read(SYSTEM, slug, kind, wanted.name)
    except (NotFoundError, InvalidError):
        return f"there is no {kind.singular} {wanted.name!r} here"
    return f"the {kind.singular} {wanted.name!r} cannot be used: {entry.fault}" if entry.fault else entry


def _use(wanted: Wanted, entry: Entry, version: str | None) -> Use:
    values = library.filled(entry.text.variables, wanted.variables)
    return Use(wanted.kind, wanted.name, entry.hash, version, values)
