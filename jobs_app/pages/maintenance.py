"""Each maintenance task with a strip of its last runs, the history, and a button to run one now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from jobs_app.domain.maintenance import RunOutcome
from jobs_app.models import TaskRun
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import consumers, maintenance, paging
from jobs_app.templatetags.charts import Run

PAGE = 50
STATES: Mapping[str, str] = {
    RunOutcome.ASKED: "pending",
    RunOutcome.RUNNING: "running",
    RunOutcome.DONE: "succeeded",
    RunOutcome.FAILED: "failed",
    RunOutcome.INTERRUPTED: "timeout",
}
UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


@dataclass(frozen=True, slots=True)
class RunRow:
    task: str
    state: str
    started_at: datetime
    seconds: float | None
    counts: Mapping[str, int]
    error: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    name: str
    title: str
    about: str
    schedule: str
    next_at: datetime | None
    is_running: bool
    last: RunRow | None
    runs: list[Run]


@require_safe
def index(request: PageRequest) -> HttpResponse:
    selected = request.GET.get("task", "")
    page = paging.page(maintenance.history(selected or None), "-id", request.GET.get("cursor") or None, PAGE)
    context = {
        "tasks": [_task_row(state) for state in maintenance.states()],
        "history": [_run_row(run) for run in page.items],
        "selected": selected,
        "may_run": actor_of(request).runs_the_server,
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if "cursor" in request.GET else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
    }
    return render(request, "maintenance/index.html", context)


@require_POST
def run(request: PageRequest, name: str) -> HttpResponse:
    maintenance.ask_for_run(actor_of(request), name)
    when = "within seconds" if consumers.alive() else "as soon as a consumer is back"
    messages.success(request, f"{name} runs {when}.")
    return redirect("maintenance")


def _task_row(state: maintenance.TaskState) -> TaskRow:
    task, last = state.task, state.last
    return TaskRow(
        name=task.name,
        title=task.name.replace("-", " ").capitalize(),
        about=task.sentence,
        schedule=_schedule(task.every),
        next_at=state.due_at,
        is_running=last is not None and last.outcome == RunOutcome.RUNNING,
        last=_run_row(last) if last else None,
        runs=[Run(STATES[run.outcome], _seconds(run), run.asked_at) for run in reversed(state.runs)],
    )


def _run_row(run: TaskRun) -> RunRow:
    last_line = run.error.strip().rpartition("\n")[2]
    return RunRow(run.name, STATES[run.outcome], run.started_at or run.asked_at, _seconds(run), run.counts, last_line)


def _seconds(run: TaskRun) -> float | None:
    return (run.ended_at - run.started_at).total_seconds() if run.started_at and run.ended_at else None


def _schedule(every: timedelta) -> str:
    for unit, name in UNITS:
        if every >= unit and every % unit == timedelta(0):
            number = every // unit
            return f"every {name}" if number == 1 else f"every {number} {name}s"
    return f"every {int(every.total_seconds())} seconds"
