"""What waits: taken in, listed, taken up again, thrown away. For sync code, like all of the outbox.

A change is acknowledged when its transaction is committed. Of one path there is at most one change that waits, one
that is being sent, and any number that are parked: later changes replace what waits, and follow what is being sent.
"""

from collections.abc import Sequence
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from storage_app import file_storages, hashes, paths
from storage_app.outbox import coalescing
from storage_app.outbox.coalescing import Change, Delete, Write
from storage_app.outbox.tables import PendingAction, PendingChange, PendingState
from storage_app.providers import errors
from storage_app.providers.base import LARGEST_BUFFERED
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.factory import Storages
from storage_app.providers.types import FileChange, StorageFileInfo

LARGEST_FILE: Final = 32 * 1024 * 1024
LONGEST_MESSAGE: Final = 2000
# Of one project for one storage, which may be away for long: the database is no second storage.
MOST_FILES: Final = 10_000
MOST_BYTES: Final = 2 * 1024**3
VISIBLE: Final = (PendingState.WAITING, PendingState.SENDING)

assert LARGEST_FILE <= LARGEST_BUFFERED


def put(
    alias: str, project: str, changes: Sequence[FileChange], message: str, author: str = ""
) -> list[PendingChange | None]:
    """Takes all of them in, or none; what is pending of each path afterwards, None where nothing is left to be done.

    Conditions are held at once against what is pending, and against the storage as far as it answers; what it cannot
    tell now is decided when the change is sent. Unconditional writes ask nobody.
    """
    checked = [_checked(change) for change in changes]
    _refuse_doubles(checked)
    known = _pending_of(alias, project, [change.path for change in checked])
    _ask_storage(alias, project, [change for change in checked if change.path not in known])
    for _ in range(_TRIES - 1):
        try:
            return _taken_in(alias, project, checked, message, author)
        except IntegrityError:  # somebody else put a change of the same path in just now
            continue
    return _taken_in(alias, project, checked, message, author)


def of_project(alias: str, project: str) -> QuerySet[PendingChange]:
    """Everything that waits, is being sent or is parked, oldest first, without contents."""
    return PendingChange.objects.filter(alias=alias, project=project).defer("content").order_by("id")


def retry(change: PendingChange) -> PendingChange:
    """A parked change waits again, to be sent at once. CONFLICT where a later change of the path is pending."""
    with transaction.atomic():
        taken = PendingChange.objects.filter(pk=change.pk, state=PendingState.PARKED)
        try:
            with transaction.atomic():
                if not taken.update(state=PendingState.WAITING, reason={}, asked=True, looked=False, before=None):
                    raise _not_parked(change)
        except IntegrityError:
            message = "A later change of this file is pending; discard this one, or that one first."
            raise StorageError(StorageErrorCode.CONFLICT, message, change.path, {"reason": "later_change"}) from None
    change.refresh_from_db()
    return change


def discard(change: PendingChange) -> None:
    """Throws the change away. CONFLICT while it is being sent: it may be in the storage already."""
    if not PendingChange.objects.filter(pk=change.pk).exclude(state=PendingState.SENDING).delete()[0]:
        message = "The change is being sent; whether it can still be stopped is not known."
        raise StorageError(StorageErrorCode.CONFLICT, message, change.path, {"reason": "being_sent"})


def ask(alias: str, project: str) -> int:
    """What waits is to go out without waiting for the batch window; how many."""
    return PendingChange.objects.filter(alias=alias, project=project, state=PendingState.WAITING).update(asked=True)


def visible(alias: str, project: str, path: str) -> PendingChange | None:
    """The last word on this path that is not in the storage yet, with its content."""
    found = {
        change.state: change
        for change in PendingChange.objects.filter(alias=alias, project=project, path=path, state__in=VISIBLE)
    }
    return found.get(PendingState.WAITING) or found.get(PendingState.SENDING)


def all_visible(alias: str, project: str) -> dict[str, PendingChange]:
    """By path, without contents."""
    rows = of_project(alias, project).filter(state__in=VISIBLE)
    found: dict[str, PendingChange] = {}
    for row in rows:
        if row.path not in found or row.state == PendingState.WAITING:
            found[row.path] = row
    return found


def change_in(row: PendingChange) -> Change:
    """The change that a row holds."""
    if row.action == PendingAction.DELETE:
        return Delete(row.path, row.expected_sha, row.may_be_missing)
    return Write(row.path, bytes(row.content or b""), row.sha256, row.git, row.overwrite, row.expected_sha)


def take_over(row: PendingChange, change: Change) -> None:
    """The row holds the change from now on; saving it is the caller's."""
    row.expected_sha = change.expected_sha
    if isinstance(change, Delete):
        row.action, row.content, row.size = PendingAction.DELETE, None, 0
        row.sha256 = row.git = ""
        row.overwrite, row.may_be_missing = True, change.may_be_missing
        return
    row.action, row.content, row.size = PendingAction.WRITE, change.content, len(change.content)
    row.sha256, row.git, row.overwrite, row.may_be_missing = change.sha256, change.git, change.overwrite, False


# How many times two who put a change of one new path in at once may meet.
_TRIES: Final = 5


def _checked(change: FileChange) -> Change:
    try:
        path = paths.normalised(change.path)
    except paths.InvalidPathError as error:
        raise errors.invalid_path(change.path, str(error)) from error
    made = coalescing.change_of(type(change)(**{**vars(change), "path": path}))
    if isinstance(made, Write) and len(made.content) > LARGEST_FILE:
        text = f"A deferred file may have {LARGEST_FILE // 1024**2} MiB at most; write it without deferring."
        raise StorageError(StorageErrorCode.CONTENT_TOO_LARGE, text, path, {"limit": LARGEST_FILE})
    return made


