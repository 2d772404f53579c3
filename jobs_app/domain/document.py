"""A file attached to a run: known by its content, worked on by a job or served by what an earlier run made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from jobs_app.domain.job_states import JobState


class Plan(StrEnum):
    """What the run decided about a document."""

    ATTACHED = "attached"  # nothing yet
    QUEUED = "queued"  # has a job
    SKIPPED = "skipped"  # artifacts that are there serve
    REFUSED = "refused"  # its content is gone or cannot be read


class Why(StrEnum):
    """The reason of a plan, as a stable word; `SENTENCES` say it to people, `WORDS` where there is little room."""

    NEW = "new"
    INCOMPLETE = "incomplete"
    FORCED = "forced"
    CHANGED = "changed"
    ARTIFACT_LOST = "artifact_lost"
    SERVED = "served"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    TEXT_UNUSABLE = "text_unusable"
    STORAGE_AWAY = "storage_away"


SENTENCES: Mapping[Why, str] = {
    Why.NEW: "Nothing was made of this content with these options before.",
    Why.INCOMPLETE: "Some of the outputs that the run asks for are missing.",
    Why.FORCED: "The run was started with force.",
    Why.CHANGED: "The file changed after it was attached; the new content is taken.",
    Why.ARTIFACT_LOST: "What was made before is no longer in its storage.",
    Why.SERVED: "Artifacts of the same content and options serve.",
    Why.MISSING: "The file is no longer in its storage.",
    Why.UNREADABLE: "The storage could not give the file.",
    Why.TEXT_UNUSABLE: "A text of the library that the run uses cannot be used.",
    Why.STORAGE_AWAY: "The storage does not answer now; the run goes on with it as soon as it does.",
}

WORDS: Mapping[Why, str] = {
    Why.NEW: "new",
    Why.INCOMPLETE: "outputs missing",
    Why.FORCED: "forced",
    Why.CHANGED: "changed",
    Why.ARTIFACT_LOST: "artifact lost",
    Why.SERVED: "served",
    Why.MISSING: "file gone",
    Why.UNREADABLE: "unreadable",
    Why.TEXT_UNUSABLE: "text unusable",
    Why.STORAGE_AWAY: "storage away",
}


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    version: int
    run_id: str
    storage: str
    path: str
    filename: str
    content_hash: str  # of the storage's own kind, as it was when attached
    size: int
    attached_at: datetime
    content: str | None = None  # its sha256: hash, once known
    inline: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # over the run's
    plan: Plan = Plan.ATTACHED
    why: Why | None = None
    detail: str = ""
    job_id: str | None = None
    served_by: Sequence[str] = ()  # artifacts
    attached_hash: str | None = None  # what it was attached with, where the run found and took another content

    @property
    def has_changed(self) -> bool:
        return self.attached_hash is not None


class DocumentState(StrEnum):
    """A document as its run shows it: the plan, and then the job's state."""

    ATTACHED = "attached"
    SKIPPED = "skipped"
    REFUSED = "refused"
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    JOB_GONE = "job_gone"


def plan_of(state: DocumentState) -> Plan:
    """The plan that documents in this state have."""
    return Plan(state.value) if state.value in set(Plan) else Plan.QUEUED


def state_of(document: Document, job: JobState | None) -> DocumentState:
    """`job` is the state of the document's job, None where there is none (any more)."""
    if document.plan is not Plan.QUEUED:
        return DocumentState(document.plan.value)
    return DocumentState.JOB_GONE if job is None else DocumentState(job.value)
