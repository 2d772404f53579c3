"""Actions on many jobs, and the operations that carry them out."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Path, Query, Router

from jobs_app.api import job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.creation import answered
from jobs_app.api.job_answers import by_value, time_value
from jobs_app.api.operation_schemas import (
    ActionDone,
    ActionIn,
    ActionPreview,
    ChoiceIn,
    FilterIn,
    ItemPage,
    OperationOut,
    OperationPage,
    OperationStarted,
)
from jobs_app.api.parameters import Cursor, IdempotencyKey, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.domain.operation import Item, ItemOutcome, Operation
from jobs_app.services import job_actions, operations, paging
from jobs_app.services.idempotency import Answer
from jobs_app.services.job_actions import Choice, Done
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_jobs import now

router = Router(tags=["Operations"])
OperationId = Annotated[str, Path(description="The operation's id.", max_length=200)]
JOBS = "/projects/{p}/jobs"
OPERATIONS = "/projects/{p}/operations"


@router.post(
    f"{JOBS}/actions",
    response={200: ActionDone, 202: OperationStarted},
    summary="Retry, cancel, delete or restore jobs",
)
def act_on_jobs(request: ApiRequest, p: Slug, body: ActionIn, key: IdempotencyKey = None) -> HttpResponse:
    """Few are done at once: 200 says what was refused and why. Many become an operation: 202 with its id. What is made
    or ends after this call is not part of it.
    """
    return done(request, lambda: job_actions.act(request.auth, p, body.action, _choice(body), body.reason), key)


@router.post(f"{JOBS}/actions/preview", response=ActionPreview, summary="Which jobs would that be?")
def preview_action(request: ApiRequest, p: Slug, body: ChoiceIn) -> HttpResponse:
    """How many match now, and some of them; changes nothing."""
    found, moment = job_actions.preview(request.auth, p, _choice(body)), now()
    sample = [job_answers.job_value(job, p, moment) for job in found.sample]
    return job_answers.answer({"matched": found.matched, "exact": found.exact, "sample": sample})


@router.get(OPERATIONS, response=OperationPage, summary="List operations")
def list_operations(
    request: ApiRequest,
    p: Slug,
    is_open: Annotated[
        bool | None, Query(alias="open", description="Only those under way, or only those that ended.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """Newest first; those that ended are kept for 30 days."""
    page = operations.of(request.auth, p, cursor, limit, is_open=is_open)
    return job_answers.answer(
        {"items": [operation_value(each) for each in page.operations], "next_cursor": page.next_cursor}
    )


@router.get(f"{OPERATIONS}/{{id}}", response=OperationOut, summary="Get an operation")
def get_operation(request: ApiRequest, p: Slug, id: OperationId) -> HttpResponse:
    return job_answers.answer(operation_value(operations.get(request.auth, p, id)))


@router.get(f"{OPERATIONS}/{{id}}/items", response=ItemPage, summary="Read what became of each job")
def list_items(
    request: ApiRequest,
    p: Slug,
    id: OperationId,
    outcome: ItemOutcome | None = None,
    after: Annotated[int, Query(ge=0, lt=2**53, description="`next_cursor` of the page before.")] = 0,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """In the order in which they were done."""
    found = operations.items(request.auth, p, id, after, limit, outcome)
    following = None if found.after is None else str(found.after)
    return job_answers.answer({"items": _items(found.items), "next_cursor": following})


@router.post(
    f"{OPERATIONS}/{{id}}/stop", response=OperationOut, summary="Stop an operation", openapi_extra=problems(409)
)
def stop_operation(request: ApiRequest, p: Slug, id: OperationId) -> HttpResponse:
    """Between two batches. What is done stays done."""
    return job_answers.answer(operation_value(operations.stop(request.auth, p, id)))


@router.post(
    f"{OPERATIONS}/{{id}}/undo",
    response={202: OperationStarted},
    summary="Undo a delete",
    openapi_extra=problems(409),
)
def undo_operation(request: ApiRequest, p: Slug, id: OperationId) -> HttpResponse:
    """A new operation brings back what this one deleted, as far as the trash still has it."""
    return job_answers.answer({"operation_id": operations.undo(request.auth, p, id).id}, 202)


def done(request: ApiRequest, act: Callable[[], Done], key: str | None) -> HttpResponse:
    """What it came to; with a key it is done at most once."""

    def perform() -> Answer:
        result = act()
        if result.operation is not None:
            return Answer(202, job_answers.as_bytes({"operation_id": result.operation.id}))
        value = {"matched": result.matched, "changed": result.changed, "refused": _items(result.refused)}
        return Answer(200, job_answers.as_bytes(value))

    return answered(request, request.auth, perform, key)


def operation_value(operation: Operation) -> dict[str, Any]:
    return {
        "id": operation.id,
        "action": operation.deed.action.value,
        "state": operation.state.value,
        "reason": operation.deed.why,
        "by": by_value(operation.deed.by),
        "created_at": time_value(operation.created_at),
        "started_at": time_value(operation.started_at),
        "ended_at": time_value(operation.ended_at),
        "filter": None if operation.filter is None else _as_sent(operation.filter),
        "ids": None if operation.ids is None else len(operation.ids),
        "undoes": operation.undoes,
        "matched": operation.matched,
        "done": operation.done,
        "changed": operation.changed,
        "refused": operation.refused,
        "can_be_undone": operation.can_be_undone,
        "error": operation.error,
    }


def _items(items: Sequence[Item]) -> list[dict[str, str]]:
    return [
        {"job": item.job_id, "outcome": item.outcome.value, "code": item.code, "detail": item.detail} for item in items
    ]


_NAMES = {"statuses": "status", "text": "q"}


def _as_sent(kept: Any) -> dict[str, Any]:
    return {_NAMES.get(name, name): value for name, value in kept.items()}


def _choice(body: ChoiceIn) -> Choice:
    return Choice(body.ids, None if body.filter is None else _filter(body.filter))


def _filter(body: FilterIn) -> JobFilter:
    return JobFilter(
        statuses=tuple(body.status),
        content_type=body.content_type,
        worker_id=body.worker_id,
        ingestion_task_id=body.ingestion_task_id,
        run_id=body.run_id,
        tag=body.tag,
        text=body.q,
        created_after=body.created_after,
        created_before=body.created_before,
        priority=body.priority,
    )
