"""Saved views of the list of jobs: one's own, and shared ones."""

from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Path, Router

from jobs_app.api import job_answers, preconditions
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.creation import answered, tagged
from jobs_app.api.job_answers import by_value
from jobs_app.api.operation_schemas import ViewIn, ViewList, ViewOut
from jobs_app.api.parameters import IdempotencyKey, problems
from jobs_app.api.projects import Slug
from jobs_app.api.schemas import rfc3339
from jobs_app.domain.access import Actor
from jobs_app.domain.saved_view import SavedView
from jobs_app.services import saved_views
from jobs_app.services.idempotency import Answer
from jobs_app.services.saved_views import ViewContent

router = Router(tags=["Saved views"])
ViewId = Annotated[str, Path(description="The view's id.", max_length=200)]
VIEWS = "/projects/{p}/views"


@router.get(VIEWS, response=ViewList, summary="List saved views")
def list_views(request: ApiRequest, p: Slug) -> HttpResponse:
    """The shared ones, then one's own, by name."""
    items = [_value(view, request.auth) for view in saved_views.of(request.auth, p)]
    return job_answers.answer({"items": items, "next_cursor": None})


@router.post(VIEWS, response={201: ViewOut}, summary="Save a view", openapi_extra=problems(409, versioned=True))
def create_view(request: ApiRequest, p: Slug, body: ViewIn, key: IdempotencyKey = None) -> HttpResponse:
    """Everybody may keep their own; a shared one takes the scope `write`."""

    def perform() -> Answer:
        view = saved_views.create(request.auth, p, _content(body))
        return Answer(201, job_answers.as_bytes(_value(view, request.auth)), f"{request.path}/{view.id}")

    return tagged(answered(request, request.auth, perform, key))


@router.get(
    f"{VIEWS}/{{id}}", response={200: ViewOut, 304: None}, summary="Get a view", openapi_extra=problems(versioned=True)
)
def get_view(request: ApiRequest, p: Slug, id: ViewId) -> HttpResponse:
    view = saved_views.get(request.auth, p, id)
    tag = preconditions.etag(view.version)
    if preconditions.is_current(request, tag):
        return preconditions.not_modified(tag)
    return _answer(view, request.auth)


@router.put(f"{VIEWS}/{{id}}", response=ViewOut, summary="Change a view", openapi_extra=problems(409, versioned=True))
def change_view(request: ApiRequest, p: Slug, id: ViewId, body: ViewIn) -> HttpResponse:
    """The whole view anew; `If-Match` makes it conditional on the version."""
    version = preconditions.expected_version(request)
    return _answer(saved_views.change(request.auth, p, id, _content(body), version), request.auth)


@router.delete(f"{VIEWS}/{{id}}", response={204: None}, summary="Remove a view")
def delete_view(request: ApiRequest, p: Slug, id: ViewId) -> HttpResponse:
    saved_views.delete(request.auth, p, id)
    return HttpResponse(status=204)


def _content(body: ViewIn) -> ViewContent:
    return ViewContent(body.name, body.query, body.order, tuple(body.columns), body.shared)


def _answer(view: SavedView, actor: Actor) -> HttpResponse:
    response = job_answers.answer(_value(view, actor))
    response["ETag"] = preconditions.etag(view.version)
    return response


def _value(view: SavedView, actor: Actor) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "query": view.query,
        "order": view.order,
        "columns": list(view.columns),
        "shared": view.shared,
        "is_mine": saved_views.is_own(view, actor),
        "made_by": by_value(view.made_by),
        "created_at": rfc3339(view.created_at),
        "updated_at": rfc3339(view.updated_at),
        "version": view.version,
    }
