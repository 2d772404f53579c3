"""Segments as records: what the collection declares, what a record holds, and the way back to a domain value.

A segment's history is a stream of its record, so it comes and goes with it.
"""

from collections.abc import Mapping
from typing import Any, Final

from jobs_app.domain.new_segment import fingerprint
from jobs_app.domain.segment import STATE, Past, Segment, SegmentStep, Source, Tier, Trashed
from jobs_app.errors import InvalidError
from jobs_app.stores.values import (
    boolean,
    by_in,
    by_out,
    known_time,
    mapping,
    number,
    optional_text,
    text,
    texts,
    time_in,
    time_out,
)
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from storage_app.records.operations import Append, Operation, Outcome, Record

TRASHED: Final = "trashed"  # the partition of deleted segments: no list, count or search ever meets them
HISTORY: Final = "history"

SEGMENTS: Final = Collection(
    "segments",
    ids=Ids.GIVEN,  # an import keeps the ids of its file
    fields=(
        Field("tier", Kind.TEXT),
        Field("type", Kind.TEXT),
        Field("task_id", Kind.TEXT),
        Field("file_path", Kind.TEXT),
        Field("tags", Kind.TEXT_LIST),
        Field("pinned", Kind.BOOLEAN),
        Field("duplicate", Kind.BOOLEAN),
        Field("tokens", Kind.INTEGER),
        Field("created_at", Kind.TIME),
        Field("touched_at", Kind.TIME),
        Field("expires_at", Kind.TIME),
        Field("merge_key", Kind.TEXT, unique=True),
        Field("text", Kind.WORDS, newest="touched_at", absent_in=(TRASHED,)),
    ),
    partition="tier",
    orders=(Order(("touched_at",), within=("tier",)), Order(("created_at",), within=("tier",))),
    counters=(("tier", "type"), ("tier", "task_id"), ("tier", "file_path"), ("tier", "pinned"), ("tier", "tokens")),
)


def to_document(segment: Segment) -> dict[str, Any]:
    trashed = segment.trashed
    alone = trashed is None and not segment.duplicate
    return {
        "tier": TRASHED if trashed else segment.tier.value,
        "type": segment.type,
        "text": segment.text,
        "metadata": segment.metadata,
        "tokens": segment.tokens,
        "tokens_given": segment.tokens_given,
        "task_id": segment.task_id,
        "file_path": segment.file_path,
        "tags": segment.tags,
        "pinned": segment.pinned,
        "source": source_out(segment.source),
        "created_at": time_out(segment.created_at),
        "created_by": by_out(segment.created_by),
        "touched_at": time_out(segment.touched_at),
        "expires_at": time_out(segment.expires_at),
        "duplicate": segment.duplicate,
        "merge_key": fingerprint(segment.text, segment.type) if alone else None,
        "trashed": {"at": time_out(trashed.at), "by": by_out(trashed.by), "tier": segment.tier.value}
        if trashed
        else None,
        "foreign": segment.foreign,
    }


def from_record(record: Record) -> Segment:
    document = record.document
    trashed = document["trashed"]
    return Segment(
        id=str(record.id),
        version=record.version,
        text=text(document["text"]),
        type=text(document["type"]),
        tokens=number(document["tokens"]),
        tokens_given=boolean(document["tokens_given"]),
        created_at=known_time(document["created_at"]),
        touched_at=known_time(document["touched_at"]),
        tier=Tier(document["tier"] if trashed is None else trashed["tier"]),
        metadata=mapping(document["metadata"]),
        task_id=optional_text(document["task_id"]),
        file_path=optional_text(document["file_path"]),
        tags=texts(document["tags"]),
        pinned=boolean(document["pinned"]),
        source=source_in(document["source"]),
        expires_at=time_in(document["expires_at"]),
        created_by=by_in(document["created_by"]),
        trashed=None if trashed is None else Trashed(known_time(trashed["at"]), by_in(trashed["by"])),
        duplicate=boolean(document["duplicate"]),
        foreign=mapping(document["foreign"]),
    )


def fields_in(segment: Segment, values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a document as a segment holds them; InvalidError names each that is none."""
    found: dict[str, Any] = {}
    faults: list[dict[str, Any]] = []
    document = to_document(segment)
    for name, value in values.items():
        try:
            found[name] = getattr(from_record(Record(segment.id, segment.version, {**document, name: value})), name)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            faults.append({"place": name, "reason": str(error)})
    if faults:
        raise InvalidError("; ".join(f"{fault['place']}: {fault['reason']}" for fault in faults), faults)
    return found


def outcome(record: Record, before: Segment, step: SegmentStep, at: Any) -> Outcome:
    """What a step writes: the fields that are others now, and its line in the history."""
    document = to_document(step.segment)
    changes = {name: value for name, value in document.items() if value != record.document.get(name)}
    past = Past(record.version + 1, at, step.what, step.by, step.why, _differing(before, step.segment))
    return Outcome(changes, [kept(str(record.id), past)])


def kept(id: str, past: Past) -> Operation:
    return Append(SEGMENTS.name, id, HISTORY, [past_out(past)])


def past_out(past: Past) -> dict[str, Any]:
    return {
        "version": past.version,
        "at": time_out(past.at),
        "what": past.what,
        "by": by_out(past.by),
        "why": past.why,
        "before": dict(past.before),
    }


def past_in(data: Mapping[str, Any]) -> Past:
    return Past(
        version=number(data["version"]),
        at=known_time(data["at"]),
        what=text(data["what"]),
        by=by_in(data["by"]),
        why=text(data["why"]),
        before=mapping(data["before"]),
    )


def values_out(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a segment as the history keeps them."""
    return {name: _OUT.get(name, _as_it_is)(value) for name, value in values.items()}


def values_in(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _IN.get(name, _as_it_is)(value) for name, value in values.items()}


def source_out(source: Source) -> dict[str, Any] | None:
    found = {name: getattr(source, name) for name in Source.__slots__ if getattr(source, name) is not None}
    return found or None


def source_in(value: Any) -> Source:
    return Source(**{name: text(part) for name, part in mapping(value).items()}) if value else Source()


def _differing(before: Segment, after: Segment) -> dict[str, Any]:
    values = {name: getattr(before, name) for name in STATE if getattr(before, name) != getattr(after, name)}
    return values_out(values)


def _as_it_is(value: Any) -> Any:
    return value


_OUT: Final[Mapping[str, Any]] = {
    "source": source_out,
    "expires_at": time_out,
    "tags": list,
    "tier": str,
    "metadata": dict,
}
_IN: Final[Mapping[str, Any]] = {"source": source_in, "expires_at": time_in, "tags": texts, "tier": Tier}
