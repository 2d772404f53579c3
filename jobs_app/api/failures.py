"""Failures by cause, and what is done to all jobs of one."""

from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Path, Query, Router

from jobs_app.api import job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.job_actions import done
from jobs_app.api.operation_schemas import ActionDone, FailureActionIn, FailureOut, FailurePage, OperationStarted
from jobs_app.api.parameters import Cursor, IdempotencyKey, Limit
from jobs_app.api.projects import Slug
from jobs_app.api.schemas import rfc3339
from jobs_app.services import failures, paging
from jobs_app.services.failures import Failure

router = Router(tags=["Failures"])
Fingerprint = Annotated[str, Path(description="The fingerprint of the cause.", max_length=200)]
FAILURES = "/projects/{p}/jobs/failures"
ACTIONS = {"retry": failures.retry, "cancel": failures.cancel, "delete": failures.delete}


@router.get(FAILURES, response=FailurePage, summary="List failures by cause")
def list_failures(
    request: ApiRequest,
    p: Slug,
    order: Annotated[str, Query(max_length=100, description=f"One of {', '.join(failures.ORDERS)}.")] = "-last_seen_at",
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """One row a cause: exception, top frame, and the message with ids and numbers taken out."""
    page = failures.of(request.auth, p, order, cursor, limit)
    return job_answers.answer({"items": [_value(each) for each in page.failures], "next_cursor": page.next_cursor})


@router.get(f"{FAILURES}/{{fingerprint}}", response=FailureOut, summary="Get a failure")
def get_failure(request: ApiRequest, p: Slug, fingerprint: Fingerprint) -> HttpResponse:
    return job_answers.answer(_value(failures.get(request.auth, p, fingerprint)))


@router.post(
    f"{FAILURES}/{{fingerprint}}/actions",
    response={200: ActionDone, 202: OperationStarted},
    summary="Retry, cancel or delete all jobs of a failure",
)
def act_on_failure(
    request: ApiRequest, p: Slug, fingerprint: Fingerprint, body: FailureActionIn, key: IdempotencyKey = None
) -> HttpResponse:
    """Retry and delete take those that stand failed by it, cancel those that are tried again."""
    return done(request, lambda: ACTIONS[body.action](request.auth, p, fingerprint, body.reason), key)


def _value(failure: Failure) -> dict[str, Any]:
    group = failure.group
    return {
        "fingerprint": failure.fingerprint,
        "exception": group.cause.exception,
        "frame": group.cause.frame,
        "message": group.cause.message,
        "count": group.count,
        "standing": failure.standing,
        "tried_again": failure.tried_again,
        "first_seen_at": rfc3339(group.first_seen_at),
        "last_seen_at": rfc3339(group.last_seen_at),
        "last_job_id": group.last_job_id,
        "cells": dict(failure.cells),
    }
