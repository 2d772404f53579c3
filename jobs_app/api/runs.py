"""Runs: made, found, changed, started, cancelled, repeated, deleted."""

from collections.abc import Iterable
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Path, Query, Router

from jobs_app.api import job_answers, preconditions
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.creation import answered, tagged
from jobs_app.api.job_schemas import NO_REASON, ReasonIn
from jobs_app.api.parameters import Cursor, IdempotencyKey, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.api.run_answers import run_value
from jobs_app.api.run_schemas import CloneIn, RetriedOut, RunChange, RunIn, RunOut, RunPage, StartIn
from jobs_app.domain.library import Wanted
from jobs_app.domain.new_run import NewRun
from jobs_app.domain.run import Phase, RunState
from jobs_app.services import paging, runs
from jobs_app.services.idempotency import Answer
from jobs_app.services.runs import RunView

router = Router(tags=["Runs"])
RunId = Annotated[str, Path(description="The run's id.", max_length=200)]
RUNS = "/projects/{p}/runs"
RUN = f"{RUNS}/{{id}}"
NOT_FORCED = StartIn(force=False)
SAME_NAME = CloneIn(name="")


@router.get(RUNS, response=RunPage, summary="List runs")
def list_runs(
    request: ApiRequest,
    p: Slug,
    phase: Annotated[list[Phase] | None, Query(description="May be given several times.")] = None,
    state: Annotated[RunState | None, Query(description="As it follows from the jobs.")] = None,
    q: Annotated[str | None, Query(max_length=1000, description="Words in name and tags.")] = None,
    order: Annotated[str, Query(max_length=100, description=f"One of {', '.join(runs.ORDERS)}.")] = "-created_at",
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """With state and progress as they follow from documents and jobs at this moment. With `state` a page may be short,
    or empty: as long as there is a cursor there may be more.
    """
    found = runs.find(request.auth, p, phases=phase or (), state=state, text=q, order=order, cursor=cursor, limit=limit)
    items = [run_value(view, p) for view in found.items]
    return job_answers.answer(
        {"items": items, "next_cursor": found.next_cursor, "previous_cursor": found.previous_cursor}
    )


@router.post(RUNS, response={201: RunOut}, summary="Create a run", openapi_extra=problems(versioned=True))
def create_run(request: ApiRequest, p: Slug, body: RunIn, key: IdempotencyKey = None) -> HttpResponse:
    """A draft, to which documents are attached before it is started."""

    def perform() -> Answer:
        new = NewRun(**_values(body, RunIn.model_fields))
        return _made(request, p, runs.create(request.auth, p, new), f"{request.path}/")

    return tagged(answered(request, request.auth, perform, key))


@router.get(RUN, response=RunOut, summary="Get a run", openapi_extra=problems(versioned=True))
def get_run(request: ApiRequest, p: Slug, id: RunId) -> HttpResponse:
    """Its version is of what was asked for; state and progress move without it, so it is always sent."""
    return _one(runs.get(request.auth, p, id), p)


@router.patch(RUN, response=RunOut, summary="Change a run", openapi_extra=problems(409, versioned=True))
def change_run(request: ApiRequest, p: Slug, id: RunId, body: RunChange) -> HttpResponse:
    changes = _values(body, body.model_fields_set)
    return _one(runs.change(request.auth, p, id, changes, preconditions.expected_version(request)), p)


@router.delete(RUN, response={204: None}, summary="Delete a run", openapi_extra=problems(409, versioned=True))
def delete_run(request: ApiRequest, p: Slug, id: RunId) -> HttpResponse:
    """With what is known of its documents and artifacts; files and jobs stay. Refused while jobs are open."""
    runs.delete(request.auth, p, id, preconditions.expected_version(request))
    return HttpResponse(status=204)


@router.post(
    f"{RUN}/start",
    response={200: RunOut, 202: RunOut},
    summary="Start a run",
    openapi_extra=problems(409, versioned=True, conditional=True),
)
def start_run(request: ApiRequest, p: Slug, id: RunId, body: StartIn = NOT_FORCED) -> HttpResponse:
    """200 where every document has its job or is skipped; 202 where that goes on by itself."""
    view = runs.start(request.auth, p, id, force=body.force, version=preconditions.expected_version(request))
    return _one(view, p, 202 if view.run.phase is Phase.STARTING else 200)


@router.post(
    f"{RUN}/cancel",
    response={200: RunOut, 202: RunOut},
    summary="Cancel a run",
    openapi_extra=problems(409, versioned=True, conditional=True),
)
def cancel_run(request: ApiRequest, p: Slug, id: RunId, body: ReasonIn = NO_REASON) -> HttpResponse:
    """202 while jobs are open whose workers must agree first."""
    view = runs.cancel(request.auth, p, id, body.reason, preconditions.expected_version(request))
    return _one(view, p, 202 if view.tally.open_jobs else 200)


@router.post(f"{RUN}/retry-failed", response=RetriedOut, summary="Retry a run's failed jobs")
def retry_failed(request: ApiRequest, p: Slug, id: RunId, body: ReasonIn = NO_REASON) -> HttpResponse:
    """Jobs that failed or ran out of time go back to the queue; documents that were refused are looked at anew. With
    `more`, ask again for the rest.
    """
    done = runs.retry_failed(request.auth, p, id, body.reason)
    going_on = done.operation.id if done.operation else None
    return job_answers.answer(
        {"retried": done.jobs, "looked_at_anew": done.documents, "operation_id": going_on, "more": done.more}
    )


@router.post(f"{RUN}/clone", response={201: RunOut}, summary="Clone a run", openapi_extra=problems(versioned=True))
def clone_run(
    request: ApiRequest, p: Slug, id: RunId, body: CloneIn = SAME_NAME, key: IdempotencyKey = None
) -> HttpResponse:
    """A draft with the same options and documents."""

    def perform() -> Answer:
        place = request.path.removesuffix(f"{id}/clone")
        return _made(request, p, runs.clone(request.auth, p, id, body.name), place)

    return tagged(answered(request, request.auth, perform, key))


def _values(body: RunIn | RunChange, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(body, name) for name in names}
    if values.get("uses") is not None:
        values["uses"] = [Wanted(use.kind.value, use.name, use.variables) for use in values["uses"]]
    return values


def _made(request: ApiRequest, project: str, view: RunView, place: str) -> Answer:
    return Answer(201, job_answers.as_bytes(run_value(view, project)), f"{place}{view.run.id}")


def _one(view: RunView, project: str, status: int = 200) -> HttpResponse:
    response = job_answers.answer(run_value(view, project), status)
    response["ETag"] = preconditions.etag(view.run.version)
    return response
