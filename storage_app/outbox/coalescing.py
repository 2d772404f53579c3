"""What two changes of one path come to: the content of the later one, under the conditions of the first.

The later one was held against what the first one leaves, so only the first one's conditions are still to be held
against the storage.
"""

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from storage_app import hashes
from storage_app.hashes import HashKind
from storage_app.providers import errors
from storage_app.providers.types import FileChange, FileWrite


@dataclass(frozen=True)
class Write:
    path: str
    content: bytes = field(repr=False)
    sha256: str
    git: str
    overwrite: bool = True
    expected_sha: str | None = None

    @classmethod
    def of(cls, change: FileWrite) -> "Write":
        content = change.content
        made = (hashes.sha256_hash(content), hashes.git_hash(content))
        return cls(change.path, content, *made, change.overwrite, change.expected_sha)

    def sha(self, kind: HashKind) -> str:
        return self.git if kind is HashKind.GIT else self.sha256


@dataclass(frozen=True)
class Delete:
    """`may_be_missing`: what was pending was to be written over whatever is there, perhaps nothing."""

    path: str
    expected_sha: str | None = None
    may_be_missing: bool = False


Change: TypeAlias = Write | Delete


def change_of(change: FileChange) -> Change:
    return Write.of(change) if isinstance(change, FileWrite) else Delete(change.path, change.expected_sha)


def check(newer: Change, pending: Change) -> None:
    """Raises what a storage that is as `pending` leaves it would answer to the newer change."""
    if isinstance(newer, Write) and not newer.overwrite and isinstance(pending, Write):
        raise errors.already_exists(newer.path)
    if isinstance(pending, Delete):
        if newer.expected_sha is not None:
            raise errors.conflict(newer.path, newer.expected_sha, None)
        if isinstance(newer, Delete):
            raise errors.not_found(newer.path)
        return
    if newer.expected_sha is not None and newer.expected_sha not in (pending.sha256, pending.git):
        raise errors.conflict(newer.path, newer.expected_sha, _alike(newer.expected_sha, pending))


def together(older: Change, newer: Change) -> Change | None:
    """One change that leaves what both do, one after the other; None where that is nothing at all."""
    if isinstance(newer, Delete):
        if isinstance(older, Write) and not older.overwrite:
            return None  # made by us and unmade by us: the storage never has to hear of it
        missing = older.expected_sha is None
        return Delete(newer.path, older.expected_sha, may_be_missing=missing)
    overwrite = older.overwrite if isinstance(older, Write) else True
    return replace(newer, overwrite=overwrite, expected_sha=older.expected_sha)


def _alike(expected: str, pending: Write) -> str:
    return pending.sha(hashes.kind_of(expected) or HashKind.SHA256)
