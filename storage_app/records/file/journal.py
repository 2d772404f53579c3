"""The journal: what was acknowledged and is not yet durable in files.

A few segments of fixed size, used in turn. Their blocks are written with zeros when a segment is made, so that a
frame costs one write and one flush and no change of the file's own blocks. A segment begins with a header (epoch,
last number before it, a random seed); then come frames. Each frame's checksum goes on from the one before it, so that
a frame is only ever read in the place it was written for: what an earlier round left behind does not fit.
"""

import secrets
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from storage_app.records.file.layer import FileLayer

SEGMENTS: Final = 4
SEGMENT_BYTES: Final = 4 * 1024 * 1024
_HEADER: Final = struct.Struct("<8sIQQII")  # magic, format, epoch, number before the first frame, seed, checksum
_FRAME: Final = struct.Struct("<4sIQQI")  # magic, length, number, time, checksum
_MAGIC: Final = b"HFjournl"
_MARK: Final = b"frm1"
_FORMAT: Final = 1
_START: Final = 4096
_ZEROS: Final = bytes(65536)


class Tail(NamedTuple):
    """Where the next frame goes: after number `lsn`, in this segment at this place, after this checksum."""

    lsn: int
    epoch: int
    at: int
    crc: int


@dataclass(frozen=True)
class Frame:
    lsn: int
    payload: bytes
    after: Tail


@dataclass(frozen=True)
class _Segment:
    slot: int
    epoch: int
    before: int
    seed: int


