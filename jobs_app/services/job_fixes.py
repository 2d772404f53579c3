"""Jobs put right by hand. Whatever state a job goes to, it goes there through the one state machine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from jobs_app.domain import job_transitions, new_job
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import By, Job, Step
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import CORRECTABLE, MOVES
from jobs_app.errors import AlreadyExistsError, InvalidError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import audit, retention
from jobs_app.services.data_fixes import PAGE, Choice, Found, Row, Shown, checked_reason, differences, kept
from jobs_app.services.jobs import SCAN_LIMIT, JobFilter, conditions
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores.job_records import Decide, JobRecords
from jobs_app.stores.jobs import JOBS, TRASHED, fields_in, to_document
from storage_app.records import errors as store_errors
from storage_app.records.query import Node, parse

# Proof of who holds a lease, and what the store derives by itself.
HIDDEN: Final = frozenset({"token_digest", "settled", "request_digest", "search", "due", "alarm_at", "failure"})


class JobFixes:
    name: Final = "jobs"
    noun: Final = "job"
    hint: Final = "Words of an id, name, path or error"
    has_trash: Final = True

    def parts(self, actor: Actor, slug: str) -> tuple[Choice, ...]:
        states = (Choice(state.value, state.value.capitalize()) for state in JobState)
        return (Choice("", "All but the trash"), *states, Choice(TRASHED, "Trash"))

    def holds(self, collection: str) -> bool:
        return collection == JOBS.name

    def find(self, actor: Actor, slug: str, text: str, part: str, cursor: str | None) -> Found:
        _, records = jobs_of(actor, slug, Scope.ADMIN)
        page = records.find(_conditions(text, part), "-created_at", PAGE, cursor, SCAN_LIMIT)
        rows = [
            Row(job.id, job.name, _state(job), job.created_at, (job.error_message or "").partition("\n")[0][:200])
            for job in page.jobs
        ]
        return Found(rows, page.next_cursor, page.previous_cursor, page.is_complete)

    def get(self, actor: Actor, slug: str, id: str) -> Shown:
        _, records = jobs_of(actor, slug, Scope.ADMIN)
        job = _anywhere(records, id)
        is_removed = job.trashed is not None
        moves = () if is_removed else tuple(_moves(job))
        shown = _document(job, records.now())
        return Shown(id, job.name, _state(job), job.version, shown, CORRECTABLE, is_removed, moves, "jobs-show")

    def correct(self, actor: Actor, slug: str, id: str, changes: Mapping[str, Any], version: int, reason: str) -> None:
        why, by = checked_reason(reason), By.actor(actor)
        project, records = jobs_of(actor, slug, Scope.ADMIN)
        job = _anywhere(records, id)
        values = fields_in(job, changes)
        _refuse_faults(values)

        def decide(job: Job, now: datetime) -> Step:
            return job_transitions.correct(job, now, by, why, values)

        try:
            self._change(actor, project, records, job, decide, "correct", why, version)
        except store_errors.AlreadyExistsError as error:
            raise AlreadyExistsError(
                f"Job {error.details['existing_id']} has the ingestion id {error.details['value']!r} already."
            ) from error

    def move(self, actor: Actor, slug: str, id: str, target: str, version: int, reason: str) -> None:
        why, by = checked_reason(reason), By.actor(actor)
        project, records = jobs_of(actor, slug, Scope.ADMIN)
        if target not in set(JobState):
            raise InvalidError.at("target", f"choose one of {', '.join(JobState)}")

        def decide(job: Job, now: datetime) -> Step:
            return job_transitions.move(job, now, by, JobState(target), why)

        self._change(actor, project, records, records.get(id), decide, "move", why, version)

    def remove(self, actor: Actor, slug: str, id: str, version: int, reason: str) -> None:
        why, by = checked_reason(reason), By.actor(actor)
        project, records = jobs_of(actor, slug, Scope.ADMIN)

        def decide(job: Job, now: datetime) -> Step:
            return job_transitions.trash(job, now, by, why)

        self._change(actor, project, records, records.get(id), decide, "delete", why, version)

    def bring_back(self, actor: Actor, slug: str, id: str, reason: str) -> None:
        why, by = checked_reason(reason), By.actor(actor)
        project, records = jobs_of(actor, slug, Scope.ADMIN)
        job = records.get(id, in_trash=True)
        try:
            self._change(
                actor, project, records, job, lambda job, now: job_transitions.restore(job, now, by), "restore", why
            )
        except store_errors.AlreadyExistsError as error:
            raise AlreadyExistsError(
                f"Job {error.details['existing_id']} has the ingestion id {error.details['value']!r} now."
            ) from error

    def erase(self, actor: Actor, slug: str, id: str, reason: str) -> None:
        why = checked_reason(reason)
        project, records = jobs_of(actor, slug, Scope.ADMIN)
        job = records.get(id, in_trash=True)
        before = kept(_document(job, records.now()))
        with retention.departing(project.slug, [id]):
            erased = records.purge(id, {"status": TRASHED})
        if not erased:
            raise NotFoundError(f"Job {id} is not in the trash any more.")
        _audit(actor, project, job, "erase", {"before": before, "after": None, "reason": why})

    def _change(
        self,
        actor: Actor,
        project: Project,
        records: JobRecords,
        seen: Job,
        decide: Decide,
        verb: str,
        why: str,
        version: int | None = None,
    ) -> None:
        """`before` is the job at the moment of the write, not as somebody saw it earlier."""
        before = seen

        def decide_noting(job: Job, now: datetime) -> Step | None:
            nonlocal before
            before = job
            return decide(job, now)

        after = records.change(seen.id, decide_noting, version=version, in_trash=seen.trashed is not None)
        now = records.now()
        detail = {**differences(_document(before, now), _document(after, now)), "reason": why}
        _audit(actor, project, after, verb, detail)


def _conditions(text: str, part: str) -> list[Node]:
    if part == TRASHED:
        words = [parse("search__search", text)] if text.split() else []
        return [parse("status", TRASHED), *words]
    states = [JobState(part)] if part in set(JobState) else []
    return conditions(JobFilter(statuses=states, text=text if text.split() else None))


def _anywhere(records: JobRecords, id: str) -> Job:
    try:
        return records.get(id)
    except NotFoundError:
        return records.get(id, in_trash=True)


def _state(job: Job) -> str:
    return f"{job.status} (in the trash)" if job.trashed else job.status.value


def _moves(job: Job) -> Sequence[Choice]:
    words = {JobState.PENDING: "Pending: put it back into the queue"}
    return [
        Choice(target.value, words.get(target, target.value.capitalize()))
        for source, target in MOVES
        if source is job.status
    ]


def _document(job: Job, now: datetime) -> dict[str, Any]:
    document = to_document(job, now)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in document.items()
        if name not in HIDDEN
    }


def _refuse_faults(values: Mapping[str, Any]) -> None:
    faults = [*new_job.faults(values)]
    faults += [(name, "must be 0 or more") for name in ("retry_count", "lost_count") if values.get(name, 0) < 0]
    faults += [
        (name, "must have a value")
        for name in ("priority", "max_retries", "tags", "task_options", "name", "content_type")
        if name in values and values[name] is None
    ]
    if faults:
        raise InvalidError(
            "; ".join(f"{place}: {reason}" for place, reason in faults),
            [{"place": place, "reason": reason} for place, reason in faults],
        )


def _audit(actor: Actor, project: Project, job: Job, verb: str, detail: Mapping[str, Any]) -> None:
    audit.record(actor, f"admin.job.{verb}", audit.Target("job", job.id, job.name), project=project, detail=detail)
