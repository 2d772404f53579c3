"""What two attempts at a document made of it, side by side. The bytes of an earlier one are shown where its storage
still has them: as the file is now, as it waits in the outbox, or in the history that the storage keeps.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.artifact import Artifact
from jobs_app.services import traces
from jobs_app.services.project_runs import ProjectRuns, runs_of
from storage_app.outbox.reading import PendingView
from storage_app.providers import StorageCapability, StorageError

MOST_ARTIFACTS: Final = 1000
MOST_VERSIONS: Final = 100
LARGEST_SHOWN: Final = 256 * 1024
MOST_LINES: Final = 2000


@dataclass(frozen=True, slots=True)
class Pair:
    """One output as both attempts made it; None where one of them did not. `note` says why there is no `diff`."""

    output: str
    left: Artifact | None
    right: Artifact | None
    diff: Sequence[str] = ()
    note: str = ""

    @property
    def is_same(self) -> bool:
        return self.left is not None and self.right is not None and self.left.content_hash == self.right.content_hash


@dataclass(frozen=True, slots=True)
class Comparison:
    attempts: Sequence[int]  # those that made something
    left: int | None
    right: int | None
    pairs: Sequence[Pair]


def compare(
    actor: Actor, slug: str, run_id: str, document_id: str, left: int | None = None, right: int | None = None
) -> Comparison:
    """The last two attempts that made something, where none are named."""
    project, ours = runs_of(actor, slug, Scope.READ)
    it = traces.found(project, "run", run_id, ours.runs.get)
    made = ours.artifacts.find({"document_id": document_id, "run_id": it.id}, "-id", MOST_ARTIFACTS).items
    attempts = sorted({each.attempt for each in made if each.attempt is not None})
    right = right if right is not None else (attempts[-1] if attempts else None)
    left = left if left is not None else (attempts[-2] if len(attempts) > 1 else None)
    before, after = _by_output(made, left), _by_output(made, right)
    outputs = sorted({*before, *after})
    return Comparison(
        attempts, left, right, [_pair(ours, output, before.get(output), after.get(output)) for output in outputs]
    )


def _by_output(made: Sequence[Artifact], attempt: int | None) -> dict[str, Artifact]:
    """The newest of each output."""
    found: dict[str, Artifact] = {}
    for each in made:
        if attempt is not None and each.attempt == attempt:
            found.setdefault(each.output, each)
    return found


def _pair(ours: ProjectRuns, output: str, left: Artifact | None, right: Artifact | None) -> Pair:
    if left is None or right is None or left.content_hash == right.content_hash:
        return Pair(output, left, right)
    texts = [_text(ours, each) for each in (left, right)]
    missing = next((note for text, note in texts if text is None), "")
    if missing:
        return Pair(output, left, right, note=missing)
    before, after = ((text or "").splitlines() for text, _ in texts)
    return Pair(output, left, right, list(difflib.unified_diff(before, after, lineterm="", n=3))[2:])


def _text(ours: ProjectRuns, artifact: Artifact) -> tuple[str | None, str]:
    """Its text, or why there is none to show."""
    if artifact.size > LARGEST_SHOWN:
        return None, "Too large to be compared line by line."
    content = _content(PendingView(artifact.storage, ours.slug), artifact)
    if content is None:
        return None, "The earlier content was overwritten, and its storage keeps no versions of it."
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None, "Not text, so only the hashes are compared."
    return (text, "") if text.count("\n") < MOST_LINES else (None, "Too many lines to be compared one by one.")


def _content(view: PendingView, artifact: Artifact) -> bytes | None:
    """What has the hash that was written, wherever the storage still has it."""
    try:
        now = view.read_file(artifact.path)
        if now.sha == artifact.content_hash:
            return now.content
        if StorageCapability.VERSIONING not in view.capabilities:
            return None
        for version in view.list_versions(artifact.path, limit=MOST_VERSIONS):
            if version.sha == artifact.content_hash:
                return view.read_version(artifact.path, version.version).content
    except StorageError:
        return None  # gone, or not to be had at this moment: the note says that it cannot be shown
    return None
