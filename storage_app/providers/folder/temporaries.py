"""Files in the making. Each process has a folder for them that it keeps locked while it lives, so what a dead one left
is known for certain and goes.
"""

import contextlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from storage_app.hashes import Hasher, HashKind
from storage_app.providers.folder.locks import try_lock
from storage_app.providers.folder.places import sync_folder
from storage_app.ulids import new_ulid

_LOCK: Final = "lock"


class Temporary:
    """Content on its way: written piece by piece, then durable, then renamed into place or discarded.

    A thread may still be writing when the one who waited for it gave up, hence the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.sha = ""
        self._handed_over = False
        self._lock = threading.Lock()
        self._hasher = Hasher(HashKind.SHA256)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._file = os.fdopen(os.open(path, flags, 0o666), "wb", buffering=0)

    def write(self, piece: bytes) -> None:
        with self._lock:
            left = memoryview(piece)
            while left:
                left = left[self._file.write(left) :]
            self._hasher.update(piece)
            self.size += len(piece)

    def finish(self) -> None:
        """Durable from here on, under its temporary name."""
        with self._lock:
            os.fsync(self._file.fileno())
            self._file.close()
            self.sha = self._hasher.result()

    def hand_over(self) -> None:
        """The journal has it: not ours to discard any more."""
        self._handed_over = True

    def discard(self) -> None:
        """Harmless after the rename, and more than once."""
        with self._lock:
            self._file.close()
            if not self._handed_over:
                self.path.unlink(missing_ok=True)


class Temporaries:
    """This process's folder of temporary files below `top`, made when first needed."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._making = threading.Lock()
        self._folder: Path | None = None
        self._lock_fd = -1
        self._process = 0

    def new(self, under_lock: Callable[[], contextlib.AbstractContextManager[None]]) -> Temporary:
        """`under_lock` holds the storage's lock, for the moment in which a folder is there and not locked yet."""
        with self._making:
            # A child of a fork has a folder of its own, or it would remove its parent's when it ends.
            if self._folder is None or self._process != os.getpid():
                with under_lock():
                    self._open()
            assert self._folder is not None
            return Temporary(self._folder / new_ulid())

    def sync(self) -> None:
        """Makes the names of what is finished durable."""
        if self._folder:
            sync_folder(self._folder)

    def close(self, *, keep: bool) -> None:
        """With `keep` the files stay, for whoever finishes the batch that they belong to, and cleans up then."""
        with self._making:
            if self._folder is not None and self._process == os.getpid():
                if not keep:
                    shutil.rmtree(self._folder, ignore_errors=True)  # what is left, the next process removes
                os.close(self._lock_fd)
            self._folder = None

    def _open(self) -> None:
        self._top.mkdir(exist_ok=True)
        self._remove_leftovers()
        folder = self._top / new_ulid()
        folder.mkdir()
        lock = try_lock(folder / _LOCK)
        assert lock is not None, "nobody else knows this folder yet"
        self._folder, self._lock_fd, self._process = folder, lock, os.getpid()

    def _remove_leftovers(self) -> None:
        for folder in list(self._top.iterdir()):
            lock = try_lock(folder / _LOCK) if folder.is_dir() else None
            if lock is not None:
                os.close(lock)
                shutil.rmtree(folder, ignore_errors=True)
