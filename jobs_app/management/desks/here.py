"""The jobs of this installation, through the services, without a server."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from django.db import OperationalError, connections
from pydantic import ValidationError

from jobs_app.api import job_answers
from jobs_app.api.job_schemas import JobIn, LogEntryIn
from jobs_app.domain.access import COMMAND
from jobs_app.domain.job import Job
from jobs_app.domain.job_log import LogEntry, LogLevel, NewLogEntry
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import BusyError, InvalidError
from jobs_app.management.desks import TransientError, Value
from jobs_app.services import claims, events, jobs, logs
from jobs_app.services.claims import ClaimRequest
from jobs_app.services.jobs import JobFilter
from jobs_app.services.logs import LogFilter, LogPage
from jobs_app.services.project_jobs import now
from storage_app.records.errors import RecordStoreError

LOOK_EVERY: Final = 0.5  # seconds
PAGE: Final = 500


class JobsHere:
    def __init__(self, slug: str) -> None:
        self._slug = slug

    def create(self, new: Sequence[Value]) -> list[Value]:
        made: list[Value] = []
        checked = [_checked(fields) for fields in new]
        for start in range(0, len(checked), jobs.MOST_AT_ONCE):
            batch = jobs.create_many(COMMAND, self._slug, checked[start : start + jobs.MOST_AT_ONCE])
            made += [self._value(created.job) for created in batch]
        return made

    def find(self, filters: Value, order: str, most: int | None) -> Iterator[Value]:
        wanted = JobFilter(
            statuses=[JobState(status) for status in filters.get("status", ())],
            content_type=filters.get("content_type"),
            worker_id=filters.get("worker_id"),
            ingestion_task_id=filters.get("ingestion_task_id"),
            run_id=filters.get("run_id"),
            tag=filters.get("tag"),
            text=filters.get("q"),
        )
        cursor, left = None, most
        while left is None or left > 0:
            page = jobs.find(COMMAND, self._slug, wanted, order, cursor, PAGE if left is None else min(left, PAGE))
            yield from (self._value(job) for job in page.jobs)
            left = None if left is None else left - len(page.jobs)
            cursor = page.next_cursor
            if cursor is None:
                return

    def get(self, id: str) -> Value:
        return self._value(jobs.get(COMMAND, self._slug, id))

    def attempts(self, id: str) -> list[Value]:
        found: list[Value] = []
        after: int | None = 0
        while after is not None:
            page = events.attempts(COMMAND, self._slug, id, after, PAGE)
            found += [job_answers.attempt_value(attempt) for _, attempt in page.lines]
            after = page.after
        return found

    def retry(self, id: str, reason: str) -> Value:
        return self._value(jobs.retry(COMMAND, self._slug, id, reason))

    def cancel(self, id: str, reason: str) -> Value:
        return self._value(jobs.cancel(COMMAND, self._slug, id, reason))

    def log(self, id: str, level: str | None, words: str | None, tail: int | None) -> Iterator[Value]:
        wanted = _log_filter(level, words)
        everything = partial(logs.download, COMMAND, self._slug, id, wanted)
        lines = everything() if tail is None else self._last(id, wanted, tail)
        yield from (job_answers.line_value(line) for line in lines)

    def follow(self, id: str, level: str | None, words: str | None, after: int) -> Iterator[Value]:
        wanted = _log_filter(level, words)
        while True:
            # the state before the lines: a job that had ended by then gets no more of them
            ended = jobs.get(COMMAND, self._slug, id).status.is_final
            page = logs.read(COMMAND, self._slug, id, wanted, after=after, limit=logs.LARGEST_PAGE)
            yield from (job_answers.line_value(line) for line in page.lines)
            after = page.end if page.after is None else page.after
            if page.after is not None:
                continue
            if ended:
                return
            time.sleep(LOOK_EVERY)

    def claim(
        self, worker_id: str, content_types: Sequence[str] | None, lease_seconds: int, wait: float
    ) -> Value | None:
        asked = ClaimRequest(worker_id, content_types, 1, lease_seconds, "jobs work")
        ends_at = time.monotonic() + wait
        while True:
            with _transient():
                found = claims.claim(COMMAND, self._slug, asked)
            if found:
                return {**self._value(found[0].job), "lease_token": found[0].lease_token}
            if time.monotonic() >= ends_at:
                return None
            time.sleep(min(LOOK_EVERY, wait))

    def heartbeat(self, id: str, token: str, percent: float | None, message: str | None) -> bool:
        with _transient():
            beat = claims.heartbeat(COMMAND, self._slug, id, token, percent=percent, message=message)
        return beat.cancel_requested

    def append_log(self, id: str, token: str, entries: Sequence[Value]) -> None:
        checked = [LogEntryIn.model_validate(entry) for entry in entries]
        new = [NewLogEntry(line.message, line.level, line.time, line.data, line.sequence) for line in checked]
        with _transient():
            logs.append(COMMAND, self._slug, id, new, token)

    def complete(self, id: str, token: str, result: Any) -> Value:
        return self._ended(lambda: claims.complete(COMMAND, self._slug, id, token, result))

    def fail(self, id: str, token: str, message: str, traceback: str | None, retryable: bool) -> Value:
        failure = Failure(message, traceback, retryable)
        return self._ended(lambda: claims.fail(COMMAND, self._slug, id, token, failure))

    def release(self, id: str, token: str) -> Value:
        return self._ended(lambda: claims.release(COMMAND, self._slug, id, token))

    def leave(self) -> None:
        connections.close_all()

    def close(self) -> None:
        """The process ends soon, and with it what this thread holds."""

    def _ended(self, call: Callable[[], Job]) -> Value:
        with _transient():
            return self._value(call())

    def _last(self, id: str, wanted: LogFilter, tail: int) -> list[LogEntry]:
        """Pages from the end until there are enough lines."""
        found: list[LogEntry] = []
        before: int | None = None
        while len(found) < tail:
            limit = min(tail - len(found), logs.LARGEST_PAGE)
            page: LogPage = logs.tail(COMMAND, self._slug, id, wanted, before=before, limit=limit)
            found = [*page.lines, *found]
            before = page.before
            if before is None:
                break
        return found

    def _value(self, job: Job) -> Value:
        return job_answers.job_value(job, self._slug, now())


def _log_filter(level: str | None, words: str | None) -> LogFilter:
    return LogFilter(LogLevel(level) if level else None, words)


def _checked(fields: Value) -> NewJob:
    """By the rules of the API, so that both refuse the same."""
    try:
        asked = JobIn.model_validate(fields)
    except ValidationError as error:
        errors = [{"place": ".".join(map(str, fault["loc"])), "reason": fault["msg"]} for fault in error.errors()]
        detail = "; ".join(f"{fault['place']}: {fault['reason']}" for fault in errors)
        raise InvalidError(detail, errors) from error
    return NewJob(**{name: getattr(asked, name) for name in JobIn.model_fields})


@contextmanager
def _transient() -> Iterator[None]:
    try:
        yield
    except RecordStoreError as error:
        if not error.retryable:
            raise
        raise TransientError(str(error)) from error
    except (BusyError, OperationalError) as error:
        raise TransientError(str(error)) from error
