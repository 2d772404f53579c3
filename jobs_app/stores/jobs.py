"""Jobs as records: what the collection declares, what a record holds, and the way back to a domain value.

A job's events, attempts and log lines are streams of its record, so they come and go with it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from jobs_app.domain.job import (
    Attempt,
    CancelRequest,
    Event,
    Job,
    Progress,
    Settled,
    Step,
    Trashed,
)
from jobs_app.domain.job_states import JobState
from jobs_app.domain.library import Use
from jobs_app.domain.new_job import LONGEST_ATTEMPT
from jobs_app.errors import InvalidError
from jobs_app.stores import job_numbers
from jobs_app.stores.failure_groups import Tally
from jobs_app.stores.values import (
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
from storage_app.records.declarations import Collection, Field, Kind, Order
from storage_app.records.operations import Append, Operation, Outcome, Record

TRASHED: Final = "trashed"  # the partition of deleted jobs: no list or count of a state ever meets them
EVENTS: Final = "events"
ATTEMPTS: Final = "attempts"
LOGS: Final = "logs"
# The alarm of a job that waits for nothing. Not null, which comes first in every order: so the next alarm of all is
# simply the first of the index, however many jobs have none.
NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)

JOBS: Final = Collection(
    "jobs",
    fields=(
        Field("status", Kind.TEXT),
        Field("content_type", Kind.TEXT),
        Field("worker_id", Kind.TEXT),
        Field("run_id", Kind.TEXT),
        Field("ingestion_task_id", Kind.TEXT, unique=True),
        Field("priority", Kind.INTEGER),
        Field("due", Kind.BOOLEAN),  # a worker may have it now; turned over when the time comes, so claims never walk
        Field("alarm_at", Kind.TIME),  # when the clock alone changes something; the sweep reads this and nothing else
        Field("created_at", Kind.TIME),
        Field("completed_at", Kind.TIME),
        Field("duration", Kind.NUMBER),  # seconds of the last attempt, once the job has ended
        Field("failure", Kind.TEXT),  # the fingerprint of its cause, while it stands failed or is tried again
        Field("tags", Kind.TEXT_LIST),
        Field("used", Kind.TEXT_LIST),  # of the library: references to the texts, and to their versions
        Field("search", Kind.SEARCH),
    ),
    partition="status",
    orders=(
        Order(("-priority", "id"), within=("due",)),
        Order(("-priority", "id"), within=("due", "content_type")),
        Order(("created_at",), within=("status",)),
        Order(("created_at",), within=("status", "content_type")),
        Order(("created_at",), within=("status", "worker_id")),
        Order(("created_at",), within=("status", "run_id")),
        Order(("completed_at",), within=("status",)),
        Order(("created_at",), within=("status", "failure")),
        Order(("priority",), within=("status",)),
    ),
    counters=(("status", "content_type"), ("status", "failure"), ("due", "priority")),
)


def to_document(job: Job, step_at: datetime) -> dict[str, Any]:
    """The record of a job as it is from this moment on."""
    return {
        "name": job.name,
        "ingestion_task_id": job.ingestion_task_id,
        "run_id": job.run_id,
        "document_id": job.document_id,
        "source_file_path": job.source_file_path,
        "content_type": job.content_type,
        "task_options": job.task_options,
        "status": TRASHED if job.trashed else job.status.value,
        "priority": job.priority,
        "tags": job.tags,
        **_uses_out(job.uses),
        "worker_id": job.worker_id,
        "created_at": time_out(job.created_at),
        "not_before": time_out(job.not_before),
        "started_at": time_out(job.started_at),
        "completed_at": time_out(job.completed_at),
        "timeout_at": time_out(job.timeout_at),
        "attempt_timeout_seconds": job.attempt_timeout_seconds,
        "lease_expires_at": time_out(job.lease_expires_at),
        "lease_seconds": job.lease_seconds,
        "heartbeat_at": time_out(job.heartbeat_at),
        "progress": _progress_out(job.progress),
        "error_message": job.error_message,
        "traceback": job.traceback,
        "result_data": job.result_data,
        "attempt": job.attempt,
        "retry_count": job.retry_count,
        "max_retries": job.max_retries,
        "lost_count": job.lost_count,
        "waiting_since": time_out(job.waiting_since),
        "created_by": by_out(job.created_by),
        "cancel": _cancel_out(job.cancel),
        "trashed": _trashed_out(job),
        "token_digest": job.token_digest,
        "settled": {"token_digest": job.settled.token_digest, "call": job.settled.call} if job.settled else None,
        "request_digest": job.request_digest,
        "due": job.is_due(step_at),
        "alarm_at": time_out(job.next_alarm(step_at) or NEVER),
        "search": _search_text(job),
        "duration": _duration(job),
        "failure": job.cause.fingerprint if job.cause else None,
    }


def from_record(record: Record) -> Job:
    """ValueError, KeyError, TypeError or AttributeError for what is no job: also where each field could be, but what
    is done to jobs would fail on them together."""
    job = _fields_of(record)
    if job.status is JobState.PROCESSING and None in (
        job.worker_id,
        job.started_at,
        job.lease_expires_at,
        job.token_digest,
    ):
        raise ValueError("it is processing, but nobody holds it")
    if max(job.lease_seconds, job.attempt_timeout_seconds or 0) > LONGEST_ATTEMPT.total_seconds():
        raise ValueError(f"no attempt may take longer than {LONGEST_ATTEMPT.days} days")
    return job


def _fields_of(record: Record) -> Job:
    document = record.document
    trashed = document["trashed"]
    return Job(
        id=str(record.id),
        version=record.version,
        name=text(document["name"]),
        created_at=known_time(document["created_at"]),
        status=JobState(document["status"] if trashed is None else trashed["status"]),
        ingestion_task_id=optional_text(document["ingestion_task_id"]),
        run_id=optional_text(document["run_id"]),
        document_id=optional_text(document["document_id"]),
        source_file_path=optional_text(document["source_file_path"]),
        content_type=text(document["content_type"]),
        task_options=mapping(document["task_options"]),
        priority=number(document["priority"]),
        tags=texts(document["tags"]),
        uses=_uses_in(document.get("uses")),
        worker_id=optional_text(document["worker_id"]),
        not_before=time_in(document["not_before"]),
        started_at=time_in(document["started_at"]),
        completed_at=time_in(document["completed_at"]),
        timeout_at=time_in(document["timeout_at"]),
        attempt_timeout_seconds=_optional_number(document["attempt_timeout_seconds"]),
        lease_expires_at=time_in(document["lease_expires_at"]),
        lease_seconds=number(document["lease_seconds"]),
        heartbeat_at=time_in(document["heartbeat_at"]),
        progress=_progress_in(document["progress"]),
        error_message=optional_text(document["error_message"]),
        traceback=optional_text(document["traceback"]),
        result_data=document["result_data"],
        attempt=number(document["attempt"]),
        retry_count=number(document["retry_count"]),
        max_retries=number(document["max_retries"]),
        lost_count=number(document["lost_count"]),
        waiting_since=time_in(document["waiting_since"]),
        created_by=by_in(document["created_by"]),
        cancel=_cancel_in(document["cancel"]),
        trashed=_trashed_in(trashed),
        token_digest=optional_text(document["token_digest"]),
        settled=_settled_in(document["settled"]),
        request_digest=optional_text(document["request_digest"]),
    )


def fields_in(job: Job, values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a document as a job holds them; InvalidError names each that is none."""
    found: dict[str, Any] = {}
    faults: list[dict[str, Any]] = []
    document = to_document(job, job.created_at)
    for name, value in values.items():
        try:
            found[name] = getattr(from_record(Record(job.id, job.version, {**document, name: value})), name)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            faults.append({"place": name, "reason": str(error)})
    if faults:
        raise InvalidError("; ".join(f"{fault['place']}: {fault['reason']}" for fault in faults), faults)
    return found


