"""Everything a filter matches, page after page: whatever the size of the history, one page is in memory.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and job names come from anywhere; in CSV
such a text gets an apostrophe in front, which spreadsheets show as a sign that it is text.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.errors import InvalidError
from jobs_app.services import audit, jobs
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores.job_records import JobRecords
from storage_app import strict_json
from storage_app.records.query import Node
from storage_app.records.times import to_text

PAGE: Final = 200


def jobs_matching(actor: Actor, slug: str, wanted: JobFilter, order: str = "-created_at") -> Iterator[Job]:
    """Refusals come now, jobs when they are asked for."""
    project, records = jobs_of(actor, slug, Scope.READ)
    if order not in jobs.ORDERS:
        raise InvalidError.at("order", f"choose one of {', '.join(jobs.ORDERS)}")
    conditions = jobs.conditions(wanted)
    audit.record(actor, "job.export", project=project, detail={"query": wanted.text or "", "order": order})
    return _pages(records, conditions, order)


def as_csv(found: Iterator[Job], now: datetime) -> Iterator[bytes]:
    """A line of names, then a line a job; UTF-8 with a byte order mark, which spreadsheets need to know it by."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    yield b"\xef\xbb\xbf" + _taken(buffer)
    for number, job in enumerate(found, 1):
        writer.writerow([_cell(column(job, now)) for column in COLUMNS.values()])
        if number % _LINES == 0:
            yield _taken(buffer)
    yield _taken(buffer)


COLUMNS: Final[Mapping[str, Callable[[Job, datetime], Any]]] = {
    "id": lambda job, now: job.id,
    "name": lambda job, now: job.name,
    "status": lambda job, now: job.status.value,
    "content_type": lambda job, now: job.content_type,
    "priority": lambda job, now: job.priority,
    "tags": lambda job, now: " ".join(job.tags),
    "worker_id": lambda job, now: job.worker_id,
    "created_at": lambda job, now: job.created_at,
    "not_before": lambda job, now: job.not_before,
    "started_at": lambda job, now: job.started_at,
    "completed_at": lambda job, now: job.completed_at,
    "processing_seconds": lambda job, now: _seconds(job.processing_duration(now)),
    "waiting_seconds": lambda job, now: _seconds(job.waiting_duration(now)),
    "attempt": lambda job, now: job.attempt,
    "retry_count": lambda job, now: job.retry_count,
    "max_retries": lambda job, now: job.max_retries,
    "lost_count": lambda job, now: job.lost_count,
    "run_id": lambda job, now: job.run_id,
    "document_id": lambda job, now: job.document_id,
    "ingestion_task_id": lambda job, now: job.ingestion_task_id,
    "source_file_path": lambda job, now: job.source_file_path,
    "error_message": lambda job, now: job.error_message,
    "task_options": lambda job, now: strict_json.dumps(job.task_options),
    "result_data": lambda job, now: None if job.result_data is None else strict_json.dumps(job.result_data),
}
_LINES: Final = 50
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def _pages(records: JobRecords, conditions: list[Node], order: str) -> Iterator[Job]:
    cursor: str | None = None
    while True:
        page = records.find(conditions, order, PAGE, cursor, jobs.SCAN_LIMIT)
        yield from page.jobs
        if (cursor := page.next_cursor) is None:
            return


def _cell(value: Any) -> str:
    """Numbers are ours, and a minus in front of one is no formula; every text could be somebody's."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return to_text(value)
    if not isinstance(value, str):
        return str(value)
    stripped = value.lstrip(" \u00a0\ufeff")
    return f"'{value}" if stripped.startswith(_FORMULA) or value.startswith(_FORMULA) else value


def _seconds(duration: Any) -> float | None:
    return None if duration is None else duration.total_seconds()


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
