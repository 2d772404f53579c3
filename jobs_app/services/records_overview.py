"""How much there is in the record store, and which store it is."""

from dataclasses import dataclass

from jobs_app.domain.access import Actor, Scope
from jobs_app.services import access
from storage_app.records.configured import record_store


@dataclass(frozen=True, slots=True)
class CollectionSize:
    name: str
    records: int
    entries: int
    bytes: int


def collections(actor: Actor, slug: str) -> list[CollectionSize]:
    """By name; nothing is counted row by row for it."""
    project = access.project_for(actor, slug, Scope.READ)
    return [
        CollectionSize(name, size.records, size.entries, size.bytes)
        for name, size in sorted(record_store().statistics(project.slug).items())
    ]
