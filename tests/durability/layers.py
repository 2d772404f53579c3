"""File layers that stop, fail or forget."""

import errno
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from storage_app.records.file.layer import FileLayer

STOPPED = 77
FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO)


class StoppingLayer(FileLayer):
    """Once armed, the process ends just before its n-th call that changes anything; a write may be done by half."""

    def __init__(self, calls: int, by_half: bool) -> None:
        self._left = calls
        self._by_half = by_half
        self.armed = False

    def step(self, call: str, path: str) -> None:
        if self.armed:
            self._left -= 1
            if self._left < 0 and not (self._by_half and call == "write"):
                os._exit(STOPPED)

    def write(self, fd: int, data: bytes, place: int, path: str) -> None:
        if self.armed and self._by_half and self._left == 0:
            os.pwrite(fd, data[: len(data) // 2], place)
            os._exit(STOPPED)
        super().write(fd, data, place, path)


class FailingLayer(FileLayer):
    """Once armed, the n-th call fails, or all from the n-th on."""

    def __init__(self, calls: int, fault: int, ever_after: bool) -> None:
        self._left = calls
        self._fault = fault
        self._ever_after = ever_after
        self.armed = False
        self.failed: list[str] = []

    def step(self, call: str, path: str) -> None:
        if not self.armed:
            return
        self._left -= 1
        if self._left == -1 or (self._left < 0 and self._ever_after):
            self.failed.append(call)
            raise OSError(self._fault, os.strerror(self._fault), path)


class PowerCut(BaseException):
    """The machine went off. Not an Exception, so that nothing cleans up after it."""


@dataclass
class _File:
    """What is surely on the disk, and what was written since the last sync: at a place, or cut to a size."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for place, data in self.pending:
            self.durable = _written(self.durable, place, data)
        self.pending = []

    def after_loss(self, dice: random.Random) -> bytes:
        """Any of the writes may have reached the disk, in any order, the last ones by whole sectors only."""
        data = self.durable
        writes = [write for write in self.pending if dice.random() < 0.5]
        if dice.random() < 0.3:
            dice.shuffle(writes)
        for place, part in writes:
            if part is not None and dice.random() < 0.2:
                part = part[: dice.randrange(len(part) + 1) // 512 * 512]
            data = _written(data, place, part)
        return data


@dataclass
class _NameChange:
    """`old` None: a new name; `new` None: a name that went; both: a rename."""

    folders: set[str]
    old: str | None
    new: str | None
    file: _File | None


class ForgetfulLayer(FileLayer):
    """Does everything, and remembers what of it a loss of power could undo. Real syncs are left out: only what is
    remembered matters.
    """

    def __init__(self, root: Path, boot: str, dice: random.Random, honest: bool = True) -> None:
        self._root = str(root)
        self._boot = boot
        self._dice = dice
        self._honest = honest
        self._names: dict[str, _File | None] = {}  # None: a folder
        self._durable: dict[str, _File | None] = {}
        self._changes: list[_NameChange] = []
        self._left = -1
        self.cut = False
        self.syncs = 0
        for path in self._all(root):
            file = None if path.is_dir() else _File(path.read_bytes())
            self._names[str(path)] = self._durable[str(path)] = file

    def arm(self, calls: int) -> None:
        self._left = calls

    def boot_id(self) -> str:
        return self._boot

    def step(self, call: str, path: str) -> None:
        if self.cut:
            raise PowerCut
        if self._left == 0:
            self.cut = True
            raise PowerCut
        self._left -= 1

    def open(self, path: str) -> int:
        fd = super().open(path)
        self._appeared(path)
        return fd

    def create(self, path: str, data: bytes) -> None:
        super().create(path, data)
        self._file(path).pending.append((len(data), None))

    def extend(self, path: str, size: int, data: bytes) -> None:
        if path not in self._names:
            self._appeared(path)
        self._file(path).pending.append((size, None))
        super().extend(path, size, data)

    def write(self, fd: int, data: bytes, place: int, path: str) -> None:
        super().write(fd, data, place, path)
        self._appeared(path)
        self._file(path).pending.append((place, data))

    def rename(self, old: str, new: str) -> None:
        super().rename(old, new)
        if old not in self._names:
            return  # SQLite's files are not ours to remember: after a loss of power there is no index
        file = self._names.pop(old)
        self._names[new] = file
        self._changes.append(_NameChange({_above(old), _above(new)}, old, new, file))

    def remove(self, path: str) -> bool:
        there = super().remove(path)
        if there and path in self._names:
            self._changes.append(_NameChange({_above(path)}, path, None, self._names.pop(path)))
        return there

    def make_folder(self, path: str) -> None:
        new = not os.path.isdir(path)  # noqa: PTH112
        super().make_folder(path)
        if new:
            self._names[path] = None
            self._changes.append(_NameChange({_above(path)}, None, path, None))

    def remove_folder(self, path: str) -> bool:
        there = super().remove_folder(path)
        if there and path in self._names:
            del self._names[path]
            self._changes.append(_NameChange({_above(path)}, path, None, None))
        return there

    def sync(self, fd: int, path: str) -> None:
        self.step("fsync", path)
        self.syncs += 1
        if self._honest and path in self._names:
            self._file(path).sync()

    def sync_folder(self, path: str) -> None:
        self.step("fsync", path)
        self.syncs += 1
        if self._honest:
            self._settle([change for change in self._changes if path in change.folders])

    def sync_everything(self, path: str) -> bool:
        self.step("syncfs", path)
        self.syncs += 1
        if self._honest:
            for file in [*self._names.values(), *self._durable.values()]:
                if file is not None:
                    file.sync()
            self._settle(list(self._changes))
        return True

    def what_is_left(self, target: Path) -> None:
        """A folder as the disk may show it after the machine came up again."""
        names = dict(self._durable)
        for change in self._changes:
            if self._dice.random() < 0.5:
                _change(names, change)
        for path, file in sorted(names.items()):
            place = target / Path(path).relative_to(self._root)
            if file is None:
                place.mkdir(parents=True, exist_ok=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                if not place.is_dir():
                    place.write_bytes(file.after_loss(self._dice))
        for index in target.glob("*/.index"):
            shutil.rmtree(index)

    def _all(self, root: Path) -> Iterator[Path]:
        return (path for path in root.rglob("*") if ".index" not in path.parts)

    def _appeared(self, path: str) -> None:
        if path not in self._names:
            file = self._names[path] = _File()
            self._changes.append(_NameChange({_above(path)}, None, path, file))

    def _file(self, path: str) -> _File:
        file = self._names[path]
        assert file is not None
        return file

    def _settle(self, changes: list[_NameChange]) -> None:
        for change in changes:
            _change(self._durable, change)
            self._changes.remove(change)


def _change(names: dict[str, _File | None], change: _NameChange) -> None:
    if change.old is not None:
        names.pop(change.old, None)
    if change.new is not None:
        names[change.new] = change.file


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def _written(data: bytes, place: int, part: bytes | None) -> bytes:
    if part is None:
        return data[:place].ljust(place, b"\0") if len(data) > place else data
    return data[:place].ljust(place, b"\0") + part + data[place + len(part) :]
