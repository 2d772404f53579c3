"""A lock on a file that lasts as long as its holder lives: the system gives it back when the process dies."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LOCK_TIMEOUT: Final = 5.0
_SHORTEST_PAUSE: Final = 0.0005
_LONGEST_PAUSE: Final = 0.02

if sys.platform == "win32":
    import msvcrt

    def _try(fd: int) -> bool:
        os.lseek(fd, 0, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class LockTimeoutError(Exception):
    """Others held the lock for too long."""


class FileLock:
    """One holder in all processes; of the threads of this one, who waits does so without asking the system."""

    def __init__(self, path: Path, timeout: float = LOCK_TIMEOUT) -> None:
        self._path = path
        self._timeout = timeout
        self._threads = threading.Lock()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        deadline = time.monotonic() + self._timeout
        if not self._threads.acquire(timeout=self._timeout):
            raise LockTimeoutError
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
            try:
                _wait(fd, deadline)
                yield
            finally:
                os.close(fd)
        finally:
            self._threads.release()


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock until it is closed, or None where another has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    if _try(fd):
        return fd
    os.close(fd)
    return None


def _wait(fd: int, deadline: float) -> None:
    pause = _SHORTEST_PAUSE
    while not _try(fd):
        if time.monotonic() > deadline:
            raise LockTimeoutError
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
