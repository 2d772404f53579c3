"""Runs: made, found, changed, started, cancelled, repeated, deleted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from jobs_app.domain import new_run, run
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.document import Plan
from jobs_app.domain.job import By
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_run import NewRun
from jobs_app.domain.operation import Action, Operation
from jobs_app.domain.run import Phase, Run, RunState, Start, Tally
from jobs_app.errors import ConflictError, InvalidError, PreconditionFailedError
from jobs_app.models import Project
from jobs_app.services import audit, job_actions, library_uses, run_departures, run_steps, traces
from jobs_app.services.job_actions import Choice
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_runs import ProjectRuns, runs_of
from jobs_app.services.storages import defined_for
from jobs_app.stores.noun_records import Found
from jobs_app.stores.runs import RUNS
from storage_app.records.operations import Delete
from storage_app.records.query import Condition, Node, Op

ORDERS: Final = ("-created_at", "created_at")
AT_ONCE: Final = timedelta(seconds=2)  # how long a request helps along before it leaves the rest to the task
LONGEST_SIFTING: Final = timedelta(seconds=2)
LONGEST_RETRY: Final = timedelta(seconds=10)
CHANGEABLE_ALWAYS: Final = frozenset({"name", "tags"})
CHANGEABLE_WHILE_STARTING: Final = frozenset({"name"})  # the jobs that are still to be made must be as the first were
LONGEST_CLONING: Final = timedelta(hours=1)  # what was copied for a clone that never came goes after it


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with what follows from its documents and jobs."""

    run: Run
    tally: Tally
    state: RunState
    progress: float

    @property
    def skipped(self) -> int:
        return self.tally.plans.get(Plan.SKIPPED, 0)


@dataclass(frozen=True, slots=True)
class Retried:
    """How many jobs went back to the queue, and how many documents that were refused are looked at anew. `operation`
    goes on with the jobs that were too many for one request; `more` where somebody must ask again.
    """

    jobs: int
    documents: int
    more: bool
    operation: Operation | None = None


def create(actor: Actor, slug: str, new: NewRun) -> RunView:
    project, ours = runs_of(actor, slug, Scope.WRITE)
    _refuse({name: getattr(new, name) for name in NewRun.__slots__})
    defined_for(project, new.storage)
    library_uses.settle(slug, [("", new.uses)])
    it = _draft(ours, actor, new)
    made = ours.runs.insert(it, it.id)
    _audit(actor, "run.create", project, made)
    return _seen(ours, made)


def get(actor: Actor, slug: str, id: str) -> RunView:
    project, ours = runs_of(actor, slug, Scope.READ)
    return _seen(ours, traces.found(project, "run", id, ours.runs.get))


def look(actor: Actor, slug: str, id: str) -> Run:
    """As it was asked for, for whoever may change it."""
    project, ours = runs_of(actor, slug, Scope.WRITE)
    return traces.found(project, "run", id, ours.runs.get)


def find(
    actor: Actor,
    slug: str,
    *,
    phases: Sequence[Phase] = (),
    state: RunState | None = None,
    text: str | None = None,
    order: str = "-created_at",
    cursor: str | None = None,
    limit: int = 50,
) -> Found[RunView]:
    """One page, newest first unless told otherwise. A state follows from the jobs and is looked for run by run: as long
    as there is a cursor there may be more, also where a page is short.
    """
    _, ours = runs_of(actor, slug, Scope.READ)
    if order not in ORDERS:
        raise InvalidError.at("order", f"choose one of {', '.join(ORDERS)}")
    nodes: list[Node] = []
    if phases:
        nodes.append(Condition(("phase",), Op.IN, [phase.value for phase in phases]))
    if text is not None:
        if not text.split():
            raise InvalidError.at("q", "has no word in it")
        nodes.append(Condition(("search",), Op.SEARCH, text))
    if state is not None:
        nodes.append(Condition(("phase",), Op.IN, [phase.value for phase in run.phases_of(state)]))
        return _sifted(ours, nodes, state, order, cursor, limit)
    found = ours.runs.find(nodes, order, limit, cursor)
    return Found([_seen(ours, each) for each in found.items], found.next_cursor, found.previous_cursor)


