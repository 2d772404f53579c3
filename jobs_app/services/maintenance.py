"""Maintenance: what runs when, what ran how, and running something now.

A due task is claimed by a conditional write on its row, so any number of consumers may tick. Asking for a run leaves
a mark that the next tick finds; services never talk to the queue.
"""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs_app.domain.access import Actor
from jobs_app.domain.maintenance import Counts, Deadline, MaintenanceTask, RunOutcome
from jobs_app.errors import NotFoundError
from jobs_app.models import TaskRun, TaskSchedule
from jobs_app.services import access, audit, changes, consumers, task_marks
from jobs_app.services.task_catalogue import TASKS

SCHEDULE = "schedule"
TOPIC = task_marks.TOPIC
STRIP = 30
# what consumers on several machines may think of the time
CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task with its schedule and last runs, as pages and API show it."""

    task: MaintenanceTask
    due_at: datetime | None
    runs: Sequence[TaskRun]

    @property
    def last(self) -> TaskRun | None:
        return self.runs[0] if self.runs else None


def states() -> list[TaskState]:
    return [state(name) for name in TASKS]


def state(name: str) -> TaskState:
    task = _known(name)
    due_at = TaskSchedule.objects.filter(name=name).values_list("due_at", flat=True).first()
    return TaskState(task, due_at, list(TaskRun.objects.filter(name=name).order_by("-id")[:STRIP]))


def history(name: str | None = None) -> QuerySet[TaskRun]:
    runs = TaskRun.objects.order_by("-id")
    return runs.filter(name=_known(name).name) if name else runs


def ask_for_run(actor: Actor, name: str) -> TaskRun:
    """Leaves a mark for the next tick. What is asked for twice before it began runs once."""
    access.require_server(actor)
    task = _known(name)
    with transaction.atomic():
        run, is_new = task_marks.leave(task.name, actor.name)
        if is_new:
            audit.record(actor, "maintenance.run", run, detail={"task": task.name})
    return run


def claim_due(now: datetime | None = None) -> list[int]:
    """Ids of the runs that are to begin now: asked for, or due by schedule. Each is given to one caller."""
    now = now or timezone.now()
    _settle_interrupted(now)
    return [run_id for task in TASKS.values() for run_id in _claim(task, now)]


def perform(run_id: int, consumer: str) -> None:
    """Runs it and keeps how it went. A failure is recorded and raised; a run that was begun before is left alone."""
    run = TaskRun.objects.get(pk=run_id)
    task = _known(run.name)
    begun = TaskRun.objects.filter(pk=run_id, started_at=None, outcome=RunOutcome.RUNNING).update(
        started_at=timezone.now(), consumer=consumer
    )
    if not begun:
        return
    changes.touch(TOPIC)
    try:
        counts = task.run(Deadline(task.limit))
    except Exception:
        _end(run, RunOutcome.FAILED, {}, traceback.format_exc())
        raise
    _end(run, RunOutcome.DONE, counts, "")


def _known(name: str) -> MaintenanceTask:
    try:
        return TASKS[name]
    except KeyError:
        raise NotFoundError(f"There is no maintenance task {name!r}.") from None


def _claim(task: MaintenanceTask, now: datetime) -> list[int]:
    """The task's row is taken for as long as one run may last; two runs of one task are never under way at once."""
    schedule, _ = TaskSchedule.objects.get_or_create(name=task.name, defaults={"due_at": now})
    # what lies further ahead than one period is from before the clock was set back
    due = schedule.due_at <= now or schedule.due_at > now + task.every + CLOCKS_DIFFER
    asked = TaskRun.objects.filter(name=task.name, outcome=RunOutcome.ASKED).order_by("id").first()
    if not due and asked is None:
        return []
    with transaction.atomic():
        free = Q(held_until=None) | Q(held_until__lt=now) | Q(held_until__gt=now + _hold(task) + CLOCKS_DIFFER)
        taken = TaskSchedule.objects.filter(free, name=task.name, due_at=schedule.due_at).update(
            due_at=now + task.every if due else schedule.due_at, held_until=now + _hold(task)
        )
        if not taken:
            return []  # another consumer was first, or the run before this one is still under way
        run = asked or TaskRun(name=task.name, asked_at=now, asked_by=SCHEDULE)
        run.outcome = RunOutcome.RUNNING
        run.save()
        TaskSchedule.objects.filter(name=task.name).update(held_by=run.pk)
        changes.touch(TOPIC)
    return [run.pk]


def _hold(task: MaintenanceTask) -> timedelta:
    """A run that keeps its limit ends well within it, also on a slow machine."""
    return task.limit * 2 + timedelta(seconds=10)


def _end(run: TaskRun, outcome: RunOutcome, counts: Counts, error: str) -> None:
    with transaction.atomic():
        TaskRun.objects.filter(pk=run.pk, outcome=RunOutcome.RUNNING).update(
            outcome=outcome, ended_at=timezone.now(), counts=dict(counts), error=error
        )
        TaskSchedule.objects.filter(name=run.name, held_by=run.pk).update(held_by=None, held_until=None)
        changes.touch(TOPIC)


def _settle_interrupted(now: datetime) -> None:
    """Runs whose consumer is gone: their hold has ended, or it is silent for long. Their tasks are due again."""
    running = TaskRun.objects.filter(outcome=RunOutcome.RUNNING)
    held = TaskSchedule.objects.filter(held_until__gte=now).values("name")
    orphaned = Q(started_at__lt=now - consumers.GONE_AFTER) & ~consumers.is_there(now)
    lost = list(running.filter(~Q(name__in=held) | orphaned))
    if not lost:
        return
    with transaction.atomic():
        for run in lost:
            _settle_lost(run, now)
        changes.touch(TOPIC)


def _settle_lost(run: TaskRun, now: datetime) -> None:
    """What was lost goes on at once, but only the first time: a task that takes its consumer along does not take one
    after the other."""
    before = TaskRun.objects.filter(name=run.name, id__lt=run.pk).exclude(started_at=None).order_by("-id").first()
    again = before is None or before.outcome != RunOutcome.INTERRUPTED
    TaskRun.objects.filter(pk=run.pk, outcome=RunOutcome.RUNNING).update(
        outcome=RunOutcome.INTERRUPTED, ended_at=now, error="Its consumer went away."
    )
    released = TaskSchedule.objects.filter(name=run.name, held_by=run.pk)
    if again:
        released.filter(due_at__gt=now).update(due_at=now)
    released.update(held_by=None, held_until=None)
