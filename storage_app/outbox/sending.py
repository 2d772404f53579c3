"""Sends one batch, and knows afterwards what became of each change in it.

A storage that remembers batches is told the batch by its id, as often as need be. Any other is looked at first: what
it had is noted, and each change is sent on condition that it still has that. So whoever finds a batch that was begun
looks again: what is as it was wanted was sent, what is as it was before was not; and a sender who was stopped and goes
on later finds his conditions broken.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Final, TypeVar

from storage_app import file_storages
from storage_app.hashes import HashKind
from storage_app.outbox import batches
from storage_app.outbox.leases import LENGTH, Lease
from storage_app.outbox.tables import PendingAction, PendingChange, SentBatch
from storage_app.providers.base import StorageProvider
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.factory import Storages
from storage_app.providers.types import FileChange, FileDelete, FileWrite, StorageCapability, StorageCommit

T = TypeVar("T")

LONGEST: Final = 60.0  # seconds; well within a lease
MOST_RACES: Final = 5

assert LENGTH.total_seconds() >= 2 * LONGEST


class Next(Enum):
    GO_ON = auto()  # with what is left
    STOP = auto()  # nothing goes out for now


def send(lease: Lease, batch: SentBatch) -> Next:
    batches.note_try(lease, batch)
    rows = batches.rows_of(batch)
    if not rows:
        batches.finish(lease, batch, [], "")
        return Next.GO_ON
    try:
        if _asked(lease.alias, batch.project, lambda provider: provider.remembers_batches):
            _send_by_id(lease, batch, rows)
        else:
            _send_by_looking(lease, batch, rows)
    except StorageError as error:
        return _refused(lease, batch, error)
    return Next.GO_ON


def _send_by_id(lease: Lease, batch: SentBatch, rows: Sequence[PendingChange]) -> None:
    changes = [_as_given(row) for row in rows]
    commit = _run(
        lease.alias,
        batch.project,
        lambda it: it.apply_batch_once(changes, batch.message, batch_id=str(batch.mark), since=batch.begun_at),
    )
    batches.finish(lease, batch, rows, commit.sha)


def _send_by_looking(lease: Lease, batch: SentBatch, rows: Sequence[PendingChange]) -> None:
    for race in range(MOST_RACES):
        try:
            left = _look(lease, batch, rows)
        except StorageError as error:
            if race == 0:
                error.details["nothing_sent"] = True
            raise
        if not left:
            return
        try:
            commit = _apply(lease.alias, batch, left)
        except StorageError as error:
            if not _is_lost_race(error, left) or race == MOST_RACES - 1:
                raise
            # Somebody wrote between our look and our write, and what we have is to be written over it all the same.
            _look_anew(lease, left, error.path)
            continue
        batches.finish(lease, batch, left, commit.sha)
        return


def _look(lease: Lease, batch: SentBatch, rows: Sequence[PendingChange]) -> list[PendingChange]:
    """What is still to be sent. What the storage has already is finished; what nobody can tell any more is parked."""
    paths = [row.path for row in rows]
    kind, is_atomic, now = _run(lease.alias, batch.project, lambda it: _hashes_of(it, paths))
    done = [row for row in rows if _is_there(row, now[row.path], kind)]
    was_begun = is_atomic and any(row.looked and row.before != now[row.path] for row in done)
    left = []
    fresh = []
    for row in rows:
        if row in done:
            continue
        if not row.looked:
            row.looked, row.before = True, now[row.path]
            fresh.append(row)
        elif row.before != now[row.path]:
            if was_begun:
                done.append(row)  # the whole batch went out; since then somebody has written this one anew
            else:
                batches.park(lease, batch, row, _CHANGED_MEANWHILE)
            continue
        left.append(row)
    if fresh:
        batches.note_before(lease, fresh)
    if done:
        batches.finish(lease, batch, done, "")
    return left


def _look_anew(lease: Lease, rows: Sequence[PendingChange], path: str | None) -> None:
    """Nothing was changed by us, so what is there now is somebody else's."""
    again = [row for row in rows if path is None or row.path == path]
    for row in again:
        row.looked, row.before = False, None
    batches.note_before(lease, again)


def _is_there(row: PendingChange, now: str | None, kind: HashKind) -> bool:
    """As it was wanted. A file to delete that is gone is so only for whoever named no hash, or saw it before."""
    if row.action == PendingAction.WRITE:
        return now == (row.git if kind is HashKind.GIT else row.sha256)
    return now is None and (row.expected_sha is None or (row.looked and row.before is not None))


def _is_lost_race(error: StorageError, rows: Sequence[PendingChange]) -> bool:
    """The condition that did not hold was ours, not one of whoever made the change."""
    row = next((row for row in rows if row.path == error.path), None)
    if row is None or row.expected_sha is not None:
        return False
    if error.code is StorageErrorCode.CONFLICT:
        return "expected" in error.details
    return error.code is StorageErrorCode.ALREADY_EXISTS and row.overwrite


async def _hashes_of(provider: StorageProvider, paths: Sequence[str]) -> tuple[HashKind, bool, dict[str, str | None]]:
    found = {path: await _hash_of(provider, path) for path in paths}
    is_atomic = StorageCapability.ATOMIC_BATCH_WRITE in provider.capabilities
    return provider.hash_kind, is_atomic, found


