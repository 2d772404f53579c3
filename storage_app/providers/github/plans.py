"""What a write comes to on the state it builds on: which files really change, and from what to what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from storage_app import hashes, paths
from storage_app.hashes import HashKind
from storage_app.providers import checks, errors
from storage_app.providers.github import tree
from storage_app.providers.github.lookups import Found
from storage_app.providers.github.mirror import View
from storage_app.providers.github.tree import Entry, Folder
from storage_app.providers.types import FileChange, FileDelete, FileWrite

Contents: TypeAlias = Mapping[str, bytes]  # of blobs that a condition asks about, by their hash


@dataclass(frozen=True)
class Job:
    """What is wanted. `prefix` leads from the root of the repository to ours; hashes are made once."""

    changes: Sequence[FileChange]
    message: str
    batch_id: str
    prefix: str = ""
    shas: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, changes: Sequence[FileChange], message: str, batch_id: str, prefix: str) -> "Job":
        shas = {
            change.path: hashes.git_hash(change.content).removeprefix("git:")
            for change in changes
            if isinstance(change, FileWrite)
        }
        return cls(changes, message, batch_id, prefix, shas)

    @property
    def trailer(self) -> str:
        return f"Batch-Id: {self.batch_id}"

    @property
    def full_message(self) -> str:
        """Ours at the end tells afterwards whether a commit is this one, when its answer was lost."""
        headline = self.message.strip() or f"Change {len(self.changes)} files"
        return f"{headline}\n\n{self.trailer}"

    @property
    def path(self) -> str | None:
        """The one path it is about, if it is one."""
        return self.changes[0].path if len(self.changes) == 1 else None

    @property
    def is_plain_create(self) -> bool:
        only = self.changes[0]
        is_create = isinstance(only, FileWrite) and not only.overwrite and only.expected_sha is None
        return len(self.changes) == 1 and is_create

    def full(self, path: str) -> str:
        return self.prefix + path

    def needed(self) -> list[str]:
        """The paths to know: those to change, and the folders above what is written, which may be files."""
        wanted = {self.full(change.path): None for change in self.changes}
        for change in self.changes:
            if isinstance(change, FileWrite):
                wanted.update(dict.fromkeys(paths.parents(self.full(change.path))))
        return list(wanted)


@dataclass(frozen=True)
class Step:
    """One file: `old` is what was there; `new` and `content` are None for a delete. `path` is from the root."""

    change: FileChange
    path: str
    old: Entry | None
    new: Entry | None
    content: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Plan:
    job: Job
    base: View
    steps: Sequence[Step]

    @property
    def path(self) -> str | None:
        return self.job.path

    def root_after(self) -> Folder | None:
        if self.base.root is None:
            return None
        return self.base.root.changed({step.path: step.new for step in self.steps})

    def found_after(self) -> dict[str, Found]:
        """What is still known of looked-up paths: folders come with the first file in them and go with the last."""
        left = {parent for step in self.steps if step.new is None for parent in paths.parents(step.path)}
        found: dict[str, Found] = {path: there for path, there in self.base.found.items() if path not in left}
        found.update({step.path: step.new for step in self.steps})
        for step in self.steps:
            if step.new is not None:
                found.update(dict.fromkeys(paths.parents(step.path), "folder"))
        return found


def make(job: Job, base: View, contents: Contents) -> Plan:
    """Raises where a change may not be; steps are only those that change something."""
    steps = [_step(job, change, base, contents) for change in job.changes]
    real = [step for step in steps if step is not None]
    if real:
        checks.refuse_what_is_in_the_way(
            job.changes,
            lambda folder: isinstance(base.at(job.full(folder)), Entry),
            lambda folder: _below(base, job, folder),
        )
    return Plan(job, base, real)


def asked_about(job: Job, base: View) -> list[str]:
    """Blobs whose content a condition asks about: those with an expected hash of another kind than git's."""
    asked = []
    for change in job.changes:
        found = base.at(job.full(change.path))
        kind = hashes.kind_of(change.expected_sha) if change.expected_sha else None
        if isinstance(found, Entry) and kind not in (None, HashKind.GIT):
            asked.append(found.sha)
    return asked


def _step(job: Job, change: FileChange, base: View, contents: Contents) -> Step | None:
    path = job.full(change.path)
    found = base.at(path)
    old = found if isinstance(found, Entry) else None
    if old is not None and not old.is_file:
        _refuse_special(change, old)

    def actual(kind: HashKind) -> str:
        assert old is not None
        return f"git:{old.sha}" if kind is HashKind.GIT else hashes.compute(kind, contents[old.sha])

    sha = job.shas.get(change.path, "")
    if not checks.settle(change, f"git:{sha}" if sha else "", HashKind.GIT, actual if old else None):
        return None
    if isinstance(change, FileDelete):
        return Step(change, path, old, None, None)
    new = Entry(old.mode if old else tree.FILE, sha, len(change.content))
    return Step(change, path, old, new, change.content)


def _refuse_special(change: FileChange, old: Entry) -> None:
    """A link or a submodule would be replaced by a file. A link may be deleted: its target stays."""
    if old.mode == tree.SUBMODULE:
        if isinstance(change, FileDelete):
            raise errors.not_found(change.path)
        raise errors.invalid_path(change.path, "is a submodule")
    if isinstance(change, FileWrite) or change.expected_sha is not None:
        raise errors.invalid_path(change.path, "is a symbolic link")


def _below(base: View, job: Job, folder: str) -> list[str]:
    there = base.root.find(job.full(folder)) if base.root else None
    return [path for path, _ in there.walk(f"{folder}/")] if isinstance(there, Folder) else []
