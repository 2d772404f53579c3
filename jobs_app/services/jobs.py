"""Jobs as people and programs see them: made once, found, changed while they wait, retried, cancelled, thrown away.

The audit entry follows the change: the job's own event is written with it in one atomic step, so the story of a job
is whole even where a crash comes between the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from jobs_app.domain import job_transitions, new_job
from jobs_app.domain.access import Actor, ActorKind, Scope
from jobs_app.domain.job import By, Job, Step
from jobs_app.domain.job_states import JobState
from jobs_app.domain.library import Use
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import AlreadyExistsError, BusyError, GoneError, InvalidError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import audit, job_queries, library_uses, retention, traces
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores.job_records import NOT_TRASHED, Along, JobPage, JobRecords
from jobs_app.stores.jobs import TRASHED
from storage_app.records import errors as store_errors
from storage_app.records.operations import Operation
from storage_app.records.query import Condition, Node, Op, parse

MOST_AT_ONCE: Final = 1000
LONGEST_REASON: Final = 1000
ORDERS: Final = ("-created_at", "created_at", "priority", "-priority", "completed_at", "-completed_at")
# How many jobs a list looks at for one page where no index tells which ones match. Beyond that the page says how far
# it came, and its cursor goes on from there.
SCAN_LIMIT: Final = 2_500
CLEARABLE: Final = ("timeout_at", "not_before", "attempt_timeout_seconds")
_PERSONS: Final = (ActorKind.PERSON, ActorKind.COMMAND)
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Conditions on the list; what is not given does not narrow it. `text` is a query in the language of
    `job_queries`; `nodes` are further conditions."""

    statuses: Sequence[JobState] = ()
    content_type: str | None = None
    worker_id: str | None = None
    ingestion_task_id: str | None = None
    run_id: str | None = None
    tag: str | None = None
    uses: str | None = None  # `library.reference`
    text: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    priority: int | None = None
    nodes: Sequence[Node] = ()


@dataclass(frozen=True, slots=True)
class Created:
    """A job, and whether it was there before under the same ingestion id."""

    job: Job
    replayed: bool


def create(actor: Actor, slug: str, new: NewJob) -> Created:
    """One job; the same request with the same ingestion id gives the first one again."""
    return create_many(actor, slug, [new])[0]


def create_many(actor: Actor, slug: str, new: Sequence[NewJob], along: Along | None = None) -> list[Created]:
    """All or none, in the order given; `along` says, given the job of each, what else is written in the same step."""
    project, records = jobs_of(actor, slug, Scope.WRITE)
    if not 1 <= len(new) <= MOST_AT_ONCE:
        raise InvalidError.at("jobs", f"give 1 to {MOST_AT_ONCE} jobs")
    _check_all(new)
    first_asking = _first_asking(new)
    for _ in range(_ROUNDS):
        known = _known(records, first_asking)
        missing = [number for number, item in enumerate(new) if _is_to_be_made(item, number, known, first_asking)]
        make = partial(_make, By.actor(actor), _settled(slug, new, missing))
        try:
            made = records.create(
                [new[number] for number in missing],
                make,
                along and partial(_along, along, new, missing, known),
            )
        except store_errors.AlreadyExistsError:
            continue  # somebody else made one of them just now, so it is known in the next round
        _audit_creation(actor, project, made)
        return _in_order(new, dict(zip(missing, made, strict=True)), known)
    raise BusyError("Others are creating the same jobs at this moment. Try again in a second.")


def get(actor: Actor, slug: str, id: str) -> Job:
    """GoneError for one in the trash, however it came there, and for one that somebody removed for good."""
    project, records = jobs_of(actor, slug, Scope.READ)
    return traces.found(project, "job", id, partial(_standing, records))


def find(
    actor: Actor, slug: str, wanted: JobFilter, order: str = "-created_at", cursor: str | None = None, limit: int = 50
) -> JobPage:
    """One page of what matches in the whole history; the trash is no part of it."""
    _, records = jobs_of(actor, slug, Scope.READ)
    if order not in ORDERS:
        raise InvalidError.at("order", f"choose one of {', '.join(ORDERS)}")
    return records.find(conditions(wanted), order, limit, cursor, SCAN_LIMIT)