async def _hash_of(provider: StorageProvider, path: str) -> str | None:
    try:
        return (await provider.get_file_info(path)).sha
    except StorageError as error:
        if error.is_absence:
            return None
        if error.code is StorageErrorCode.INVALID_PATH:
            return None  # the write itself says so, with the path
        raise


def _apply(alias: str, batch: SentBatch, rows: Sequence[PendingChange]) -> StorageCommit:
    changes = [_on_condition(row) for row in rows]
    return _run(alias, batch.project, lambda provider: provider.apply_batch(changes, batch.message))


def _as_given(row: PendingChange) -> FileChange:
    if row.action == PendingAction.DELETE:
        return FileDelete(row.path, row.expected_sha)
    return FileWrite(row.path, bytes(row.content or b""), row.overwrite, row.expected_sha)


def _on_condition(row: PendingChange) -> FileChange:
    """As given; where nothing was demanded, that the storage has what it had when we looked."""
    given = _as_given(row)
    if given.expected_sha is not None:
        return given
    if isinstance(given, FileDelete):
        return FileDelete(row.path, row.before)
    return FileWrite(row.path, given.content, given.overwrite and row.before is not None, row.before)


def _refused(lease: Lease, batch: SentBatch, error: StorageError) -> Next:
    """What an error means for the batch. Only a NETWORK_ERROR leaves open whether anything happened, and not even that
    where it came before anything was sent, and nobody else had begun.
    """
    rows = _without_done(lease, batch, batches.rows_of(batch), error)
    if not rows:
        return Next.GO_ON
    reason = reason_of(error)
    if error.code is StorageErrorCode.NETWORK_ERROR:
        never_sent = bool(error.details.get("nothing_sent")) and batch.tries == 1
        batches.pause(lease, batch, rows, reason, None, unknown=not never_sent)
        return Next.STOP
    if error.retryable or error.reason in _OF_THE_STORAGE:
        batches.pause(lease, batch, rows, reason, _reset(error), unknown=False)
        return Next.STOP
    row = rows[0] if len(rows) == 1 else next((row for row in rows if row.path == error.path), None)
    if row is None:
        _halve(lease, batch, rows)
    elif _is_done_already(row, error):
        batches.finish(lease, batch, [row], "")
        _give_back_rest(lease, batch, rows, row)
    else:
        batches.park(lease, batch, row, reason)
        _give_back_rest(lease, batch, rows, row)
    return Next.GO_ON


def _without_done(
    lease: Lease, batch: SentBatch, rows: Sequence[PendingChange], error: StorageError
) -> list[PendingChange]:
    """Where a storage has no whole batches, the error names what was changed all the same."""
    changed = set(error.details.get("paths", []))
    done = [row for row in rows if row.path in changed and row.path != error.path]
    if done:
        batches.finish(lease, batch, done, "")
    return [row for row in rows if row not in done]


def _give_back_rest(lease: Lease, batch: SentBatch, rows: Sequence[PendingChange], out: PendingChange) -> None:
    batches.give_back(lease, batch, [row for row in rows if row is not out], asked=True)


def _halve(lease: Lease, batch: SentBatch, rows: Sequence[PendingChange]) -> None:
    """Refused, and nobody says which: the halves are tried one after the other."""
    batches.give_back(lease, batch, rows[(len(rows) + 1) // 2 :], asked=True)


def _is_done_already(row: PendingChange, error: StorageError) -> bool:
    """The storage has what was wanted: a file that is gone, or this very content, perhaps by an earlier try of ours."""
    if row.action == PendingAction.DELETE:
        return error.is_absence
    actual = error.details.get("actual")
    return error.code is StorageErrorCode.CONFLICT and actual is not None and actual in (row.git, row.sha256)


def reason_of(error: StorageError) -> dict[str, Any]:
    """For whoever asks why: JSON, safe to show."""
    return {"code": str(error.code), "message": error.message, "details": error.details}


def _reset(error: StorageError) -> datetime | None:
    at = error.details.get("reset_at")
    return datetime.fromisoformat(at).astimezone(UTC) if isinstance(at, str) else None


def _run(alias: str, project: str, call: Callable[[StorageProvider], Awaitable[T]]) -> T:
    """In bounded time. What was cut off may have happened, as after a network error."""

    async def work(storages: Storages) -> T:
        try:
            async with asyncio.timeout(LONGEST):
                return await call(storages.for_project(alias, project))
        except TimeoutError as error:
            message = f"The storage did not answer within {LONGEST:g} seconds."
            raise StorageError(StorageErrorCode.NETWORK_ERROR, message) from error

    return file_storages.run(work)


def _asked(alias: str, project: str, look: Callable[[StorageProvider], T]) -> T:
    async def work(provider: StorageProvider) -> T:
        return look(provider)

    return _run(alias, project, work)


_CHANGED_MEANWHILE: Final = {
    "code": str(StorageErrorCode.CONFLICT),
    "message": "Somebody else changed the file while it was being sent, and nobody knows which came first.",
    "details": {"reason": "outcome_unknown"},
}
# What no single change is to blame for: all of them wait until it is over, however long.
_OF_THE_STORAGE: Final = frozenset(
    {
        "bad_credentials",
        "read_only_token",
        "protected_branch",
        "branch_missing",
        "closed",
        "unsupported",
        "unknown_storage",
        "repository_missing",
        "no_bucket",
        "root_missing",
        "not_opened",
        "forked",
        "storage_full",
        "io_error",
        "damaged",
        "lock_timeout",
        "read_only",
        "replica_lag",
    }
)
