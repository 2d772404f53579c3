"""Files of a storage as raw bytes, several as one commit, and their history."""

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Header, Path, Query, Router

from jobs_app.api import file_answers, job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.file_schemas import BINARY_BODY, FileOut, downloaded
from jobs_app.api.parameters import PLAIN, Cursor, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.api.sent_content import content_of
from jobs_app.api.storage_answers import commit_value, entry_value, pending_value, version_value
from jobs_app.api.storage_schemas import (
    BatchIn,
    CommitOut,
    DeferredOut,
    EntryPage,
    VersionList,
    WriteIn,
    WrittenOut,
)
from jobs_app.api.storages import PLACE, Alias
from jobs_app.errors import InvalidError
from jobs_app.services import files, paging
from jobs_app.services.files import Written
from storage_app.providers import FileChange, FileDelete, FileWrite, StorageFileInfo

router = Router(tags=["Files"])
FilePath = Annotated[str, Path(description="The file's path, with forward slashes.", max_length=2000)]
Version = Annotated[str | None, Query(max_length=128, description="The file as it was then, not as it is.")]
Message = Annotated[str, Query(max_length=2000, description="What is said of the change in the storage's history.")]
Deferred = Annotated[
    bool, Query(description="Acknowledged as soon as it is durable, and sent together with what else waits.")
]
NotThere = Annotated[
    str | None, Header(alias="If-None-Match", description="`*`: only where there is no such file yet.")
]
FILES = f"{PLACE}/files"
FILE = f"{FILES}/{{path:path}}"
STORAGE_PROBLEMS = (409, 429, 502)


