"""Artifacts: written by workers through the storage, with the provenance that lets a later run skip the work.

The files go first, as one batch, and the records follow in one atomic step. Whoever is stopped between the two sends
the same call again: identical content makes no commit, and a record that is there stays the only one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jobs_app.domain import fingerprint, lease, new_job
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.artifact import Artifact
from jobs_app.domain.document import Document
from jobs_app.domain.job import By, Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.run import Run, options_for
from jobs_app.errors import AlreadyExistsError, InvalidError, NotFoundError, PermissionDeniedError
from jobs_app.services import access, audit, files, traces
from jobs_app.services.contents import Contents
from jobs_app.services.project_runs import ProjectRuns, runs_of
from jobs_app.services.storages import defined_for
from jobs_app.stores.artifacts import place_of
from jobs_app.stores.job_records import JobRecords, translated
from jobs_app.stores.noun_records import Found
from storage_app import hashes
from storage_app.outbox.reading import PendingView
from storage_app.providers import FileWrite, StorageFileInfo, StorageStream
from storage_app.records.configured import record_store
from storage_app.records.query import Condition, Node, Op

MAIN: Final = "main"
MOST_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class NewArtifact:
    document_id: str
    path: str
    content: bytes = field(repr=False)
    job_id: str | None = None
    output: str = MAIN
    options: Mapping[str, Any] | None = None  # those of run and document where it does not say
    storage: str | None = None  # the run's
    lease_token: str | None = field(default=None, repr=False)  # proves that the writer still holds the job


@dataclass(frozen=True, slots=True)
class Written:
    """In the order given; `commits` by storage, without those that are deferred or changed nothing."""

    artifacts: list[Artifact]
    commits: Mapping[str, str]
    deferred: bool


def write(
    actor: Actor,
    slug: str,
    run_id: str,
    new: Sequence[NewArtifact],
    *,
    message: str = "",
    deferred: bool = False,
) -> Written:
    """All of a storage as one commit, or into the outbox. A worker, who may not write otherwise, may do so for a job
    that is worked on, and into the run's own storage. Whoever gives a lease's token writes nothing once it is lost.
    """
    project = access.project_for_one_of(actor, slug, (Scope.WORK, Scope.WRITE))
    ours = ProjectRuns(record_store(), project.slug)
    it = traces.found(project, "run", run_id, ours.runs.get)
    _refuse(it, new)
    documents = {each.id: each for each in ours.documents.get_many(_distinct(item.document_id for item in new))}
    jobs = _jobs(ours, it, new)
    if Scope.WRITE not in actor.scopes_in(project.pk):
        _refuse_beyond_work(it, new, jobs)
    sources = _sources(ours, [_of(documents, it, item) for item in new])
    artifacts = [
        _artifact(ours, actor, it, documents[item.document_id], jobs.get(item.job_id or ""), item, deferred, sources)
        for item in new
    ]
    commits: dict[str, str] = {}
    for storage in _distinct(each.storage for each in artifacts):
        alias = defined_for(project, storage).alias
        writes = [
            FileWrite(item.path, item.content)
            for item, made in zip(new, artifacts, strict=True)
            if made.storage == storage
        ]
        said = message or f"{it.name}: {len(writes)} artifact{'s' if len(writes) > 1 else ''}"
        done = files.batch_for(actor, project, alias, writes, said, deferred=deferred)
        if done.commit is not None and done.commit.changed:
            commits[storage] = done.commit.sha
    try:
        kept = _kept(ours, it, artifacts)
    except NotFoundError:
        traces.found(project, "run", run_id, ours.runs.get)
        raise
    detail = {"run": it.id, "artifacts": len(kept), "deferred": deferred}
    audit.record(actor, "artifact.write", audit.Target("run", it.id, it.name), project=project, detail=detail)
    return Written(kept, commits, deferred)


def get(actor: Actor, slug: str, id: str) -> Artifact:
    return runs_of(actor, slug, Scope.READ)[1].artifacts.get(id)


def get_many(actor: Actor, slug: str, ids: Sequence[str]) -> dict[str, Artifact]:
    """By id, those that are there."""
    _, ours = runs_of(actor, slug, Scope.READ)
    wanted = _distinct(ids)
    parts = [wanted[at : at + MOST_AT_ONCE] for at in range(0, len(wanted), MOST_AT_ONCE)]
    return {each.id: each for part in parts for each in ours.artifacts.get_many(part)}


def find(
    actor: Actor,
    slug: str,
    *,
    run_id: str | None = None,
    document_id: str | None = None,
    job_id: str | None = None,
    content_hash: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Found[Artifact]:
    """Newest first, by what they came from or by what they hold: a hash of either kind."""
    _, ours = runs_of(actor, slug, Scope.READ)
    given = {"run_id": run_id, "document_id": document_id, "job_id": job_id, "content_hash": content_hash}
    nodes: list[Node] = [Condition((name,), Op.EQ, value) for name, value in given.items() if value is not None]
    return ours.artifacts.find(nodes, "-id", limit, cursor)


def of_run(actor: Actor, slug: str, run_id: str, *, cursor: str | None = None, limit: int = 50) -> Found[Artifact]:
    """Newest first; of a run that is not there not even none."""
    project, ours = runs_of(actor, slug, Scope.READ)
    it = traces.found(project, "run", run_id, ours.runs.get)
    return ours.artifacts.find({"run_id": it.id}, "-id", limit, cursor)


def content_info(actor: Actor, slug: str, id: str) -> StorageFileInfo:
    """Of the file as it is now; whoever reads sees by the hash whether it still is what was written."""
    _, ours = runs_of(actor, slug, Scope.READ)
    artifact = ours.artifacts.get(id)
    return PendingView(artifact.storage, ours.slug).get_file_info(artifact.path)


def content(actor: Actor, slug: str, id: str, *, start: int = 0, length: int | None = None) -> StorageStream:
    _, ours = runs_of(actor, slug, Scope.READ)
    artifact = ours.artifacts.get(id)
    return PendingView(artifact.storage, ours.slug).open_stream(artifact.path, start=start, length=length)


def _refuse(it: Run, new: Sequence[NewArtifact]) -> None:
    if not 1 <= len(new) <= MOST_AT_ONCE:
        raise InvalidError.at("artifacts", f"give 1 to {MOST_AT_ONCE}")
    places = [(item.storage or it.storage, item.path) for item in new]
    if len(set(places)) < len(places):
        raise InvalidError.at("artifacts", "names a path twice")
    for item in new:
        if reason := new_job.word_fault(item.output):
            raise InvalidError.at("output", reason)
        if it.outputs and item.output not in it.outputs:
            raise InvalidError.at("output", f"{item.output!r} is none of the run's: {', '.join(it.outputs)}")


def _jobs(ours: ProjectRuns, it: Run, new: Sequence[NewArtifact]) -> dict[str, Job]:
    records = JobRecords(ours.store, ours.slug)
    found = {id: records.get(id) for id in _distinct(item.job_id for item in new if item.job_id)}
    for item in new:
        if item.job_id and (found[item.job_id].run_id, found[item.job_id].document_id) != (it.id, item.document_id):
            raise InvalidError.at("job_id", "is not the job of this document in this run")
        if item.lease_token is not None:
            _require_lease(found.get(item.job_id or ""), item.lease_token)
    return found


def _require_lease(job: Job | None, token: str) -> None:
    """Looked at before a file is touched: storages know no fence, so a write that began in time may end late."""
    if job is None:
        raise InvalidError.at("lease_token", "needs the job_id that it belongs to")
    with translated(job.id):
        lease.require_holder(job, token)


def _refuse_beyond_work(it: Run, new: Sequence[NewArtifact], jobs: Mapping[str, Job]) -> None:
    for item in new:
        if item.job_id is None:
            raise PermissionDeniedError("Who may only work writes artifacts of a job: name its job_id.")
        if jobs[item.job_id].status is not JobState.PROCESSING:
            raise PermissionDeniedError(f"The job {item.job_id} is not being worked on, so nothing is written for it.")
        if item.storage not in (None, it.storage):
            raise PermissionDeniedError(f"Who may only work writes into the run's storage, which is {it.storage}.")


def _of(documents: Mapping[str, Document], it: Run, item: NewArtifact) -> Document:
    document = documents.get(item.document_id)
    if document is None or document.run_id != it.id:
        raise NotFoundError(f"There is no document {item.document_id[:80]!r} in this run.")
    return document


def _sources(ours: ProjectRuns, documents: Sequence[Document]) -> dict[str, str | None]:
    """What each was read as, by document. Unknown where the file is another one than the run took: the worker may have
    read either, so what it made must never serve for the content that the run knows.
    """
    contents = Contents(ours.store, ours.slug)
    contents.expect((each.storage, each.path) for each in documents)
    found: dict[str, str | None] = {}
    for each in documents:
        if contents.seen(each.storage, each.path).hash != each.content_hash:
            found[each.id] = None
        elif each.id not in found:
            found[each.id] = each.content or contents.content_of(each.storage, each.path, each.content_hash)
    return found


def _artifact(
    ours: ProjectRuns,
    actor: Actor,
    it: Run,
    document: Document,
    job: Job | None,
    item: NewArtifact,
    deferred: bool,
    sources: Mapping[str, str | None],
) -> Artifact:
    storage = item.storage or it.storage
    view = PendingView(storage, ours.slug)
    options = options_for(it, document.options) if item.options is None else dict(item.options)
    source = sources[document.id]
    id = ours.artifacts.new_id()
    return Artifact(
        id=id,
        version=1,
        run_id=it.id,
        document_id=document.id,
        job_id=job.id if job else None,
        attempt=job.attempt if job else None,
        output=item.output,
        storage=storage,
        path=item.path,
        content_hash=hashes.compute(view.hash_kind, item.content),
        size=len(item.content),
        source=source,
        options=options,
        fingerprint=_fingerprint(it, job, source, options),
        created_at=ours.store.now(),
        created_by=By.actor(actor),
        deferred=deferred,
    )


def _fingerprint(it: Run, job: Job | None, source: str | None, options: Mapping[str, Any]) -> str | None:
    """None where it is not known of what it was made: content that changed, or texts that only a job could tell."""
    if source is None or (it.uses and job is None):
        return None
    return fingerprint.of(source, it.content_type, options, job.uses if job else ())


def _kept(ours: ProjectRuns, it: Run, artifacts: Sequence[Artifact]) -> list[Artifact]:
    """With those that an earlier call made already in the place of its repetition. A run that was deleted meanwhile
    takes none.
    """
    while True:
        places = [place_of(each) for each in artifacts]
        known = ours.artifacts.find({"place__in": places}, "id", MOST_AT_ONCE).items
        by_place = {place_of(each): each for each in known}
        missing = [each for place, each in zip(places, artifacts, strict=True) if place not in by_place]
        try:
            new = [ours.artifacts.inserting(each, each.id) for each in missing]
            made = ours.artifacts.apply([ours.runs.standing(it.id), *new])
        except AlreadyExistsError:
            continue  # somebody else sent the same at this moment
        by_place |= {place_of(each): each for each in made}
        return [by_place[place] for place in places]


def _distinct(values: Any) -> list[str]:
    return list(dict.fromkeys(values))
