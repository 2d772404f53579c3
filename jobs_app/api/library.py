"""The library: prompts and exercises by name, with conditions, history, and the very content that a job uses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Header, Path, Query, Router

from jobs_app.api import file_answers, job_answers, preconditions
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.files import Deferred, Message
from jobs_app.api.library_schemas import LibraryEntryIn, LibraryEntryOut, LibraryPage, LibraryRename
from jobs_app.api.parameters import PLAIN, Cursor, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.api.storage_answers import commit_value, pending_value, version_value
from jobs_app.api.storage_schemas import CommitOut, DeferredOut, VersionList
from jobs_app.domain.library import Kind
from jobs_app.errors import AlreadyExistsError, InvalidError, NotFoundError, PreconditionFailedError
from jobs_app.services import library, paging
from jobs_app.services.files import Written
from jobs_app.services.library import Entry, Listed
from storage_app.providers import StorageFileInfo
from storage_app.providers.errors import not_found

router = Router(tags=["Library"])
AKind = Annotated[Kind, Path(description="`prompts` or `exercises`.")]
Name = Annotated[str, Path(description="The text's name, without `.md`.", max_length=300)]
NotThere = Annotated[
    str | None, Header(alias="If-None-Match", description="`*`: only where there is no such text yet.")
]
SHELF = "/projects/{p}/library/{kind}"
TEXT = f"{SHELF}/{{name}}"
STORAGE_PROBLEMS = (409, 429, 502)


@router.get(SHELF, response=LibraryPage, summary="List prompts or exercises", openapi_extra=problems(*STORAGE_PROBLEMS))
def list_entries(
    request: ApiRequest, p: Slug, kind: AKind, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """By name."""
    found = library.listed(request.auth, p, kind)
    page = paging.of_sorted(found, lambda entry: entry.name, cursor, limit)
    return job_answers.answer({"items": [_listed_value(item) for item in page.items], "next_cursor": page.next_cursor})


@router.get(
    TEXT,
    response={200: LibraryEntryOut, 304: None},
    summary="Read a prompt or exercise",
    openapi_extra=problems(*STORAGE_PROBLEMS, versioned=True),
)
def get_entry(
    request: ApiRequest,
    p: Slug,
    kind: AKind,
    name: Name,
    version: Annotated[str | None, Query(max_length=128, description="As it was then.")] = None,
    content_hash: Annotated[
        str | None, Query(alias="hash", max_length=128, description="Exactly the content with this hash.")
    ] = None,
) -> HttpResponse:
    """With `version` or `hash` as a job names them exactly that content, even after edits, renames and deletes."""
    if version is not None and content_hash is not None:
        raise InvalidError.at("query.hash", "is given beside version; give one of the two")
    if content_hash is not None:
        entry = library.read_content(request.auth, p, kind, name, content_hash)
    else:
        entry = library.read(request.auth, p, kind, name, version=version)
    tag = file_answers.etag(entry.hash)
    if preconditions.is_current(request, tag):
        return preconditions.not_modified(tag)
    return _answered(entry)


@router.put(
    TEXT,
    response={200: LibraryEntryOut, 201: LibraryEntryOut, 202: DeferredOut},
    summary="Write a prompt or exercise",
    openapi_extra=problems(*STORAGE_PROBLEMS, versioned=True),
)
def put_entry(
    request: ApiRequest, p: Slug, kind: AKind, name: Name, body: LibraryEntryIn, if_none_match: NotThere = None
) -> HttpResponse:
    """201 for a new one, 202 for one that waits. With `If-Match` a text that somebody changed is 412, and `current` is
    what it is by now, for who may read it.
    """
    condition = file_answers.condition_of(request, lambda: _looked_at(request, p, kind, name))
    with _not_there(condition.overwrite):
        entry, written = library.write(
            request.auth,
            p,
            kind,
            name,
            body.content,
            body.message,
            overwrite=condition.overwrite,
            expected_hash=condition.expected_sha,
            deferred=body.deferred,
        )
    if written.deferred:
        return _changed(written, entry)
    response = _answered(entry, 201 if written.created else 200)
    if written.created:
        response["Location"] = request.path
    return response


@router.delete(
    TEXT,
    response={200: CommitOut, 202: DeferredOut},
    summary="Delete a prompt or exercise",
    openapi_extra=problems(*STORAGE_PROBLEMS, conditional=True),
)
def delete_entry(
    request: ApiRequest, p: Slug, kind: AKind, name: Name, message: Message = "", deferred: Deferred = False
) -> HttpResponse:
    """The commit. Jobs that use it can still read what they use."""
    condition = file_answers.condition_of(request, lambda: _looked_at(request, p, kind, name))
    wanted = condition.expected_sha
    return _changed(library.delete(request.auth, p, kind, name, message, expected_hash=wanted, deferred=deferred))


@router.post(
    f"{TEXT}/rename",
    response=CommitOut,
    summary="Rename a prompt or exercise",
    openapi_extra=problems(*STORAGE_PROBLEMS, versioned=True, conditional=True),
)
def rename_entry(request: ApiRequest, p: Slug, kind: AKind, name: Name, body: LibraryRename) -> HttpResponse:
    """One commit; 409 where the new name is taken. Jobs go on under the name they know."""
    condition = file_answers.condition_of(request, lambda: _looked_at(request, p, kind, name))
    entry, commit = library.rename(request.auth, p, kind, name, body.name, expected_hash=condition.expected_sha)
    response = job_answers.answer(commit_value(commit))
    response["ETag"] = file_answers.etag(entry.hash)
    return response


@router.get(
    f"{TEXT}/versions",
    response=VersionList,
    summary="List the versions of a prompt or exercise",
    openapi_extra=problems(*STORAGE_PROBLEMS),
)
def list_entry_versions(
    request: ApiRequest,
    p: Slug,
    kind: AKind,
    name: Name,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most versions to answer with."), PLAIN] = 100,
) -> HttpResponse:
    """Newest first, deletions among them; 409 where the storage keeps none (`versioning`)."""
    found = library.versions(request.auth, p, kind, name, limit=limit)
    return job_answers.answer({"items": [version_value(version) for version in found], "next_cursor": None})


def _looked_at(request: ApiRequest, p: str, kind: Kind, name: str) -> StorageFileInfo:
    try:
        entry = library.read(request.auth, p, kind, name)
    except NotFoundError as error:
        raise not_found(name) from error
    return StorageFileInfo(name, entry.hash, len(entry.content))


@contextmanager
def _not_there(overwrite: bool) -> Iterator[None]:
    try:
        yield
    except AlreadyExistsError as error:
        if overwrite:
            raise
        raise PreconditionFailedError(error.detail) from error


def _answered(entry: Entry, status: int = 200) -> HttpResponse:
    response = job_answers.answer(_entry_value(entry), status)
    response["ETag"] = file_answers.etag(entry.hash)
    return response


def _changed(written: Written, entry: Entry | None = None) -> HttpResponse:
    if written.commit is None:
        response = job_answers.answer({"pending": [pending_value(change) for change in written.pending]}, 202)
    else:
        response = job_answers.answer(commit_value(written.commit))
    if entry is not None:
        response["ETag"] = file_answers.etag(entry.hash)
    return response


def _entry_value(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind.value,
        "name": entry.name,
        "hash": entry.hash,
        "content": entry.content,
        "title": entry.text.title,
        "variables": [
            {"name": each.name, "required": each.required, "default": each.default, "description": each.description}
            for each in entry.text.variables
        ],
        "details": dict(entry.text.details),
        "fault": entry.fault or None,
        "last_modified": job_answers.time_value(entry.last_modified),
    }


def _listed_value(item: Listed) -> dict[str, Any]:
    return {
        "kind": item.kind.value,
        "name": item.name,
        "hash": item.hash,
        "size": item.size,
        "last_modified": job_answers.time_value(item.last_modified),
    }
