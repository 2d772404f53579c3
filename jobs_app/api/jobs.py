"""Jobs: made, found, changed, retried, cancelled, thrown away."""

from collections.abc import Sequence
from typing import Annotated

from django.http import HttpResponse
from ninja import Path, Query, Router

from jobs_app.api import job_answers, preconditions
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.creation import answered, tagged
from jobs_app.api.job_schemas import (
    NO_REASON,
    AttemptPage,
    EventPage,
    JobBatch,
    JobChange,
    JobIn,
    JobList,
    JobOut,
    JobPage,
    ReasonIn,
    RetentionPreview,
    TrashPage,
    WaitingOut,
)
from jobs_app.api.parameters import Cursor, IdempotencyKey, JobQuery, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.api.schemas import Moment, rfc3339
from jobs_app.domain.job_states import JobState
from jobs_app.domain.library import Wanted
from jobs_app.domain.new_job import NewJob
from jobs_app.services import events, jobs, paging, retention, waiting
from jobs_app.services.idempotency import Answer
from jobs_app.services.jobs import Created, JobFilter
from jobs_app.services.project_jobs import now

router = Router(tags=["Jobs"])
JobId = Annotated[str, Path(description="The job's id.", max_length=200)]
After = Annotated[int, Query(ge=0, lt=2**53, description="The number of the last one that is known already.")]
Text = Annotated[str | None, Query(max_length=1000)]
JOBS = "/projects/{p}/jobs"


@router.post(
    JOBS,
    response={201: JobOut, 200: JobOut},
    summary="Create a job",
    openapi_extra=problems(409, versioned=True),
)
def create_job(request: ApiRequest, p: Slug, body: JobIn, key: IdempotencyKey = None) -> HttpResponse:
    """201 with the job; 200 with the first one where its `ingestion_task_id` is known and asks for the same."""
    made: list[Created] = []

    def perform() -> Answer:
        made.append(jobs.create(request.auth, p, _new(body)))
        (created,) = made
        value = job_answers.as_bytes(job_answers.job_value(created.job, p, now()))
        return Answer(200 if created.replayed else 201, value, f"{request.path}/{created.job.id}")

    response = tagged(answered(request, request.auth, perform, key))
    _mark_replay(response, made)
    return response


@router.post(
    f"{JOBS}/batch",
    response={201: JobList, 200: JobList},
    summary="Create many jobs",
    openapi_extra=problems(409),
)
def create_jobs(request: ApiRequest, p: Slug, body: JobBatch, key: IdempotencyKey = None) -> HttpResponse:
    """All or none, in the order given. Those whose `ingestion_task_id` is known stand in their places; 200 where all
    are.
    """
    made: list[Created] = []

    def perform() -> Answer:
        made.extend(jobs.create_many(request.auth, p, [_new(item) for item in body.jobs]))
        moment = now()
        items = [job_answers.job_value(created.job, p, moment) for created in made]
        status = 200 if all(created.replayed for created in made) else 201
        return Answer(status, job_answers.as_bytes({"items": items}), request.path.removesuffix("/batch"))

    response = answered(request, request.auth, perform, key)
    _mark_replay(response, made)
    return response


