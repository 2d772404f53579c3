"""Documents of a run: attached from a storage or inline, found, read, taken out again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any, Final

from jobs_app.domain import document as rules
from jobs_app.domain import new_job, new_run
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.document import Document, DocumentState, Plan
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.run import Phase, Run
from jobs_app.errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import access, audit, files, traces
from jobs_app.services.contents import Contents, Look
from jobs_app.services.project_runs import ProjectRuns, runs_of
from jobs_app.services.storages import defined_for
from jobs_app.stores.documents import DOCUMENTS, place_of
from jobs_app.stores.job_records import JobRecords
from jobs_app.stores.noun_records import Found
from storage_app import file_storages, hashes
from storage_app.outbox.reading import PendingView
from storage_app.providers import StorageError, StorageFileInfo, StorageStream
from storage_app.records.configured import record_store
from storage_app.records.errors import GuardFailedError
from storage_app.records.operations import Delete
from storage_app.records.query import Condition, Node, Op

INLINE_STORAGE: Final = "default"
INLINE_FOLDER: Final = "documents"
MOST_AT_ONCE: Final = 100_000
BATCH: Final = 500
LONGEST_SIFTING: Final = timedelta(seconds=2)
LONGEST_FILENAME: Final = 200
MOST_TAKEN_OUT: Final = 1000
JOB_STATES: Final = frozenset(state.value for state in JobState)
_OPEN: Final = {"phase__in": [phase.value for phase in Phase if not phase.is_cancelled]}


@dataclass(frozen=True, slots=True)
class Attached:
    """What an attaching came to: `documents` are the first of those that are new; `known` were attached before."""

    documents: list[Document]
    new: int
    known: int


@dataclass(frozen=True, slots=True)
class DocumentView:
    """With its job, where there is one and it is still there."""

    document: Document
    state: DocumentState
    job: Job | None = None


def attach(
    actor: Actor, slug: str, run_id: str, storage: str, path: str, options: Mapping[str, Any] | None = None
) -> tuple[Document, bool]:
    """The file must exist; its hash is read and kept. The same file again is the same document; and whether it is
    new.
    """
    project, ours = runs_of(actor, slug, Scope.WRITE)
    it = _open_run(ours, run_id, options)
    alias = defined_for(project, storage).alias
    info = PendingView(alias, slug).get_file_info(path)
    if info.is_directory or info.sha is None:
        raise InvalidError.at("path", "is a folder; use prefix or glob to attach what is in it")
    made = _attached(ours, it, alias, [info], options or {})
    document = made.documents[0] if made.new else _known(ours, it, alias, info.path)
    if made.new:
        _audit(actor, "document.attach", project, it, document)
    return document, bool(made.new)


def attach_many(
    actor: Actor,
    slug: str,
    run_id: str,
    storage: str,
    *,
    glob: str | None = None,
    prefix: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Attached:
    """All files that match a glob, or lie below a folder. Repeated after a failure it goes on where it stood."""
    project, ours = runs_of(actor, slug, Scope.WRITE)
    it = _open_run(ours, run_id, options)
    alias = defined_for(project, storage).alias
    if (glob is None) == (prefix is None):
        raise InvalidError.at("glob", "give either glob or prefix")
    found = (
        PendingView(alias, slug).list_files_glob(glob)
        if glob is not None
        else PendingView(alias, slug).list_files(prefix or "", recursive=True)
    )
    infos = [info for info in found if not info.is_directory]
    if not infos:
        raise NotFoundError("No file matches.")
    if len(infos) > MOST_AT_ONCE:
        raise InvalidError.at("glob", f"matches {len(infos)} files; {MOST_AT_ONCE} is the most")
    made = _attached(ours, it, alias, infos, options or {})
    detail = {"storage": alias, "glob": glob, "prefix": prefix, "new": made.new, "known": made.known}
    audit.record(actor, "document.attach", audit.Target("run", it.id, it.name), project=project, detail=detail)
    return made


def attach_inline(
    actor: Actor, slug: str, run_id: str, filename: str, content: bytes, options: Mapping[str, Any] | None = None
) -> tuple[Document, bool]:
    """Written to the default storage under its hash, so that the same content is there once."""
    project, ours = runs_of(actor, slug, Scope.WRITE)
    it = _open_run(ours, run_id, options)
    if reason := _filename_fault(filename):
        raise InvalidError.at("filename", reason)
    digest = hashes.sha256_hash(content).partition(":")[2]
    path = f"{INLINE_FOLDER}/{digest[:2]}/{digest}/{filename}"
    files.write(actor, slug, INLINE_STORAGE, path, content, f"Add {filename}")
    info = PendingView(INLINE_STORAGE, slug).get_file_info(path)
    made = _attached(ours, it, INLINE_STORAGE, [info], options or {}, inline=True)
    document = made.documents[0] if made.new else _known(ours, it, INLINE_STORAGE, info.path)
    if made.new:
        _audit(actor, "document.attach", project, it, document)
    return document, bool(made.new)


def get(actor: Actor, slug: str, run_id: str, id: str) -> DocumentView:
    project, ours = runs_of(actor, slug, Scope.READ)
    it = traces.found(project, "run", run_id, ours.runs.get)
    document = traces.found(project, "document", id, lambda id: _of_run(ours, it.id, id))
    return _seen(ours, [document])[0]


def run_of(actor: Actor, slug: str, id: str) -> str:
    """The run that a document is attached to, for those who know but its id."""
    _, ours = runs_of(actor, slug, Scope.READ)
    return ours.documents.get(id).run_id


def get_many(actor: Actor, slug: str, run_id: str, ids: Sequence[str]) -> list[DocumentView]:
    """Those of the run that are there, in this order. Whoever may attach is told what was attached."""
    project = access.project_for_one_of(actor, slug, (Scope.READ, Scope.WRITE))
    ours = ProjectRuns(record_store(), project.slug)
    return _seen(ours, [each for each in ours.documents.get_many(ids) if each.run_id == run_id])


def look(actor: Actor, slug: str, run_id: str, id: str) -> Look:
    """The file as it is now, to be held against what was attached."""
    _, ours = runs_of(actor, slug, Scope.READ)
    document = _of_run(ours, run_id, id)
    return Contents(ours.store, ours.slug).seen(document.storage, document.path)


def find(
    actor: Actor,
    slug: str,
    run_id: str,
    *,
    state: DocumentState | None = None,
    text: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Found[DocumentView]:
    """One page in the order of attaching. A job's state is asked of the jobs, so the page is never behind them.

    With a job's state and words together, or for jobs that are gone, a page may be shorter than asked for: as long as
    there is a cursor there may be more.
    """
    project, ours = runs_of(actor, slug, Scope.READ)
    it = traces.found(project, "run", run_id, ours.runs.get)
    if text is not None and not text.split():
        raise InvalidError.at("q", "has no word in it")
    if state is not None and state.value in JOB_STATES and text is None:
        return _by_job(ours, it, JobState(state.value), cursor, limit)
    nodes: list[Node] = [Condition(("run_id",), Op.EQ, it.id)]
    if state is not None:
        nodes.append(Condition(("plan",), Op.EQ, rules.plan_of(state).value))
    if text is not None:
        nodes.append(Condition(("search",), Op.SEARCH, text))
    if state is not None and rules.plan_of(state) is Plan.QUEUED:
        return _sifted(ours, nodes, state, cursor, limit)
    page = ours.documents.find(nodes, "id", limit, cursor)
    return Found(_seen(ours, page.items), page.next_cursor, page.previous_cursor)


def content_info(actor: Actor, slug: str, run_id: str, id: str) -> StorageFileInfo:
    """Of the file as it is now."""
    _, ours = runs_of(actor, slug, Scope.READ)
    document = _of_run(ours, run_id, id)
    return PendingView(document.storage, ours.slug).get_file_info(document.path)


def content(
    actor: Actor, slug: str, run_id: str, id: str, *, start: int = 0, length: int | None = None
) -> StorageStream:
    """Through the provider, as it is now."""
    _, ours = runs_of(actor, slug, Scope.READ)
    document = _of_run(ours, run_id, id)
    return PendingView(document.storage, ours.slug).open_stream(document.path, start=start, length=length)


def whole(stream: StorageStream) -> bytes:
    return b"".join(file_storages.pieces_of(stream))


def detach(actor: Actor, slug: str, run_id: str, id: str) -> None:
    """Out of the run; its file stays. Refused while a job works on it."""
    project, ours = runs_of(actor, slug, Scope.WRITE)
    it = ours.runs.get(run_id)
    (view,) = _seen(ours, [_of_run(ours, run_id, id)])
    if view.state in (DocumentState.PENDING, DocumentState.PROCESSING) or it.phase is Phase.STARTING:
        raise ConflictError("The document's job is open. Cancel it first.")
    if len(it.taken_out) >= MOST_TAKEN_OUT:
        raise ConflictError(f"{MOST_TAKEN_OUT} documents were taken out already. Make a run without those instead.")
    goes = Delete(DOCUMENTS.name, id, expected_version=view.document.version)
    ours.documents.apply([goes, ours.runs.changing(it.id, lambda now: _without(now, view))])
    _audit(actor, "document.detach", project, it, view.document)


def _without(it: Run, view: DocumentView) -> Run | None:
    """The run without the document's job, which stays where it is but is no part of the run's story any more."""
    if view.document.job_id is None:
        return None
    ended = dict(it.ended)
    if view.state.value in JOB_STATES and ended.get(JobState(view.state.value)):
        ended[JobState(view.state.value)] -= 1
    return replace(it, taken_out=(*it.taken_out, view.document.job_id), ended=ended)


def _open_run(ours: ProjectRuns, run_id: str, options: Mapping[str, Any] | None = None) -> Run:
    it = ours.runs.get(run_id)
    if reason := new_run.options_fault(options or {}):
        raise InvalidError.at("options", reason)
    if it.phase.is_cancelled:
        raise ConflictError("The run was cancelled; clone it to run other documents.")
    return it


def _attached(
    ours: ProjectRuns,
    it: Run,
    storage: str,
    infos: Sequence[StorageFileInfo],
    options: Mapping[str, Any],
    *,
    inline: bool = False,
) -> Attached:
    first: list[Document] = []
    new = there = 0
    remaining, view = iter(infos), PendingView(storage, ours.slug)
    while chunk := list(islice(remaining, BATCH)):
        hashed = _hashed(view, chunk)
        made = _insert(ours, it, [_document(ours, it, storage, info, options, inline) for info in hashed])
        new, there = new + len(made), there + len(hashed)
        first += made[: BATCH - len(first)]
    return Attached(first, new, there - new)


def _hashed(view: PendingView, infos: Sequence[StorageFileInfo]) -> list[StorageFileInfo]:
    """Not every listing tells the hashes. A file that went meanwhile is as if it had never matched."""
    asked = view.get_file_infos([info.path for info in infos if not info.sha])
    known = [asked.get(info.path, info) for info in infos]
    for each in known:
        if isinstance(each, StorageError) and not each.is_absence:
            raise each
    return [each for each in known if isinstance(each, StorageFileInfo) and each.sha]


def _insert(ours: ProjectRuns, it: Run, documents: Sequence[Document]) -> list[Document]:
    """Those that are not there yet. One that somebody else attaches at the same moment makes all be looked up anew; a
    run that goes at the same moment takes none.
    """
    while True:
        places = {place_of(each.run_id, each.storage, each.path): each for each in documents}
        known = ours.store.query(ours.slug, DOCUMENTS.name, {"place__in": list(places)}, limit=len(places)).records
        missing = [each for place, each in places.items() if place not in {row.document["place"] for row in known}]
        if not missing:
            return []
        new = [ours.documents.inserting(each, each.id) for each in missing]
        try:
            return ours.documents.apply([ours.runs.standing(it.id, _OPEN), *new])
        except AlreadyExistsError:
            continue
        except (GuardFailedError, NotFoundError):
            _open_run(ours, it.id)  # says which it is; with neither, somebody else was at it, and it is tried again


def _document(
    ours: ProjectRuns, it: Run, storage: str, info: StorageFileInfo, options: Mapping[str, Any], inline: bool
) -> Document:
    return Document(
        id=ours.documents.new_id(),
        version=1,
        run_id=it.id,
        storage=storage,
        path=info.path,
        filename=info.path.rpartition("/")[2],
        content_hash=info.sha or "",
        size=info.size,
        attached_at=ours.store.now(),
        inline=inline,
        options=options,
    )


def _known(ours: ProjectRuns, it: Run, storage: str, path: str) -> Document:
    found = ours.documents.find({"place": place_of(it.id, storage, path)}, "id", 1).items
    if not found:
        raise ConflictError("Somebody took the document out at this moment. Attach it again.")
    return found[0]


def _of_run(ours: ProjectRuns, run_id: str, id: str) -> Document:
    document = ours.documents.get(id)
    if document.run_id != run_id:
        raise NotFoundError(f"There is no document {id[:80]!r} in this run.")
    return document


def _by_job(ours: ProjectRuns, it: Run, state: JobState, cursor: str | None, limit: int) -> Found[DocumentView]:
    """The jobs lead, since the state is theirs."""
    page = JobRecords(ours.store, ours.slug).find({"run_id": it.id, "status": state.value}, "created_at", limit, cursor)
    by_document = {job.document_id: job for job in page.jobs if job.document_id is not None}
    found = ours.documents.get_many(list(by_document))
    views = [DocumentView(each, DocumentState(state.value), by_document[each.id]) for each in found]
    return Found(views, page.next_cursor, page.previous_cursor)


def _sifted(
    ours: ProjectRuns, nodes: Sequence[Node], state: DocumentState, cursor: str | None, limit: int
) -> Found[DocumentView]:
    """The first page that has one in this state, without those that are in another."""
    deadline = Deadline(LONGEST_SIFTING)
    while True:
        page = ours.documents.find(nodes, "id", limit, cursor)
        views = [view for view in _seen(ours, page.items) if view.state is state]
        if views or page.next_cursor is None or deadline.passed:
            return Found(views, page.next_cursor, page.previous_cursor)
        cursor = page.next_cursor


def _seen(ours: ProjectRuns, documents: Sequence[Document]) -> list[DocumentView]:
    jobs = JobRecords(ours.store, ours.slug).get_many([each.job_id for each in documents if each.job_id])
    return [_view(each, jobs.get(each.job_id or "")) for each in documents]


def _view(document: Document, job: Job | None) -> DocumentView:
    return DocumentView(document, rules.state_of(document, job.status if job else None), job)


def _filename_fault(filename: str) -> str:
    if not 1 <= len(filename.encode()) <= LONGEST_FILENAME or "/" in filename or "\\" in filename:
        return f"use 1 to {LONGEST_FILENAME} bytes without slashes"
    return next((reason for _, reason in new_job.faults({"source_file_path": filename})), "")


def _audit(actor: Actor, action: str, project: Project, it: Run, document: Document) -> None:
    detail = {"run": it.id, "storage": document.storage, "path": document.path}
    target = audit.Target("document", document.id, document.path)
    audit.record(actor, action, target, project=project, detail=detail)
