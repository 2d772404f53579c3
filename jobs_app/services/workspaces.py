"""The files of a job, on the default storage under `jobs/<id>/` of the project.

With the token of a lease its holder reads and writes, as long as it holds the job; without one it takes the scopes
`read` and `write`, as for everything else of the project. The lease is looked at before a file is touched, and a write
that began in time may end after the lease did: storages know no fence. So a worker writes its outputs first and
completes the job last, and whoever reads a completed job's files reads those that its holder had written.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from django.conf import settings

from jobs_app.domain import lease
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.errors import ContentTooLargeError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import audit
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores.job_records import JobRecords, translated
from storage_app import file_storages
from storage_app.providers.base import StorageProvider
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.factory import Storages
from storage_app.providers.scoped import ScopedStorageProvider
from storage_app.providers.streams import StorageStream
from storage_app.providers.types import StorageFileInfo

STORAGE: Final = "default"
FOLDER: Final = "jobs"
MOST_FILES: Final = 10_000
MEGABYTE: Final = 1024 * 1024
_TRIES: Final = 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it is now, and whether there was none before."""

    info: StorageFileInfo
    is_new: bool


def files(actor: Actor, slug: str, id: str, token: str | None = None) -> list[StorageFileInfo]:
    """All of them by path, with the hashes that the storage knows without reading."""
    _seen(actor, slug, id, token)
    return _run(slug, id, lambda workspace: workspace.list_files(recursive=True))


def info(actor: Actor, slug: str, id: str, path: str, token: str | None = None) -> StorageFileInfo:
    """Of a file, with its hash."""
    _seen(actor, slug, id, token)
    return _run(slug, id, lambda workspace: _file_info(workspace, path))


def opened(
    actor: Actor, slug: str, id: str, path: str, start: int = 0, length: int | None = None, token: str | None = None
) -> StorageStream:
    """One state of the file from `start` on; to be read and closed through `file_storages`."""
    _seen(actor, slug, id, token)
    return _run(slug, id, lambda workspace: workspace.open_stream(path, start=start, length=length))


def write(
    actor: Actor,
    slug: str,
    id: str,
    path: str,
    pieces: Iterable[bytes],
    size: int,
    *,
    overwrite: bool = True,
    expected_sha: str | None = None,
    token: str | None = None,
) -> Written:
    """The storage's ALREADY_EXISTS and CONFLICT where a condition does not hold; nothing is changed then."""
    project, records, job = _held(actor, slug, id, token)

    async def perform(workspace: StorageProvider) -> Written:
        before = await _info_if_there(workspace, path)
        _check_room(await workspace.list_files(recursive=True), before, size)
        await workspace.write_stream(
            path,
            file_storages.sent(pieces),
            f"Write {path} of job {id}.",
            overwrite=overwrite,
            expected_sha=expected_sha,
        )
        return Written(await _file_info(workspace, path), before is None)

    written = _run(slug, id, perform)
    _follow_if_gone(records, slug, id)
    if token is None:
        _audit(actor, "job.file.write", project, job, path)
    return written


def delete(
    actor: Actor, slug: str, id: str, path: str, *, expected_sha: str | None = None, token: str | None = None
) -> None:
    project, _, job = _held(actor, slug, id, token)
    message = f"Delete {path} of job {id}."
    _run(slug, id, lambda workspace: workspace.delete_file(path, message, expected_sha=expected_sha))
    if token is None:
        _audit(actor, "job.file.delete", project, job, path)


def remove(slug: str, id: str) -> None:
    """Everything, after the job is gone; nothing where there is nothing."""
    _run(slug, id, lambda workspace: _emptied(workspace, "", f"Remove the files of job {id}, which is gone."))


def _run(slug: str, id: str, work: Callable[[StorageProvider], Awaitable[T]]) -> T:
    def within(storages: Storages) -> Awaitable[T]:
        return work(ScopedStorageProvider(storages.for_project(STORAGE, slug), f"{FOLDER}/{id}"))

    return file_storages.run(within)


def _seen(actor: Actor, slug: str, id: str, token: str | None) -> None:
    _allowed(actor, slug, id, token, Scope.READ)


def _held(actor: Actor, slug: str, id: str, token: str | None) -> tuple[Project, JobRecords, Job]:
    return _allowed(actor, slug, id, token, Scope.WRITE)


def _allowed(actor: Actor, slug: str, id: str, token: str | None, otherwise: Scope) -> tuple[Project, JobRecords, Job]:
    project, records = jobs_of(actor, slug, otherwise if token is None else Scope.WORK)
    job = records.get(id)
    if token is not None:
        with translated(id):
            lease.require_holder(job, token)
    return project, records, job


async def _file_info(workspace: StorageProvider, path: str) -> StorageFileInfo:
    found = await _info_if_there(workspace, path)
    if found is None:
        raise StorageError(StorageErrorCode.NOT_FOUND, "There is no such file.", path)
    return found


async def _info_if_there(workspace: StorageProvider, path: str) -> StorageFileInfo | None:
    try:
        found = await workspace.get_file_info(path)
    except StorageError as error:
        if error.is_absence:
            return None
        raise
    return None if found.is_directory else found


def _check_room(present: Sequence[StorageFileInfo], before: StorageFileInfo | None, size: int) -> None:
    """Of two who write at once both may see the same room: the limit keeps a job from filling the storage, and is no
    account to the byte."""
    if before is None and len(present) >= MOST_FILES:
        raise ContentTooLargeError(f"A job may have {MOST_FILES:,} files.")
    most = settings.CONFIG.workspace_megabytes * MEGABYTE
    others = sum(info.size for info in present) - (before.size if before else 0)
    if others + size > most:
        raise ContentTooLargeError(
            f"The files of a job may have {most:,} bytes; the others have {others:,}, and this one {size:,}."
        )


def _follow_if_gone(records: JobRecords, slug: str, id: str) -> None:
    """A job that was removed while the file was written has nobody left to remove it."""
    try:
        records.get(id)
    except NotFoundError:
        try:
            records.get(id, in_trash=True)
        except NotFoundError:
            remove(slug, id)
            raise


async def _emptied(storage: StorageProvider, folder: str, message: str) -> None:
    """Whoever deletes one of them meanwhile makes the batch fail as a whole, so it is asked again what is left."""
    for tries_left in reversed(range(_TRIES)):
        found = await storage.list_files(folder, recursive=True)
        try:
            if found:
                await storage.delete_files_batch([info.path for info in found], message)
        except StorageError as error:
            if not error.is_absence or not tries_left:
                raise
        else:
            return


def _audit(actor: Actor, action: str, project: Project, job: Job, path: str) -> None:
    audit.record(actor, action, audit.Target("job", job.id, job.name), project=project, detail={"path": path})
