"""Segments as files: the single-file form, JSON Lines, and the memory file of MCP's memory server.

    {"version": "1.0", "projects": {id: {"segments": [...], "indexes": {"by_task": …, "by_file": …, "by_tag": …}}}}

Reading never gives up at a fault: what is whole comes out, and each fault is told with its place. Whoever writes such
a file again from what came in gets the same bytes.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from jobs_app.domain.job import By
from jobs_app.domain.new_segment import NewSegment, faults, make
from jobs_app.domain.segment import Segment, Source, Tier
from jobs_app.stores.segments import source_in, source_out
from jobs_app.stores.values import time_out
from storage_app import strict_json
from storage_app.strict_json import StrictJSONError

VERSION: Final = "1.0"


@dataclass(frozen=True, slots=True)
class Fault:
    """`position` counts characters of the text from 0, line and column from 1; a place that is not known is 0."""

    reason: str
    position: int = 0
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A segment as it stands in a file: its object, the project it stands under, and where it begins."""

    value: Mapping[str, Any]
    project: str | None
    position: int
    line: int = 0


@dataclass(slots=True)
class Contents:
    """What could be read. `whole`: the file has no fault."""

    found: list[Found] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.faults

    @property
    def projects(self) -> list[str]:
        return list(dict.fromkeys(one.project for one in self.found if one.project is not None))


def write_single(project: str, segments: Iterable[Segment]) -> Iterator[str]:
    """The single-file form, piece by piece. Its order is that of the segments."""
    by: dict[str, dict[str, list[str]]] = {"by_task": {}, "by_file": {}, "by_tag": {}}
    yield f'{{\n  "version": "{VERSION}",\n  "projects": {{\n    {strict_json.dumps(project)}: {{\n      "segments": ['
    first = True
    for segment in segments:
        yield f"{'' if first else ','}\n        {strict_json.dumps(value_of(segment, project))}"
        first = False
        _enter(by, segment)
    sorted_by = {name: {key: index[key] for key in sorted(index)} for name, index in by.items()}
    yield f'{"" if first else chr(10) + " " * 6}],\n      "indexes": {strict_json.dumps(sorted_by)}\n    }}\n  }}\n}}\n'


def write_lines(project: str, segments: Iterable[Segment]) -> Iterator[str]:
    for segment in segments:
        yield strict_json.dumps(value_of(segment, project)) + "\n"


def value_of(segment: Segment, project: str) -> dict[str, Any]:
    """A segment as files have it. What is of no use elsewhere (who made it, its history) stays here."""
    value: dict[str, Any] = {
        "segment_id": segment.id,
        "project_id": project,
        "text": segment.text,
        "type": segment.type,
        "metadata": segment.metadata,
        "tokens": segment.tokens,
        "task_id": segment.task_id,
        "file_path": segment.file_path,
        "tags": list(segment.tags),
        "tier": segment.tier.value,
        "pinned": segment.pinned,
        "source": source_out(segment.source),
        "created_at": time_out(segment.created_at),
        "touched_at": time_out(segment.touched_at),
        "version": segment.version,
    }
    if segment.expires_at is not None:
        value["expires_at"] = time_out(segment.expires_at)
    return {**value, **{name: part for name, part in segment.foreign.items() if name not in value}}


def read_single(data: bytes) -> Contents:
    """Every segment that is whole, wherever the file is broken."""
    text, broken = _decoded(data)
    contents = Contents(faults=[broken] if broken else [])
    if broken is None:
        try:
            return _of_projects(strict_json.loads(text), text)
        except StrictJSONError as error:
            contents.faults.append(Fault(error.reason, error.position, error.line, error.column))
    _salvage(text, contents)
    return contents


def read_lines(data: bytes) -> Contents:
    """One object a line; a line that cannot be read is told, and the others count."""
    contents = Contents()
    for number, position, line in _lines(data):
        try:
            value = strict_json.loads_object(line)
        except StrictJSONError as error:
            contents.faults.append(Fault(error.reason, position, number, max(error.column, 1)))
            continue
        owner = value.get("project_id")
        contents.found.append(Found(value, owner if isinstance(owner, str) else None, position, number))
    return contents


