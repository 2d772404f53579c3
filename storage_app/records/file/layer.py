"""The system calls that the file store makes, behind one small class, so that tests can stop, fail or forget any.

`step` is called before each call that changes something. A missing file is None or False here, never an exception;
every other failure is the operating system's own error.
"""

import contextlib
import ctypes
import os
import platform
import sqlite3
import sys
from pathlib import Path
from typing import Any, Final


class FileLayer:
    def step(self, call: str, path: str) -> None:
        """Nothing here; what tests put in its place may raise, or end the process."""

    # Whole files

    def read(self, path: str) -> bytes | None:
        try:
            fd = os.open(path, _READ)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            parts = [os.read(fd, _AT_ONCE)]
            while len(parts[-1]) == _AT_ONCE:
                parts.append(os.read(fd, _AT_ONCE))
            return b"".join(parts)
        finally:
            os.close(fd)

    def create(self, path: str, data: bytes) -> None:
        """A file with exactly this in it, not yet durable."""
        self.step("open", path)
        fd = os.open(path, _CREATE, 0o666)
        try:
            self.write(fd, data, 0, path)
            if os.fstat(fd).st_size > len(data):
                self.step("truncate", path)
                os.ftruncate(fd, len(data))
        finally:
            os.close(fd)

    def extend(self, path: str, size: int, data: bytes) -> None:
        """The first `size` bytes stay, `data` follows, and nothing after it."""
        self.step("open", path)
        fd = os.open(path, _OPEN, 0o666)
        try:
            if os.fstat(fd).st_size > size:
                self.step("truncate", path)
                os.ftruncate(fd, size)
            self.write(fd, data, size, path)
        finally:
            os.close(fd)

    def rename(self, old: str, new: str) -> None:
        self.step("rename", new)
        os.replace(old, new)  # noqa: PTH105

    def remove(self, path: str) -> bool:
        self.step("unlink", path)
        try:
            os.unlink(path)  # noqa: PTH108
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def size(self, path: str) -> int | None:
        try:
            return os.stat(path).st_size  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return None

    # Folders

    def make_folder(self, path: str) -> None:
        """With all above it; what is there already is left alone."""
        if os.path.isdir(path):  # noqa: PTH112
            return
        above = os.path.dirname(path)  # noqa: PTH120
        if above != path:
            self.make_folder(above)
        self.step("mkdir", path)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)  # noqa: PTH102

    def remove_folder(self, path: str) -> bool:
        """False where it is missing or holds something."""
        self.step("rmdir", path)
        try:
            os.rmdir(path)  # noqa: PTH106
        except OSError as error:
            if isinstance(error, (FileNotFoundError, NotADirectoryError)) or error.errno in _NOT_EMPTY:
                return False
            raise
        return True

    def entries(self, path: str) -> list[os.DirEntry[str]]:
        """What is in a folder, by name; nothing in a missing one."""
        try:
            with os.scandir(path) as found:
                return sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []

    # Open files, for the journal

    def open(self, path: str) -> int:
        self.step("open", path)
        return os.open(path, _OPEN, 0o666)

    def close(self, fd: int) -> None:
        os.close(fd)

    def read_at(self, fd: int, size: int, place: int) -> bytes:
        if _HAS_PWRITE:
            return os.pread(fd, size, place)
        os.lseek(fd, place, os.SEEK_SET)
        return os.read(fd, size)

    def write(self, fd: int, data: bytes, place: int, path: str) -> None:
        self.step("write", path)
        if not _HAS_PWRITE:
            os.lseek(fd, place, os.SEEK_SET)
        done = os.pwrite(fd, data, place) if _HAS_PWRITE else os.write(fd, data)
        while done < len(data):
            rest = data[done:]
            done += os.pwrite(fd, rest, place + done) if _HAS_PWRITE else os.write(fd, rest)

    def begin_sync(self, fd: int, place: int, size: int) -> None:
        """The disk may begin to write this part, while the caller does something else before it asks for `sync`.

        Only a part within few pages: a whole page among them would be waited for, to be dropped from memory.
        """
        if _WRITE_OUT is not None and size < _PAGE_BYTES:
            with contextlib.suppress(OSError):  # advice that is refused changes nothing
                os.posix_fadvise(fd, place, size, _WRITE_OUT)

    def sync(self, fd: int, path: str) -> None:
        """The contents are durable; whether its name is, `sync_folder` decides."""
        self.step("fsync", path)
        if _FULL_SYNC is not None:
            import fcntl

            fcntl.fcntl(fd, _FULL_SYNC)
        elif hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            os.fsync(fd)

    def sync_file(self, path: str) -> None:
        try:
            fd = os.open(path, os.O_RDWR | _BINARY)
        except FileNotFoundError:
            return
        try:
            self.sync(fd, path)
        finally:
            os.close(fd)

    def sync_folder(self, path: str) -> None:
        """The names in it are durable. Windows keeps them by itself and cannot open a folder."""
        if _NAMES_ARE_KEPT:
            return
        try:
            fd = os.open(path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            self.step("fsync", path)
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_everything(self, path: str) -> bool:
        """The whole file system that holds this folder, if the system can do so at once and says whether it worked."""
        if _SYNCFS is None:
            return False
        fd = os.open(path, os.O_RDONLY)
        try:
            self.step("syncfs", path)
            if _SYNCFS(fd) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
        finally:
            os.close(fd)
        return True

    # What is neither file nor folder

    def commit(self, connection: sqlite3.Connection, path: str) -> None:
        self.step("commit", path)
        connection.execute("COMMIT")

    def boot_id(self) -> str:
        """Differs after a restart of the machine, when what was not synced may be gone. Empty: cannot be told."""
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return ""


_BINARY: Final[int] = getattr(os, "O_BINARY", 0)
_READ: Final = os.O_RDONLY | _BINARY | getattr(os, "O_CLOEXEC", 0)
_AT_ONCE: Final = 64 * 1024  # most files are read by one call, which costs half of what a file object does
_OPEN: Final = os.O_RDWR | os.O_CREAT | _BINARY | getattr(os, "O_CLOEXEC", 0)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | _BINARY | getattr(os, "O_CLOEXEC", 0)
_HAS_PWRITE: Final = hasattr(os, "pwrite")
_NOT_EMPTY: Final = (39, 66, 41, 13) if sys.platform == "win32" else (39, 66, 17)  # ENOTEMPTY and what stands for it


_PAGE_BYTES: Final = 4096
# Linux writes dirty pages out before it drops clean ones; elsewhere the advice means other things.
_WRITE_OUT: Final[int | None] = getattr(os, "POSIX_FADV_DONTNEED", None) if sys.platform == "linux" else None
_NAMES_ARE_KEPT: Final = platform.system() == "Windows"


def _full_sync() -> int | None:
    """On macOS fsync leaves the data in the drive's cache."""
    if platform.system() != "Darwin":
        return None
    import fcntl

    return getattr(fcntl, "F_FULLFSYNC", None)


def _syncfs() -> Any:
    """From Linux 5.8 on syncfs reports write errors; before that it may say yes to data that is lost."""
    system, release = platform.system(), platform.release().split(".")
    if system != "Linux" or tuple(int(part) for part in release[:2] if part.isdigit()) < (5, 8):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


_FULL_SYNC: Final = _full_sync()
_SYNCFS: Final = _syncfs()
