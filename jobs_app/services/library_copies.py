"""Copies of library texts that jobs used, where no version keeps them: gone when no job uses that content any more.

A copy goes only when it was needless for a day on end, and never while it is what the text says now: whoever makes a
job at this moment looks at the text as it is, and finds its copy there.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from jobs_app.domain import library as rules
from jobs_app.domain.access import SYSTEM
from jobs_app.domain.library import Kind
from jobs_app.domain.maintenance import Deadline
from jobs_app.errors import InvalidError, NotFoundError, RefusedError
from jobs_app.models import Project
from jobs_app.services import files, library
from jobs_app.services.library import SUFFIX, USED, Place
from jobs_app.stores.departures import DEPARTURES
from jobs_app.stores.jobs import JOBS
from storage_app.providers import FileDelete, StorageError
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store
from storage_app.records.operations import Delete, Insert
from storage_app.records.times import to_instant, to_text

NEEDLESS: Final = timedelta(hours=20)  # less than a day, since the task runs once a day, give or take
LONGEST: Final = timedelta(minutes=2)
AT_ONCE: Final = 500
log = logging.getLogger("holdfast.library")


@dataclass(frozen=True, slots=True)
class Copy:
    path: str
    kind: Kind
    name: str
    hash: str


def remove_needless() -> int:
    """Of every project; how many went. What fails in one is tried again the next day."""
    store, deadline, removed = record_store(), Deadline(LONGEST), 0
    for slug in Project.objects.order_by("slug").values_list("slug", flat=True):
        if deadline.passed:
            break
        try:
            removed += _removed(store, slug, deadline)
        except (StorageError, RefusedError) as error:
            log.warning("Copies of library texts of %s stay until the next run: %s", slug, error)
    return removed


def _removed(store: RecordStore, slug: str, deadline: Deadline) -> int:
    place, now = library.place_of(slug), store.now()
    needless = {copy.path for copy in _copies(slug, place) if not deadline.passed and _is_needless(store, slug, copy)}
    marked = _marked(store, slug)
    long_ago = to_instant(now - NEEDLESS)
    goes = sorted(path for path in needless if path in marked and to_instant(marked[path]) <= long_ago)[:AT_ONCE]
    if goes:
        said = f"Remove {len(goes)} texts that no job uses any more"
        files.batch(SYSTEM, slug, place.storage, [FileDelete(path) for path in goes], said)
    _mark(store, slug, {path: marked.get(path, to_text(now)) for path in needless.difference(goes)})
    return len(goes)


def _copies(slug: str, place: Place) -> Iterator[Copy]:
    """Those that tell whose they are."""
    folder = f"{place.folder}{USED}"
    for info in files.listed(SYSTEM, slug, place.storage, prefix=folder, recursive=True):
        parts = info.path.removeprefix(f"{folder}/").split("/")
        if info.is_directory or len(parts) != 3 or parts[0] not in set(Kind) or not parts[2].endswith(SUFFIX):
            continue
        kind, name, content_hash = Kind(parts[0]), parts[1], parts[2].removesuffix(SUFFIX).replace("-", ":", 1)
        yield Copy(info.path, kind, name, content_hash)


def _is_needless(store: RecordStore, slug: str, copy: Copy) -> bool:
    used = rules.reference(copy.kind.value, copy.name, copy.hash)
    if store.query(slug, JOBS.name, {"used__contains": used}, limit=1).records:
        return False  # also in the trash, from which it can come back
    try:
        return library.read(SYSTEM, slug, copy.kind, copy.name).hash != copy.hash
    except (NotFoundError, InvalidError):
        return True


def _marked(store: RecordStore, slug: str) -> dict[str, str]:
    """Since when each was found needless, every time."""
    found: dict[str, str] = {}
    for record in store.query(slug, DEPARTURES.name, {"texts__isnull": False}, limit=AT_ONCE).records:
        found |= record.document["texts"]
    return found


def _mark(store: RecordStore, slug: str, since: Mapping[str, str]) -> None:
    before = store.query(slug, DEPARTURES.name, {"texts__isnull": False}, limit=AT_ONCE).records
    forgotten = [Delete(DEPARTURES.name, record.id, optional=True) for record in before]
    kept = [Insert(DEPARTURES.name, {"texts": dict(since)})] if since else []
    if forgotten or kept:
        store.apply(slug, [*forgotten, *kept])
