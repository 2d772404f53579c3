"""Segments as people and agents see them: stored once, changed, stashed and fetched back, thrown away, and their past.

The audit entry follows the change: the segment's own history is written with it in one atomic step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from jobs_app.domain import new_segment, segment
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import By
from jobs_app.domain.new_segment import NewSegment
from jobs_app.domain.segment import Past, Segment, SegmentStep, Tier
from jobs_app.errors import BusyError, InvalidError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import audit
from jobs_app.services.project_segments import segments_of
from jobs_app.stores.segment_records import TIERS, SegmentPage, SegmentRecords, Stored
from jobs_app.stores.segments import TRASHED
from storage_app.records import errors as store_errors
from storage_app.records.query import Condition, Node, Op, parse

MOST_AT_ONCE: Final = 500
LONGEST_REASON: Final = 1000
ORDERS: Final = ("-touched_at", "touched_at", "-created_at", "created_at")
CLEARABLE: Final = ("tokens", "task_id", "file_path", "source", "expires_at")
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class SegmentFilter:
    """Conditions on a list or a search; what is not given does not narrow it."""

    tier: Tier | None = None
    type: str | None = None
    task_id: str | None = None
    file_path: str | None = None
    tag: str | None = None
    pinned: bool | None = None
    job_id: str | None = None
    document_id: str | None = None
    touched_after: datetime | None = None
    touched_before: datetime | None = None


def store_segment(actor: Actor, slug: str, new: NewSegment) -> Stored:
    """A new one; the one that has the same text and type, with what is told added to it; or the one of the given id,
    with its content replaced.
    """
    project, records = segments_of(actor, slug, Scope.WRITE)
    _refuse(_faults(new))
    stored = _store(records, By.actor(actor), new)
    _audit(actor, "segment.create" if stored.created else "segment.change", project, stored.segment)
    return stored


def store_many(actor: Actor, slug: str, new: Sequence[NewSegment]) -> list[Stored]:
    """Each as `store_segment`, in the order given. All are checked before the first is stored; those that are new are
    written together.
    """
    project, records = segments_of(actor, slug, Scope.WRITE)
    if not 1 <= len(new) <= MOST_AT_ONCE:
        raise InvalidError.at("segments", f"give 1 to {MOST_AT_ONCE} segments")
    _refuse([(f"segments.{number}.{place}", why) for number, item in enumerate(new) for place, why in _faults(item)])
    by = By.actor(actor)
    stored = _all_new(records, by, new) or [_store(records, by, item) for item in new]
    audit.record(actor, "segment.create", project=project, detail={"segments": len(stored)})
    return stored


def get(actor: Actor, slug: str, id: str) -> Segment:
    return segments_of(actor, slug, Scope.READ)[1].get(id)


def find(
    actor: Actor,
    slug: str,
    wanted: SegmentFilter,
    order: str = "-touched_at",
    cursor: str | None = None,
    limit: int = 50,
) -> SegmentPage:
    """One page of what matches; the trash is no part of it."""
    _, records = segments_of(actor, slug, Scope.READ)
    if order not in ORDERS:
        raise InvalidError.at("order", f"choose one of {', '.join(ORDERS)}")
    return records.find(conditions(wanted), order, limit, cursor)


def conditions(wanted: SegmentFilter) -> list[Node]:
    """The filter in the store's words. The tiers are always named, which keeps deleted segments out."""
    tiers = TIERS if wanted.tier is None else (wanted.tier.value,)
    pairs: dict[str, Any] = {
        "type": wanted.type,
        "task_id": wanted.task_id,
        "file_path": wanted.file_path,
        "tags__contains": wanted.tag,
        "pinned": wanted.pinned,
        "source.job_id": wanted.job_id,
        "source.document_id": wanted.document_id,
        "touched_at__gte": wanted.touched_after,
        "touched_at__lt": wanted.touched_before,
    }
    _refuse((name, "has a NUL in it") for name, value in pairs.items() if isinstance(value, str) and "\0" in value)
    named = [parse(name, value) for name, value in pairs.items() if value is not None]
    return [Condition(("tier",), Op.IN, tiers), *named]


def change(
    actor: Actor, slug: str, id: str, changes: Mapping[str, Any], version: int | None = None, reason: str = ""
) -> Segment:
    """Other values for some fields; with `version`, only while that is still the current one. `tier` is not one of
    them: stash and unstash are.
    """
    project, records = segments_of(actor, slug, Scope.WRITE)
    _refuse(new_segment.faults(changes))
    _refuse((name, "must have a value") for name, value in changes.items() if value is None and name not in CLEARABLE)
    by, why = By.actor(actor), checked_reason(reason)
    told = {name: value for name, value in changes.items() if not (name == "source" and value is None)}
    if "source" in changes and changes["source"] is None:
        told["source"] = segment.Source()
    if not told:
        return records.get(id)
    found = records.change(id, lambda one, now: segment.change(one, now, by, told, why), version=version)
    _audit(actor, "segment.change", project, found, fields=sorted(changes))
    return found


def stash_segment(actor: Actor, slug: str, id: str, reason: str = "", version: int | None = None) -> Segment:
    """Out of the agent's context; still found by search. A pinned one too, where it is named."""
    return _moved(actor, slug, id, "segment.stash", segment.stash, reason, version)


def unstash(actor: Actor, slug: str, id: str, reason: str = "", version: int | None = None) -> Segment:
    return _moved(actor, slug, id, "segment.unstash", segment.unstash, reason, version)


