"""Active segments at the speed of memory: each process keeps those of a project, and asks the store only whether
something has changed since.
"""

import threading
import weakref
from dataclasses import dataclass

from jobs_app.domain import token_budget
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.segment import Segment, Tier
from jobs_app.domain.token_budget import Loaded
from jobs_app.errors import InvalidError
from jobs_app.services.project_segments import segments_of
from jobs_app.services.segments import SegmentFilter
from jobs_app.stores.segment_records import SegmentRecords
from storage_app.records.base import RecordStore

MOST_PROJECTS = 50


@dataclass(frozen=True, slots=True)
class _Kept:
    counter: int
    segments: list[Segment]


def load_segments(actor: Actor, slug: str, wanted: SegmentFilter, token_budget_: int | None = None) -> Loaded:
    """What is active and matches, pinned ones first, then those touched last; never over the budget, and with what was
    left out and why.
    """
    _, records = segments_of(actor, slug, Scope.READ)
    if token_budget_ is not None and token_budget_ < 0:
        raise InvalidError.at("token_budget", "must be 0 or more")
    found = [segment for segment in active(records) if _is_wanted(segment, wanted)]
    return token_budget.load(found, token_budget_)


def active(records: SegmentRecords) -> list[Segment]:
    """All of a project, in the order in which they are loaded."""
    store, project = records.place
    counter = records.change_counter()  # before reading, so that what comes in between is read again
    with _lock:
        kept = _kept.get(store, {}).get(project)
    if kept is not None and kept.counter == counter:
        return kept.segments
    found = token_budget.load_order(records.walk({"tier": Tier.ACTIVE.value}, "touched_at"))
    with _lock:
        projects = _kept.setdefault(store, {})
        if len(projects) >= MOST_PROJECTS and project not in projects:
            projects.clear()
        projects[project] = _Kept(counter, found)
    return found


def _is_wanted(segment: Segment, wanted: SegmentFilter) -> bool:
    return (
        (wanted.type is None or segment.type == wanted.type)
        and (wanted.task_id is None or segment.task_id == wanted.task_id)
        and (wanted.file_path is None or segment.file_path == wanted.file_path)
        and (wanted.tag is None or wanted.tag in segment.tags)
        and (wanted.pinned is None or segment.pinned == wanted.pinned)
        and (wanted.job_id is None or segment.source.job_id == wanted.job_id)
        and (wanted.document_id is None or segment.source.document_id == wanted.document_id)
        and (wanted.touched_after is None or segment.touched_at >= wanted.touched_after)
        and (wanted.touched_before is None or segment.touched_at < wanted.touched_before)
    )


_kept: "weakref.WeakKeyDictionary[RecordStore, dict[str, _Kept]]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()
