"""Workers of a project, taking them out of service, and pausing what they are given."""

from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Path, Query, Router

from jobs_app.api import job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.job_answers import by_value, progress_value, time_value
from jobs_app.api.job_schemas import NO_REASON, PauseIn, PauseList, PauseOut, ReasonIn, WorkerOut, WorkerPage
from jobs_app.api.parameters import Cursor, Limit
from jobs_app.api.projects import Slug
from jobs_app.api.schemas import rfc3339
from jobs_app.domain.worker import Stop, WorkerState
from jobs_app.services import paging, pauses, workers
from jobs_app.services.pauses import Pause

router = Router(tags=["Workers"])
WorkerId = Annotated[str, Path(description="What the worker calls itself.", max_length=200)]
WORKERS = "/projects/{p}/workers"
PAUSES = "/projects/{p}/pauses"


@router.get(WORKERS, response=WorkerPage, summary="List workers")
def list_workers(
    request: ApiRequest, p: Slug, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """Those heard of within a day, last seen first, with what they hold."""
    page = workers.of(request.auth, p, cursor, limit)
    return job_answers.answer({"items": [_worker(state) for state in page.workers], "next_cursor": page.next_cursor})


@router.get(f"{WORKERS}/{{worker_id}}", response=WorkerOut, summary="Get a worker")
def get_worker(request: ApiRequest, p: Slug, worker_id: WorkerId) -> HttpResponse:
    return job_answers.answer(_worker(workers.get(request.auth, p, worker_id)))


@router.post(f"{WORKERS}/{{worker_id}}/drain", response=WorkerOut, summary="Drain a worker")
def drain_worker(request: ApiRequest, p: Slug, worker_id: WorkerId, body: ReasonIn = NO_REASON) -> HttpResponse:
    """It gets nothing new, and is safe to stop once it holds nothing."""
    return job_answers.answer(_worker(workers.drain(request.auth, p, worker_id, body.reason)))


@router.post(f"{WORKERS}/{{worker_id}}/resume", response=WorkerOut, summary="Give a worker jobs again")
def resume_worker(request: ApiRequest, p: Slug, worker_id: WorkerId) -> HttpResponse:
    return job_answers.answer(_worker(workers.resume(request.auth, p, worker_id)))


@router.get(PAUSES, response=PauseList, summary="List pauses")
def list_pauses(request: ApiRequest, p: Slug) -> HttpResponse:
    """What is paused, by whom and why; the whole project first."""
    return job_answers.answer({"items": [_pause(pause) for pause in pauses.of(request.auth, p)], "next_cursor": None})


@router.post(PAUSES, response={201: PauseOut}, summary="Pause claims")
def create_pause(request: ApiRequest, p: Slug, body: PauseIn) -> HttpResponse:
    """Claims of a content type, or of the whole project, stop at once; what is under way goes on."""
    response = job_answers.answer(_pause(pauses.pause(request.auth, p, body.content_type, body.reason)), 201)
    response["Location"] = request.path
    return response


@router.delete(PAUSES, response={204: None}, summary="End a pause")
def delete_pause(
    request: ApiRequest,
    p: Slug,
    content_type: Annotated[str | None, Query(max_length=128, description="Left out: that of the project.")] = None,
) -> HttpResponse:
    pauses.resume(request.auth, p, content_type)
    return HttpResponse(status=204)


def _worker(state: WorkerState) -> dict[str, Any]:
    worker = state.worker
    return {
        "id": worker.id,
        "first_seen_at": rfc3339(worker.first_seen_at),
        "last_seen_at": rfc3339(worker.last_seen_at),
        "last_beat_at": rfc3339(state.last_beat_at),
        "content_types": None if worker.content_types is None else list(worker.content_types),
        "version": worker.software_version,
        "capabilities": dict(worker.capabilities),
        "holds": [
            {
                "id": job.id,
                "name": job.name,
                "attempt": job.attempt,
                "started_at": time_value(job.started_at),
                "heartbeat_at": time_value(job.heartbeat_at),
                "lease_expires_at": time_value(job.lease_expires_at),
                "progress": progress_value(job.progress),
            }
            for job in state.holds
        ],
        "drained": _stop(state.drained) if state.drained else None,
        "safe_to_stop": state.is_safe_to_stop,
    }


def _pause(pause: Pause) -> dict[str, Any]:
    return {"content_type": pause.content_type, **_stop(pause.stop)}


def _stop(stop: Stop) -> dict[str, Any]:
    return {"at": rfc3339(stop.at), "by": by_value(stop.by), "why": stop.why}