def _refuse_doubles(changes: Sequence[Change]) -> None:
    seen: set[str] = set()
    for change in changes:
        if change.path in seen:
            raise errors.invalid_path(change.path, "is named twice in one batch")
        seen.add(change.path)


def _pending_of(alias: str, project: str, wanted: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        rows = of_project(alias, project).filter(state__in=VISIBLE, path__in=wanted[start : start + _AT_ONCE])
        found.update(rows.values_list("path", flat=True))
    return found


# SQLite takes no more variables in one statement than some hundreds.
_AT_ONCE: Final = 500


def _ask_storage(alias: str, project: str, changes: Sequence[Change]) -> None:
    """An unknown storage is refused whatever is asked; one that cannot be opened or does not answer now, for whatever
    reason, is asked when it is sent to: deferring is for a storage that is away.
    """
    conditional = [change for change in changes if _has_condition(change)]

    async def look(storages: Storages) -> None:
        storages.check_allowed(alias, project)
        for change in conditional:
            try:
                info = await storages.for_project(alias, project).get_file_info(change.path)
            except StorageError as error:
                if error.code is StorageErrorCode.INVALID_PATH:
                    raise
                if not error.is_absence:
                    return
                info = None
            _hold_against(change, info)

    file_storages.run(look)


def _has_condition(change: Change) -> bool:
    return isinstance(change, Delete) or not change.overwrite or change.expected_sha is not None


def _hold_against(change: Change, info: StorageFileInfo | None) -> None:
    there = info is not None and not info.is_directory
    sha = info.sha if info is not None and there else None
    if not there:
        if change.expected_sha is not None:
            raise errors.conflict(change.path, change.expected_sha, None)
        if isinstance(change, Delete):
            raise errors.not_found(change.path)
        return
    if isinstance(change, Write) and not change.overwrite:
        raise errors.already_exists(change.path)
    expected = change.expected_sha
    # Hashes of two kinds are compared by content, which is done when the change is sent.
    if expected is not None and sha != expected and (hashes.kind_of(expected) is None or _comparable(expected, sha)):
        raise errors.conflict(change.path, expected, sha)


def _comparable(expected: str, sha: str | None) -> bool:
    return sha is not None and hashes.comparable(expected, sha)


def _taken_in(
    alias: str, project: str, changes: Sequence[Change], message: str, author: str
) -> list[PendingChange | None]:
    # In order of their paths, so that no two who put in several wait for each other.
    ordered = sorted(changes, key=lambda change: change.path)
    with transaction.atomic():
        _refuse_what_is_in_the_way(alias, project, ordered)
        taken = {change.path: _take_in(alias, project, change, message, author) for change in ordered}
        _refuse_too_much(alias, project)
    return [taken[change.path] for change in changes]


def _refuse_too_much(alias: str, project: str) -> None:
    held = PendingChange.objects.filter(alias=alias, project=project).aggregate(files=Count("id"), bytes=Sum("size"))
    if held["files"] > MOST_FILES or (held["bytes"] or 0) > MOST_BYTES:
        message = "As much waits for this storage as may. More is taken when some of it was sent or discarded."
        details = {"reason": "outbox_full", "files": MOST_FILES, "bytes": MOST_BYTES}
        raise StorageError(StorageErrorCode.INTERNAL_ERROR, message, None, details)


def _take_in(alias: str, project: str, change: Change, message: str, author: str) -> PendingChange | None:
    rows = PendingChange.objects.select_for_update().filter(alias=alias, project=project, path=change.path)
    found = {row.state: row for row in rows.filter(state__in=VISIBLE)}
    waiting, sending = found.get(PendingState.WAITING), found.get(PendingState.SENDING)
    now = timezone.now()
    row = waiting
    if waiting is not None:
        coalescing.check(change, change_in(waiting))
        after = coalescing.together(change_in(waiting), change)
        if after is None:
            waiting.delete()
            return None
        change = after
    elif sending is not None:
        coalescing.check(change, change_in(sending))
    if row is None:
        row = PendingChange(alias=alias, project=project, path=change.path, waiting_since=now)
    take_over(row, change)
    row.message, row.author, row.changed_at = message[:LONGEST_MESSAGE], author[:200], now
    row.save()
    return row


def _refuse_what_is_in_the_way(alias: str, project: str, changes: Sequence[Change]) -> None:
    """A name is a file or a folder, also among what is pending; what the storage has is told when it is sent."""
    after = {path: row.action for path, row in all_visible(alias, project).items()}
    after.update({change.path: _action(change) for change in changes})
    written = {path for path, action in after.items() if action == PendingAction.WRITE}
    folders = {folder: path for path in written for folder in paths.parents(path)}
    for change in changes:
        if isinstance(change, Delete):
            continue
        for folder in paths.parents(change.path):
            if folder in written:
                raise errors.in_the_way(change.path, folder)
        if change.path in folders:
            raise errors.in_the_way(change.path, change.path)


def _action(change: Change) -> str:
    return PendingAction.DELETE if isinstance(change, Delete) else PendingAction.WRITE


def _not_parked(change: PendingChange) -> StorageError:
    message = "Only a parked change can be tried again; this one waits, or is being sent."
    return StorageError(StorageErrorCode.CONFLICT, message, change.path, {"reason": "not_parked"})
