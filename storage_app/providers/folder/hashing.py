"""Hashes of files, kept as long as the file is certainly the same."""

import os
import threading
import time
from collections import OrderedDict
from typing import Final, NamedTuple

from storage_app.hashes import Hasher, HashKind
from storage_app.providers.streams import PIECE

MOST_KEPT: Final = 50_000
# A file system tells times in steps; within one, a second change of equal size would not show. A hash taken that close
# to the last change is true now and may not be later, so it is not kept.
SETTLED_AFTER_NS: Final = 2_000_000_000


class Stamp(NamedTuple):
    """What changes whenever the content does, seen from a later step of the clock."""

    device: int
    inode: int
    modified: int
    changed: int
    size: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        return cls(found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


class HashCache:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Stamp, HashKind], str] = OrderedDict()

    def known(self, found: os.stat_result, kind: HashKind) -> str | None:
        key = (Stamp.of(found), kind)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def of_file(self, fd: int, kind: HashKind) -> str:
        """The content is read where it must be; the position of the descriptor moves."""
        while True:
            began, before = time.time_ns(), os.fstat(fd)
            known = self.known(before, kind)
            if known:
                return known
            result = _hash(fd, kind, before.st_size)
            stamp = Stamp.of(before)
            if stamp == Stamp.of(os.fstat(fd)):
                self._keep(stamp, kind, result, began)
                return result

    def _keep(self, stamp: Stamp, kind: HashKind, result: str, began: int) -> None:
        if began - max(stamp.modified, stamp.changed) < SETTLED_AFTER_NS:
            return
        with self._lock:
            self._kept[stamp, kind] = result
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)


def _hash(fd: int, kind: HashKind, size: int) -> str:
    hasher = Hasher(kind, size)
    os.lseek(fd, 0, os.SEEK_SET)
    while piece := os.read(fd, PIECE):
        hasher.update(piece)
    return hasher.result()
