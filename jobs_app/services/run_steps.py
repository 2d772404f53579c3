"""How a run goes on by itself: documents are judged one batch after another, and each gets its job or is skipped.

Jobs and documents of a batch are written in one atomic step, and only while every one of the documents still waits:
so a start may be killed anywhere and go on twice at once, and no document has two jobs or a job that it does not know.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from jobs_app.domain import fingerprint
from jobs_app.domain.access import SYSTEM, Actor
from jobs_app.domain.artifact import Artifact, missing_outputs
from jobs_app.domain.document import Document, Plan, Why
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.domain.run import Phase, Run, options_for
from jobs_app.errors import InvalidError, InvalidTransitionError, NotFoundError, PreconditionFailedError
from jobs_app.services import jobs, library_uses, run_departures
from jobs_app.services.contents import Contents, Look
from jobs_app.services.project_runs import ProjectRuns
from jobs_app.stores.job_records import JobRecords
from storage_app.records.configured import record_store
from storage_app.records.errors import GuardFailedError
from storage_app.records.operations import Operation

log = logging.getLogger("holdfast.runs")
WAITING: Final = Plan.ATTACHED
BATCH: Final = 200
MOST_AT_ONCE: Final = 1000
MOST_SERVING: Final = 100
LONGEST_DETAIL: Final = 1000
TURN: Final = timedelta(seconds=5)  # of one run, before the next one has its own


def run(deadline: Deadline) -> Counts:
    """What the clock calls: every run that is being started or cancelled goes on where it stood, and what belonged to
    one that is gone goes as well. The oldest first, and none for so long that the others wait for it.
    """
    counts: Counter[str] = Counter(documents=0, cancelled=0, removed=0)
    troubles: list[Exception] = []
    while not deadline.passed and not troubles:
        before = counts.total()
        _each_in_turn(deadline, counts, troubles)
        if counts.total() == before:
            break
    if troubles:
        raise troubles[0]  # after the others had their turn: the task is shown as failed
    return dict(counts)


def remember_ends(deadline: Deadline) -> Counts:
    """What the clock calls, well before retention deletes jobs: how the jobs of a run ended stays with the run."""
    store, counts = record_store(), Counter(remembered=0)
    for slug in store.projects():
        ours, cursor = ProjectRuns(store, slug), None
        while not deadline.passed:
            started = {"phase__in": [Phase.STARTED.value, Phase.CANCELLING.value, Phase.CANCELLED.value]}
            page = ours.runs.find(started, "-id", BATCH, cursor)
            counts["remembered"] += sum(_end_remembered(ours, it) for it in page.items)
            cursor = page.next_cursor
            if cursor is None:
                break
    return dict(counts)


def hand_out(ours: ProjectRuns, it: Run, deadline: Deadline) -> int:
    """How many documents were settled before the time was up; the run is started when none waits any more. Those whose
    storage does not answer wait for the next time, and hold up no other.
    """
    settled = 0
    cursor: str | None = None
    while _is_starting(ours, it):
        page = ours.documents.find({"run_id": it.id, "plan": WAITING.value}, "id", BATCH, cursor)
        if not page.items and cursor is None:
            ours.runs.change(it.id, _started)
        if not page.items or deadline.passed:
            break
        try:
            done = _settle(ours, it, page.items)
        except (GuardFailedError, NotFoundError):
            continue  # somebody else settled or took out one of them, or the run moved on: look again
        settled += done
        if done < len(page.items):
            cursor = page.next_cursor
            if cursor is None:
                break
    return settled


def cancel_jobs(ours: ProjectRuns, it: Run, deadline: Deadline, actor: Actor = SYSTEM, reason: str = "") -> int:
    """Those that are open and were not told yet; how many were. What is left when the time is up, the task does."""
    by = f" by {it.cancelled_by.name}" if it.cancelled_by else ""
    why, told = reason or f"The run was cancelled{by}.", 0
    for job in _jobs_in(ours, it, (JobState.PENDING, JobState.PROCESSING), deadline):
        if job.cancel is not None:
            continue
        try:
            jobs.cancel(actor, ours.slug, job.id, why)
        except (InvalidTransitionError, NotFoundError):
            continue  # it ended, or went, just now
        told += 1
    if not ours.tally(it).open_jobs:
        ours.runs.change(it.id, _cancelled)  # no job can come any more: they are made only while it is being started
    return told


def retry_jobs(ours: ProjectRuns, it: Run, actor: Actor, deadline: Deadline, reason: str = "") -> tuple[int, bool]:
    """Those that have ended badly by now; how many were retried, and whether the time was up before all were asked."""
    retried = 0
    for job in _jobs_in(ours, it, (JobState.FAILED, JobState.TIMEOUT), deadline):
        if job.id in it.taken_out:
            continue
        try:
            jobs.retry(actor, ours.slug, job.id, reason, version=job.version)
        except (InvalidTransitionError, NotFoundError, PreconditionFailedError):
            continue  # it has no retries left, went, or was changed by somebody else just now
        retried += 1
    return retried, deadline.passed


def put_refused_back(ours: ProjectRuns, it: Run, deadline: Deadline) -> tuple[int, bool]:
    """Documents that were refused wait again; how many, and whether the time was up before that were all."""
    put_back = 0
    refused = {"run_id": it.id, "plan": Plan.REFUSED.value}
    while found := ours.documents.find(refused, "id", BATCH).items:
        if deadline.passed:
            return put_back, True
        waiting = [replace(each, plan=WAITING, why=None, detail="") for each in found]
        try:
            ours.documents.apply([ours.documents.guarded(each.id, each, {"plan": refused["plan"]}) for each in waiting])
        except (GuardFailedError, NotFoundError):
            continue  # somebody else did the same, or took one out
        put_back += len(waiting)
    return put_back, False


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


def _each_in_turn(deadline: Deadline, counts: Counter[str], troubles: list[Exception]) -> None:
    store = record_store()
    for slug in store.projects():
        ours = ProjectRuns(store, slug)
        counts["removed"] += run_departures.see_off_all(ours, deadline)
        for it in _under_way(ours):
            if deadline.passed:
                return
            try:
                if it.phase is Phase.STARTING:
                    counts["documents"] += hand_out(ours, it, deadline.turn(TURN))
                else:
                    counts["cancelled"] += cancel_jobs(ours, it, deadline.turn(TURN))
            except Exception as error:
                log.exception("The run %s of %s cannot go on now.", it.id, slug)
                troubles.append(error)


def _under_way(ours: ProjectRuns) -> Iterator[Run]:
    wanted = {"phase__in": [Phase.STARTING.value, Phase.CANCELLING.value]}
    cursor: str | None = None
    while True:
        page = ours.runs.find(wanted, "id", BATCH, cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _is_starting(ours: ProjectRuns, it: Run) -> bool:
    try:
        return ours.runs.get(it.id).phase is Phase.STARTING
    except NotFoundError:
        return False


def _jobs_in(ours: ProjectRuns, it: Run, states: Sequence[JobState], deadline: Deadline) -> Iterator[Job]:
    """Page by page; what leaves the states meanwhile, and comes back, is not met twice."""
    records, cursor = JobRecords(ours.store, ours.slug), None
    wanted = {"run_id": it.id, "status__in": [state.value for state in states]}
    while True:
        page = records.find(wanted, "created_at", BATCH, cursor)
        for job in page.jobs:
            if deadline.passed:
                return
            yield job
        cursor = page.next_cursor
        if cursor is None:
            return


def _started(it: Run) -> Run | None:
    return replace(it, phase=Phase.STARTED) if it.phase is Phase.STARTING else None


def _cancelled(it: Run) -> Run | None:
    return replace(it, phase=Phase.CANCELLED) if it.phase is Phase.CANCELLING else None


def _end_remembered(ours: ProjectRuns, it: Run) -> bool:
    tally = ours.tally(it)
    if tally.open_jobs or tally.jobs_gone or dict(tally.jobs) == dict(it.ended):
        return False
    ours.runs.change(it.id, lambda now: replace(now, ended=dict(tally.jobs)))
    return True


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


def _settle(ours: ProjectRuns, it: Run, documents: Sequence[Document]) -> int:
    """How many were; the others wait for a storage that does not answer."""
    try:
        (uses,) = library_uses.settle(ours.slug, [("", it.uses)])
    except InvalidError as error:  # it went, or other variables are wanted, since the run was started
        refused = [_refused(each, Why.TEXT_UNUSABLE, error.detail) for each in documents]
        ours.documents.apply(_while_waiting(ours, it, refused))
        return len(refused)
    contents = Contents(ours.store, ours.slug)
    looks = contents.look_at(documents)
    prints = {
        each.id: fingerprint.of(content, it.content_type, options_for(it, each.options), uses)
        for each in documents
        if (content := looks[each.id].content)
    }
    made_before = _made_before(ours, contents, it, prints)
    judged = [
        _judged(contents, it, each, looks[each.id], made_before.get(prints.get(each.id, ""), [])) for each in documents
    ]
    news = [after for before, after in zip(documents, judged, strict=True) if after != before]
    queued = [document for document in judged if document.plan is Plan.QUEUED]

    def written(made: Sequence[Job]) -> list[Operation]:
        job_ids = {document.id: job.id for document, job in zip(queued, made, strict=True)}
        return _while_waiting(ours, it, [replace(each, job_id=job_ids.get(each.id)) for each in news])

    if queued:
        jobs.create_many(SYSTEM, ours.slug, [_job_for(it, document) for document in queued], written)
    elif news:
        ours.documents.apply(written([]))
    return sum(document.plan is not WAITING for document in judged)


def _while_waiting(ours: ProjectRuns, it: Run, documents: Sequence[Document]) -> list[Operation]:
    """And only while the run is being started: nobody cancelled or deleted it at this moment."""
    starting = ours.runs.standing(it.id, {"phase": Phase.STARTING.value})
    return [starting, *(ours.documents.guarded(each.id, each, {"plan": WAITING.value}) for each in documents)]


def _made_before(
    ours: ProjectRuns, contents: Contents, it: Run, prints: Mapping[str, str]
) -> dict[str, list[Artifact]]:
    """The newest artifacts by fingerprint, and their files looked at together."""
    if it.start is not None and it.start.force:
        return {}
    wanted = set(prints.values())
    page = ours.artifacts.find({"fingerprint__in": sorted(wanted)}, "-id", MOST_AT_ONCE)
    found: dict[str, list[Artifact]] = {}
    for artifact in page.items:
        found.setdefault(artifact.fingerprint or "", []).append(artifact)
    if page.next_cursor is not None:  # some have very many: each is asked for by itself
        found = {each: ours.artifacts.find({"fingerprint": each}, "-id", MOST_SERVING).items for each in wanted}
    contents.expect((artifact.storage, artifact.path) for made in found.values() for artifact in made)
    return found


def _judged(contents: Contents, it: Run, document: Document, look: Look, made_before: Sequence[Artifact]) -> Document:
    if look.content is None and look.passes:
        return replace(document, why=Why.STORAGE_AWAY, detail=look.problem[:LONGEST_DETAIL])
    if look.content is None:
        return _refused(document, Why.MISSING if look.missing else Why.UNREADABLE, look.problem)
    changed = look.hash != document.content_hash
    now = replace(
        document,
        content=look.content,
        content_hash=look.hash,
        size=look.size,
        attached_hash=document.content_hash if changed else None,
    )
    if it.start is not None and it.start.force:
        return replace(now, plan=Plan.QUEUED, why=Why.FORCED, detail="")
    serving, why, detail = _serving(contents, it, made_before)
    if serving:
        return replace(now, plan=Plan.SKIPPED, why=Why.SERVED, detail="", served_by=tuple(each.id for each in serving))
    return replace(now, plan=Plan.QUEUED, why=Why.CHANGED if changed and why is Why.NEW else why, detail=detail)


def _refused(document: Document, why: Why, detail: str) -> Document:
    return replace(document, plan=Plan.REFUSED, why=why, detail=detail[:LONGEST_DETAIL])


def _serving(contents: Contents, it: Run, found: Sequence[Artifact]) -> tuple[list[Artifact], Why, str]:
    """The newest artifact for each output that was made of the same content with the same options, if together they
    are all that the run asks for and still are what they were.
    """
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
        uses=it.uses,
        max_retries=it.max_retries,
    )
