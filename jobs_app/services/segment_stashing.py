"""Stashing many at once: by ids, by what they are, or down to a budget; first to look at, then to do, then to undo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jobs_app.domain import segment, token_budget
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import By
from jobs_app.domain.segment import Segment, Tier
from jobs_app.domain.token_budget import Fitting
from jobs_app.errors import InvalidError
from jobs_app.services import audit
from jobs_app.services.active_segments import active
from jobs_app.services.project_segments import segments_of
from jobs_app.services.segment_search import query_conditions
from jobs_app.services.segments import SegmentFilter, checked_reason, conditions
from jobs_app.stores.segment_records import SegmentRecords, read_query
from jobs_app.stores.stashings import StashingRecords
from storage_app.records.configured import record_store

BATCH: Final = 200
MOST_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Stashing:
    """What was stashed, or with a preview would be. `more`: that is not all, call again."""

    segments: list[Segment]
    tokens: int
    pinned_left: int
    more: bool
    fitting: Fitting | None = None


def stash_ids(actor: Actor, slug: str, ids: Sequence[str], reason: str = "", *, preview: bool = False) -> Stashing:
    """Those that are named and active, pinned ones too: they were named."""
    if not 1 <= len(ids) <= BATCH * 5:
        raise InvalidError.at("ids", f"give 1 to {BATCH * 5} ids")
    _, records = segments_of(actor, slug, Scope.READ if preview else Scope.WRITE)
    found = [one for one in records.get_many(list(dict.fromkeys(ids))) if one.tier is Tier.ACTIVE]
    return _done(actor, slug, records, found, reason, preview=preview)


def stash_matching(
    actor: Actor, slug: str, wanted: SegmentFilter, text: str = "", reason: str = "", *, preview: bool = False
) -> Stashing:
    """Active ones that match, the least recently touched first; pinned ones stay."""
    _, records = segments_of(actor, slug, Scope.READ if preview else Scope.WRITE)
    found = _matching(records, wanted, text)
    going = [one for one in found if not one.pinned]
    return _done(actor, slug, records, going, reason, preview=preview, pinned=len(found) - len(going))


def stash_to_budget(actor: Actor, slug: str, budget: int, reason: str = "", *, preview: bool = False) -> Stashing:
    """The least recently touched go, until what is active fits; pinned ones never."""
    if budget < 0:
        raise InvalidError.at("token_budget", "must be 0 or more")
    _, records = segments_of(actor, slug, Scope.READ if preview else Scope.WRITE)
    everything = active(records)
    fitting = token_budget.fit(everything, budget)
    pinned = sum(one.pinned for one in everything)
    return _done(actor, slug, records, fitting.segments, reason, preview=preview, pinned=pinned, fitting=fitting)


def unstash_ids(actor: Actor, slug: str, ids: Sequence[str], reason: str = "") -> list[Segment]:
    """Back into the context: the undo of a stashing. Those that are stashed are changed, the others left."""
    if not 1 <= len(ids) <= MOST_AT_ONCE:
        raise InvalidError.at("ids", f"give 1 to {MOST_AT_ONCE} ids")
    project, records = segments_of(actor, slug, Scope.WRITE)
    by, why = By.actor(actor), checked_reason(reason)
    back: list[Segment] = []
    for batch in _batches(list(dict.fromkeys(ids))):
        back += records.change_many(
            batch, lambda one, now: segment.unstash(one, now, by, why), {"tier": Tier.STASHED.value}
        )
    audit.record(actor, "segment.unstash", project=project, detail={"segments": len(back), "reason": why})
    return back


def remember(actor: Actor, slug: str, ids: Sequence[str]) -> str:
    """The name by which all of these come back at once; good for one undo, and for a day."""
    project, _ = segments_of(actor, slug, Scope.WRITE)
    return StashingRecords(record_store(), project.slug).keep(ids)


def undo(actor: Actor, slug: str, stashing_id: str) -> list[Segment]:
    project, _ = segments_of(actor, slug, Scope.WRITE)
    return unstash_ids(actor, slug, StashingRecords(record_store(), project.slug).take(stashing_id), "undone")


def _matching(records: SegmentRecords, wanted: SegmentFilter, text: str) -> list[Segment]:
    where = [*conditions(wanted), *conditions(SegmentFilter(tier=Tier.ACTIVE))]
    asked = read_query(text)
    plain = query_conditions(asked, records.now())
    if plain is not None:
        return list(records.walk([*where, *plain], "touched_at"))
    ids = [hit.id for hit in records.find_words(asked, where, records.now()).hits]
    found = [one for start in range(0, len(ids), 1000) for one in records.get_many(ids[start : start + 1000])]
    return sorted(found, key=lambda one: (one.touched_at, one.id))


def _done(
    actor: Actor,
    slug: str,
    records: SegmentRecords,
    going: list[Segment],
    reason: str,
    *,
    preview: bool,
    pinned: int = 0,
    fitting: Fitting | None = None,
) -> Stashing:
    why = checked_reason(reason)
    chosen = going[:MOST_AT_ONCE]
    done = chosen if preview else _stash(actor, slug, records, chosen, why)
    return Stashing(done, sum(one.tokens for one in done), pinned, len(going) > MOST_AT_ONCE, fitting)


def _stash(actor: Actor, slug: str, records: SegmentRecords, going: list[Segment], why: str) -> list[Segment]:
    project, _ = segments_of(actor, slug, Scope.WRITE)
    by = By.actor(actor)
    done: list[Segment] = []
    for batch in _batches([one.id for one in going]):
        done += records.change_many(
            batch, lambda one, now: segment.stash(one, now, by, why), {"tier": Tier.ACTIVE.value}
        )
    if done:
        audit.record(actor, "segment.stash", project=project, detail={"segments": len(done), "reason": why})
    return done


def _batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
