"""Files of a project's storages: read as they will be once all that waits was sent, written at once or deferred."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.maintenance import Deadline
from jobs_app.errors import BusyError, ContentTooLargeError
from jobs_app.models import Project
from jobs_app.services import access, audit, changes
from jobs_app.services.storages import audit_target, defined_for
from storage_app import file_storages, hashes, paths
from storage_app.hashes import Hasher
from storage_app.outbox import flushing, leases, pending
from storage_app.outbox.reading import PendingView
from storage_app.outbox.tables import PendingChange
from storage_app.providers import (
    FileChange,
    FileDelete,
    FileWrite,
    StorageCapability,
    StorageCommit,
    StorageFile,
    StorageFileInfo,
    StorageProvider,
    StorageStream,
    StorageVersion,
)

NOUN = "files"  # of the live topic
MOST_PATHS_AUDITED = 20
LARGEST_AT_ONCE = 1024 * 1024
DELETED_AT_ONCE = 500
PATIENCE = timedelta(seconds=15)  # of whoever asked for what waits to be sent


@dataclass(frozen=True, slots=True)
class Written:
    """What a write came to: a commit, or changes that wait. Of a single file its `sha` is known, and whether it was
    `created`, unless that is still to come.
    """

    commit: StorageCommit | None
    pending: tuple[PendingChange, ...] = ()
    created: bool = False
    sha: str | None = None

    @property
    def deferred(self) -> bool:
        return self.commit is None


# Reading


def listed(
    actor: Actor, slug: str, storage: str, *, prefix: str = "", recursive: bool = False
) -> list[StorageFileInfo]:
    """What lies in a folder, by path; a folder that is not there is empty."""
    return _view(actor, slug, storage).list_files(prefix, recursive=recursive)


def waiting(actor: Actor, slug: str, storage: str, *, prefix: str = "") -> list[StorageFileInfo]:
    """What lies in a folder and is known while the storage does not answer: what waits to be sent there."""
    return _view(actor, slug, storage).list_pending(prefix)


def found(actor: Actor, slug: str, storage: str, pattern: str) -> list[StorageFileInfo]:
    """The files whose path matches a glob."""
    return _view(actor, slug, storage).list_files_glob(pattern)


def info(actor: Actor, slug: str, storage: str, path: str) -> StorageFileInfo:
    return _view(actor, slug, storage).get_file_info(path)


def exists(actor: Actor, slug: str, storage: str, path: str) -> bool:
    return _view(actor, slug, storage).file_exists(path)


def read(actor: Actor, slug: str, storage: str, path: str, *, version: str | None = None) -> StorageFile:
    """The file, whole, and so for what is known to be small; `opened` is for all else."""
    view = _view(actor, slug, storage)
    return view.read_file(path) if version is None else view.read_version(path, version)


def opened(
    actor: Actor,
    slug: str,
    storage: str,
    path: str,
    *,
    start: int = 0,
    length: int | None = None,
    version: str | None = None,
) -> StorageStream:
    """A state of the file in pieces (`file_storages.pieces_of`); `info` of the stream is of the whole file."""
    return _view(actor, slug, storage).open_stream(path, start=start, length=length, version=version)


def versions(actor: Actor, slug: str, storage: str, path: str, *, limit: int = 100) -> list[StorageVersion]:
    """The states the file had, newest first; refused where the storage keeps none."""
    return _view(actor, slug, storage).list_versions(path, limit=limit)


def can(actor: Actor, slug: str, storage: str, capability: StorageCapability) -> bool:
    return capability in _view(actor, slug, storage).capabilities


# Writing


def write(
    actor: Actor,
    slug: str,
    storage: str,
    path: str,
    content: bytes,
    message: str = "",
    *,
    overwrite: bool = True,
    expected_sha: str | None = None,
    deferred: bool = False,
) -> Written:
    """ALREADY_EXISTS and CONFLICT as the storage has them, held against what is pending too."""
    project, view = _to_write(actor, slug, storage)
    change = FileWrite(path, content, overwrite, expected_sha)
    said = message or f"Write {path}"
    sha = hashes.compute(view.hash_kind, content)
    if deferred:
        return Written(None, _deferred(actor, project, view, [change], said), sha=sha)
    created = _is_new(view, path, overwrite, expected_sha)
    _settle(view, [path])
    commit = file_storages.run(lambda it: it.for_project(view.alias, view.project).apply_batch([change], said))
    _written(actor, project, view, commit, "file.write", [path])
    return Written(commit, (), created, sha)


def write_pieces(
    actor: Actor,
    slug: str,
    storage: str,
    path: str,
    pieces: Iterable[bytes],
    size: int,
    message: str = "",
    *,
    overwrite: bool = True,
    expected_sha: str | None = None,
    deferred: bool = False,
) -> Written:
    """As `write`, for content of `size` bytes that should not lie in memory whole. What is deferred has to."""
    if deferred and size > pending.LARGEST_FILE:
        most = pending.LARGEST_FILE // 1024**2
        raise ContentTooLargeError(f"A deferred file may have {most} MiB at most; write it without deferring.")
    if deferred or size <= LARGEST_AT_ONCE:
        content = b"".join(pieces)
        return write(
            actor,
            slug,
            storage,
            path,
            content,
            message,
            overwrite=overwrite,
            expected_sha=expected_sha,
            deferred=deferred,
        )
    project, view = _to_write(actor, slug, storage)
    created = _is_new(view, path, overwrite, expected_sha)
    said = message or f"Write {path}"
    _settle(view, [path])
    hasher = Hasher(view.hash_kind, size)
    sending = file_storages.sent(_hashed(pieces, hasher))
    commit = file_storages.run(
        lambda it: it.for_project(view.alias, view.project).write_stream(
            path, sending, said, overwrite=overwrite, expected_sha=expected_sha
        )
    )
    _written(actor, project, view, commit, "file.write", [path])
    return Written(commit, (), created, hasher.result())


def delete(
    actor: Actor,
    slug: str,
    storage: str,
    path: str,
    message: str = "",
    *,
    expected_sha: str | None = None,
    deferred: bool = False,
) -> Written:
    return batch(actor, slug, storage, [FileDelete(path, expected_sha)], message or f"Delete {path}", deferred=deferred)


def batch(
    actor: Actor, slug: str, storage: str, wanted: Sequence[FileChange], message: str = "", *, deferred: bool = False
) -> Written:
    """All of them as one commit; deferred, as one with what else waits."""
    return batch_for(actor, access.project_for(actor, slug, Scope.WRITE), storage, wanted, message, deferred=deferred)


def batch_for(
    actor: Actor,
    project: Project,
    storage: str,
    wanted: Sequence[FileChange],
    message: str = "",
    *,
    deferred: bool = False,
) -> Written:
    """As `batch`, for a service that has decided by a rule of its own that the actor may write these."""
    view = PendingView(defined_for(project, storage).alias, project.slug)
    said = message or f"Change {len(wanted)} files"
    if deferred:
        return Written(None, _deferred(actor, project, view, wanted, said))
    _settle(view, [change.path for change in wanted])
    commit = file_storages.run(lambda it: it.for_project(view.alias, view.project).apply_batch(wanted, said))
    action = "file.delete" if all(isinstance(change, FileDelete) for change in wanted) else "file.write"
    _written(actor, project, view, commit, action, [change.path for change in wanted])
    return Written(commit)


def remove_all(slug: str) -> None:
    """What a project that goes has in the storages that it shares with others, and what it wanted sent. A storage of
    its own is the settings' to take away.
    """
    flushing.forget_project(slug)
    for each in file_storages.defined():
        if each.project is None:
            file_storages.run(lambda storages, alias=each.alias: _emptied(storages.for_project(alias, slug)))  # type: ignore[misc]  # bound now


async def _emptied(provider: StorageProvider) -> None:
    found = [info.path for info in await provider.list_files(recursive=True)]
    for start in range(0, len(found), DELETED_AT_ONCE):
        await provider.delete_files_batch(found[start : start + DELETED_AT_ONCE], "Delete the project")


def _view(actor: Actor, slug: str, storage: str) -> PendingView:
    project = access.project_for(actor, slug, Scope.READ)
    return PendingView(defined_for(project, storage).alias, project.slug)


def _to_write(actor: Actor, slug: str, storage: str) -> tuple[Project, PendingView]:
    project = access.project_for(actor, slug, Scope.WRITE)
    return project, PendingView(defined_for(project, storage).alias, project.slug)


def _is_new(view: PendingView, path: str, overwrite: bool, expected_sha: str | None) -> bool:
    """Whether a write, if it succeeds, makes a file; where a condition says so nobody is asked."""
    return not overwrite or (expected_sha is None and not view.file_exists(path))


def _settle(view: PendingView, wanted: Sequence[str]) -> None:
    """What waits of these files goes first, or it would later be written over what is written now."""
    if not _waits(view, wanted):
        return
    patience = Deadline(PATIENCE)
    flushing.flush(view.alias, view.project, lambda: patience.passed)
    if _waits(view, wanted):
        queue = flushing.queue(view.alias, view.project)
        why = queue.reason.get("message", "It is being sent at this moment.")
        raise BusyError(f"An earlier change of this file is still to be sent. {why}", retry_after=5)


def _waits(view: PendingView, wanted: Sequence[str]) -> bool:
    visible = pending.all_visible(view.alias, view.project)
    if not visible:
        return False
    names = {path.replace("\\", "/").removeprefix("/") for path in wanted}
    folders = {folder for name in names for folder in paths.parents(name)}
    return any(path in names or path in folders or not names.isdisjoint(paths.parents(path)) for path in visible)


def _deferred(
    actor: Actor, project: Project, view: PendingView, wanted: Sequence[FileChange], message: str
) -> tuple[PendingChange, ...]:
    with transaction.atomic():
        taken = pending.put(view.alias, view.project, wanted, message, actor.name)
        _audit(actor, project, view, "file.defer", [change.path for change in wanted], {"message": message[:300]})
    return tuple(row for row in taken if row is not None)


def _written(
    actor: Actor, project: Project, view: PendingView, commit: StorageCommit, action: str, named: Sequence[str]
) -> None:
    detail = {"commit": commit.sha, "changed": len(commit.files), "message": commit.message[:300]}
    with transaction.atomic():
        if commit.changed and StorageCapability.RATE_LIMITED in view.capabilities:
            leases.wrote_past(view.alias)
        _audit(actor, project, view, action, named, detail)


def _audit(
    actor: Actor, project: Project, view: PendingView, action: str, named: Sequence[str], detail: dict[str, object]
) -> None:
    target = audit_target(view.alias, named[0] if len(named) == 1 else f"{len(named)} files")
    listed = {"paths": list(named[:MOST_PATHS_AUDITED])} if len(named) > 1 else {}
    audit.record(actor, action, target, project=project, detail={**detail, **listed})
    changes.touch(changes.project_topic(project.slug, NOUN))


def _hashed(pieces: Iterable[bytes], hasher: Hasher) -> Iterator[bytes]:
    for piece in pieces:
        hasher.update(piece)
        yield piece