def conditions(wanted: JobFilter, moment: datetime | None = None) -> list[Node]:
    """The filter in the store's words. The states are always named, which keeps deleted jobs out. Times that are told
    from now are seen from the moment."""
    asked = job_queries.nodes(wanted.text, moment) if wanted.text else []
    pairs: dict[str, Any] = {
        "content_type": wanted.content_type,
        "worker_id": wanted.worker_id,
        "ingestion_task_id": wanted.ingestion_task_id,
        "run_id": wanted.run_id,
        "tags__contains": wanted.tag,
        "used__contains": wanted.uses,
        "created_at__gte": wanted.created_after,
        "created_at__lt": wanted.created_before,
        "priority": wanted.priority,
    }
    named = [parse(name, value) for name, value in pairs.items() if value is not None]
    _refuse((name, "has a NUL in it") for name, value in pairs.items() if isinstance(value, str) and "\0" in value)
    # The states of the query come first, since an index holds the list to those.
    states: list[Node] = []
    if wanted.statuses:
        states = [Condition(("status",), Op.IN, [state.value for state in wanted.statuses])]
    states += [node for node in asked if _is_of_states(node)]
    others = [node for node in asked if not _is_of_states(node)]
    return [*(states or [Condition(("status",), Op.IN, NOT_TRASHED)]), *named, *others, *wanted.nodes]


def change(actor: Actor, slug: str, id: str, changes: Mapping[str, Any], version: int | None = None) -> Job:
    """Other values for a job that waits; with `version`, only while that is still the current one."""
    project, records = jobs_of(actor, slug, Scope.WRITE)
    _refuse(new_job.faults(changes))
    _refuse((name, "must have a value") for name, value in changes.items() if value is None and name not in CLEARABLE)
    by = By.actor(actor)
    if not changes:
        return records.get(id)
    job = records.change(id, lambda job, now: job_transitions.change(job, now, by, changes), version=version)
    _audit(actor, "job.change", project, job, fields=sorted(changes))
    return job


def cancel(actor: Actor, slug: str, id: str, reason: str = "", version: int | None = None) -> Job:
    """At once while it waits; otherwise its worker is asked, and the job ends at the latest with the lease."""
    project, records = jobs_of(actor, slug, Scope.WRITE)
    why, by = checked_reason(reason), By.actor(actor)
    job = records.change(id, lambda job, now: job_transitions.cancel(job, now, by, why), version=version)
    _audit(actor, "job.cancel", project, job, reason=why)
    return job


def retry(actor: Actor, slug: str, id: str, reason: str = "", version: int | None = None) -> Job:
    """Back to the queue. A program may do so as long as retries are left, a person always."""
    project, records = jobs_of(actor, slug, Scope.WRITE)
    why, by, is_person = checked_reason(reason), By.actor(actor), actor.kind in _PERSONS

    def decide(job: Job, now: datetime) -> Step:
        return job_transitions.retry(job, now, by, why, beyond_limit=is_person)

    job = records.change(id, decide, version=version)
    _audit(actor, "job.retry", project, job, reason=why)
    return job


def take_back(actor: Actor, slug: str, id: str, reason: str = "", version: int | None = None) -> Job:
    """From its worker into the queue again; whatever that worker still says of it is refused."""
    project, records = jobs_of(actor, slug, Scope.WRITE)
    why, by = checked_reason(reason), By.actor(actor)
    job = records.change(id, lambda job, now: job_transitions.take_back(job, now, by, why), version=version)
    _audit(actor, "job.release", project, job, reason=why)
    return job


def delete(actor: Actor, slug: str, id: str, reason: str = "", version: int | None = None) -> Job:
    """Into the trash, with everything that belongs to it; a processing job is refused."""
    project, records = jobs_of(actor, slug, Scope.WRITE)
    why, by = checked_reason(reason), By.actor(actor)
    job = records.change(id, lambda job, now: job_transitions.trash(job, now, by, why), version=version)
    _audit(actor, "job.delete", project, job, reason=why)
    return job


def in_trash(actor: Actor, slug: str, cursor: str | None = None, limit: int = 50) -> JobPage:
    """What was deleted and can still come back, newest job first."""
    _, records = jobs_of(actor, slug, Scope.READ)
    return records.find({"status": TRASHED}, "-created_at", limit, cursor)


def is_in_trash(actor: Actor, slug: str, id: str) -> bool:
    _, records = jobs_of(actor, slug, Scope.READ)
    try:
        records.get(id, in_trash=True)
    except NotFoundError:
        return False
    return True


def restore(actor: Actor, slug: str, id: str) -> Job:
    """Out of the trash, as it was; refused where its ingestion id was taken meanwhile."""
    project, records = jobs_of(actor, slug, Scope.WRITE)
    by = By.actor(actor)
    try:
        job = records.change(id, lambda job, now: job_transitions.restore(job, now, by), in_trash=True)
    except store_errors.AlreadyExistsError as error:
        raise AlreadyExistsError(
            f"Job {error.details['existing_id']} has the ingestion id {error.details['value']!r} now; delete it first."
        ) from error
    _audit(actor, "job.restore", project, job)
    return job


