"""A segment: a piece of what an agent has in mind, kept active or stashed away, and what may happen to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from jobs_app.domain.job import By


class Tier(StrEnum):
    ACTIVE = "active"
    STASHED = "stashed"

    @property
    def phrase(self) -> str:
        return TIER_PHRASES[self]


TIER_PHRASES: Final = {Tier.ACTIVE: "in the agent's context", Tier.STASHED: "put away, found by search"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where it came from. `digest` is that of the file as it was seen then."""

    job_id: str | None = None
    run_id: str | None = None
    document_id: str | None = None
    storage: str | None = None
    path: str | None = None
    digest: str | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, item.name) is not None for item in fields(self))


@dataclass(frozen=True, slots=True)
class Trashed:
    at: datetime
    by: By


@dataclass(frozen=True, slots=True)
class Segment:
    """`foreign` are fields of an imported file that mean nothing here, and leave again with an export."""

    id: str
    version: int
    text: str
    type: str
    tokens: int
    created_at: datetime
    touched_at: datetime
    tier: Tier = Tier.ACTIVE
    tokens_given: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    task_id: str | None = None
    file_path: str | None = None
    tags: tuple[str, ...] = ()
    pinned: bool = False
    source: Source = field(default_factory=Source)
    expires_at: datetime | None = None
    created_by: By = field(default_factory=lambda: By("system", "Holdfast"))
    trashed: Trashed | None = None
    duplicate: bool = False  # another segment has the same text and type
    foreign: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The first line that says something, for lists and logs."""
        line = next((line.strip() for line in self.text.splitlines() if line.strip()), "")
        return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1] + "…"


@dataclass(frozen=True, slots=True)
class SegmentStep:
    """What is decided of a segment: how it is from now on, and what its history says of it."""

    segment: Segment
    what: str
    by: By
    why: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """A step as the history keeps it: it made `version`, and `before` are the fields it changed, as they were."""

    version: int
    at: datetime
    what: str
    by: By
    why: str
    before: Mapping[str, Any]


LONGEST_TITLE: Final = 120
CONTENT: Final = (
    "text", "type", "tokens", "tokens_given", "metadata", "task_id", "file_path", "tags", "source", "expires_at",
)  # fmt: skip
STATE: Final = (*CONTENT, "tier", "pinned")


def stash(segment: Segment, now: datetime, by: By, why: str = "") -> SegmentStep | None:
    """Nothing is to be done for one that is stashed. A pinned one is refused by those who choose for others."""
    if segment.tier is Tier.STASHED:
        return None
    return SegmentStep(replace(segment, tier=Tier.STASHED), "stashed", by, why)


def unstash(segment: Segment, now: datetime, by: By, why: str = "") -> SegmentStep | None:
    if segment.tier is Tier.ACTIVE:
        return None
    return SegmentStep(replace(segment, tier=Tier.ACTIVE, touched_at=now), "unstashed", by, why)


def change(segment: Segment, now: datetime, by: By, changes: Mapping[str, Any], why: str = "") -> SegmentStep | None:
    """Other values for some fields; a new text has its tokens estimated anew unless their number is given."""
    told = dict(changes)
    if "tags" in told:
        told["tags"] = tuple(dict.fromkeys(told["tags"]))
    if "tokens" in told:
        told["tokens_given"] = told["tokens"] is not None
    text = told.get("text", segment.text)
    if told.get("tokens") is None and ("tokens" in told or (text != segment.text and not segment.tokens_given)):
        told["tokens"] = estimated_tokens(text)
    elif "tokens" not in told and text != segment.text:
        told.update(tokens=estimated_tokens(text), tokens_given=False)
    changed = replace(segment, **told)
    if changed == segment:
        return None
    return SegmentStep(replace(changed, touched_at=now), "changed", by, why)


def merge(segment: Segment, now: datetime, by: By, other: Segment) -> SegmentStep:
    """The same text and type were stored again: what is told of it is added, and it is active again if asked so."""
    merged = replace(
        segment,
        metadata={**segment.metadata, **other.metadata},
        task_id=other.task_id or segment.task_id,
        file_path=other.file_path or segment.file_path,
        tags=tuple(dict.fromkeys([*segment.tags, *other.tags])),
        pinned=segment.pinned or other.pinned,
        source=other.source or segment.source,
        expires_at=other.expires_at or segment.expires_at,
        tokens=other.tokens if other.tokens_given else segment.tokens,
        tokens_given=segment.tokens_given or other.tokens_given,
        tier=Tier.ACTIVE if other.tier is Tier.ACTIVE else segment.tier,
        touched_at=now,
    )
    return SegmentStep(merged, "stored again", by)


def put(segment: Segment, now: datetime, by: By, other: Segment) -> SegmentStep | None:
    """Stored under an id that is there: its content is replaced."""
    content = {name: getattr(other, name) for name in STATE}
    return _changed(segment, replace(segment, **content), now, by, "replaced")


def revert(segment: Segment, now: datetime, by: By, content: Mapping[str, Any], version: int) -> SegmentStep | None:
    """The content of an earlier version; where it stands and whether it is pinned stay as they are."""
    told = {name: content[name] for name in CONTENT}
    return _changed(segment, replace(segment, **told), now, by, "reverted", f"to version {version}")


def trash(segment: Segment, now: datetime, by: By, why: str = "") -> SegmentStep:
    return SegmentStep(replace(segment, trashed=Trashed(now, by), duplicate=False), "deleted", by, why)


def restore(segment: Segment, now: datetime, by: By) -> SegmentStep:
    return SegmentStep(replace(segment, trashed=None, touched_at=now), "brought back", by)


def estimated_tokens(text: str) -> int:
    """About four characters of plain text, or one of any other script."""
    others = 0 if text.isascii() else sum(not character.isascii() for character in text)
    return -(-(len(text) - others) // 4) + others


def state(segment: Segment) -> dict[str, Any]:
    """The fields that a history goes back over."""
    return {name: getattr(segment, name) for name in STATE}


def _changed(before: Segment, now_is: Segment, now: datetime, by: By, what: str, why: str = "") -> SegmentStep | None:
    return None if now_is == before else SegmentStep(replace(now_is, touched_at=now), what, by, why)