@router.get(FILES, response=EntryPage, summary="List files", openapi_extra=problems(*STORAGE_PROBLEMS))
def list_files(
    request: ApiRequest,
    p: Slug,
    s: Alias,
    prefix: Annotated[str, Query(max_length=2000, description="The folder; left out: the root.")] = "",
    recursive: Annotated[bool, Query(description="All files below, without the folders.")] = False,
    glob: Annotated[str | None, Query(max_length=2000, description="A pattern: `*`, `?`, `[…]` and `**`.")] = None,
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """By path; what waits in the outbox is shown as if it had been sent."""
    if glob is not None and (prefix or recursive):
        raise InvalidError.at("query.glob", "stands alone, without prefix and recursive")
    if glob is not None:
        found = files.found(request.auth, p, s, glob)
    else:
        found = files.listed(request.auth, p, s, prefix=prefix, recursive=recursive)
    page = paging.of_sorted(found, lambda info: info.path, cursor, limit)
    return job_answers.answer({"items": [entry_value(info) for info in page.items], "next_cursor": page.next_cursor})


@router.get(
    FILE,
    response={200: FileOut, 206: None, 304: None},
    summary="Download a file",
    openapi_extra={**problems(*STORAGE_PROBLEMS, 412, 416, versioned=True), **downloaded(FileOut)},
)
def get_file(request: ApiRequest, p: Slug, s: Alias, path: FilePath, version: Version = None) -> HttpResponseBase:
    """Raw bytes, with ranges. `Accept: application/json` gives what is known of the file instead."""
    return _file(request, p, s, path, version)


@router.api_operation(
    ["HEAD"],
    FILE,
    response={200: None, 206: None, 304: None},
    summary="Look at a file",
    openapi_extra=problems(*STORAGE_PROBLEMS, 412, 416, versioned=True),
)
def head_file(request: ApiRequest, p: Slug, s: Alias, path: FilePath, version: Version = None) -> HttpResponseBase:
    """The headers of the download."""
    return _file(request, p, s, path, version)


@router.put(
    FILE,
    response={200: WrittenOut, 201: WrittenOut, 202: DeferredOut},
    summary="Write a file",
    openapi_extra={**problems(*STORAGE_PROBLEMS, 412, 413, versioned=True), **BINARY_BODY},
)
def put_file(
    request: ApiRequest,
    p: Slug,
    s: Alias,
    path: FilePath,
    message: Message = "",
    deferred: Deferred = False,
    if_none_match: NotThere = None,
) -> HttpResponse:
    """The body as it is, of any type. 201 for a new file, 200 for one that was there, 202 for one that waits."""
    size = file_answers.size_of(request)
    condition = file_answers.condition_of(request, lambda: files.info(request.auth, p, s, path))
    with file_answers.conditional(condition):
        written = files.write_pieces(
            request.auth,
            p,
            s,
            path,
            file_answers.pieces_of(request),
            size,
            message,
            overwrite=condition.overwrite,
            expected_sha=condition.expected_sha,
            deferred=deferred,
        )
    if written.commit is None:
        response = _deferred(written)
    else:
        value = {"path": path, "size": size, "sha": written.sha, "commit": commit_value(written.commit)}
        response = job_answers.answer(value, 201 if written.created else 200)
    if written.created:
        response["Location"] = request.path
    response["ETag"] = file_answers.etag(written.sha)
    return response


@router.delete(
    FILE,
    response={200: CommitOut, 202: DeferredOut},
    summary="Delete a file",
    openapi_extra=problems(*STORAGE_PROBLEMS, conditional=True),
)
def delete_file(
    request: ApiRequest, p: Slug, s: Alias, path: FilePath, message: Message = "", deferred: Deferred = False
) -> HttpResponse:
    """The commit."""
    condition = file_answers.condition_of(request, lambda: files.info(request.auth, p, s, path))
    with file_answers.conditional(condition):
        return _committed(
            files.delete(request.auth, p, s, path, message, expected_sha=condition.expected_sha, deferred=deferred)
        )


@router.post(
    f"{PLACE}/batch",
    response={200: CommitOut, 202: DeferredOut},
    summary="Write and delete several files",
    openapi_extra=problems(*STORAGE_PROBLEMS),
)
def batch(request: ApiRequest, p: Slug, s: Alias, body: BatchIn) -> HttpResponse:
    """One commit: where the storage has whole batches (`atomic_batch_write`), all of it or nothing."""
    writes: list[FileChange] = [_write(place, write) for place, write in enumerate(body.writes)]
    changes = [*writes, *(FileDelete(path) for path in body.deletes)]
    if not changes:
        raise InvalidError.at("body", "name at least one file to write or delete")
    return _committed(files.batch(request.auth, p, s, changes, body.message, deferred=body.deferred))


@router.get(
    f"{PLACE}/versions/{{path:path}}",
    response=VersionList,
    summary="List a file's versions",
    openapi_extra=problems(*STORAGE_PROBLEMS),
)
def list_versions(
    request: ApiRequest,
    p: Slug,
    s: Alias,
    path: FilePath,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most versions to answer with."), PLAIN] = 100,
) -> HttpResponse:
    """Newest first, deletions among them; 409 where the storage keeps none (`versioning`)."""
    found = files.versions(request.auth, p, s, path, limit=limit)
    return job_answers.answer({"items": [version_value(version) for version in found], "next_cursor": None})


def _file(request: ApiRequest, p: str, s: str, path: str, version: str | None) -> HttpResponseBase:
    actor = request.auth

    def look() -> StorageFileInfo:
        if version is None:
            info = files.info(actor, p, s, path)
            return info if not info.is_directory else files.opened(actor, p, s, path, length=0).info
        return files.opened(actor, p, s, path, length=0, version=version).info

    return file_answers.answered(
        request,
        look,
        lambda start, length: files.opened(actor, p, s, path, start=start, length=length, version=version),
    )


def _write(place: int, write: WriteIn) -> FileWrite:
    content = content_of(f"body.writes.{place}", write.content, write.content_base64)
    return FileWrite(write.path, content, write.overwrite, write.expected_sha)


def _committed(written: Written) -> HttpResponse:
    if written.commit is None:
        return _deferred(written)
    return job_answers.answer(commit_value(written.commit))


def _deferred(written: Written) -> HttpResponse:
    return job_answers.answer({"pending": [pending_value(change) for change in written.pending]}, 202)
