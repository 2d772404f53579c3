"""One lock a project: between the threads of a process, and between processes by a lock on a file.

The operating system gives a dead holder's lock back. Nothing waits in the kernel, since such a wait has no end: tries
are a fraction of a millisecond apart, about as long as a write holds the lock.

Whoever lets go and comes again at once would always be quicker than those who look now and then. So there are two
files to lock: the turn, which one waiter holds while it waits for the lock itself. Who was there last finds the turn
taken, and the waiter gets the lock.
"""

import os
import sys
import threading
import time
from typing import Final

from storage_app.records.errors import LockTimeoutError
from storage_app.records.file.layer import FileLayer

_FIRST_PAUSE: Final = 0.00005
_LONGEST_PAUSE: Final = 0.001


class ProjectLock:
    def __init__(self, layer: FileLayer, path: str) -> None:
        self._layer = layer
        self._path = path
        self._threads = threading.Lock()
        self._fd = self._turn = -1
        self._identity: tuple[int, int] | None = None

    def acquire(self, timeout: float) -> bool:
        """Whether the lock's file is another than at the last time, so that nothing that was known holds any more."""
        deadline = time.monotonic() + timeout
        if not self._threads.acquire(timeout=timeout):
            raise _too_late(timeout)
        try:
            fresh = False
            while True:
                fresh |= self._opened()
                self._wait(self._turn, deadline, timeout)
                try:
                    self._wait(self._fd, deadline, timeout)
                finally:
                    _unlock(self._turn)
                if self._is_current():
                    return fresh
                self.close()
        except BaseException:
            self._threads.release()
            raise

    def release(self) -> None:
        try:
            _unlock(self._fd)
        finally:
            self._threads.release()

    def close(self) -> None:
        if self._fd >= 0:
            self._layer.close(self._fd)
            self._layer.close(self._turn)
            self._fd = self._turn = -1

    def _opened(self) -> bool:
        if self._fd >= 0:
            return False
        self._layer.make_folder(os.path.dirname(self._path))  # noqa: PTH120
        self._turn = self._layer.open(f"{self._path}.turn")
        self._fd = self._layer.open(self._path)
        found = os.fstat(self._fd)
        identity = (found.st_dev, found.st_ino)
        fresh, self._identity = identity != self._identity, identity
        return fresh

    def _is_current(self) -> bool:
        """Whoever deleted the folder deleted the lock in it, and others now meet at a new one."""
        try:
            found = os.stat(self._path)  # noqa: PTH116
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def _wait(self, fd: int, deadline: float, timeout: float) -> None:
        pause = _FIRST_PAUSE
        while not _try_to_lock(fd):
            if time.monotonic() > deadline:
                raise _too_late(timeout)
            time.sleep(pause)
            pause = min(pause * 1.2, _LONGEST_PAUSE)


def _too_late(timeout: float) -> LockTimeoutError:
    return LockTimeoutError(f"the project was locked by others for {timeout} seconds")


if sys.platform == "win32":
    import msvcrt

    def _try_to_lock(fd: int) -> bool:
        os.lseek(fd, 0, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_to_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)
