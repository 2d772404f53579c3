"""From a path to a place in the file system, without ever leaving the root.

Where the platform can, every part is opened relative to the folder before it and no link is followed by the kernel, so
nobody can swap a folder for a link between a check and its use. A link is followed by us, once its end is known to
lie inside the root; one that leads out, or into what is ours, is refused.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from storage_app import paths

MOST_LINKS: Final = 16
OWN: Final = ".holdfast"

_BY_DESCRIPTOR: Final = (
    {os.open, os.stat, os.mkdir, os.unlink, os.rmdir, os.rename, os.readlink} <= os.supports_dir_fd
    and os.scandir in os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
# Not to wait at a pipe that somebody put there; regular files do not care.
_FILE: Final = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)


class LinkOutsideError(OSError):
    """A symbolic link leads out of the root."""

    def __init__(self) -> None:
        super().__init__(errno.ELOOP, "a link on the way leads out of the storage")


class Place(NamedTuple):
    """What functions of `os` take: a name, and the descriptor of the folder it is in (None: the name is a whole
    path).
    """

    name: str
    fd: int | None

    def entry(self, name: str) -> str:
        """What is in this folder, relative to the same descriptor."""
        return name if self.fd is not None else f"{self.name}{os.sep}{name}"


class Places:
    def __init__(self, root: Path, *, by_descriptor: bool = _BY_DESCRIPTOR) -> None:
        self.root = Path(os.path.realpath(root))
        self._by_descriptor = by_descriptor

    @contextlib.contextmanager
    def parent(self, path: str, *, create: bool = False) -> Iterator[Place]:
        """Where the last part of the path is to be found; FileNotFoundError, NotADirectoryError, LinkOutsideError."""
        folder, _, name = path.rpartition("/")
        with self.folder(folder, create=create) as place:
            yield Place(place.entry(name), place.fd)

    @contextlib.contextmanager
    def folder(self, path: str, *, create: bool = False) -> Iterator[Place]:
        if not self._by_descriptor:
            yield Place(self._whole(path, create), None)
            return
        fd = self._opened(path.split("/") if path else [], create)
        try:
            yield Place(".", fd)
        finally:
            os.close(fd)

    def stat(self, path: str) -> os.stat_result:
        """Of what the path leads to; FileNotFoundError, NotADirectoryError, LinkOutsideError."""
        for _ in range(MOST_LINKS):
            with self.parent(path) as place:
                found = os.stat(place.name, dir_fd=place.fd, follow_symlinks=False)
            if not stat.S_ISLNK(found.st_mode):
                return found
            path = self._end_of_link(path)
        raise LinkOutsideError

    def open_file(self, path: str) -> int:
        """A descriptor of the regular file; the errors of `stat`, and IsADirectoryError for anything else."""
        for _ in range(MOST_LINKS):
            with self.parent(path) as place:
                if not self._by_descriptor and Path(place.name).is_symlink():
                    path = self._end_of_link(path)
                    continue
                try:
                    fd = os.open(place.name, _FILE | _BINARY, dir_fd=place.fd)
                except OSError as error:
                    # A socket, or a pipe without a reader.
                    if error.errno in (errno.ENXIO, errno.EOPNOTSUPP):
                        raise IsADirectoryError(errno.EISDIR, "not a regular file") from error
                    if error.errno not in (errno.ELOOP, errno.EMLINK, errno.EFTYPE if hasattr(errno, "EFTYPE") else 0):
                        raise
                    path = self._end_of_link(path)
                    continue
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return fd
            os.close(fd)
            raise IsADirectoryError(errno.EISDIR, "not a regular file")
        raise LinkOutsideError

    def sync(self, place: Place) -> None:
        """Makes the entries of a folder durable."""
        if place.fd is not None:
            os.fsync(place.fd)
        else:
            sync_folder(Path(place.name))

    def _opened(self, parts: list[str], create: bool, links: int = 0) -> int:
        fd = os.open(self.root, _FOLDER)
        try:
            for position, part in enumerate(parts):
                try:
                    inner = _open_folder(part, fd, create)
                except OSError as error:
                    if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK) or not _is_link(part, fd):
                        raise
                    if links == MOST_LINKS:
                        raise LinkOutsideError from None
                    target = self._end_of_link("/".join(parts[: position + 1]))
                    rest = parts[position + 1 :]
                    return self._opened([*(target.split("/") if target else []), *rest], create, links + 1)
                os.close(fd)
                fd = inner
            fd, opened = -1, fd
            return opened
        finally:
            if fd >= 0:
                os.close(fd)

    def _end_of_link(self, path: str) -> str:
        """The path in the root that the link leads to."""
        real = os.path.realpath(self.root / path)
        if real == str(self.root):
            return ""
        try:
            end = Path(real).relative_to(self.root).as_posix()
        except ValueError:
            raise LinkOutsideError from None
        if not paths.is_valid(end):
            raise LinkOutsideError
        return end

    def _whole(self, path: str, create: bool) -> str:
        """Without descriptors: the real path, looked at just before it is used."""
        end = self._end_of_link(path) if path else ""
        whole = self.root / end if end else self.root
        if create:
            whole.mkdir(parents=True, exist_ok=True)
        if not whole.is_dir():
            raise (
                NotADirectoryError(errno.ENOTDIR, "not a folder")
                if whole.exists()
                else FileNotFoundError(errno.ENOENT, "no such folder")
            )
        return str(whole)


def sync_folder(folder: Path) -> None:
    """Windows has no descriptor of a folder; there a rename is in the journal of the file system when it returns."""
    try:
        fd = os.open(folder, _FOLDER)
    except PermissionError:
        if os.name == "nt":
            return
        raise
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open_folder(name: str, fd: int, create: bool) -> int:
    try:
        return os.open(name, _FOLDER | _NO_LINK, dir_fd=fd)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=fd)
    os.fsync(fd)
    return os.open(name, _FOLDER | _NO_LINK, dir_fd=fd)


def _is_link(name: str, fd: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