def outcome(record: Record, step: Step, step_at: datetime, tally: Tally) -> Outcome:
    """What a step writes: the fields that are others now, its event, the attempt that ended with it, and one more
    failure of its cause."""
    document = to_document(step.job, step_at)
    changes = {
        name: value
        for name, value in document.items()
        if name not in _SETTLED_AT_CREATION and not _unchanged(record.document, name, value)
    }
    then = kept(str(record.id), step)
    if step.job.has_failed and step.event is not None and step.event.source is not step.event.target:
        then.append(tally.operation(step.job))
    return Outcome(changes, then)


def kept(job_id: str, step: Step) -> list[Operation]:
    """The lines that a step adds to the job's streams, and what it adds to the numbers."""
    lines: list[Operation] = job_numbers.counted(step)
    if step.event is not None:
        lines.append(Append(JOBS.name, job_id, EVENTS, [event_out(step.event)]))
    if step.attempt is not None:
        lines.append(Append(JOBS.name, job_id, ATTEMPTS, [attempt_out(step.attempt)]))
    return lines


def event_out(event: Event) -> dict[str, Any]:
    return {
        "at": time_out(event.at),
        "type": event.type,
        "from": event.source.value if event.source else None,
        "to": event.target.value,
        "by": by_out(event.by),
        "why": event.why,
        "attempt": event.attempt,
        "details": dict(event.details),
    }


