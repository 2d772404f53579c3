"""How a run goes on by itself: documents are judged one batch after another, and each gets its job or is skipped.

Every batch may run twice and in two processes at once: a job is asked for by an ingestion id made of run and
document, so the second time finds the first one's job, and a document is written only while it still waits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from jobs_app.domain import fingerprint
from jobs_app.domain.access import SYSTEM, Actor
from jobs_app.domain.artifact import Artifact, missing_outputs
from jobs_app.domain.document import Document, Plan, Why
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.domain.run import Phase, Run, options_for
from jobs_app.errors import InvalidTransitionError, NotFoundError, PreconditionFailedError
from jobs_app.services import jobs
from jobs_app.services.contents import Contents, Look
from jobs_app.services.project_runs import ProjectRuns
from jobs_app.stores.job_records import JobRecords
from storage_app.records.configured import record_store
from storage_app.records.operations import Operation

WAITING: Final = Plan.ATTACHED
BATCH: Final = 200
MOST_SERVING: Final = 100
LONGEST_DETAIL: Final = 1000


def run(deadline: Deadline) -> Counts:
    """What the clock calls: every run that is being started or was cancelled goes on where it stood."""
    store = record_store()
    counts: Counter[str] = Counter(documents=0, cancelled=0)
    for slug in store.projects():
        ours = ProjectRuns(store, slug)
        for it in ours.runs.find({"phase": Phase.STARTING.value}, "created_at", BATCH).items:
            counts["documents"] += hand_out(ours, it, deadline)
        for it in ours.runs.find({"phase": Phase.CANCELLED.value}, "-created_at", BATCH).items:
            counts["cancelled"] += cancel_jobs(ours, it, deadline)
        if deadline.passed:
            break
    return dict(counts)


def hand_out(ours: ProjectRuns, it: Run, deadline: Deadline) -> int:
    """How many documents were settled before the time was up; the run is started when none waits any more."""
    settled = 0
    while not deadline.passed:
        waiting = ours.documents.find({"run_id": it.id, "plan": WAITING.value}, "id", BATCH).items
        if not waiting:
            ours.runs.change(it.id, _started)
            break
        if ours.runs.get(it.id).phase is not Phase.STARTING:
            break
        _settle(ours, it, waiting)
        settled += len(waiting)
    return settled


def cancel_jobs(ours: ProjectRuns, it: Run, deadline: Deadline, reason: str = "") -> int:
    """Those that are open, as the person who cancelled the run; how many were told."""
    records, told, seen = JobRecords(ours.store, ours.slug), 0, set[str]()
    why = reason or "The run was cancelled."
    while not deadline.passed:
        open_jobs = records.find(
            {"run_id": it.id, "status__in": [JobState.PENDING.value, JobState.PROCESSING.value]}, "created_at", BATCH
        ).jobs
        fresh = [job for job in open_jobs if job.id not in seen and job.cancel is None]
        if not fresh:
            break
        for job in fresh:
            seen.add(job.id)
            try:
                jobs.cancel(SYSTEM, ours.slug, job.id, why)
            except (InvalidTransitionError, NotFoundError):
                continue  # it ended, or went, just now
            told += 1
    return told


def retry_jobs(ours: ProjectRuns, it: Run, actor: Actor, reason: str = "") -> int:
    """Page by page over those that have ended badly by now; one that fails again meanwhile is not met twice."""
    records, retried, cursor = JobRecords(ours.store, ours.slug), 0, None
    ended_badly = {"run_id": it.id, "status__in": [JobState.FAILED.value, JobState.TIMEOUT.value]}
    while True:
        page = records.find(ended_badly, "created_at", BATCH, cursor)
        for job in page.jobs:
            try:
                jobs.retry(actor, ours.slug, job.id, reason, version=job.version)
            except (InvalidTransitionError, NotFoundError, PreconditionFailedError):
                continue  # it has no retries left, went, or was changed by somebody else just now
            retried += 1
        cursor = page.next_cursor
        if cursor is None:
            return retried


def copy_documents(ours: ProjectRuns, source: Run, target: Run) -> None:
    """As newly attached: what became of them in the other run is not copied."""
    cursor: str | None = None
    while True:
        page = ours.documents.find({"run_id": source.id}, "id", BATCH, cursor)
        now = ours.store.now()
        copies = [_copy(each, ours.documents.new_id(), target, now) for each in page.items]
        ours.documents.apply([ours.documents.inserting(copy, copy.id) for copy in copies])
        cursor = page.next_cursor
        if cursor is None:
            return


def _started(it: Run) -> Run | None:
    return replace(it, phase=Phase.STARTED) if it.phase is Phase.STARTING else None


def _copy(document: Document, id: str, target: Run, now: datetime) -> Document:
    return Document(
        id=id,
        version=1,
        run_id=target.id,
        storage=document.storage,
        path=document.path,
        filename=document.filename,
        content_hash=document.content_hash,
        size=document.size,
        attached_at=now,
        content=document.content,
        inline=document.inline,
        options=document.options,
    )


def _settle(ours: ProjectRuns, it: Run, documents: Sequence[Document]) -> None:
    contents = Contents(ours.store, ours.slug)
    looks = contents.look_at(documents)
    judged = [_judged(ours, contents, it, document, looks[document.id]) for document in documents]
    queued = [document for document in judged if document.plan is Plan.QUEUED]
    if queued:
        made = jobs.create_many(SYSTEM, ours.slug, [_job_for(it, document) for document in queued])
        job_ids = {document.id: created.job.id for document, created in zip(queued, made, strict=True)}
        judged = [replace(each, job_id=job_ids.get(each.id)) for each in judged]
    operations: list[Operation] = [
        ours.documents.guarded(each.id, each, {"plan": WAITING.value, "run_id": it.id}) for each in judged
    ]
    ours.documents.apply(operations)


def _judged(ours: ProjectRuns, contents: Contents, it: Run, document: Document, look: Look) -> Document:
    if look.content is None:
        why = Why.MISSING if look.missing else Why.UNREADABLE
        return replace(document, plan=Plan.REFUSED, why=why, detail=look.problem[:LONGEST_DETAIL])
    changed = look.hash != document.content_hash
    now = replace(
        document,
        content=look.content,
        content_hash=look.hash,
        size=look.size,
        seen_hash=document.content_hash if changed else None,
    )
    if it.start is not None and it.start.force:
        return replace(now, plan=Plan.QUEUED, why=Why.FORCED)
    serving, why, detail = _serving(ours, contents, it, now, look.content)
    if serving:
        return replace(now, plan=Plan.SKIPPED, why=Why.SERVED, served_by=tuple(each.id for each in serving))
    return replace(now, plan=Plan.QUEUED, why=Why.CHANGED if changed and why is Why.NEW else why, detail=detail)


def _serving(
    ours: ProjectRuns, contents: Contents, it: Run, document: Document, content: str
) -> tuple[list[Artifact], Why, str]:
    """The newest artifact for each output that was made of the same content with the same options, if together they
    are all that the run asks for and still are what they were.
    """
    wanted = fingerprint.of(content, it.content_type, options_for(it, document.options))
    found = ours.artifacts.find({"fingerprint": wanted}, "-id", MOST_SERVING).items
    newest: dict[str, Artifact] = {}
    for artifact in found:
        newest.setdefault(artifact.output, artifact)
    there = [artifact for artifact in newest.values() if contents.is_there(artifact)]
    missing = missing_outputs(it.outputs, there)
    if not missing:
        return [each for each in there if not it.outputs or each.output in it.outputs], Why.SERVED, ""
    if not newest:
        return [], Why.NEW, ""
    why = Why.INCOMPLETE if len(there) == len(newest) else Why.ARTIFACT_LOST
    return [], why, f"Missing: {', '.join(missing)}." if missing != ["*"] else ""


def _job_for(it: Run, document: Document) -> NewJob:
    return NewJob(
        name=document.filename,
        ingestion_task_id=f"run:{it.id}:{document.id}",
        run_id=it.id,
        document_id=document.id,
        source_file_path=document.path,
        content_type=it.content_type,
        task_options=options_for(it, document.options),
        priority=it.priority,
        tags=it.tags,
        max_retries=it.max_retries,
    )
