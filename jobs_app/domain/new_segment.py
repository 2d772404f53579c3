"""A segment as it is asked for: what its fields may be, and when two are the same."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from jobs_app.domain.job import By
from jobs_app.domain.new_job import MOST_TAGS, word_fault
from jobs_app.domain.segment import Segment, Source, Tier, estimated_tokens

LONGEST_TEXT: Final = 1_000_000
LONGEST_ID: Final = 128
LONGEST_WORD: Final = 128
LONGEST_PATH_BYTES: Final = 512  # what an index takes
MOST_TOKENS: Final = 2**31 - 1
# What stands at these places of an address is something else.
RESERVED_IDS: Final = frozenset(
    {"batch", "load", "search", "suggestions", "stash", "unstash", "export", "import", "trash", "stats", "budget"}
    | {"act", "new", ".", ".."}
)


@dataclass(frozen=True, slots=True)
class NewSegment:
    """`segment_id` names one that is to be replaced, or that is to have this id."""

    text: str
    type: str = "note"
    segment_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tokens: int | None = None
    task_id: str | None = None
    file_path: str | None = None
    tags: Sequence[str] = ()
    tier: Tier = Tier.ACTIVE
    pinned: bool = False
    source: Source = field(default_factory=Source)
    expires_at: datetime | None = None


def make(new: NewSegment, id: str, now: datetime, by: By) -> Segment:
    return Segment(
        id=id,
        version=1,
        text=new.text,
        type=new.type,
        tokens=estimated_tokens(new.text) if new.tokens is None else new.tokens,
        tokens_given=new.tokens is not None,
        created_at=now,
        touched_at=now,
        tier=new.tier,
        metadata=dict(new.metadata),
        task_id=new.task_id,
        file_path=new.file_path,
        tags=tuple(dict.fromkeys(new.tags)),
        pinned=new.pinned,
        source=new.source,
        expires_at=new.expires_at,
        created_by=by,
    )


def fingerprint(text: str, kind: str) -> str:
    """Equal for exact duplicates, and for nothing else."""
    return hashlib.sha256(f"{kind}\0{text}".encode()).hexdigest()


def faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Place and reason of each of these fields that is not as it must be."""
    for name, value in values.items():
        if name in _RULES and value is not None and (reason := _RULES[name](value)):
            yield name, reason


def id_fault(id: str) -> str:
    if reason := word_fault(id):
        return reason
    if len(id.encode()) > LONGEST_PATH_BYTES:
        return f"has more than {LONGEST_PATH_BYTES} bytes"
    if "/" in id or id in RESERVED_IDS:
        return "cannot stand in an address"
    return ""


def _text_fault(text: str) -> str:
    if not text:
        return "is empty"
    if len(text) > LONGEST_TEXT:
        return f"has {len(text):,} characters; {LONGEST_TEXT:,} is the most"
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        return "has half a character in it"
    return "has a NUL in it" if "\0" in text else ""


def _path_fault(path: str) -> str:
    if not path or len(path.encode(errors="replace")) > LONGEST_PATH_BYTES:
        return f"use 1 to {LONGEST_PATH_BYTES} bytes"
    return "has control characters in it" if any(ord(sign) < 32 or ord(sign) == 127 for sign in path) else ""


def _tags_fault(tags: Sequence[str]) -> str:
    if len(tags) > MOST_TAGS:
        return f"has {len(tags)} tags; {MOST_TAGS} is the most"
    return next((f"{tag[:40]!r}: {reason}" for tag in tags if (reason := word_fault(tag))), "")


def _tokens_fault(tokens: int) -> str:
    return "" if 0 <= tokens <= MOST_TOKENS else f"must be from 0 to {MOST_TOKENS}"


_RULES: Final[Mapping[str, Any]] = {
    "text": _text_fault,
    "type": word_fault,
    "segment_id": id_fault,
    "tokens": _tokens_fault,
    "task_id": word_fault,
    "file_path": _path_fault,
    "tags": _tags_fault,
}