def event_in(data: Mapping[str, Any]) -> Event:
    return Event(
        at=known_time(data["at"]),
        type=text(data["type"]),
        source=JobState(data["from"]) if data["from"] is not None else None,
        target=JobState(data["to"]),
        by=by_in(data["by"]),
        why=text(data["why"]),
        attempt=_optional_number(data["attempt"]),
        details=mapping(data["details"]),
    )


def attempt_out(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "worker_id": attempt.worker_id,
        "planned_at": time_out(attempt.planned_at),
        "started_at": time_out(attempt.started_at),
        "ended_at": time_out(attempt.ended_at),
        "outcome": attempt.outcome,
        "error_message": attempt.error_message,
        "traceback": attempt.traceback,
    }


def attempt_in(data: Mapping[str, Any]) -> Attempt:
    return Attempt(
        number=number(data["number"]),
        worker_id=text(data["worker_id"]),
        planned_at=time_in(data["planned_at"]),
        started_at=known_time(data["started_at"]),
        ended_at=known_time(data["ended_at"]),
        outcome=text(data["outcome"]),
        error_message=optional_text(data["error_message"]),
        traceback=optional_text(data["traceback"]),
    )


_SETTLED_AT_CREATION: Final = frozenset({"uses", "used"})
_SCALARS: Final = (str, int, float, bool, type(None))


def _unchanged(document: Mapping[str, Any], name: str, value: Any) -> bool:
    """By identity for JSON values: 1 and 1.0 are equal in Python, and two things in a document."""
    if name not in document:
        return False
    old = document[name]
    return value is old or (isinstance(value, _SCALARS) and type(value) is type(old) and value == old)


def _search_text(job: Job) -> str:
    return "\n".join(part for part in (job.id, job.name, job.source_file_path, job.error_message) if part)


def _duration(job: Job) -> float | None:
    if job.started_at is None or job.completed_at is None:
        return None
    return (job.completed_at - job.started_at).total_seconds()


def _optional_number(value: Any) -> int | None:
    return None if value is None else number(value)


def _uses_out(uses: Sequence[Use]) -> dict[str, Any]:
    """Nothing at all for a job that uses nothing, as most do."""
    if not uses:
        return {}
    told = [
        {"kind": use.kind, "name": use.name, "hash": use.hash, "version": use.version, "variables": use.variables}
        for use in uses
    ]
    return {"uses": told, "used": list(dict.fromkeys(each for use in uses for each in use.references))}


def _uses_in(value: Any) -> tuple[Use, ...]:
    return tuple(
        Use(
            text(use["kind"]),
            text(use["name"]),
            text(use["hash"]),
            optional_text(use["version"]),
            mapping(use["variables"]),
        )
        for use in value or ()
    )


def _progress_out(progress: Progress | None) -> dict[str, Any] | None:
    if progress is None:
        return None
    return {"percent": progress.percent, "message": progress.message, "at": time_out(progress.at)}


def _progress_in(value: Any) -> Progress | None:
    if value is None:
        return None
    percent = value["percent"]
    if percent is not None and (isinstance(percent, bool) or not isinstance(percent, (int, float))):
        raise TypeError(f"{percent!r} is no number")
    return Progress(percent, text(value["message"]), known_time(value["at"]))


def _cancel_out(cancel: CancelRequest | None) -> dict[str, Any] | None:
    if cancel is None:
        return None
    return {"at": time_out(cancel.at), "by": by_out(cancel.by), "why": cancel.why, "told_at": time_out(cancel.told_at)}


def _cancel_in(value: Any) -> CancelRequest | None:
    if value is None:
        return None
    return CancelRequest(known_time(value["at"]), by_in(value["by"]), text(value["why"]), time_in(value["told_at"]))


def _trashed_out(job: Job) -> dict[str, Any] | None:
    trashed = job.trashed
    if trashed is None:
        return None
    return {
        "at": time_out(trashed.at),
        "by": by_out(trashed.by),
        "status": job.status.value,
        "ingestion_task_id": trashed.ingestion_task_id,
    }


def _trashed_in(value: Any) -> Trashed | None:
    if value is None:
        return None
    return Trashed(known_time(value["at"]), by_in(value["by"]), optional_text(value["ingestion_task_id"]))


def _settled_in(value: Any) -> Settled | None:
    return None if value is None else Settled(text(value["token_digest"]), text(value["call"]))
