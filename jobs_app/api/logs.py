"""A job's log: appended to, read from either end, downloaded, followed."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Annotated

from django.http import HttpResponse, StreamingHttpResponse
from ninja import Query, Router

from jobs_app.api import job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.job_schemas import LogAdded, LogBatch, LogPage
from jobs_app.api.jobs import JOBS, After, JobId
from jobs_app.api.parameters import problems, streamed
from jobs_app.api.projects import Slug
from jobs_app.domain.access import Actor
from jobs_app.domain.job import Job
from jobs_app.domain.job_log import LogLevel, NewLogEntry
from jobs_app.errors import NotFoundError
from jobs_app.live import hub
from jobs_app.services import jobs, live_counters, logs
from jobs_app.services.changes import project_topic
from jobs_app.services.logs import LogFilter
from jobs_app.services.project_jobs import now
from jobs_app.streaming import Caller, Event, EventStream

router = Router(tags=["Logs"])
Level = Annotated[LogLevel | None, Query(description="The least severe level that is shown.")]
Words = Annotated[str | None, Query(max_length=1000, description="Words that are all in the message.")]
LogLimit = Annotated[int, Query(ge=1, le=logs.LARGEST_PAGE, description="The most lines to answer with.")]
DEFAULT_LIMIT = 100
LOOKED_AFTER_EVERY = 30.0  # seconds; in case a change was not told


@router.post(
    f"{JOBS}/{{id}}/logs", response={201: LogAdded}, summary="Append to a job's log", openapi_extra=problems(409)
)
def append_log(request: ApiRequest, p: Slug, id: JobId, body: LogBatch) -> HttpResponse:
    """All or none. With `lease_token` only its holder may; without, it takes the scope `write`. A batch that is sent
    again adds nothing, where its entries have a `sequence` or a `time`.
    """
    entries = [
        NewLogEntry(entry.message, entry.level, entry.time, entry.data, entry.sequence) for entry in body.entries
    ]
    added = logs.append(request.auth, p, id, entries, body.lease_token)
    response = job_answers.answer({"added": added.added, "end": added.end}, 201)
    response["Location"] = request.path
    return response


@router.get(f"{JOBS}/{{id}}/logs", response=LogPage, summary="Read a job's log")
def read_log(
    request: ApiRequest,
    p: Slug,
    id: JobId,
    after: After = 0,
    before: Annotated[int | None, Query(ge=1, lt=2**53, description="Backwards from this line, without it.")] = None,
    tail: Annotated[bool, Query(description="The last lines instead of the first.")] = False,
    level: Level = None,
    q: Words = None,
    limit: LogLimit = DEFAULT_LIMIT,
) -> HttpResponse:
    """Lines in order, from either end. Where a filter finds little, a page may hold less than there is: go on."""
    wanted = LogFilter(level, q)
    if tail or before is not None:
        page = logs.tail(request.auth, p, id, wanted, before=before, limit=limit)
    else:
        page = logs.read(request.auth, p, id, wanted, after=after, limit=limit)
    return job_answers.answer(
        {
            "items": [job_answers.line_value(line) for line in page.lines],
            "next_cursor": None if page.after is None else str(page.after),
            "previous_cursor": None if page.before is None else str(page.before),
            "end": page.end,
        }
    )


@router.get(
    f"{JOBS}/{{id}}/logs/download",
    response={200: None},
    summary="Download a job's log",
    openapi_extra=streamed("application/jsonl"),
)
def download_log(request: ApiRequest, p: Slug, id: JobId, level: Level = None, q: Words = None) -> HttpResponse:
    """Every line as JSON Lines, streamed."""
    lines = logs.download(request.auth, p, id, LogFilter(level, q))
    texts: Iterator[bytes] = (job_answers.as_bytes(job_answers.line_value(line)) + b"\n" for line in lines)
    response = StreamingHttpResponse(texts, content_type="application/jsonl; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="job-{id}.jsonl"'
    return response  # type: ignore[return-value]  # ninja passes any response of Django's on


@router.get(
    f"{JOBS}/{{id}}/logs/stream",
    response={200: None},
    summary="Follow a job's log",
    openapi_extra=streamed("text/event-stream"),
)
def follow_log(
    request: ApiRequest, p: Slug, id: JobId, after: After = 0, level: Level = None, q: Words = None
) -> EventStream:
    """Server-sent events: each line as the JSON of one item of the log, with its number as id, so that a reader who
    was cut off goes on with `Last-Event-ID`. When the job has ended and every line was sent, `ended` with the job
    closes the stream.
    """
    start = _resumed(request.headers.get("Last-Event-ID"), after)
    job = jobs.get(request.auth, p, id)  # refusals come before the first byte
    return EventStream(partial(_follow, request.auth, p, job.id, LogFilter(level, q), start))


async def _follow(
    actor: Actor, slug: str, id: str, wanted: LogFilter, after: int, caller: Caller
) -> AsyncIterator[Event]:
    topics = [project_topic(slug, noun) for noun in (live_counters.JOB_LOGS, live_counters.JOB_EVENTS)]
    async with hub.subscribe(topics, caller) as changes:
        while True:
            try:
                # The state before the lines: a job that had ended by then gets no more of them from its worker.
                job = await caller.in_thread(jobs.get, actor, slug, id)
                page = await caller.in_thread(partial(logs.read, actor, slug, id, wanted, after=after, limit=500))
            except NotFoundError as gone:
                yield Event(gone.detail, name="gone")
                return
            for line in page.lines:
                yield Event(job_answers.as_bytes(job_answers.line_value(line)).decode(), id=str(line.number))
            after = page.end if page.after is None else page.after
            if page.after is not None:
                continue
            if job.status.is_final:
                yield await caller.in_thread(_ended, job, slug)
                return
            await changes.next(timeout=LOOKED_AFTER_EVERY)


def _ended(job: Job, slug: str) -> Event:
    return Event(job_answers.as_bytes(job_answers.job_value(job, slug, now())).decode(), name="ended")


def _resumed(last: str | None, after: int) -> int:
    """Where a reader was who comes back; an id that was never ours counts for nothing."""
    if last is not None and last.isascii() and last.isdigit() and len(last) <= 15:
        return int(last)
    return after
