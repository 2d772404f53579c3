"""Workers: who they are, what they hold, and taking one out of service without losing anything."""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import By, Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.worker import FORGOTTEN, Controls, Stop, Worker, WorkerGlance, WorkerState
from jobs_app.errors import InvalidError, NotFoundError
from jobs_app.services import access, audit
from jobs_app.stores import controls as control_records
from jobs_app.stores import workers as worker_records
from jobs_app.stores.job_records import JobRecords
from jobs_app.stores.jobs import JOBS
from jobs_app.stores.workers import WORKERS
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store
from storage_app.records.operations import Durability, Record

log = logging.getLogger("holdfast.workers")

NOTED_EVERY: Final = timedelta(seconds=30)
MOST_HELD: Final = 100
_PAGE: Final = 1000
LONGEST_REASON: Final = 1000


class Introduction(Protocol):
    """What a worker says of itself with each claim."""

    @property
    def worker_id(self) -> str: ...
    @property
    def content_types(self) -> Sequence[str] | None: ...
    @property
    def software_version(self) -> str: ...
    @property
    def capabilities(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class WorkerPage:
    workers: list[WorkerState]
    next_cursor: str | None


def of(actor: Actor, slug: str, cursor: str | None = None, limit: int = 50) -> WorkerPage:
    """Those heard of within a day, last seen first."""
    project = access.project_for(actor, slug, Scope.READ)
    store = record_store()
    try:
        page = store.query(
            project.slug,
            WORKERS.name,
            {"last_seen_at__gt": store.now() - FORGOTTEN},
            order="-last_seen_at",
            limit=limit,
            cursor=cursor,
        )
    except store_errors.InvalidError as error:
        raise InvalidError.at("cursor", "is not one that this list gave out") from error
    found = _readable(store, project.slug, page.records)
    return WorkerPage(_states(store, project.slug, found), page.next_cursor)


def glance(actor: Actor, slug: str, limit: int) -> list[WorkerGlance]:
    """The first of `of`, without the jobs themselves: a look that costs the same whatever they hold."""
    project = access.project_for(actor, slug, Scope.READ)
    store = record_store()
    seen = {"last_seen_at__gt": store.now() - FORGOTTEN}
    page = store.query(project.slug, WORKERS.name, seen, order="-last_seen_at", limit=limit)
    drained, at_work = control_records.read(store, project.slug).workers, busy(store, project.slug)
    found = _readable(store, project.slug, page.records)
    return [WorkerGlance(worker, worker.id in at_work, drained.get(worker.id)) for worker in found]


def names(actor: Actor, slug: str, limit: int) -> list[str]:
    """Of those heard of last."""
    project = access.project_for(actor, slug, Scope.READ)
    store = record_store()
    page = store.query(project.slug, WORKERS.name, order="-last_seen_at", limit=limit)
    return [str(record.id) for record in page.records]


def get(actor: Actor, slug: str, worker_id: str) -> WorkerState:
    project = access.project_for(actor, slug, Scope.READ)
    store = record_store()
    worker = _known(store, project.slug, worker_id)
    return _state(store, project.slug, worker)


def present(store: RecordStore, slug: str, since: datetime) -> list[Worker]:
    """Those heard of since then; at most 500, which is enough to say whether there are any."""
    page = store.query(slug, WORKERS.name, {"last_seen_at__gte": since}, order="-last_seen_at", limit=500)
    return _readable(store, slug, page.records)


def busy(store: RecordStore, slug: str) -> frozenset[str]:
    """Those that hold something."""
    held = store.count_by(slug, JOBS.name, ["worker_id"], {"status": JobState.PROCESSING.value})
    return frozenset(str(worker_id) for (worker_id,) in held)


def drain(actor: Actor, slug: str, worker_id: str, reason: str = "") -> WorkerState:
    """No new jobs for this worker; what it holds it may end. Then it is safe to stop. Where it is drained already, who
    gives a reason is noted as the one who did it.
    """
    project = access.project_for(actor, slug, Scope.WRITE)
    if len(reason) > LONGEST_REASON:
        raise InvalidError.at("reason", f"has {len(reason)} characters; {LONGEST_REASON} is the most")
    store = record_store()
    worker = _known(store, project.slug, worker_id)
    stop = Stop(store.now(), By.actor(actor), reason.strip())

    def drained(controls: Controls) -> Controls:
        before = controls.workers.get(worker_id)
        return replace(
            controls, workers={**controls.workers, worker_id: stop if stop.why or before is None else before}
        )

    control_records.change(store, project.slug, drained)
    target = audit.Target("worker", worker_id, worker_id)
    audit.record(actor, "worker.drain", target, project=project, detail={"reason": stop.why})
    return _state(store, project.slug, worker)


def resume(actor: Actor, slug: str, worker_id: str) -> WorkerState:
    """Jobs again for a drained worker."""
    project = access.project_for(actor, slug, Scope.WRITE)
    store = record_store()
    worker = _known(store, project.slug, worker_id)
    control_records.change(store, project.slug, lambda controls: _without(controls, [worker_id]))
    audit.record(actor, "worker.resume", audit.Target("worker", worker_id, worker_id), project=project)
    return _state(store, project.slug, worker)


def seen(store: RecordStore, slug: str, who: Introduction) -> None:
    """Notes that a worker asked for work: at once when it is new or says something else, else now and then."""
    now = store.now()
    said = Worker(
        id=who.worker_id,
        first_seen_at=now,
        last_seen_at=now,
        content_types=None if who.content_types is None else tuple(who.content_types),
        software_version=who.software_version,
        capabilities=who.capabilities,
    )
    known = _find(store, slug, who.worker_id)
    if known is None:
        _introduce(store, slug, said)
    elif _is_news(known, said):
        _note(store, slug, replace(said, first_seen_at=known.first_seen_at))


def beat(store: RecordStore, slug: str, worker_id: str) -> None:
    """Notes now and then that a worker is alive while it holds a job."""
    known = _find(store, slug, worker_id)
    now = store.now()
    if known is not None and now - known.last_seen_at >= NOTED_EVERY:
        _note(store, slug, replace(known, last_seen_at=now))


def forget_silent(store: RecordStore, slug: str) -> int:
    """Removes those not heard of for a day, with their drains."""
    silent = {"last_seen_at__lte": store.now() - FORGOTTEN}
    gone = store.delete_where(slug, WORKERS.name, silent, order="last_seen_at").records
    if gone:
        names = [str(record.id) for record in gone]
        if set(names) & set(control_records.read(store, slug).workers):
            control_records.change(store, slug, lambda controls: _without(controls, names))
    return len(gone)


def _states(store: RecordStore, slug: str, found: Sequence[Worker]) -> list[WorkerState]:
    """What all of them hold is asked for together, however many they are."""
    controls = control_records.read(store, slug)
    held = _held(store, slug, [worker.id for worker in found])
    return [WorkerState(worker, held[worker.id], controls.workers.get(worker.id)) for worker in found]


def _held(store: RecordStore, slug: str, worker_ids: Sequence[str]) -> Mapping[str, list[Job]]:
    """The first jobs that each has in hand, oldest first."""
    held: dict[str, list[Job]] = {worker_id: [] for worker_id in worker_ids}
    conditions: dict[str, Any] = {"status": JobState.PROCESSING.value}
    if len(worker_ids) == 1 or store.count(slug, JOBS.name, conditions) > _PAGE:
        conditions["worker_id__in"] = list(worker_ids)
    cursor: str | None = None
    while held:
        page = JobRecords(store, slug).find(conditions, "created_at", _PAGE, cursor)
        for job in page.jobs:
            if len(theirs := held.get(job.worker_id or "", [])) < MOST_HELD:
                theirs.append(job)
        if (cursor := page.next_cursor) is None:
            break
    return held


def _state(store: RecordStore, slug: str, worker: Worker) -> WorkerState:
    return _states(store, slug, [worker])[0]


def _known(store: RecordStore, slug: str, worker_id: str) -> Worker:
    worker = _find(store, slug, worker_id)
    if worker is None or store.now() - worker.last_seen_at >= FORGOTTEN:
        raise NotFoundError(f"There is no worker {worker_id[:80]!r} here.")
    return worker


def _find(store: RecordStore, slug: str, worker_id: str) -> Worker | None:
    try:
        record = store.get(slug, WORKERS.name, worker_id)
    except (store_errors.RecordNotFoundError, store_errors.InvalidError):
        return None
    return next(iter(_readable(store, slug, [record])), None)


def _readable(store: RecordStore, slug: str, records: Sequence[Record]) -> list[Worker]:
    """One that makes no sense is dropped rather than set aside: the worker introduces itself again with its next
    claim, which it could not while its id lay in quarantine.
    """
    found = []
    for record in records:
        try:
            found.append(worker_records.from_record(record))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("Worker %s of %s is dropped, since its record makes no sense: %s", record.id, slug, error)
            with contextlib.suppress(store_errors.RecordNotFoundError):
                store.delete(slug, WORKERS.name, record.id)
    return found


def _is_news(known: Worker, said: Worker) -> bool:
    told = (known.content_types, known.software_version, dict(known.capabilities))
    return said.last_seen_at - known.last_seen_at >= NOTED_EVERY or told != (
        said.content_types,
        said.software_version,
        dict(said.capabilities),
    )


def _introduce(store: RecordStore, slug: str, worker: Worker) -> None:
    try:
        document = worker_records.to_document(worker)
        store.insert(slug, WORKERS.name, document, id=worker.id, durability=Durability.KILL_SAFE)
    except store_errors.AlreadyExistsError:
        _note(store, slug, worker)  # two claims of a new worker at once


def _note(store: RecordStore, slug: str, worker: Worker) -> None:
    def changed(record: Record) -> dict[str, Any]:
        before = worker_records.from_record(record)
        seen_at = max(before.last_seen_at, worker.last_seen_at)
        return worker_records.to_document(replace(worker, first_seen_at=before.first_seen_at, last_seen_at=seen_at))

    try:
        store.update(slug, WORKERS.name, worker.id, changed, durability=Durability.KILL_SAFE)
    except store_errors.RecordNotFoundError:
        _introduce(store, slug, worker)  # it was forgotten at this very moment


def _without(controls: Controls, names: Sequence[str]) -> Controls:
    return replace(controls, workers={name: stop for name, stop in controls.workers.items() if name not in names})
