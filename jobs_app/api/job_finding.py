"""What may stand where a query is typed, and everything that one finds as a file."""

from collections.abc import Iterator
from typing import Annotated, Literal

from django.http import HttpResponse, StreamingHttpResponse
from ninja import Query, Router

from jobs_app.api import job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.operation_schemas import Suggestions
from jobs_app.api.parameters import PLAIN, JobQuery, Word
from jobs_app.api.projects import Slug
from jobs_app.api.schemas import Moment
from jobs_app.domain.job_states import JobState
from jobs_app.services import job_export, job_queries, jobs
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_jobs import now

router = Router(tags=["Jobs"])
JOBS = "/projects/{p}/jobs"
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
STREAMED = {
    "responses": {200: {"content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in TYPES.values()}}}
}


@router.get(f"{JOBS}/suggestions", response=Suggestions, summary="Suggest how a query goes on")
def suggest(
    request: ApiRequest,
    p: Slug,
    q: Annotated[str, Query(max_length=job_queries.LONGEST, description="The query as far as it is typed.")] = "",
    position: Annotated[
        int | None,
        Query(ge=0, le=job_queries.LONGEST, description="Of the cursor; default: the end."),
        PLAIN,
    ] = None,
) -> HttpResponse:
    """Fields, and values that jobs of this project have; at most 12."""
    found = job_queries.suggestions(request.auth, p, q, len(q) if position is None else position)
    items = [{"insert": option.insert, "label": option.label, "detail": option.detail} for option in found.options]
    return job_answers.answer({"start": found.start, "end": found.end, "items": items})


@router.get(f"{JOBS}/export", response={200: None}, summary="Export jobs", openapi_extra=STREAMED)
def export_jobs(
    request: ApiRequest,
    p: Slug,
    form: Annotated[
        Literal["csv", "jsonl"], Query(alias="format", description="CSV, or JSON Lines of whole jobs.")
    ] = "csv",
    status: Annotated[list[JobState] | None, Query(description="May be given several times.")] = None,
    content_type: Word = None,
    worker_id: Word = None,
    ingestion_task_id: Word = None,
    run_id: Word = None,
    tag: Word = None,
    q: JobQuery = None,
    created_after: Annotated[Moment | None, Query(description="From this moment on.")] = None,
    created_before: Annotated[Moment | None, Query(description="Before this moment.")] = None,
    priority: Annotated[int | None, Query(ge=-100, le=100)] = None,
    order: Annotated[str, Query(max_length=100, description=f"One of {', '.join(jobs.ORDERS)}.")] = "-created_at",
) -> HttpResponse:
    """Everything that matches, streamed. In CSV a text that a spreadsheet would take for a formula has an apostrophe in
    front of it.
    """
    wanted = JobFilter(
        statuses=status or (),
        content_type=content_type,
        worker_id=worker_id,
        ingestion_task_id=ingestion_task_id,
        run_id=run_id,
        tag=tag,
        text=q,
        created_after=created_after,
        created_before=created_before,
        priority=priority,
    )
    moment = now()
    found = job_export.jobs_matching(request.auth, p, wanted, order)
    lines: Iterator[bytes] = (
        job_export.as_csv(found, moment)
        if form == "csv"
        else (job_answers.as_bytes(job_answers.job_value(job, p, moment)) + b"\n" for job in found)
    )
    response = StreamingHttpResponse(lines, content_type=TYPES[form])
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    response["Content-Disposition"] = f'attachment; filename="jobs-{p}-{stamp}.{form}"'
    return response  # type: ignore[return-value]  # ninja passes any response of Django's on