def _sifted(
    ours: ProjectRuns, nodes: Sequence[Node], state: RunState, order: str, cursor: str | None, limit: int
) -> Found[RunView]:
    deadline, first, views = Deadline(LONGEST_SIFTING), cursor, list[RunView]()
    before: str | None = None
    while True:
        page = ours.runs.find(nodes, order, limit - len(views), cursor)
        before = page.previous_cursor if cursor == first else before
        views += [view for each in page.items if (view := _seen(ours, each)).state is state]
        cursor = page.next_cursor
        if cursor is None or len(views) == limit or deadline.passed:
            return Found(views, cursor, before)


def change(actor: Actor, slug: str, id: str, changes: Mapping[str, Any], version: int | None = None) -> RunView:
    """Everything while it is a draft; name and tags always."""
    project, ours = runs_of(actor, slug, Scope.WRITE)
    _refuse_any((name, "must have a value") for name, value in changes.items() if value is None)
    _refuse(changes)
    if "storage" in changes:
        defined_for(project, changes["storage"])
    library_uses.settle(slug, [("", changes.get("uses", ()))])

    def changed(it: Run) -> Run:
        free = CHANGEABLE_WHILE_STARTING if it.phase is Phase.STARTING else CHANGEABLE_ALWAYS
        fixed = sorted(changes.keys() - free)
        if it.phase is not Phase.DRAFT and fixed:
            raise ConflictError(f"The run was started, so {', '.join(fixed)} cannot change any more. Clone it instead.")
        return replace(it, **changes)

    after = ours.runs.change(id, changed, version=version)
    _audit(actor, "run.change", project, after, fields=sorted(changes))
    return _seen(ours, after)


def start(actor: Actor, slug: str, id: str, *, force: bool = False, version: int | None = None) -> RunView:
    """Each document that waits gets a job, or is skipped where artifacts serve. A small run is started when this
    returns; a large one goes on by itself, and says how far it is. Started again, it takes what was attached since.
    """
    project, ours = runs_of(actor, slug, Scope.WRITE)
    by = By.actor(actor)

    def started(it: Run) -> Run:
        if it.phase is Phase.STARTING:
            raise ConflictError("The run is being started already.")
        if it.phase.is_cancelled:
            raise ConflictError("The run was cancelled. Clone it to run its documents again.")
        return replace(it, phase=Phase.STARTING, start=Start(ours.store.now(), by, force))

    it = ours.runs.get(id)
    library_uses.settle(slug, [("", it.uses)])
    if not ours.tally(it).plans.get(run_steps.WAITING, 0):
        raise ConflictError("No document of the run is waiting. Attach some first.")
    after = ours.runs.change(id, started, version=version)
    _audit(actor, "run.start", project, after, force=force)
    run_steps.hand_out(ours, after, Deadline(AT_ONCE))
    return _seen(ours, ours.runs.get(id))


def cancel(actor: Actor, slug: str, id: str, reason: str = "", version: int | None = None) -> RunView:
    """No document gets a job any more, and the jobs it has are cancelled: at once where they wait, with their
    worker's next heartbeat where they are worked on.
    """
    project, ours = runs_of(actor, slug, Scope.WRITE)
    by = By.actor(actor)

    def cancelled(it: Run) -> Run:
        if it.phase.is_cancelled or (it.phase is Phase.STARTED and ended):
            raise ConflictError("The run has ended.")
        return replace(it, phase=Phase.CANCELLING, cancelled_by=by)

    it = ours.runs.get(id)
    ended = run.state_of(it, ours.tally(it)).is_final
    after = ours.runs.change(id, cancelled, version=version)
    _audit(actor, "run.cancel", project, after, reason=reason)
    run_steps.cancel_jobs(ours, after, Deadline(AT_ONCE), actor, reason)
    return _seen(ours, ours.runs.get(id))


def retry_failed(actor: Actor, slug: str, id: str, reason: str = "") -> Retried:
    """Its jobs that failed or ran out of time go back to the queue, and documents that were refused are looked at anew.
    A program may do so as long as retries are left.
    """
    project, ours = runs_of(actor, slug, Scope.WRITE)
    it = ours.runs.get(id)
    if it.phase.is_cancelled:
        raise ConflictError("The run was cancelled. Clone it to run its documents again.")
    retried, more = run_steps.retry_jobs(ours, it, actor, Deadline(AT_ONCE), reason)
    operation = None
    if more and not it.taken_out:  # an operation knows the run's jobs, and not whose document was taken out
        rest = job_actions.act(actor, slug, Action.RETRY, _failed_of(it), reason)
        retried, more, operation = retried + rest.changed, False, rest.operation
    refused, more_refused = run_steps.put_refused_back(ours, it, Deadline(LONGEST_RETRY))
    done = Retried(retried, refused, more or more_refused, operation)
    if refused:
        again = Start(ours.store.now(), By.actor(actor), it.start is not None and it.start.force)
        after = ours.runs.change(id, lambda now: _started_again(now, again))
        run_steps.hand_out(ours, after, Deadline(AT_ONCE))
    _audit(actor, "run.retry", project, it, jobs=retried, documents=refused, more=done.more, reason=reason)
    return done


