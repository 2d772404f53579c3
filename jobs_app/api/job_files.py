"""A job's workspace: its files, as raw bytes."""

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Header, Path, Router

from jobs_app.api import file_answers, job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.file_schemas import BINARY_BODY, FileOut, FilePage, downloaded
from jobs_app.api.jobs import JOBS, JobId
from jobs_app.api.parameters import Cursor, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.domain import lease
from jobs_app.services import paging, workspaces

router = Router(tags=["Job files"])
FilePath = Annotated[str, Path(description="The file's path in the workspace, with forward slashes.", max_length=2000)]
LeaseToken = Annotated[
    str | None,
    Header(
        alias="Lease-Token",
        max_length=lease.LONGEST_TOKEN,
        description="What the claim gave: the holder of the job needs the scope `work` alone, while it holds it.",
    ),
]
NotThere = Annotated[
    str | None, Header(alias="If-None-Match", description="`*`: only where there is no such file yet.")
]
PLACE = f"{JOBS}/{{id}}/files"


@router.get(PLACE, response=FilePage, summary="List a job's files", openapi_extra=problems(409, 429, 502))
def list_job_files(
    request: ApiRequest,
    p: Slug,
    id: JobId,
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
    lease_token: LeaseToken = None,
) -> HttpResponse:
    """By path. `sha` is null where only reading the content would tell; the file's own answer always has it."""
    found = workspaces.files(request.auth, p, id, lease_token)
    page = paging.of_sorted(found, lambda info: info.path, cursor, limit)
    items = [file_answers.value_of(info) for info in page.items]
    return job_answers.answer({"items": items, "next_cursor": page.next_cursor})


@router.get(
    f"{PLACE}/{{path:path}}",
    response={200: None, 206: None, 304: None},
    summary="Download a job's file",
    openapi_extra={**problems(409, 412, 416, 429, 502, versioned=True), **downloaded(FileOut)},
)
def get_job_file(
    request: ApiRequest, p: Slug, id: JobId, path: FilePath, lease_token: LeaseToken = None
) -> HttpResponseBase:
    """Raw bytes, with ranges. `Accept: application/json` gives what is known of the file instead."""
    return _file(request, p, id, path, lease_token)


@router.api_operation(
    ["HEAD"],
    f"{PLACE}/{{path:path}}",
    response={200: None, 206: None, 304: None},
    summary="Look at a job's file",
    openapi_extra=problems(409, 412, 416, 429, 502, versioned=True),
)
def head_job_file(
    request: ApiRequest, p: Slug, id: JobId, path: FilePath, lease_token: LeaseToken = None
) -> HttpResponseBase:
    """The headers of the download."""
    return _file(request, p, id, path, lease_token)


@router.put(
    f"{PLACE}/{{path:path}}",
    response={200: FileOut, 201: FileOut},
    summary="Write a job's file",
    openapi_extra={**problems(409, 412, 413, 429, 502, versioned=True), **BINARY_BODY},
)
def put_job_file(
    request: ApiRequest,
    p: Slug,
    id: JobId,
    path: FilePath,
    if_none_match: NotThere = None,
    lease_token: LeaseToken = None,
) -> HttpResponse:
    """The body as it is, of any type. 201 for a new file, 200 for one that was there."""
    condition = file_answers.condition_of(request, lambda: workspaces.info(request.auth, p, id, path, lease_token))
    with file_answers.conditional(condition):
        written = workspaces.write(
            request.auth,
            p,
            id,
            path,
            file_answers.pieces_of(request),
            file_answers.size_of(request),
            overwrite=condition.overwrite,
            expected_sha=condition.expected_sha,
            token=lease_token,
        )
    response = job_answers.answer(file_answers.value_of(written.info), 201 if written.is_new else 200)
    response["ETag"] = file_answers.etag(written.info.sha)
    if written.is_new:
        response["Location"] = request.path
    return response


@router.delete(
    f"{PLACE}/{{path:path}}",
    response={204: None},
    summary="Delete a job's file",
    openapi_extra=problems(409, 429, 502, versioned=True),
)
def delete_job_file(
    request: ApiRequest, p: Slug, id: JobId, path: FilePath, lease_token: LeaseToken = None
) -> HttpResponse:
    condition = file_answers.condition_of(request, lambda: workspaces.info(request.auth, p, id, path, lease_token))
    with file_answers.conditional(condition):
        workspaces.delete(request.auth, p, id, path, expected_sha=condition.expected_sha, token=lease_token)
    return HttpResponse(status=204)


def _file(request: ApiRequest, p: str, id: str, path: str, token: str | None) -> HttpResponseBase:
    return file_answers.answered(
        request,
        lambda: workspaces.info(request.auth, p, id, path, token),
        lambda start, length: workspaces.opened(request.auth, p, id, path, start, length, token),
    )