def read_memory(data: bytes) -> Contents:
    """The `memory.jsonl` of MCP's memory server: each entity with its observations, and each relation, is a segment
    whose id follows from its name, so that reading it again changes what is there.
    """
    lines = read_lines(data)
    contents = Contents(faults=lines.faults)
    for one in lines.found:
        value = _of_memory(one.value)
        if value is None:
            contents.faults.append(Fault("is neither an entity nor a relation", one.position, one.line, 1))
        else:
            contents.found.append(replace(one, value=value, project=None))
    return contents


def segment_from(value: Mapping[str, Any], now: datetime, by: By) -> Segment:
    """ValueError says what keeps it from being a segment."""
    missing = [name for name in ("segment_id", "text") if not isinstance(value.get(name), str)]
    if missing:
        raise ValueError(f"{missing[0]} is missing or no text")
    created = _time(value.get("created_at"), now)
    new = NewSegment(
        text=value["text"],
        type=_text(value, "type") or "note",
        segment_id=value["segment_id"],
        metadata=_object(value, "metadata"),
        tokens=_number(value.get("tokens")),
        task_id=_text(value, "task_id"),
        file_path=_text(value, "file_path"),
        tags=_texts(value.get("tags")),
        tier=_TIERS.get(str(value.get("tier") or "active").lower(), Tier.STASHED),
        pinned=value.get("pinned") is True,
        source=_source(value.get("source")),
        expires_at=_time(value["expires_at"], now) if value.get("expires_at") is not None else None,
    )
    wrong = next(faults({name: getattr(new, name) for name in NewSegment.__slots__}), None)
    if wrong is not None:
        raise ValueError(f"{wrong[0]}: {wrong[1]}")
    version = value.get("version")
    foreign = {name: part for name, part in value.items() if name not in _OURS}
    return replace(
        make(new, value["segment_id"], created, by),
        touched_at=_time(value.get("touched_at"), created),
        version=version if isinstance(version, int) and not isinstance(version, bool) and 1 <= version < 2**53 else 1,
        foreign=foreign,
    )


_OURS: Final = frozenset(
    {
        "segment_id", "project_id", "text", "type", "metadata", "tokens", "task_id", "file_path", "tags", "tier",
        "pinned", "source", "created_at", "touched_at", "version", "expires_at",
    }
)  # fmt: skip
_TIERS: Final = {"active": Tier.ACTIVE, "working": Tier.ACTIVE, "stashed": Tier.STASHED, "stable": Tier.STASHED}
_HEADER: Final = re.compile(r'("(?:[^"\\]|\\.)*+")\s*:\s*\{\s*"segments"\s*:\s*\[')
_OBJECT: Final = re.compile(r'[\[,]\s*(\{\s*")')
_DECODER: Final = json.JSONDecoder(strict=True)


def _enter(by: dict[str, dict[str, list[str]]], segment: Segment) -> None:
    if segment.task_id is not None:
        by["by_task"].setdefault(segment.task_id, []).append(segment.id)
    if segment.file_path is not None:
        by["by_file"].setdefault(segment.file_path, []).append(segment.id)
    for tag in segment.tags:
        by["by_tag"].setdefault(tag, []).append(segment.id)


def _decoded(data: bytes) -> tuple[str, Fault | None]:
    try:
        return data.decode(), None
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line = before.count("\n") + 1
        fault = Fault("Not UTF-8", len(before), line, len(before) - before.rfind("\n"))
        # Half characters are refused by the strict reader, so nothing that is not text comes in by this.
        return data.decode(errors="surrogateescape"), fault