def erase(actor: Actor, slug: str, id: str) -> None:
    """Out of the trash for good, with everything that belonged to it."""
    project, records = jobs_of(actor, slug, Scope.WRITE)
    job = records.get(id, in_trash=True)
    with retention.departing(project.slug, [id]):
        erased = records.purge(id, {"status": TRASHED})
    if erased:
        _audit(actor, "job.erase", project, job)


def _standing(records: JobRecords, id: str) -> Job:
    try:
        return records.get(id)
    except NotFoundError as error:
        job = records.get(id, in_trash=True)
        assert job.trashed is not None
        raise GoneError("job", job.name, job.trashed.at, job.trashed.by.name) from error


def _is_of_states(node: Node) -> bool:
    """Whether a condition leaves some states only, and so never the trash."""
    return isinstance(node, Condition) and node.path == ("status",) and node.op in (Op.EQ, Op.IN)


def _check_all(new: Sequence[NewJob]) -> None:
    several = len(new) > 1
    for number, item in enumerate(new):
        values = {name: getattr(item, name) for name in NewJob.__slots__}
        faults = list(new_job.faults(values))
        _refuse([(f"jobs.{number}.{place}" if several else place, reason) for place, reason in faults])


def _refuse(faults: Any) -> None:
    errors = [{"place": place, "reason": reason} for place, reason in faults]
    if errors:
        raise InvalidError("; ".join(f"{error['place']}: {error['reason']}" for error in errors), errors)


def _first_asking(new: Sequence[NewJob]) -> dict[str, int]:
    """Which of the requests is the first with an ingestion id; a later one must ask for the same."""
    first: dict[str, int] = {}
    for number, item in enumerate(new):
        if (id := item.ingestion_task_id) is not None:
            earlier = new[first.setdefault(id, number)]
            if earlier is not item and new_job.content_digest(earlier) != new_job.content_digest(item):
                raise _other_content(id)
    return first


def _known(records: JobRecords, first_asking: Mapping[str, int]) -> dict[str, Job]:
    """The jobs that are there already, by ingestion id."""
    if not first_asking:
        return {}
    found = records.find({"ingestion_task_id__in": list(first_asking)}, "id", MOST_AT_ONCE).jobs
    return {job.ingestion_task_id: job for job in found if job.ingestion_task_id is not None}


def _is_to_be_made(new: NewJob, number: int, known: Mapping[str, Job], first_asking: Mapping[str, int]) -> bool:
    id = new.ingestion_task_id
    if id is None:
        return True
    if id in known and known[id].request_digest != new_job.content_digest(new):
        raise _other_content(id)
    return id not in known and first_asking[id] == number


def _in_order(new: Sequence[NewJob], made: Mapping[int, Job], known: Mapping[str, Job]) -> list[Created]:
    by_ingestion_id = {**known, **{job.ingestion_task_id: job for job in made.values() if job.ingestion_task_id}}
    return [
        Created(made[number], replayed=False)
        if number in made
        else Created(by_ingestion_id[item.ingestion_task_id or ""], replayed=True)
        for number, item in enumerate(new)
    ]


def _along(
    along: Along, new: Sequence[NewJob], missing: Sequence[int], known: Mapping[str, Job], made: Sequence[Job]
) -> Sequence[Operation]:
    return along([created.job for created in _in_order(new, dict(zip(missing, made, strict=True)), known)])


def _settled(slug: str, new: Sequence[NewJob], numbers: Sequence[int]) -> dict[int, Sequence[Use]]:
    """What each request that wants something of the library gets, by the request's identity."""
    wanting = [number for number in numbers if new[number].uses]
    if not wanting:
        return {}
    asked = [(f"jobs.{number}." if len(new) > 1 else "", new[number].uses) for number in wanting]
    settled = library_uses.settle(slug, asked)
    return {id(new[number]): uses for number, uses in zip(wanting, settled, strict=True)}


def _make(by: By, settled: Mapping[int, Sequence[Use]], new: NewJob, id_: str, now: datetime) -> Step:
    return new_job.make(new, id_, now, by, settled.get(id(new), ()))


def _other_content(id: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"There is a job with the ingestion id {id!r} already, and it was asked for differently.")


def checked_reason(reason: str) -> str:
    if len(reason) > LONGEST_REASON:
        raise InvalidError.at("reason", f"has {len(reason)} characters; {LONGEST_REASON} is the most")
    return reason.strip()


def _audit_creation(actor: Actor, project: Project, made: Sequence[Job]) -> None:
    if len(made) == 1:
        _audit(actor, "job.create", project, made[0])
    elif made:
        audit.record(actor, "job.create", project=project, detail={"jobs": len(made), "first": made[0].id})


def _audit(actor: Actor, action: str, project: Project, job: Job, **detail: Any) -> None:
    audit.record(actor, action, audit.Target("job", job.id, job.name), project=project, detail=detail)
