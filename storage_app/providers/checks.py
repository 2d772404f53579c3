"""Whether a change may be, and whether it changes anything: one decision for every provider.

The provider calls these inside whatever makes its check and its write one step.
"""

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from storage_app import hashes, paths
from storage_app.hashes import HashKind
from storage_app.providers import errors
from storage_app.providers.types import FileChange, FileDelete, FileWrite

HashOf: TypeAlias = Callable[[HashKind], str]  # of the content that is there now


def settle(
    change: FileChange, content_hash: str, native: HashKind, actual: HashOf | None, *, other_size: bool = False
) -> bool:
    """Whether anything is to do; raises where the change may not be.

    `content_hash` is of the content to be written, in the provider's own kind (for a delete: ""). `actual` hashes what
    is there now; None: there is no file. `other_size`: known to differ, so that nothing needs to be hashed for that.
    """
    if isinstance(change, FileDelete):
        return _settle_delete(change, native, actual)
    if actual is None:
        if change.expected_sha is not None:
            raise errors.conflict(change.path, change.expected_sha, None)
        return True
    if not change.overwrite:
        raise errors.already_exists(change.path)
    _check_expected(change, native, actual)
    return other_size or actual(native) != content_hash


def refuse_what_is_in_the_way(
    changes: Sequence[FileChange], is_file: Callable[[str], bool], files_below: Callable[[str], Collection[str]]
) -> None:
    """A name is a file or a folder, never both, in the state that the batch leaves.

    `is_file` and `files_below` (a folder's files, all of them or enough to tell) look at the state before.
    """
    deleted = {change.path for change in changes if isinstance(change, FileDelete)}
    written = {change.path for change in changes if isinstance(change, FileWrite)}
    for change in changes:
        if not isinstance(change, FileWrite):
            continue
        for folder in paths.parents(change.path):
            if folder in written or (folder not in deleted and is_file(folder)):
                raise errors.in_the_way(change.path, folder)
        if any(path not in deleted for path in files_below(change.path)):
            raise errors.in_the_way(change.path, change.path)


def _settle_delete(change: FileDelete, native: HashKind, actual: HashOf | None) -> bool:
    if actual is None:
        if change.expected_sha is not None:
            raise errors.conflict(change.path, change.expected_sha, None)
        raise errors.not_found(change.path)
    _check_expected(change, native, actual)
    return True


def _check_expected(change: FileChange, native: HashKind, actual: HashOf) -> None:
    expected = change.expected_sha
    if expected is None:
        return
    kind = hashes.kind_of(expected)
    if kind is None or actual(kind) != expected:
        raise errors.conflict(change.path, expected, actual(native))
