"""Answers to POSTs that create, given once or replayed for an `Idempotency-Key`."""

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel

from jobs_app.api import preconditions
from jobs_app.domain.access import Actor
from jobs_app.services import idempotency
from jobs_app.services.idempotency import Answer


def created(
    request: HttpRequest, actor: Actor, create: Callable[[], tuple[BaseModel, str]], key: str | None
) -> HttpResponse:
    """201 with what `create` made and where it is; with a key, at most once."""

    def perform() -> Answer:
        made, location = create()
        return Answer(201, made.model_dump_json().encode(), location)

    return tagged(answered(request, actor, perform, key))


def tagged(response: HttpResponse) -> HttpResponse:
    """With the version of what was made as `ETag`, where it has one; an answer given again has it too."""
    version = json.loads(response.content).get("version")
    if version is not None:
        response["ETag"] = preconditions.etag(version)
    return response


def answered(request: HttpRequest, actor: Actor, perform: Callable[[], Answer], key: str | None) -> HttpResponse:
    """What `perform` answers; with a key it is performed at most once."""
    fingerprint = b"\0".join([(request.method or "").encode(), request.path.encode(), request.body])
    answer = idempotency.once(actor, key, fingerprint, perform)
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json; charset=utf-8")
    if answer.location:
        response["Location"] = answer.location
    if answer.replayed:
        response["Idempotent-Replayed"] = "true"
    return response