@router.get(JOBS, response=JobPage, summary="List jobs")
def list_jobs(
    request: ApiRequest,
    p: Slug,
    status: Annotated[list[JobState] | None, Query(description="May be given several times.")] = None,
    content_type: Text = None,
    worker_id: Text = None,
    ingestion_task_id: Text = None,
    run_id: Text = None,
    tag: Text = None,
    uses: Annotated[
        str | None, Query(max_length=300, description="A text of the library, `kind/name`, or one content: `…@hash`.")
    ] = None,
    q: JobQuery = None,
    created_after: Annotated[Moment | None, Query(description="From this moment on.")] = None,
    created_before: Annotated[Moment | None, Query(description="Before this moment.")] = None,
    priority: Annotated[int | None, Query(ge=-100, le=100)] = None,
    order: Annotated[str, Query(max_length=100, description=f"One of {', '.join(jobs.ORDERS)}.")] = "-created_at",
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """The whole history is searched; what lies in the trash is not part of it. Where no index tells what matches, one
    page looks at 2,500 jobs: `searched` then says how far it came, and `next_cursor` goes on from there.
    """
    wanted = JobFilter(
        statuses=status or (),
        content_type=content_type,
        worker_id=worker_id,
        ingestion_task_id=ingestion_task_id,
        run_id=run_id,
        tag=tag,
        uses=uses,
        text=q,
        created_after=created_after,
        created_before=created_before,
        priority=priority,
    )
    return job_answers.page(jobs.find(request.auth, p, wanted, order, cursor, limit), p, now())


@router.get(
    f"{JOBS}/{{id}}", response={200: JobOut, 304: None}, summary="Get a job", openapi_extra=problems(versioned=True)
)
def get_job(request: ApiRequest, p: Slug, id: JobId) -> HttpResponse:
    job = jobs.get(request.auth, p, id)
    tag = preconditions.etag(job.version)
    if preconditions.is_current(request, tag):
        return preconditions.not_modified(tag)
    return job_answers.one(job, p, now())


@router.patch(
    f"{JOBS}/{{id}}",
    response=JobOut,
    summary="Change a waiting job",
    openapi_extra=problems(409, versioned=True, conditional=True),
)
def change_job(request: ApiRequest, p: Slug, id: JobId, body: JobChange) -> HttpResponse:
    """The fields that are sent, while it is pending. `If-Match` makes it conditional on the version."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    job = jobs.change(request.auth, p, id, changes, preconditions.expected_version(request))
    return job_answers.one(job, p, now())


@router.delete(
    f"{JOBS}/{{id}}", response={204: None}, summary="Throw a job away", openapi_extra=problems(409, versioned=True)
)
def delete_job(request: ApiRequest, p: Slug, id: JobId) -> HttpResponse:
    """Into the trash, from where it can be brought back. A processing job is refused: cancel it first."""
    jobs.delete(request.auth, p, id, version=preconditions.expected_version(request))
    return HttpResponse(status=204)


@router.post(
    f"{JOBS}/{{id}}/cancel",
    response={200: JobOut, 202: JobOut},
    summary="Cancel a job",
    openapi_extra=problems(409, versioned=True, conditional=True),
)
def cancel_job(request: ApiRequest, p: Slug, id: JobId, body: ReasonIn = NO_REASON) -> HttpResponse:
    """200 where it ended; 202 where its worker must agree, which it does with its next heartbeat or by silence."""
    job = jobs.cancel(request.auth, p, id, body.reason, preconditions.expected_version(request))
    return job_answers.one(job, p, now(), 200 if job.status.is_final else 202)


@router.post(
    f"{JOBS}/{{id}}/retry",
    response=JobOut,
    summary="Retry a job",
    openapi_extra=problems(409, versioned=True, conditional=True),
)
def retry_job(request: ApiRequest, p: Slug, id: JobId, body: ReasonIn = NO_REASON) -> HttpResponse:
    """Back to the queue. A token may do so while retries are left, a person always."""
    job = jobs.retry(request.auth, p, id, body.reason, preconditions.expected_version(request))
    return job_answers.one(job, p, now())


@router.get(f"{JOBS}/{{id}}/events", response=EventPage, by_alias=True, summary="Read a job's events")
def list_events(
    request: ApiRequest, p: Slug, id: JobId, after: After = 0, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """Everything that happened to it, oldest first; `next_cursor` is the next `after`."""
    found = events.of(request.auth, p, id, after, limit)
    items = [job_answers.event_value(number, event) for number, event in found.lines]
    return job_answers.answer({"items": items, "next_cursor": _cursor(found.after)})


@router.get(f"{JOBS}/{{id}}/attempts", response=AttemptPage, summary="Read a job's attempts")
def list_attempts(
    request: ApiRequest, p: Slug, id: JobId, after: After = 0, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """Those that ended, oldest first; the one under way is told by the job itself."""
    found = events.attempts(request.auth, p, id, after, limit)
    items = [job_answers.attempt_value(attempt) for _, attempt in found.lines]
    return job_answers.answer({"items": items, "next_cursor": _cursor(found.after)})


@router.get(f"{JOBS}/{{id}}/waiting", response=WaitingOut, summary="Why does it wait?", openapi_extra=problems(409))
def why_waiting(request: ApiRequest, p: Slug, id: JobId) -> HttpResponse:
    """For a pending job: everything that keeps it from being taken, and its place in the queue once it is due."""
    why = waiting.why(request.auth, p, id)
    place = why.position
    return job_answers.answer(
        {
            "reasons": [{"code": reason.code.value, "sentence": reason.sentence} for reason in why.reasons],
            "position": {"place": place.place, "exact": place.exact, "of": place.of} if place else None,
        }
    )


@router.get("/projects/{p}/trash", response=TrashPage, summary="List deleted jobs")
def list_trash(
    request: ApiRequest, p: Slug, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """What can still be brought back, newest job first."""
    page, moment = jobs.in_trash(request.auth, p, cursor, limit), now()
    items = [
        {
            **job_answers.job_value(job, p, moment),
            "deleted_at": rfc3339(job.trashed.at),
            "deleted_by": job_answers.by_value(job.trashed.by),
        }
        for job in page.jobs
        if job.trashed is not None
    ]
    return job_answers.answer({"items": items, "next_cursor": page.next_cursor})


@router.post(
    "/projects/{p}/trash/{id}/restore",
    response=JobOut,
    summary="Bring a job back",
    openapi_extra=problems(409, versioned=True),
)
def restore_job(request: ApiRequest, p: Slug, id: JobId) -> HttpResponse:
    """As it was, with its events and logs; refused where its ingestion id was taken meanwhile."""
    return job_answers.one(jobs.restore(request.auth, p, id), p, now())


@router.delete("/projects/{p}/trash/{id}", response={204: None}, summary="Delete a job for good")
def erase_job(request: ApiRequest, p: Slug, id: JobId) -> HttpResponse:
    """Out of the trash, with everything that belonged to it; there is no way back."""
    jobs.erase(request.auth, p, id)
    return HttpResponse(status=204)


@router.get("/projects/{p}/retention", response=RetentionPreview, summary="What would retention remove?")
def preview_retention(request: ApiRequest, p: Slug) -> HttpResponse:
    """A dry run, in jobs and bytes by state; removes nothing."""
    found = retention.preview(request.auth, p)
    items = [
        {
            "state": doomed.state,
            "days": doomed.days,
            "jobs": doomed.jobs,
            "bytes": doomed.bytes,
            "complete": doomed.complete,
        }
        for doomed in found
    ]
    return job_answers.answer({"items": items, "next_cursor": None})


def _new(body: JobIn) -> NewJob:
    values = {name: getattr(body, name) for name in JobIn.model_fields}
    uses = [Wanted(use.kind.value, use.name, use.variables) for use in body.uses]
    return NewJob(**{**values, "uses": uses})


def _cursor(after: int | None) -> str | None:
    return None if after is None else str(after)


def _mark_replay(response: HttpResponse, made: Sequence[Created]) -> None:
    if made and all(created.replayed for created in made):
        response["Idempotent-Replayed"] = "true"