def _of_projects(value: Any, text: str) -> Contents:
    contents = Contents()
    projects = value.get("projects") if isinstance(value, dict) else None
    if not isinstance(projects, dict):
        contents.faults.append(Fault("has no object of projects", 0, 1, 1))
        return contents
    for name, entry in projects.items():
        listed = entry.get("segments") if isinstance(entry, dict) else None
        if not isinstance(listed, list):
            contents.faults.append(Fault(f"the project {name!r} has no list of segments", max(text.find(name), 0)))
            continue
        for one in listed:
            if isinstance(one, dict):
                contents.found.append(Found(one, name, 0))
            else:
                contents.faults.append(Fault(f"a segment of {name!r} is {strict_json.type_name(one)}"))
    return contents


def _salvage(text: str, contents: Contents) -> None:
    """Objects in lists that are whole and look like segments; what lies within one that was taken is its own."""
    headers = [(match.end(), match[1]) for match in _HEADER.finditer(text)]
    place = 0
    while match := _OBJECT.search(text, place):
        start = match.start(1)
        place = start + 1
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if not isinstance(value.get("segment_id"), str) or not isinstance(value.get("text"), str):
            continue
        place = end
        try:
            whole = strict_json.loads_object(text[start:end])
        except StrictJSONError as error:
            _note(text, start + error.position, error.reason, contents)
            continue
        owner = next((name for at, name in reversed(headers) if at <= start), None)
        contents.found.append(Found(whole, _named(owner, whole), start))


def _note(text: str, position: int, reason: str, contents: Contents) -> None:
    if all(fault.position != position for fault in contents.faults):
        line = text.count("\n", 0, position) + 1
        contents.faults.append(Fault(reason, position, line, position - text.rfind("\n", 0, position)))


def _named(quoted: str | None, value: Mapping[str, Any]) -> str | None:
    if quoted is not None:
        try:
            name = strict_json.loads(quoted)
        except StrictJSONError:
            name = None
        if isinstance(name, str):
            return name
    owner = value.get("project_id")
    return owner if isinstance(owner, str) else None


def _lines(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield number, position, line.rstrip(b"\r")
        position += len(line) + 1


def _of_memory(value: Mapping[str, Any]) -> dict[str, Any] | None:
    if value.get("type") == "entity" and isinstance(value.get("name"), str):
        observations = value.get("observations")
        if not isinstance(observations, list) or not all(isinstance(one, str) for one in observations):
            return None
        kind = value.get("entityType")
        tags = [kind] if isinstance(kind, str) and kind else []
        metadata = {"name": value["name"], "entity_type": kind}
        return _memory("entity", [value["name"]], "\n".join([value["name"], *observations]), metadata, tags)
    if value.get("type") == "relation":
        parts = [value.get("from"), value.get("relationType"), value.get("to")]
        if not all(isinstance(part, str) for part in parts):
            return None
        names = [str(part) for part in parts]
        metadata = dict(zip(("from", "relation_type", "to"), names, strict=True))
        return _memory("relation", names, " ".join(names), metadata, [])
    return None


def _memory(kind: str, names: list[str], text: str, metadata: dict[str, Any], tags: list[str]) -> dict[str, Any]:
    digest = hashlib.sha256(strict_json.dumps_bytes([kind, *names])).hexdigest()[:32]
    return {"segment_id": f"memory-{digest}", "text": text, "type": kind, "metadata": metadata, "tags": tags}


def _text(value: Mapping[str, Any], name: str) -> str | None:
    found = value.get(name)
    if found is not None and not isinstance(found, str):
        raise ValueError(f"{name} is no text")
    return found or None


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("tags are no list of texts")
    return tuple(value)


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    if found is not None and not isinstance(found, dict):
        raise ValueError(f"{name} is no object")
    return found or {}


def _number(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("tokens is no whole number")  # noqa: TRY004 - one kind of error for whoever reads files
    return value


def _source(value: Any) -> Source:
    if value is None:
        return Source()
    try:
        return source_in(value)
    except TypeError as error:
        raise ValueError("source is not one of ours") from error


def _time(value: Any, otherwise: datetime) -> datetime:
    """A time without zone is UTC; a number is seconds since 1970."""
    if value is None:
        return otherwise
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{str(value)[:40]!r} is no time") from error