def clone(actor: Actor, slug: str, id: str, name: str = "") -> RunView:
    """A draft with the same options and the same documents, as they are in their storages by then."""
    project, ours = runs_of(actor, slug, Scope.WRITE)
    source = ours.runs.get(id)
    values = {field: getattr(source, field) for field in NewRun.__slots__}
    new = NewRun(**{**values, "name": name or f"{source.name} again"[:300]})
    _refuse({"name": new.name})
    it = _draft(ours, actor, new, cloned_from=source.id)
    given_up = run_departures.plan(ours, it.id, after=LONGEST_CLONING)
    ours.store.apply(slug, [given_up])
    run_steps.copy_documents(ours, source, it)
    # Last, so that nobody meets a clone with half of the documents.
    (made,) = ours.runs.apply([ours.runs.inserting(it, it.id), run_departures.dropping(given_up)])
    _audit(actor, "run.clone", project, made, source=source.id)
    return _seen(ours, made)


def delete(actor: Actor, slug: str, id: str, version: int | None = None) -> None:
    """The run at once; what is known of its documents and artifacts follows, by itself where it is much. Files and jobs
    stay.
    """
    project, ours = runs_of(actor, slug, Scope.WRITE)
    gone = _departed(ours, id, version)
    _audit(actor, "run.delete", project, gone)
    run_departures.see_off_all(ours, Deadline(AT_ONCE))


def _departed(ours: ProjectRuns, id: str, version: int | None) -> Run:
    while True:
        doomed = ours.runs.get(id)
        if version is not None and doomed.version != version:
            raise PreconditionFailedError("The run was changed meanwhile.", current_version=doomed.version)
        if run.state_of(doomed, ours.tally(doomed)) in (RunState.STARTING, RunState.RUNNING):
            raise ConflictError("The run has open jobs. Cancel it first.")
        goes = Delete(RUNS.name, id, expected_version=doomed.version)
        try:
            ours.runs.apply([goes, run_departures.plan(ours, id)])
        except PreconditionFailedError:
            continue  # it was started or changed just now: it is judged by what it is
        return doomed


def _draft(ours: ProjectRuns, actor: Actor, new: NewRun, cloned_from: str | None = None) -> Run:
    now = ours.store.now()
    return Run(
        id=ours.runs.new_id(),
        version=1,
        name=new.name or f"Run of {now:%Y-%m-%d %H:%M}",
        created_at=now,
        created_by=By.actor(actor),
        content_type=new.content_type,
        options=new.options,
        outputs=tuple(new.outputs),
        uses=tuple(new.uses),
        storage=new.storage,
        priority=new.priority,
        tags=tuple(dict.fromkeys(new.tags)),
        max_retries=new.max_retries,
        cloned_from=cloned_from,
    )


def _failed_of(it: Run) -> Choice:
    return Choice(filter=JobFilter(run_id=it.id, statuses=(JobState.FAILED, JobState.TIMEOUT)))


def _started_again(it: Run, again: Start) -> Run | None:
    """None where it is being started already, and for a run that somebody cancelled meanwhile."""
    return replace(it, phase=Phase.STARTING, start=again) if it.phase is Phase.STARTED else None


def _seen(ours: ProjectRuns, it: Run) -> RunView:
    tally = ours.tally(it)
    return RunView(it, tally, run.state_of(it, tally), run.progress_of(tally))


def _refuse(values: Mapping[str, Any]) -> None:
    _refuse_any(new_run.faults(values))


def _refuse_any(faults: Iterable[tuple[str, str]]) -> None:
    errors = [{"place": place, "reason": reason} for place, reason in faults]
    if errors:
        raise InvalidError("; ".join(f"{error['place']}: {error['reason']}" for error in errors), errors)


def _audit(actor: Actor, action: str, project: Project, it: Run, **detail: Any) -> None:
    audit.record(actor, action, audit.Target("run", it.id, it.name), project=project, detail=detail)