def delete_segment(actor: Actor, slug: str, id: str, reason: str = "", version: int | None = None) -> Segment:
    """Into the trash, with its history."""
    return _moved(actor, slug, id, "segment.delete", segment.trash, reason, version)


def in_trash(actor: Actor, slug: str, cursor: str | None = None, limit: int = 50) -> SegmentPage:
    """What was deleted and can still come back, the one touched last first."""
    _, records = segments_of(actor, slug, Scope.READ)
    return records.find({"tier": TRASHED}, "-touched_at", limit, cursor)


def restore(actor: Actor, slug: str, id: str) -> Segment:
    """Out of the trash, as it was; marked as a duplicate where its text was stored anew meanwhile."""
    project, records = segments_of(actor, slug, Scope.WRITE)
    by = By.actor(actor)
    found = records.change(id, lambda one, now: segment.restore(one, now, by), in_trash=True)
    _audit(actor, "segment.restore", project, found)
    return found


def erase(actor: Actor, slug: str, id: str) -> None:
    """Out of the trash for good, with its history."""
    project, records = segments_of(actor, slug, Scope.WRITE)
    found = records.get(id, in_trash=True)
    if records.purge(id, {"tier": TRASHED}):
        _audit(actor, "segment.erase", project, found)


def history(
    actor: Actor, slug: str, id: str, before: int | None = None, limit: int = 50
) -> tuple[list[Past], int | None]:
    """What was done to it, newest first, and where to go on."""
    _, records = segments_of(actor, slug, Scope.READ)
    records.get(id)
    return records.history(id, before, limit)


def as_of(actor: Actor, slug: str, id: str, version: int) -> dict[str, Any]:
    """The fields that it had at this version."""
    _, records = segments_of(actor, slug, Scope.READ)
    return records.as_of(records.get(id), version)


def revert(actor: Actor, slug: str, id: str, to: int, version: int | None = None) -> Segment:
    """The content of an earlier version, as a new version; where it stands and its pin stay as they are."""
    project, records = segments_of(actor, slug, Scope.WRITE)
    current = records.get(id)
    content, by = records.as_of(current, to), By.actor(actor)
    expected = current.version if version is None else version
    found = records.change(id, lambda one, now: segment.revert(one, now, by, content, to), version=expected)
    _audit(actor, "segment.revert", project, found, version=to)
    return found


def checked_reason(reason: str) -> str:
    if len(reason) > LONGEST_REASON:
        raise InvalidError.at("reason", f"has {len(reason)} characters; {LONGEST_REASON} is the most")
    return reason.strip()


def _store(records: SegmentRecords, by: By, new: NewSegment) -> Stored:
    for _ in range(_ROUNDS):
        made = new_segment.make(new, new.segment_id or records.new_id(), records.now(), by)
        try:
            return Stored(records.create([made])[0], created=True)
        except store_errors.AlreadyExistsError:
            changed = _store_again(records, by, new, made)
            if changed is not None:
                return Stored(changed, created=False)
    raise BusyError("Others are storing the same segment at this moment. Try again in a second.")


def _store_again(records: SegmentRecords, by: By, new: NewSegment, made: Segment) -> Segment | None:
    """Into the one that is in its way; None where that went meanwhile."""
    if new.segment_id is not None:
        try:
            return records.change(new.segment_id, lambda one, now: segment.put(one, now, by, made))
        except NotFoundError:
            return _duplicate_or_trashed(records, made)
    twin = records.twin(new.text, new.type)
    if twin is None:
        return None
    try:
        return records.change(twin, lambda one, now: segment.merge(one, now, by, made))
    except NotFoundError:
        return None


def _duplicate_or_trashed(records: SegmentRecords, made: Segment) -> Segment | None:
    """A new id with a text that another has is a duplicate of its own; an id that lies in the trash is refused."""
    try:
        records.get(made.id, in_trash=True)
    except NotFoundError:
        try:
            return records.create([replace(made, duplicate=True)])[0]
        except store_errors.AlreadyExistsError:
            return None
    raise InvalidError.at("segment_id", "lies in the trash; bring it back or erase it first")


def _all_new(records: SegmentRecords, by: By, new: Sequence[NewSegment]) -> list[Stored] | None:
    """In one write, where none is there yet; None where one is."""
    made = [new_segment.make(item, item.segment_id or records.new_id(), records.now(), by) for item in new]
    try:
        return [Stored(one, created=True) for one in records.create(made)]
    except store_errors.AlreadyExistsError:
        return None


def _moved(actor: Actor, slug: str, id: str, action: str, move: Any, reason: str, version: int | None) -> Segment:
    project, records = segments_of(actor, slug, Scope.WRITE)
    by, why = By.actor(actor), checked_reason(reason)

    def decide(one: Segment, now: datetime) -> SegmentStep | None:
        step: SegmentStep | None = move(one, now, by, why)
        return step

    found = records.change(id, decide, version=version)
    _audit(actor, action, project, found, reason=why)
    return found


def _faults(new: NewSegment) -> list[tuple[str, str]]:
    return list(new_segment.faults({name: getattr(new, name) for name in NewSegment.__slots__}))


def _refuse(faults: Any) -> None:
    errors = [{"place": place, "reason": reason} for place, reason in faults]
    if errors:
        raise InvalidError("; ".join(f"{error['place']}: {error['reason']}" for error in errors), errors)


def _audit(actor: Actor, action: str, project: Project, found: Segment, **detail: Any) -> None:
    audit.record(actor, action, audit.Target("segment", found.id, found.title), project=project, detail=detail)
