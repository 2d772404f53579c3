"""Why a pending job is still pending, in words and as a code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jobs_app.domain.job import Job
from jobs_app.domain.worker import Controls, Stop, Worker


class WaitingCode(StrEnum):
    NOT_DUE = "not_due"
    PROJECT_PAUSED = "project_paused"
    CONTENT_TYPE_PAUSED = "content_type_paused"
    NO_WORKER = "no_worker"
    WORKERS_DRAINED = "workers_drained"
    WORKERS_BUSY = "workers_busy"
    IN_QUEUE = "in_queue"


@dataclass(frozen=True, slots=True)
class Reason:
    code: WaitingCode
    sentence: str


@dataclass(frozen=True, slots=True)
class Position:
    """Place among the due jobs of the project, from 1 on; `exact` says whether `place` is more than a lower bound."""

    place: int
    exact: bool
    of: int


@dataclass(frozen=True, slots=True)
class Waiting:
    reasons: Sequence[Reason]
    position: Position | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What surrounds a waiting job: stops, workers heard of lately, and which of them hold something."""

    controls: Controls
    workers: Sequence[Worker]
    busy: frozenset[str]


def reasons(job: Job, now: datetime, around: Surroundings) -> list[Reason]:
    """Everything that keeps the job from being taken, the weightiest first; never empty."""
    return [*_not_due(job, now), *_paused(job, around.controls)] or [_for_want_of_workers(job, around)]


def _not_due(job: Job, now: datetime) -> Iterable[Reason]:
    if job.not_before is not None and job.not_before > now:
        yield Reason(WaitingCode.NOT_DUE, f"It is not due until {job.not_before:%Y-%m-%d %H:%M:%S} UTC.")


def _paused(job: Job, controls: Controls) -> Iterable[Reason]:
    if controls.project is not None:
        yield Reason(WaitingCode.PROJECT_PAUSED, f"The project is paused{_whose(controls.project)}")
    stop = controls.content_types.get(job.content_type)
    if stop is not None:
        yield Reason(WaitingCode.CONTENT_TYPE_PAUSED, f"{job.content_type} is paused{_whose(stop)}")


def _whose(stop: Stop) -> str:
    return f" by {stop.by.name}: {stop.why}"


def _for_want_of_workers(job: Job, around: Surroundings) -> Reason:
    kind = f" for {job.content_type}" if job.content_type else ""
    fitting = [worker for worker in around.workers if worker.takes(job.content_type)]
    at_work = [worker for worker in fitting if worker.id not in around.controls.workers]
    if not fitting:
        return Reason(WaitingCode.NO_WORKER, f"No worker{kind} has asked for jobs lately.")
    if not at_work:
        return Reason(WaitingCode.WORKERS_DRAINED, f"Every worker{kind} is drained, so none takes anything new.")
    if all(worker.id in around.busy for worker in at_work):
        return Reason(WaitingCode.WORKERS_BUSY, f"All workers{kind} are busy ({len(at_work)}).")
    return Reason(WaitingCode.IN_QUEUE, "It is in the queue and will be taken in its turn.")
