"""A job as it is asked for: what its fields may be, and when two requests ask for the same."""

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs_app.domain.job import DEFAULT_MAX_RETRIES, PRIORITIES, By, Event, Job, Step
from jobs_app.domain.job_states import JobState
from jobs_app.domain.library import Use, Wanted

LONGEST_NAME = 300
LONGEST_WORD = 128  # ids, content types, tags: within the 512 bytes that an index takes, whatever the script
LONGEST_PATH = 1024
MOST_TAGS = 50
MOST_RETRIES = 1000
LONGEST_ATTEMPT = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class NewJob:
    name: str = ""
    ingestion_task_id: str | None = None
    run_id: str | None = None
    document_id: str | None = None
    source_file_path: str | None = None
    content_type: str = ""
    task_options: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    tags: Sequence[str] = ()
    uses: Sequence[Wanted] = ()
    not_before: datetime | None = None
    timeout_at: datetime | None = None
    attempt_timeout_seconds: int | None = None
    max_retries: int = DEFAULT_MAX_RETRIES


def make(new: NewJob, id: str, now: datetime, by: By, uses: Sequence[Use] = ()) -> Step:
    """The first step of a job; `uses` is what it wants of the library, settled to a content each."""
    job = Job(
        id=id,
        version=1,
        name=new.name or _name_for(new),
        created_at=now,
        ingestion_task_id=new.ingestion_task_id,
        run_id=new.run_id,
        document_id=new.document_id,
        source_file_path=new.source_file_path,
        content_type=new.content_type,
        task_options=new.task_options,
        priority=new.priority,
        tags=tuple(dict.fromkeys(new.tags)),
        uses=tuple(uses),
        not_before=new.not_before,
        timeout_at=new.timeout_at,
        attempt_timeout_seconds=new.attempt_timeout_seconds,
        max_retries=new.max_retries,
        waiting_since=max(now, new.not_before or now),
        created_by=by,
        request_digest=content_digest(new) if new.ingestion_task_id is not None else None,
    )
    return Step(job, Event(now, "created", None, JobState.PENDING, by))


def content_digest(new: NewJob) -> str:
    """Equal for requests that ask for the same. A default says the same as nothing; 1 and 1.0 are two things, as
    they are everywhere here."""
    asked = {item.name: _canonical(getattr(new, item.name)) for item in fields(new)}
    plain = {item.name: _canonical(getattr(NewJob(), item.name)) for item in fields(new)}
    told = {name: text for name, text in asked.items() if text != plain[name] and name != "ingestion_task_id"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Place and reason of each of these fields that is not as it must be."""
    for name, value in values.items():
        if name in _RULES and value is not None and (reason := _RULES[name](value)):
            yield name, reason


def word_fault(value: str) -> str:
    """What keeps a text from being an id or a label of a caller's."""
    if not 1 <= len(value) <= LONGEST_WORD:
        return f"use 1 to {LONGEST_WORD} characters"
    return _control_fault(value)


def _control_fault(value: str) -> str:
    bad = any(unicodedata.category(character) in ("Cc", "Cs") for character in value)
    return "has control characters in it" if bad else ""


def _text_fault(longest: int, value: str) -> str:
    return f"has {len(value)} characters; {longest} is the most" if len(value) > longest else _control_fault(value)


def _tags_fault(tags: Sequence[str]) -> str:
    if len(tags) > MOST_TAGS:
        return f"has {len(tags)} tags; {MOST_TAGS} is the most"
    return next((f"{tag[:40]!r}: {reason}" for tag in tags if (reason := word_fault(tag))), "")


def _range_fault(least: int, most: int, value: int) -> str:
    return "" if least <= value <= most else f"must be from {least} to {most}"


_RULES: Mapping[str, Any] = {
    "name": lambda value: _text_fault(LONGEST_NAME, value),
    "ingestion_task_id": word_fault,
    "run_id": word_fault,
    "document_id": word_fault,
    "worker_id": word_fault,
    "source_file_path": lambda value: _text_fault(LONGEST_PATH, value),
    "content_type": lambda value: word_fault(value) if value else "",
    "tags": _tags_fault,
    "priority": lambda value: _range_fault(PRIORITIES[0], PRIORITIES[-1], value),
    "max_retries": lambda value: _range_fault(0, MOST_RETRIES, value),
    "attempt_timeout_seconds": lambda value: _range_fault(1, int(LONGEST_ATTEMPT.total_seconds()), value),
}


def _name_for(new: NewJob) -> str:
    last_part = (new.source_file_path or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
    return (last_part or new.ingestion_task_id or new.content_type or "job")[:LONGEST_NAME]


def _canonical(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.astimezone(UTC).isoformat()
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list):
        value = [asdict(item) if isinstance(item, Wanted) else item for item in value]
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
