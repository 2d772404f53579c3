"""What time does to segments: idle active ones are stashed, expired ones leave, the trash is emptied, and duplicates
are counted. Every change repeats its guard on the record as it is then, so a segment touched meanwhile stays.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

from jobs_app.domain import segment
from jobs_app.domain.access import SYSTEM
from jobs_app.domain.job import By
from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.domain.segment import Segment, SegmentStep, Tier
from jobs_app.errors import NotFoundError
from jobs_app.stores.segment_records import TIERS, SegmentRecords
from jobs_app.stores.segments import TRASHED
from jobs_app.stores.stashings import StashingRecords
from storage_app.records import errors as store_errors
from storage_app.records.configured import record_store
from storage_app.records.times import to_text

BATCH: Final = 200


def run(deadline: Deadline) -> Counts:
    """Every project, step by step."""
    store = record_store()
    counts: Counter[str] = Counter(dict.fromkeys(STEPS, 0))
    for slug in store.projects():
        records = SegmentRecords(store, slug)
        for name, step in STEPS.items():
            if deadline.passed:
                return dict(counts)
            counts[name] += step(records, deadline)
    return dict(counts)


def _stash_idle(records: SegmentRecords, deadline: Deadline) -> int:
    days = settings.CONFIG.segments_idle_days
    if not days:
        return 0
    before = records.now() - timedelta(days=days)
    idle = {"tier": Tier.ACTIVE.value, "pinned": False, "touched_at__lt": before}

    def stash(one: Segment, now: datetime) -> SegmentStep | None:
        return segment.stash(one, now, By.actor(SYSTEM), f"untouched for {days} days")

    return _changed(records, idle, "touched_at", stash, deadline)


def _take_out_expired(records: SegmentRecords, deadline: Deadline) -> int:
    expired = {"tier__in": list(TIERS), "expires_at__lte": records.now()}
    return _changed(
        records, expired, "expires_at", lambda one, now: segment.trash(one, now, By.actor(SYSTEM), "expired"), deadline
    )


def _empty_trash(records: SegmentRecords, deadline: Deadline) -> int:
    days = settings.CONFIG.retention_days[TRASHED]
    if not days:
        return 0
    before = to_text(records.now() - timedelta(days=days))
    removed, cursor = 0, None
    while not deadline.passed:
        gone, cursor = records.purge_where({"tier": TRASHED, "trashed.at__lte": before}, "touched_at", cursor)
        removed += gone
        if cursor is None:
            break
    return removed


def _forget_stashings(records: SegmentRecords, deadline: Deadline) -> int:
    """What nobody has undone within a day."""
    stashings, before = StashingRecords(*records.place), records.now() - timedelta(days=1)
    removed, cursor = 0, None
    while not deadline.passed:
        gone, cursor = stashings.remove_before(before, cursor)
        removed += gone
        if cursor is None:
            break
    return removed


def _report_duplicates(records: SegmentRecords, deadline: Deadline) -> int:
    """Those whose twin is still there; one whose twin went takes its place."""
    found = 0
    for one in records.walk({"duplicate": True}, "duplicate"):
        if deadline.passed:
            break
        if one.trashed is None and not _is_alone_again(records, one):
            found += 1
    return found


def _is_alone_again(records: SegmentRecords, one: Segment) -> bool:
    if records.twin(one.text, one.type) is not None:
        return False
    try:
        return not records.claim_text(one.id).duplicate
    except (NotFoundError, store_errors.AlreadyExistsError):
        return False


def _changed(
    records: SegmentRecords,
    conditions: dict[str, Any],
    order: str,
    decide: Callable[[Segment, datetime], SegmentStep | None],
    deadline: Deadline,
) -> int:
    done = 0
    while not deadline.passed:
        page = records.find(conditions, order, BATCH)
        changed = records.change_many([one.id for one in page.segments], decide, conditions)
        done += len(changed)
        if not changed:
            break
    return done


STEPS: Final[dict[str, Callable[[SegmentRecords, Deadline], int]]] = {
    "stashed": _stash_idle,
    "expired": _take_out_expired,
    "erased": _empty_trash,
    "undos": _forget_stashings,
    "duplicates": _report_duplicates,
}