class Journal:
    """Used under the project's lock only."""

    def __init__(self, layer: FileLayer, folder: str, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._layer = layer
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._fds: dict[int, int] = {}

    def close(self) -> None:
        while self._fds:
            self._layer.close(self._fds.popitem()[1])

    def start(self, lsn: int) -> Tail:
        """A new journal whose first frame will have the number after `lsn`; durable, the folder's entry too."""
        epoch = max((segment.epoch for segment in self._segments()), default=0) + 1
        tail = self._begin(epoch, lsn)
        self._layer.sync(self._fd(epoch), self._path(epoch))
        self._layer.sync_folder(self._folder)
        return tail

    def exists(self) -> bool:
        return any(self._segments())

    def tail(self) -> Tail:
        """By reading all of the last segment."""
        tail = None
        for frame in self.frames(0, last_only=True):
            tail = frame.after
        return tail or self._start_of(self._segments()[-1])

    def frames(self, after: int, last_only: bool = False) -> Iterator[Frame]:
        """All frames above the number that are still there, oldest first."""
        for segment in self._segments()[-1 if last_only else 0 :]:
            yield from (frame for frame in self._chain(self._start_of(segment)) if frame.lsn > after)

    def is_last(self, tail: Tail) -> bool:
        """Whether nothing follows; asked at each write, and so by the first bytes of what would."""
        if self._layer.read_at(self._fd(tail.epoch), 4, tail.at) == _MARK:
            return False
        slot = (tail.epoch + 1) % SEGMENTS
        if slot not in self._fds and self._layer.size(f"{self._folder}/journal.{slot}") is None:
            return True
        head = self._layer.read_at(self._fd(slot), _HEADER.size, 0)
        return len(head) < _HEADER.size or _HEADER.unpack(head)[2] != tail.epoch + 1

    def following(self, tail: Tail) -> Iterator[Frame]:
        """Frames that somebody wrote after this tail and did not live to enter into the index."""
        while True:
            for frame in self._chain(tail):
                tail = frame.after
                yield frame
            segment = self._segment(tail.epoch + 1)
            if segment is None or segment.before != tail.lsn:
                return
            tail = self._start_of(segment)

    def is_full(self, tail: Tail, payload: bytes) -> bool:
        return tail.at > _START and tail.at + _FRAME.size + len(payload) > self._segment_bytes

    def oldest_kept_after_turn(self, tail: Tail) -> int:
        """What must be settled before the next segment may be used: the last number in what it overwrites."""
        overwritten = [segment for segment in self._segments() if segment.epoch <= tail.epoch + 1 - SEGMENTS]
        if not overwritten:
            return 0
        following = self._segment(overwritten[-1].epoch + 1)
        return following.before if following else tail.lsn

    def last_before_segment(self, tail: Tail) -> int:
        """The last number in the segments before the one that is being filled."""
        segment = self._segment(tail.epoch)
        return segment.before if segment else tail.lsn

    def is_half_full(self, tail: Tail) -> bool:
        return tail.at > self._segment_bytes // 2

    def make_beforehand(self, tail: Tail) -> str | None:
        """A file for the next segment where there is none yet, so that nobody waits for it with the lock in his hand;
        `put_in_place` gives it its name. Without the project's lock, but by one process at a time.
        """
        if self._layer.size(self._path(tail.epoch + 1)) is not None:
            return None
        path = f"{self._folder}/journal.new"
        self._layer.create(path, bytes(self._segment_bytes))
        self._layer.sync_file(path)
        return path

    def put_in_place(self, tail: Tail, path: str) -> None:
        """Unless somebody was quicker."""
        if self._layer.size(self._path(tail.epoch + 1)) is None:
            self._layer.rename(path, self._path(tail.epoch + 1))
            self._layer.sync_folder(self._folder)
        else:
            self._layer.remove(path)

    def turn(self, tail: Tail) -> Tail:
        """On to the next segment. The old one is synced first: what is durable is always all up to some frame."""
        self.sync(tail)
        return self._begin(tail.epoch + 1, tail.lsn)

    def append(self, tail: Tail, payload: bytes, sync_follows: bool = False) -> Tail:
        """Written, and so safe from the end of any process; `sync` makes it safe from loss of power."""
        lsn, now = tail.lsn + 1, time.time_ns()
        # The time is part of it so that no frame is ever the same as one that was lost at its place.
        crc = zlib.crc32(payload, zlib.crc32(_FRAME.pack(_MARK, len(payload), lsn, now, 0), tail.crc))
        data = _FRAME.pack(_MARK, len(payload), lsn, now, crc) + payload
        fd = self._fd(tail.epoch)
        self._layer.write(fd, data, tail.at, self._path(tail.epoch))
        if sync_follows:
            self._layer.begin_sync(fd, tail.at, len(data))
        return Tail(lsn, tail.epoch, tail.at + len(data), crc)

    def sync(self, tail: Tail) -> None:
        self._layer.sync(self._fd(tail.epoch), self._path(tail.epoch))

    def take_back(self, before: Tail) -> None:
        """Whatever was written after this tail is no frame any more."""
        self._layer.write(self._fd(before.epoch), bytes(_FRAME.size), before.at, self._path(before.epoch))
        if (later := self._segment(before.epoch + 1)) is not None:
            self._layer.write(self._fd(later.epoch), bytes(_HEADER.size), 0, self._path(later.epoch))
            self._layer.sync(self._fd(later.epoch), self._path(later.epoch))
        self.sync(before)

    def write_again(self, tail: Tail) -> None:
        """After a failed flush the system may believe that pages are on the disk which are not: all are written anew.

        The next flush then means what it says.
        """
        for segment in self._segments():
            place, end = 0, tail.at if segment.epoch == tail.epoch else self._segment_bytes
            fd, path = self._fd(segment.epoch), self._path(segment.epoch)
            while place < end and (part := self._layer.read_at(fd, len(_ZEROS), place)):
                self._layer.write(fd, part, place, path)
                place += len(part)
            self._layer.sync(fd, path)

    def erase_others(self, tail: Tail) -> None:
        """Of segments but this one nothing stays readable. The files stay, since others have them open."""
        for slot in range(SEGMENTS):
            path = f"{self._folder}/journal.{slot}"
            size = (self._layer.size(path) or 0) if slot != tail.epoch % SEGMENTS else 0
            for place in range(0, size, len(_ZEROS)):
                self._layer.write(self._fd(slot), _ZEROS[: size - place], place, path)
            if size:
                self._layer.sync(self._fd(slot), path)

    def _chain(self, tail: Tail) -> Iterator[Frame]:
        fd = self._fd(tail.epoch)
        while True:
            head = self._layer.read_at(fd, _FRAME.size, tail.at)
            if len(head) < _FRAME.size or head[:4] != _MARK:
                return
            mark, length, lsn, moment, crc = _FRAME.unpack(head)
            if lsn != tail.lsn + 1 or length > (self._layer.size(self._path(tail.epoch)) or 0):
                return
            payload = self._layer.read_at(fd, length, tail.at + _FRAME.size)
            if crc != zlib.crc32(payload, zlib.crc32(_FRAME.pack(mark, length, lsn, moment, 0), tail.crc)):
                return
            tail = Tail(lsn, tail.epoch, tail.at + _FRAME.size + length, crc)
            yield Frame(lsn, payload, tail)

    def _begin(self, epoch: int, lsn: int) -> Tail:
        fd, path, seed = self._fd(epoch), self._path(epoch), secrets.randbits(32)
        size = self._layer.size(path) or 0
        if size < self._segment_bytes:
            for place in range(size, self._segment_bytes, len(_ZEROS)):
                self._layer.write(fd, _ZEROS[: self._segment_bytes - place], place, path)
            self._layer.sync(fd, path)
            self._layer.sync_folder(self._folder)
        fields = (_MAGIC, _FORMAT, epoch, lsn, seed)
        checksum = zlib.crc32(_HEADER.pack(*fields, 0))
        self._layer.write(fd, _HEADER.pack(*fields, checksum), 0, path)
        return self._start_of(_Segment(epoch % SEGMENTS, epoch, lsn, seed))

    def _start_of(self, segment: _Segment) -> Tail:
        return Tail(segment.before, segment.epoch, _START, segment.seed)

    def _segments(self) -> list[_Segment]:
        found = [self._read_header(slot) for slot in range(SEGMENTS)]
        return sorted((segment for segment in found if segment), key=lambda segment: segment.epoch)

    def _segment(self, epoch: int) -> _Segment | None:
        segment = self._read_header(epoch % SEGMENTS)
        return segment if segment and segment.epoch == epoch else None

    def _read_header(self, slot: int) -> _Segment | None:
        if slot not in self._fds and self._layer.size(f"{self._folder}/journal.{slot}") is None:
            return None
        head = self._layer.read_at(self._fd(slot), _HEADER.size, 0)
        if len(head) < _HEADER.size:
            return None
        magic, version, epoch, before, seed, checksum = _HEADER.unpack(head)
        expected = zlib.crc32(_HEADER.pack(magic, version, epoch, before, seed, 0))
        if magic != _MAGIC or version != _FORMAT or checksum != expected or epoch % SEGMENTS != slot:
            return None
        return _Segment(slot, epoch, before, seed)

    def _path(self, epoch: int) -> str:
        return f"{self._folder}/journal.{epoch % SEGMENTS}"

    def _fd(self, epoch: int) -> int:
        slot = epoch % SEGMENTS
        if slot not in self._fds:
            self._fds[slot] = self._layer.open(self._path(slot))
        return self._fds[slot]
