"""A repository's tree as values: shared between commits, and with the very hashes that git would give it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

FILE: Final = "100644"
EXECUTABLE: Final = "100755"
SYMLINK: Final = "120000"
SUBMODULE: Final = "160000"
FOLDER: Final = "40000"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is at a path that is no folder."""

    mode: str
    sha: str
    size: int = 0

    @property
    def is_file(self) -> bool:
        return self.mode in (FILE, EXECUTABLE)


@dataclass(frozen=True)
class Folder:
    """Never changed once made: a commit's tree shares all folders that it did not touch with the tree before."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    folders: Mapping[str, "Folder"] = field(default_factory=dict)

    @cached_property
    def sha(self) -> str:
        rows = [(name, entry.mode, entry.sha, name) for name, entry in self.entries.items()]
        # Git sorts a folder as if its name ended in a slash.
        rows += [(name, FOLDER, folder.sha, f"{name}/") for name, folder in self.folders.items()]
        rows.sort(key=lambda row: _bytes(row[3]))
        body = b"".join(mode.encode() + b" " + _bytes(name) + b"\0" + bytes.fromhex(sha) for name, mode, sha, _ in rows)
        return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).hexdigest()

    @cached_property
    def count(self) -> int:
        return len(self.entries) + sum(folder.count + 1 for folder in self.folders.values())

    def find(self, path: str) -> "Entry | Folder | None":
        """The folder itself at the empty path."""
        if not path:
            return self
        *parents, name = path.split("/")
        found = self
        for parent in parents:
            inner = found.folders.get(parent)
            if inner is None:
                return None
            found = inner
        return found.entries.get(name) or found.folders.get(name)

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        for name, entry in self.entries.items():
            yield prefix + name, entry
        for name, folder in self.folders.items():
            yield from folder.walk(f"{prefix}{name}/")

    def changed(self, changes: Mapping[str, Entry | None]) -> "Folder":
        """Another tree; None takes a path away, and a folder goes with the last file in it."""
        entries, folders = dict(self.entries), dict(self.folders)
        below: dict[str, dict[str, Entry | None]] = {}
        for path, entry in changes.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = entry
            elif entry is None:
                entries.pop(name, None)
            else:
                entries[name] = entry
        for name, inner in below.items():
            folder = folders.pop(name, Folder()).changed(inner)
            if folder.entries or folder.folders:
                folders[name] = folder
        return Folder(entries, folders)


def of_listing(items: Iterable[Mapping[str, Any]]) -> Folder:
    """Of what `git/trees` lists with `recursive`."""
    return Folder().changed({item["path"]: entry_of(item) for item in items if item["type"] != "tree"})


def entry_of(item: Mapping[str, Any]) -> Entry:
    return Entry(item["mode"], item["sha"], item.get("size") or 0)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
