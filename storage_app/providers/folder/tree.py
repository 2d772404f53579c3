"""Whole writes and whole batches in a folder, by any number of threads and processes.

A write alone is one rename. Several happen by a journal; a reader that meets it waits for their writer, or finishes
what a dead one left.
"""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage_app import paths
from storage_app.hashes import HashKind
from storage_app.providers import checks
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.folder.browsing import MISSING, Browser
from storage_app.providers.folder.journal import Intent, Journal
from storage_app.providers.folder.locks import LOCK_TIMEOUT, FileLock
from storage_app.providers.folder.places import OWN, Places, sync_folder
from storage_app.providers.folder.temporaries import Temporaries, Temporary
from storage_app.providers.types import FileChange, StorageFile, StorageFileInfo
from storage_app.ulids import new_ulid

_LISTINGS_WITHOUT_LOCK: Final = 3


@dataclass(frozen=True)
class Prepared:
    """A change; for a write with its content, already durable under a temporary name."""

    change: FileChange
    temporary: Temporary | None = None


class Tree:
    def __init__(self, root: Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._places = Places(root)
        self.root = self._places.root
        self._browser = Browser(self._places)
        self._own = self.root / OWN
        self._journal = Journal(self._own)
        self._lock = FileLock(self._own / "lock", lock_timeout)
        self._temporaries = Temporaries(self._own / "tmp")

    def read(self, path: str) -> StorageFile:
        self._finish_pending()
        return self._browser.read(path)

    def info(self, path: str) -> StorageFileInfo:
        self._finish_pending()
        return self._browser.info(path)

    def open(self, path: str) -> tuple[int, StorageFileInfo]:
        """A descriptor, the caller's to close, and what it is of."""
        self._finish_pending()
        fd = self._browser.open(path)
        try:
            return fd, self._browser.info_of(path, fd)
        except BaseException:
            os.close(fd)
            raise

    def listed(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        """No half of a batch, be there many folders to go through."""
        for _ in range(_LISTINGS_WITHOUT_LOCK):
            generation = self._journal.generation()
            self._finish_pending()
            found = self._browser.listed(folder, recursive)
            if self._journal.generation() == generation and not self._journal.is_pending():
                return found
        with self._locked():
            return self._browser.listed(folder, recursive)

    def new_temporary(self) -> Temporary:
        self._make_own_folder()
        return self._temporaries.new(self._locked)

    def commit(self, changes: Sequence[Prepared]) -> list[str]:
        """The paths that changed. All of it happens or nothing, also when this process dies on the way."""
        self._make_own_folder()
        self._warm(changes)
        with self._locked():
            real = [prepared for prepared in changes if self._settle(prepared)]
            checks.refuse_what_is_in_the_way(
                [prepared.change for prepared in real], self._browser.is_file, self._in_folder
            )
            if len(real) == 1:
                self._carry_out(_intent(self._own, real))
            elif real:
                self._carry_out_by_journal(real)
        return [prepared.change.path for prepared in real]

    def close(self) -> None:
        """What an unfinished batch needs stays where it is."""
        self._temporaries.close(keep=self._journal.is_pending())

    def _make_own_folder(self) -> None:
        """Only a writer makes it: a folder that is only read stays as it is."""
        try:
            self._own.mkdir()
        except FileExistsError:
            if self._own.is_symlink() or not self._own.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{OWN} in the root is not a folder") from None
        else:
            sync_folder(self.root)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """The lock, with nothing left half done by whoever had it before."""
        with self._lock.held():
            intent = self._journal.pending()
            if intent:
                self._finish(intent)
            yield

    def _finish_pending(self) -> None:
        if self._journal.is_pending():
            with self._locked():
                pass

    def _warm(self, changes: Iterable[Prepared]) -> None:
        """What must be hashed to decide is hashed before the lock is taken, so that others need not wait for it."""
        for prepared in changes:
            # Whatever is wrong with the file is said under the lock, where it counts.
            with contextlib.suppress(OSError, StorageError):
                self._settle(prepared)

    def _settle(self, prepared: Prepared) -> bool:
        change, temporary = prepared.change, prepared.temporary
        try:
            fd = self._places.open_file(change.path)
        except (*MISSING, IsADirectoryError):
            return checks.settle(change, "", HashKind.SHA256, None)
        try:
            return checks.settle(
                change,
                temporary.sha if temporary else "",
                HashKind.SHA256,
                lambda kind: self._browser.hash(fd, kind),
                other_size=temporary is not None and temporary.size != os.fstat(fd).st_size,
            )
        finally:
            os.close(fd)

    def _in_folder(self, folder: str) -> list[str]:
        """Whatever is no folder, readable for us or not: it would be lost with the folder."""
        top = self.root / folder
        if top.is_symlink() or not top.is_dir():
            return []
        return [
            (Path(inner) / name).relative_to(self.root).as_posix()
            for inner, folders, names in os.walk(top)
            for name in (*names, *(name for name in folders if (Path(inner) / name).is_symlink()))
        ]

    def _carry_out_by_journal(self, changes: Sequence[Prepared]) -> None:
        """What can fail for want of room or rights is done before the batch is certain."""
        intent = _intent(self._own, changes)
        self._temporaries.sync()
        try:
            self._make_folders(intent)
            self._journal.begin(intent)
        except BaseException:
            for _, path in intent.writes:
                self._remove_empty_parents(path)
            raise
        for prepared in changes:
            if prepared.temporary:
                prepared.temporary.hand_over()
        self._finish(intent)

    def _make_folders(self, intent: Intent) -> None:
        deleted = set(intent.deletes)
        for _, path in intent.writes:
            if deleted.isdisjoint(paths.parents(path)):  # else a file is there, until the batch deletes it
                with self._places.folder(_folder_of(path), create=True):
                    pass

    def _finish(self, intent: Intent) -> None:
        try:
            self._carry_out(intent)
            self._journal.end()
        except OSError as error:
            message = "The batch is recorded, and is finished as soon as the folder lets us."
            details = {"reason": "unfinished", "paths": [*intent.deletes, *(path for _, path in intent.writes)]}
            raise StorageError(StorageErrorCode.INTERNAL_ERROR, message, None, details, retryable=True) from error

    def _carry_out(self, intent: Intent) -> None:
        """Deletes first, as a file may make way for a folder. What was done before a crash is made durable only."""
        for path in intent.deletes:
            self._delete(path)
        for temporary, path in intent.writes:
            if (self._own / temporary).exists():
                self._put(self._own / temporary, path)
            else:
                self._sync_parent(path)

    def _put(self, temporary: Path, path: str) -> None:
        try:
            with self._places.folder(_folder_of(path), create=True) as folder:
                name = folder.entry(_name_of(path))
                try:
                    os.replace(temporary, name, dst_dir_fd=folder.fd)
                except OSError:
                    if not self._remove_empty_folder(path):
                        raise
                    os.replace(temporary, name, dst_dir_fd=folder.fd)
                self._places.sync(folder)
        except BaseException:
            self._remove_empty_parents(path)
            raise

    def _delete(self, path: str) -> None:
        try:
            with self._places.folder(_folder_of(path)) as folder:
                os.unlink(folder.entry(_name_of(path)), dir_fd=folder.fd)
                self._places.sync(folder)
        except MISSING:
            self._sync_parent(path)
        except OSError:
            if not (self.root / path).is_dir():  # a folder by now: the same batch has put something into it
                raise
            return
        self._remove_empty_parents(path)

    def _sync_parent(self, path: str) -> None:
        with contextlib.suppress(*MISSING), self._places.folder(_folder_of(path)) as folder:
            self._places.sync(folder)

    def _remove_empty_folder(self, path: str) -> bool:
        """Empty ones are not there for callers, so they must not be in the way either."""
        top = self.root / path
        if top.is_symlink() or not top.is_dir():
            return False
        for inner, _, _ in os.walk(top, topdown=False):
            Path(inner).rmdir()
        return True

    def _remove_empty_parents(self, path: str) -> None:
        for folder in reversed(paths.parents(path)):
            try:
                with self._places.folder(_folder_of(folder)) as outer:
                    os.rmdir(outer.entry(_name_of(folder)), dir_fd=outer.fd)
            except OSError:  # it is not empty, or not ours to remove
                return


def _intent(own: Path, changes: Iterable[Prepared]) -> Intent:
    """Temporaries are named relative to the storage's own folder: the root may be elsewhere when it is read again."""
    writes, deletes = [], []
    for prepared in changes:
        if prepared.temporary:
            writes.append((prepared.temporary.path.relative_to(own).as_posix(), prepared.change.path))
        else:
            deletes.append(prepared.change.path)
    return Intent(new_ulid(), writes, deletes)


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _name_of(path: str) -> str:
    return path.rpartition("/")[2]
