"""Artifacts: written singly or as one batch, found by where they came from or what they hold."""

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Path, Query, Router

from jobs_app.api import file_answers, job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.documents import STORAGE_PROBLEMS
from jobs_app.api.file_schemas import FileOut, downloaded
from jobs_app.api.parameters import Cursor, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.api.run_answers import artifact_value
from jobs_app.api.run_schemas import ArtifactIn, ArtifactOut, ArtifactPage, ArtifactsIn, ArtifactsOut
from jobs_app.api.runs import RUN, RunId
from jobs_app.api.sent_content import content_of
from jobs_app.domain.artifact import Artifact
from jobs_app.errors import InvalidError
from jobs_app.services import artifacts, paging
from jobs_app.services.artifacts import NewArtifact
from jobs_app.stores.noun_records import Found

router = Router(tags=["Runs"])
ArtifactId = Annotated[str, Path(description="The artifact's id.", max_length=200)]
Word = Annotated[str | None, Query(max_length=200)]
ARTIFACTS = "/projects/{p}/artifacts"
ARTIFACT = f"{ARTIFACTS}/{{id}}"
_FIELDS = tuple(ArtifactIn.model_fields)


@router.get(f"{RUN}/artifacts", response=ArtifactPage, summary="List a run's artifacts")
def list_run_artifacts(
    request: ApiRequest, p: Slug, id: RunId, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """Newest first."""
    return _page(artifacts.of_run(request.auth, p, id, cursor=cursor, limit=limit))


@router.post(
    f"{RUN}/artifacts",
    response={201: ArtifactsOut, 202: ArtifactsOut},
    summary="Write artifacts",
    openapi_extra=problems(*STORAGE_PROBLEMS, 413),
)
def write_artifacts(request: ApiRequest, p: Slug, id: RunId, body: ArtifactsIn) -> HttpResponse:
    """All as one commit of their storage. The same call again writes nothing twice. 202 where it is deferred."""
    new = [_new(place, item) for place, item in _items(body)]
    written = artifacts.write(request.auth, p, id, new, message=body.message, deferred=body.deferred)
    value = {
        "items": [artifact_value(each) for each in written.artifacts],
        "commits": dict(written.commits),
        "deferred": written.deferred,
    }
    response = job_answers.answer(value, 202 if written.deferred else 201)
    if not written.deferred:
        response["Location"] = request.path
    return response


@router.get(ARTIFACTS, response=ArtifactPage, summary="Find artifacts")
def find_artifacts(
    request: ApiRequest,
    p: Slug,
    run_id: Word = None,
    document_id: Word = None,
    job_id: Word = None,
    content_hash: Annotated[str | None, Query(max_length=80, description="`sha256:…` or `git:…`.")] = None,
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """Newest first."""
    return _page(
        artifacts.find(
            request.auth,
            p,
            run_id=run_id,
            document_id=document_id,
            job_id=job_id,
            content_hash=content_hash,
            cursor=cursor,
            limit=limit,
        )
    )


@router.get(ARTIFACT, response=ArtifactOut, summary="Get an artifact")
def get_artifact(request: ApiRequest, p: Slug, id: ArtifactId) -> HttpResponse:
    return job_answers.answer(artifact_value(artifacts.get(request.auth, p, id)))


@router.get(
    f"{ARTIFACT}/content",
    response={200: FileOut, 206: None, 304: None},
    summary="Read an artifact",
    openapi_extra={**problems(*STORAGE_PROBLEMS, 412, 416, versioned=True), **downloaded(FileOut)},
)
def read_artifact(request: ApiRequest, p: Slug, id: ArtifactId) -> HttpResponseBase:
    """Raw bytes, as they are now; the tag is the content's hash."""
    return file_answers.answered(
        request,
        lambda: artifacts.content_info(request.auth, p, id),
        lambda start, length: artifacts.content(request.auth, p, id, start=start, length=length),
    )


def _items(body: ArtifactsIn) -> list[tuple[str, ArtifactIn]]:
    single = {name for name in _FIELDS if getattr(body, name) is not None}
    if body.artifacts is not None:
        if single:
            raise InvalidError.at("body.artifacts", f"stands alone, without {', '.join(sorted(single))}")
        return [(f"body.artifacts.{number}", item) for number, item in enumerate(body.artifacts)]
    missing = {"document_id", "path"} - single
    if missing:
        raise InvalidError.at("body", f"needs {' and '.join(sorted(missing))}, or artifacts")
    return [("body", ArtifactIn(**{name: getattr(body, name) for name in single}))]


def _new(place: str, item: ArtifactIn) -> NewArtifact:
    return NewArtifact(
        document_id=item.document_id,
        path=item.path,
        content=content_of(place, item.content, item.content_base64),
        job_id=item.job_id,
        output=item.output,
        options=item.options,
        storage=item.storage,
        lease_token=item.lease_token,
    )


def _page(found: Found[Artifact]) -> HttpResponse:
    return job_answers.answer(
        {"items": [artifact_value(each) for each in found.items], "next_cursor": found.next_cursor}
    )
