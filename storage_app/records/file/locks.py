"""One lock a project: between the threads of a process, and between processes by a lock on a file.

The operating system gives a dead holder's lock back, and wakes who waits for it. Such a wait has no end, so a thread of
its own does it, and the caller waits for that thread only as long as he may. One that is given up keeps its own hold of
the file, and lets go of the lock by closing it, should it ever come.

Whoever lets go and comes again at once would always be quicker than those who are being woken. So there are two files
to lock: the turn, which one waiter holds while it waits for the lock itself. Who was there last finds the turn taken,
and the waiter gets the lock.
"""

import contextlib
import os
import sys
import threading
import time
from typing import Final

from storage_app.records.errors import LockTimeoutError
from storage_app.records.file.layer import FileLayer


class ProjectLock:
    def __init__(self, layer: FileLayer, path: str) -> None:
        self._layer = layer
        self._path = path
        self._threads = threading.Lock()
        self._fd = self._turn = -1
        self._identity: tuple[int, int] | None = None
        self._waiter: _Waiter | None = None

    def acquire(self, timeout: float) -> bool:
        """Whether the lock's file is another than at the last time, so that nothing that was known holds any more."""
        deadline = time.monotonic() + timeout
        if not self._threads.acquire(timeout=timeout):
            raise _too_late(timeout)
        try:
            fresh = False
            while True:
                fresh |= self._opened()
                self._wait(deadline, timeout)
                if self._is_current():
                    return fresh
                self.close()
        except BaseException:
            self.close()  # the waiter may be given the lock at any time, and must not be given it in our name
            self._threads.release()
            raise

    def release(self) -> None:
        try:
            if self._fd >= 0:  # else it was closed meanwhile, which let go of it
                _unlock(self._fd)
        finally:
            self._threads.release()

    def close(self) -> None:
        if self._waiter is not None:
            self._waiter.give_up()
            self._waiter = None
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

    def _wait(self, deadline: float, timeout: float) -> None:
        if not self._had_at_once() and not self._had_in(deadline - time.monotonic()):
            raise _too_late(timeout)

    def _had_at_once(self) -> bool:
        if not _try_to_lock(self._turn):
            return False
        try:
            return _try_to_lock(self._fd)
        finally:
            _unlock(self._turn)

    def _had_in(self, seconds: float) -> bool:
        if seconds <= 0:
            return False
        if not _KERNEL_WAITS:
            return _tried_for(seconds, self._turn, self._fd)
        if self._waiter is None:
            self._waiter = _Waiter(self._turn, self._fd)
        return self._waiter.wait(seconds)


class _Waiter:
    """A thread that waits in the kernel, for one caller at a time: for the turn, and then for the lock."""

    def __init__(self, turn: int, fd: int) -> None:
        # A copy of each, so that closing ours leaves nothing to be mistaken for another file.
        self._turn, self._fd = os.dup(turn), os.dup(fd)
        # Plain locks, since the project's lock lies idle while its next holder is being woken.
        self._asked, self._had = threading.Lock(), threading.Lock()
        self._asked.acquire()
        self._had.acquire()
        self._error: OSError | None = None
        self._given_up = False
        threading.Thread(target=self._run, name="record lock", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        self._asked.release()
        if not self._had.acquire(timeout=seconds):
            return False
        if self._error is not None:
            raise self._error
        return True

    def give_up(self) -> None:
        self._given_up = True
        with contextlib.suppress(RuntimeError):  # it was asked for something, and did not come to it yet
            self._asked.release()

    def _run(self) -> None:
        self._asked.acquire()
        while not self._given_up:
            try:
                _lock(self._turn)
                _lock(self._fd)
                _unlock(self._turn)
            except OSError as error:
                self._error = error
            self._had.release()
            self._asked.acquire()  # at once where it was given up meanwhile
        os.close(self._turn)
        os.close(self._fd)


def _too_late(timeout: float) -> LockTimeoutError:
    return LockTimeoutError(f"the project was locked by others for {timeout} seconds")


def _tried_for(seconds: float, turn: int, fd: int) -> bool:
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    has_turn = False
    while not ((has_turn := has_turn or _try_to_lock(turn)) and _try_to_lock(fd)):
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.2, _LONGEST_PAUSE)
    _unlock(turn)
    return True


_FIRST_PAUSE: Final = 0.00005
_LONGEST_PAUSE: Final = 0.001
_KERNEL_WAITS: bool

if sys.platform == "win32":
    import msvcrt

    _KERNEL_WAITS = False  # its own wait tries once a second

    def _try_to_lock(fd: int) -> bool:
        os.lseek(fd, 0, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _lock(fd: int) -> None:
        raise NotImplementedError

    def _unlock(fd: int) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    _KERNEL_WAITS = True

    def _try_to_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX)

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)
