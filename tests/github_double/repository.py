"""One real bare git repository: objects, trees made of changes, branches, and the truth about its health."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dulwich.errors import NotCommitError
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

FILE: Final = 0o100644
EXECUTABLE: Final = 0o100755
SYMLINK: Final = 0o120000
SUBMODULE: Final = 0o160000
FOLDER: Final = 0o040000


@dataclass(frozen=True)
class Entry:
    path: str
    mode: int
    sha: str

    @property
    def type(self) -> str:
        return {FOLDER: "tree", SUBMODULE: "commit"}.get(self.mode, "blob")


@dataclass(frozen=True)
class Signature:
    name: str
    email: str
    time: int

    @property
    def line(self) -> bytes:
        return f"{self.name} <{self.email}>".encode()


class GitRepository:
    """`written` holds what was written since it was last cleared, so that a replica can lag behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._repo = Repo.init_bare(str(folder), mkdir=True, default_branch=b"main")
        self.written: set[str] = set()

    def close(self) -> None:
        self._repo.close()

    # objects

    def has(self, sha: str, kind: type[Blob] | type[Tree] | type[Commit]) -> bool:
        try:
            return isinstance(self._repo[sha.encode()], kind)
        except (KeyError, ValueError, AssertionError):
            return False

    def blob(self, sha: str) -> bytes:
        found = self._repo[sha.encode()]
        assert isinstance(found, Blob)
        return found.data

    def size(self, sha: str) -> int:
        return len(self.blob(sha))

    def commit(self, sha: str) -> Commit:
        found = self._repo[sha.encode()]
        if not isinstance(found, Commit):
            raise NotCommitError(sha.encode())
        return found

    def tree_of(self, commit: str) -> str:
        return str(self.commit(commit).tree.decode())

    def write_blob(self, content: bytes) -> str:
        return self._add(Blob.from_string(content))

    def write_commit(
        self, tree: str, parents: list[str], message: str, author: Signature, committer: Signature | None = None
    ) -> str:
        committer = committer or author
        commit = Commit()
        commit.tree, commit.parents = tree.encode(), [ObjectID(parent.encode()) for parent in parents]
        commit.author, commit.committer = author.line, committer.line
        commit.author_time, commit.commit_time = author.time, committer.time
        commit.author_timezone = commit.commit_timezone = 0
        commit.message, commit.encoding = message.encode(), b"UTF-8"
        return self._add(commit)

    # trees

    def children(self, tree: str) -> Iterator[Entry]:
        found = self._repo[tree.encode()]
        assert isinstance(found, Tree)
        for item in found.items():
            assert item.path is not None
            assert item.mode is not None
            assert item.sha is not None
            yield Entry(item.path.decode(), item.mode, item.sha.decode())

    def walk(self, tree: str, prefix: str = "") -> Iterator[Entry]:
        """Every entry in and below a tree, folders too, in git's order."""
        for child in self.children(tree):
            entry = Entry(prefix + child.path, child.mode, child.sha)
            yield entry
            if entry.mode == FOLDER:
                yield from self.walk(entry.sha, entry.path + "/")

    def entry(self, tree: str, path: str) -> Entry | None:
        """What is at a path; the tree itself at the empty one."""
        found = Entry("", FOLDER, tree)
        for part in [part for part in path.split("/") if part]:
            if found.mode != FOLDER:
                return None
            child = next((child for child in self.children(found.sha) if child.path == part), None)
            if child is None:
                return None
            found = child
        return Entry(path, found.mode, found.sha)

    def write_tree(self, base: str | None, changes: Mapping[str, tuple[int, str] | None]) -> str:
        """The base with changes: a path gets a mode and an object, or goes with None. Empty folders go too."""
        return self._write_tree(base, changes) or self._add(Tree())

    def _write_tree(self, base: str | None, changes: Mapping[str, tuple[int, str] | None]) -> str | None:
        tree = {child.path: (child.mode, child.sha) for child in self.children(base)} if base else {}
        below: dict[str, dict[str, tuple[int, str] | None]] = {}
        for path, change in changes.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = change
            elif change is None:
                tree.pop(name, None)
        for name, inner in below.items():
            mode, sha = tree.get(name, (0, ""))
            folder = self._write_tree(sha if mode == FOLDER else None, inner)
            tree.pop(name, None)
            if folder:
                tree[name] = (FOLDER, folder)
        # Last, so that a file may take the place of a folder whose files go.
        tree.update({path: change for path, change in changes.items() if change is not None and "/" not in path})
        return self._add_tree(tree) if tree else None

    def _add_tree(self, entries: Mapping[str, tuple[int, str]]) -> str:
        tree = Tree()
        for name, (mode, sha) in entries.items():
            tree.add(name.encode(), mode, ObjectID(sha.encode()))
        return self._add(tree)

    # branches and history

    def branches(self) -> dict[str, str]:
        heads = self._repo.refs.as_dict(Ref(b"refs/heads"))
        return {name.decode(): sha.decode() for name, sha in heads.items()}

    def head(self, branch: str) -> str | None:
        return self.branches().get(branch)

    def move(self, branch: str, sha: str) -> None:
        self._repo.refs[Ref(b"refs/heads/" + branch.encode())] = ObjectID(sha.encode())

    def history(self, sha: str) -> Iterator[str]:
        """A commit and its ancestors, the newest first."""
        seen: set[str] = set()
        waiting = [sha]
        while waiting:
            current = waiting.pop(0)
            if current not in seen:
                seen.add(current)
                yield current
                waiting.extend(parent.decode() for parent in self.commit(current).parents)

    def is_ancestor(self, older: str, newer: str) -> bool:
        return older in self.history(newer)

    def files(self, branch: str = "main") -> dict[str, bytes]:
        """Everything a checkout would hold, links as their targets; for tests to look at."""
        head = self.head(branch)
        if head is None:
            return {}
        entries = self.walk(self.tree_of(head))
        return {entry.path: self.blob(entry.sha) for entry in entries if entry.type == "blob"}

    def problems(self) -> list[str]:
        """What `git fsck` has to say; nothing, if all is well."""
        git = shutil.which("git")
        assert git, "git is needed to judge what was written"
        command = [git, "--git-dir", str(self.folder), "fsck", "--strict", "--full", "--no-dangling", "--no-progress"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        return [line for line in lines if not line.startswith("notice:")] or ([] if not done.returncode else ["fsck"])

    def _add(self, item: Blob | Tree | Commit) -> str:
        sha = item.id.decode()
        if item.id not in self._repo.object_store:
            self._repo.object_store.add_object(item)
            self.written.add(sha)
        return sha
