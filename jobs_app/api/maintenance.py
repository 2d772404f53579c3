"""Maintenance tasks: schedule, history, run now."""

from typing import Annotated

from ninja import Query, Router, Status

from jobs_app.api.authentication import ApiRequest
from jobs_app.api.parameters import Cursor, Limit, problems
from jobs_app.api.schemas import TaskOut, TaskPage, TaskRunOut, TaskRunPage
from jobs_app.models import TaskRun
from jobs_app.services import maintenance, paging

router = Router(tags=["Maintenance"])


@router.get("/maintenance/tasks", response=TaskPage, summary="List maintenance tasks")
def list_tasks(request: ApiRequest) -> TaskPage:
    """Each task with its schedule and last run."""
    return TaskPage(items=[_task(state) for state in maintenance.states()], next_cursor=None)


@router.post("/maintenance/tasks/{name}/run", response={202: TaskRunOut}, summary="Run a task now")
def run_task(request: ApiRequest, name: str) -> Status[TaskRun]:
    """For those who run the server. The consumer takes it up within seconds; asked twice, it runs once."""
    return Status(202, maintenance.ask_for_run(request.auth, name))


@router.get(
    "/maintenance/history", response=TaskRunPage, summary="Read the history of runs", openapi_extra=problems(404)
)
def list_history(
    request: ApiRequest,
    name: Annotated[str | None, Query(max_length=64, description="One task only.")] = None,
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> paging.Page:
    """Newest first."""
    return paging.page(maintenance.history(name), "-id", cursor, limit)


def _task(state: maintenance.TaskState) -> TaskOut:
    task = state.task
    return TaskOut(
        name=task.name,
        sentence=task.sentence,
        every_seconds=int(task.every.total_seconds()),
        limit_seconds=int(task.limit.total_seconds()),
        due_at=state.due_at,
        last_run=TaskRunOut.from_orm(state.last) if state.last else None,
    )
