"""Segments put right by hand. Each fix is a step of the segment's history like any other."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from jobs_app.domain import new_segment, segment
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import By
from jobs_app.domain.segment import Segment, SegmentStep, Tier
from jobs_app.errors import InvalidError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import audit, segment_search
from jobs_app.services.data_fixes import PAGE, Choice, Found, Row, Shown, checked_reason, differences, kept
from jobs_app.services.project_segments import segments_of
from jobs_app.services.segments import CLEARABLE, SegmentFilter
from jobs_app.stores.segment_records import Decide, SegmentPage, SegmentRecords
from jobs_app.stores.segments import SEGMENTS, TRASHED, fields_in, to_document
from storage_app.records.query import parse

CORRECTABLE: Final = frozenset(
    {"text", "type", "metadata", "tokens", "task_id", "file_path", "tags", "pinned", "source", "expires_at"}
)
HIDDEN: Final = frozenset({"merge_key"})  # what the store derives by itself
MOVES: Final = {
    Tier.ACTIVE: (Choice(Tier.STASHED.value, "Stashed: out of the agent's context"), segment.stash),
    Tier.STASHED: (Choice(Tier.ACTIVE.value, "Active: back into the agent's context"), segment.unstash),
}


class SegmentFixes:
    name: Final = "segments"
    noun: Final = "segment"
    hint: Final = "A query, as on the page of segments"
    has_trash: Final = True

    def parts(self, actor: Actor, slug: str) -> tuple[Choice, ...]:
        tiers = (Choice(tier.value, tier.value.capitalize()) for tier in Tier)
        return (Choice("", "All but the trash"), *tiers, Choice(TRASHED, "Trash"))

    def holds(self, collection: str) -> bool:
        return collection == SEGMENTS.name

    def find(self, actor: Actor, slug: str, text: str, part: str, cursor: str | None) -> Found:
        _, records = segments_of(actor, slug, Scope.ADMIN)
        if part == TRASHED:
            return _found(_in_trash(records, text, cursor))
        tier = Tier(part) if part in set(Tier) else None
        page = segment_search.search_in(records, text, SegmentFilter(tier=tier), cursor, PAGE)
        return Found([_row(match.segment) for match in page.items], page.next_cursor, None)

    def get(self, actor: Actor, slug: str, id: str) -> Shown:
        _, records = segments_of(actor, slug, Scope.ADMIN)
        one = _anywhere(records, id)
        moves = () if one.trashed else (MOVES[one.tier][0],)
        shown = _document(one)
        title = one.title or one.id
        return Shown(
            id, title, _state(one), one.version, shown, CORRECTABLE, one.trashed is not None, moves, "segments-show"
        )

    def correct(self, actor: Actor, slug: str, id: str, changes: Mapping[str, Any], version: int, reason: str) -> None:
        why, by = checked_reason(reason), By.actor(actor)
        project, records = segments_of(actor, slug, Scope.ADMIN)
        one = _anywhere(records, id)
        values = fields_in(one, changes)
        _refuse_faults(values)

        def decide(one: Segment, now: datetime) -> SegmentStep | None:
            return segment.change(one, now, by, values, why)

        self._change(actor, project, records, one, decide, "correct", why, version)

    def move(self, actor: Actor, slug: str, id: str, target: str, version: int, reason: str) -> None:
        why, by = checked_reason(reason), By.actor(actor)
        project, records = segments_of(actor, slug, Scope.ADMIN)
        one = records.get(id)
        choice, step = MOVES[one.tier]
        if target != choice.value:
            raise InvalidError.at("target", f"it is {one.tier.value}; it can become {choice.value}")
        self._change(actor, project, records, one, lambda one, now: step(one, now, by, why), "move", why, version)

    def remove(self, actor: Actor, slug: str, id: str, version: int, reason: str) -> None:
        why, by = checked_reason(reason), By.actor(actor)
        project, records = segments_of(actor, slug, Scope.ADMIN)
        one = records.get(id)
        self._change(
            actor, project, records, one, lambda one, now: segment.trash(one, now, by, why), "delete", why, version
        )

    def bring_back(self, actor: Actor, slug: str, id: str, reason: str) -> None:
        why, by = checked_reason(reason), By.actor(actor)
        project, records = segments_of(actor, slug, Scope.ADMIN)
        one = records.get(id, in_trash=True)
        self._change(actor, project, records, one, lambda one, now: segment.restore(one, now, by), "restore", why)

    def erase(self, actor: Actor, slug: str, id: str, reason: str) -> None:
        why = checked_reason(reason)
        project, records = segments_of(actor, slug, Scope.ADMIN)
        one = records.get(id, in_trash=True)
        if not records.purge(id, {"tier": TRASHED}):
            raise NotFoundError(f"Segment {id} is not in the trash any more.")
        _audit(actor, project, one, "erase", {"before": kept(_document(one)), "after": None, "reason": why})

    def _change(
        self,
        actor: Actor,
        project: Project,
        records: SegmentRecords,
        seen: Segment,
        decide: Decide,
        verb: str,
        why: str,
        version: int | None = None,
    ) -> None:
        """`before` is the segment at the moment of the write, not as somebody saw it earlier."""
        before = seen

        def decide_noting(one: Segment, now: datetime) -> SegmentStep | None:
            nonlocal before
            before = one
            return decide(one, now)

        after = records.change(seen.id, decide_noting, version=version, in_trash=seen.trashed is not None)
        _audit(actor, project, after, verb, {**differences(_document(before), _document(after)), "reason": why})


def _in_trash(records: SegmentRecords, text: str, cursor: str | None) -> SegmentPage:
    words = [parse("text__search", text)] if text.split() else []
    return records.find([parse("tier", TRASHED), *words], "-touched_at", PAGE, cursor)


def _found(page: SegmentPage) -> Found:
    return Found([_row(one) for one in page.segments], page.next_cursor, page.previous_cursor)


def _row(one: Segment) -> Row:
    return Row(one.id, one.title or one.id, _state(one), one.created_at, one.file_path or "")


def _anywhere(records: SegmentRecords, id: str) -> Segment:
    try:
        return records.get(id)
    except NotFoundError:
        return records.get(id, in_trash=True)


def _state(one: Segment) -> str:
    return f"{one.tier.value} (in the trash)" if one.trashed else one.tier.value


def _document(one: Segment) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in to_document(one).items()
        if name not in HIDDEN
    }


def _refuse_faults(values: Mapping[str, Any]) -> None:
    faults = [*new_segment.faults(values)]
    faults += [(name, "must have a value") for name, value in values.items() if value is None and name not in CLEARABLE]
    if faults:
        raise InvalidError(
            "; ".join(f"{place}: {reason}" for place, reason in faults),
            [{"place": place, "reason": reason} for place, reason in faults],
        )


def _audit(actor: Actor, project: Project, one: Segment, verb: str, detail: Mapping[str, Any]) -> None:
    target = audit.Target("segment", one.id, one.title)
    audit.record(actor, f"admin.segment.{verb}", target, project=project, detail=detail)
