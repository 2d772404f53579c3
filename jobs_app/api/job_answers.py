"""Jobs as bytes. A page of jobs is shaped once, into plain values, and written once; a response model would take twice
as long for the same bytes, and change the numbers of callers. `tests/api/test_job_shape.py` holds these shapes to the
schemas that the OpenAPI document shows.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.http import HttpResponse

from jobs_app.api import preconditions
from jobs_app.api.schemas import rfc3339
from jobs_app.domain.job import Attempt, By, Event, Job, Progress
from jobs_app.domain.job_log import LogEntry
from jobs_app.domain.library import Use
from jobs_app.services.claims import Claimed
from jobs_app.stores.job_records import JobPage

JSON: Final = "application/json; charset=utf-8"
_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def as_bytes(value: Any) -> bytes:
    """Not the strict writer of records: a page wraps what came in, and may nest a little deeper than a body may."""
    return _encode(value).encode()


def answer(value: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(as_bytes(value), status=status, content_type=JSON)


def one(job: Job, project: str, now: datetime, status: int = 200) -> HttpResponse:
    """A job, with its version as `ETag`."""
    response = answer(job_value(job, project, now), status)
    response["ETag"] = preconditions.etag(job.version)
    return response


def job_value(job: Job, project: str, now: datetime) -> dict[str, Any]:
    processing, waiting = job.processing_duration(now), job.waiting_duration(now)
    return {
        "id": job.id,
        "project": project,
        "name": job.name,
        "ingestion_task_id": job.ingestion_task_id,
        "run_id": job.run_id,
        "document_id": job.document_id,
        "source_file_path": job.source_file_path,
        "content_type": job.content_type,
        "task_options": job.task_options,
        "status": job.status.value,
        "priority": job.priority,
        "tags": list(job.tags),
        "uses": [use_value(use) for use in job.uses],
        "worker_id": job.worker_id,
        "created_at": rfc3339(job.created_at),
        "created_by": by_value(job.created_by),
        "not_before": time_value(job.not_before),
        "started_at": time_value(job.started_at),
        "completed_at": time_value(job.completed_at),
        "timeout_at": time_value(job.timeout_at),
        "attempt": job.attempt,
        "attempt_timeout_seconds": job.attempt_timeout_seconds,
        "lease_expires_at": time_value(job.lease_expires_at),
        "heartbeat_at": time_value(job.heartbeat_at),
        "progress": progress_value(job.progress),
        "cancel_requested": job.cancel is not None and not job.status.is_final,
        "error_message": job.error_message,
        "traceback": job.traceback,
        "result_data": job.result_data,
        "retry_count": job.retry_count,
        "max_retries": job.max_retries,
        "lost_count": job.lost_count,
        "version": job.version,
        "is_expired": job.is_expired(now),
        "can_retry": job.can_retry,
        "processing_duration": processing.total_seconds() if processing is not None else None,
        "waiting_duration": waiting.total_seconds() if waiting is not None else None,
    }


def page(found: JobPage, project: str, now: datetime) -> HttpResponse:
    return answer(
        {
            "items": [job_value(job, project, now) for job in found.jobs],
            "next_cursor": found.next_cursor,
            "previous_cursor": found.previous_cursor,
            "searched": {"complete": found.is_complete, "to": time_value(found.searched_to)},
        }
    )


def claimed(found: Sequence[Claimed], project: str, now: datetime) -> HttpResponse:
    jobs = [{**job_value(item.job, project, now), "lease_token": item.lease_token} for item in found]
    return answer({"jobs": jobs})


def event_value(number: int, event: Event) -> dict[str, Any]:
    return {
        "number": number,
        "at": rfc3339(event.at),
        "type": event.type,
        "from": event.source.value if event.source else None,
        "to": event.target.value,
        "by": by_value(event.by),
        "why": event.why,
        "attempt": event.attempt,
        "details": dict(event.details),
    }


def attempt_value(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "worker_id": attempt.worker_id,
        "planned_at": time_value(attempt.planned_at),
        "started_at": rfc3339(attempt.started_at),
        "ended_at": rfc3339(attempt.ended_at),
        "outcome": attempt.outcome,
        "error_message": attempt.error_message,
        "traceback": attempt.traceback,
    }


def line_value(line: LogEntry) -> dict[str, Any]:
    return {
        "number": line.number,
        "level": line.level.value,
        "message": line.message,
        "time": rfc3339(line.time),
        "data": line.data,
        "attempt": line.attempt,
    }


def use_value(use: Use) -> dict[str, Any]:
    return {
        "kind": use.kind,
        "name": use.name,
        "hash": use.hash,
        "version": use.version,
        "variables": use.variables,
    }


def by_value(by: By) -> dict[str, str]:
    return {"kind": by.kind, "name": by.name}


def progress_value(progress: Progress | None) -> dict[str, Any] | None:
    if progress is None:
        return None
    return {"percent": progress.percent, "message": progress.message, "at": rfc3339(progress.at)}


def time_value(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
