"""The jobs of one project in the record store. Every change of a job, whoever makes it, is one call of `change`,
`claim` or `settle` here: the decision is taken on the record under the store's lock, and written with its event and
attempt in the same atomic write. So nobody ever overwrites what he did not see.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from jobs_app.domain.job import Attempt, Event, Job, Step
from jobs_app.domain.job_states import JobState, TransitionRefusedError
from jobs_app.domain.job_transitions import StateRefusedError
from jobs_app.domain.lease import LeaseLostError
from jobs_app.domain.new_job import NewJob
from jobs_app.domain.operation import Item, ItemOutcome
from jobs_app.errors import ConflictError, InvalidError, InvalidTransitionError, NotFoundError, PreconditionFailedError
from jobs_app.errors import LeaseLostError as LeaseLostRefusal
from jobs_app.stores import jobs
from jobs_app.stores.failure_groups import Tally
from jobs_app.stores.jobs import ATTEMPTS, EVENTS, JOBS, NEVER
from jobs_app.stores.values import time_in
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Key, Kind
from storage_app.records.operations import Durability, Insert, Operation, Outcome, Record, Update
from storage_app.records.query import Conditions
from storage_app.records.times import from_instant

NOT_TRASHED: Final = tuple(state.value for state in JobState)
log = logging.getLogger("holdfast.jobs")

# What is decided of a job at a moment; None: nothing is to be done, and no version is made.
Decide = Callable[[Job, datetime], Step | None]
Make = Callable[[NewJob, str, datetime], Step]
# What else is written with jobs that are made, in the same atomic step.
Along = Callable[[Sequence[Job]], Sequence[Operation]]


@dataclass(frozen=True, slots=True)
class JobPage:
    """`is_complete` is false where the look through the history ended before the page was full: what lies behind the
    cursor was not looked at yet. `searched_to` is how far it came, in an order of time."""

    jobs: list[Job]
    next_cursor: str | None
    previous_cursor: str | None
    is_complete: bool = True
    searched_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settling:
    """What one batch of settling came to; `cursor` is where to go on, None where all was seen."""

    jobs: list[Job]
    cursor: str | None


class JobRecords:
    """Cheap to make; holds nothing but where to look."""

    def __init__(self, store: RecordStore, project: str) -> None:
        self._store = store
        self._project = project

    def now(self) -> datetime:
        return self._store.now()

    def get(self, id: str, *, in_trash: bool = False) -> Job:
        """NotFoundError for what is absent, and for a job on the other side of the trash."""
        with translated(id):
            record = self._store.get(self._project, JOBS.name, id)
        job = self._read_or_set_aside(record)
        if job is None:
            raise _unreadable(id)
        if (job.trashed is not None) != in_trash:
            raise _absent(id)
        return job

    def find(
        self,
        conditions: Conditions,
        order: str | Sequence[str],
        limit: int,
        cursor: str | None = None,
        scan_limit: int | None = None,
    ) -> JobPage:
        with translated():
            page = self._store.query(
                self._project, JOBS.name, conditions, order=order, limit=limit, cursor=cursor, scan_limit=scan_limit
            )
        found = self._readable(page.records)
        if page.stopped_at is None:
            return JobPage(found, page.next_cursor, page.previous_cursor)
        return JobPage(found, page.next_cursor, page.previous_cursor, False, _moment(order, page.stopped_at[0]))

    def get_many(self, ids: Sequence[str]) -> dict[str, Job]:
        """By id, those that are there and not in the trash; at most 1,000."""
        with translated():
            records = self._store.get_many(self._project, JOBS.name, ids)
        return {job.id: job for job in self._readable(records) if job.trashed is None}

    def states(self, ids: Sequence[str]) -> dict[str, JobState]:
        return {id: job.status for id, job in self.get_many(ids).items()}

    def create(self, new: Sequence[NewJob], make: Make, along: Along | None = None) -> list[Job]:
        """All or none, in the order given, and `along` with them what else is written in the same step. The store's
        AlreadyExistsError where an ingestion id is taken.
        """
        operations: list[Operation] = []
        made: list[Job] = []
        for item in new:
            id, now = self._store.new_id(JOBS.name), self.now()
            step = make(item, id, now)
            operations.append(Insert(JOBS.name, jobs.to_document(step.job, now), id))
            operations += jobs.kept(id, step)
            made.append(step.job)
        operations += along(made) if along else ()
        with translated():
            results = self._store.apply(self._project, operations)
        inserted = zip(operations, results, strict=True)
        return [
            jobs.from_record(result)
            for operation, result in inserted
            if isinstance(operation, Insert) and operation.collection == JOBS.name and isinstance(result, Record)
        ]

    def change(
        self,
        id: str,
        decide: Decide,
        *,
        version: int | None = None,
        in_trash: bool = False,
        durability: Durability = Durability.DURABLE,
    ) -> Job:
        """The job as `decide` leaves it, judged on what it is at that very moment."""

        def changed(record: Record) -> Outcome | None:
            job, now = _read(record), self.now()
            if (job.trashed is not None) != in_trash:
                raise _absent(id)
            step = decide(job, now)
            return None if step is None else jobs.outcome(record, step, now, tally)

        tally = Tally()
        try:
            with translated(id):
                record = self._store.update(
                    self._project, JOBS.name, id, changed, expected_version=version, durability=durability
                )
        except _DamagedError as error:
            self._read_or_set_aside(error.record)
            raise _unreadable(id) from error
        tally.make_up(self._store, self._project)
        return jobs.from_record(record)

    def claim(self, conditions: Conditions, decide: Decide, limit: int) -> list[Job]:
        """The first due jobs by priority and age, each changed as decided; never one that another caller gets."""
        taken: list[Job] = []
        while len(taken) < limit:
            damaged: list[Record] = []
            try:
                taken += self._claim_once(conditions, decide, limit - len(taken), damaged)
            except store_errors.RecordStoreError as error:
                if not taken:
                    raise
                log.warning("A claim in %s ends with the %d jobs it has: %s", self._project, len(taken), error)
                break
            if not damaged:
                break
        return taken

    def _claim_once(self, conditions: Conditions, decide: Decide, limit: int, damaged: list[Record]) -> list[Job]:
        tally = Tally()
        with translated():
            records = self._store.claim_first(
                self._project,
                JOBS.name,
                conditions,
                self._deciding(decide, damaged, tally),
                order=("-priority", "id"),
                limit=limit,
                durability=Durability.KILL_SAFE,
            )
        tally.make_up(self._store, self._project)
        taken = self._readable(records)
        self._readable(damaged)
        return taken

    def settle(self, now: datetime, decide: Decide, limit: int, cursor: str | None = None) -> Settling:
        """One atomic batch of those whose alarm has gone, oldest alarm first. Each is decided on as it is then."""
        damaged: list[Record] = []
        tally = Tally()
        with translated():
            batch = self._store.update_where(
                self._project,
                JOBS.name,
                {"alarm_at__lte": now},
                self._deciding(decide, damaged, tally),
                order="alarm_at",
                limit=limit,
                cursor=cursor,
            )
        tally.make_up(self._store, self._project)
        self._readable(damaged)
        return Settling(self._readable(batch.records), batch.cursor)

    def change_each(
        self,
        ids: Sequence[str],
        decide: Decide,
        *,
        in_trash: bool = False,
        finish: Callable[[Callable[[], Sequence[Item]]], Operation] | None = None,
    ) -> list[Item]:
        """Every job as `decide` leaves it, and `finish` with what became of them, all in one atomic write. One that is
        refused holds up none of the others. The store's AlreadyExistsError where an ingestion id was taken meanwhile,
        its VersionConflictError where `finish` no longer applies; then nothing was changed.
        """
        wanted = list(dict.fromkeys(ids))
        items: dict[str, Item] = {}
        tally = Tally()

        def changed(record: Record) -> Outcome | None:
            id, now = str(record.id), self.now()
            items.pop(id, None)  # a backend may ask again after a conflict
            try:
                job = _read(record)
                if (job.trashed is not None) != in_trash:
                    return None
                step = decide(job, now)
            except _DamagedError:
                items[id] = Item(id, ItemOutcome.REFUSED, "quarantined", "It could not be read.")
                return None
            except TransitionRefusedError as error:
                items[id] = Item(id, ItemOutcome.REFUSED, InvalidTransitionError.code, error.detail)
                return None
            except StateRefusedError as error:
                items[id] = Item(id, ItemOutcome.REFUSED, ConflictError.code, error.detail)
                return None
            items[id] = Item(id, ItemOutcome.CHANGED)
            return None if step is None else jobs.outcome(record, step, now, tally)

        def told() -> list[Item]:
            return [
                items.get(id) or Item(id, ItemOutcome.REFUSED, NotFoundError.code, _absent(id).detail) for id in wanted
            ]

        operations: list[Operation] = [Update(JOBS.name, id, changed, optional=True) for id in wanted if _is_id(id)]
        if finish is not None:
            operations.append(finish(told))
        self._store.apply(self._project, operations)
        tally.make_up(self._store, self._project)
        return told()

    def next_alarm(self) -> datetime | None:
        """When the clock next changes something, if nothing else does before; it may lie in the past."""
        page = self._store.query(self._project, JOBS.name, order="alarm_at", limit=1)
        alarm = time_in(page.records[0].document["alarm_at"]) if page.records else None
        return None if alarm == NEVER else alarm

    def purge(self, id: str, conditions: Conditions) -> bool:
        """Gone for good, with its streams, if it still is as the conditions say."""
        with translated(id):
            try:
                self._store.delete(self._project, JOBS.name, id, guard=conditions)
            except (store_errors.GuardFailedError, store_errors.RecordNotFoundError):
                return False
        return True

    def events(self, id: str, after: int, limit: int) -> tuple[list[tuple[int, Event]], int | None]:
        """Numbered from 1, and where to go on."""
        with translated(id):
            page = self._store.read_stream(self._project, JOBS.name, id, EVENTS, after=after, limit=limit)
        return [(entry.position, jobs.event_in(entry.data)) for entry in page.entries], page.after

    def attempts(self, id: str, after: int, limit: int) -> tuple[list[tuple[int, Attempt]], int | None]:
        with translated(id):
            page = self._store.read_stream(self._project, JOBS.name, id, ATTEMPTS, after=after, limit=limit)
        return [(entry.position, jobs.attempt_in(entry.data)) for entry in page.entries], page.after

    def _deciding(self, decide: Decide, damaged: list[Record], tally: Tally) -> Callable[[Record], Outcome | None]:
        """For many at once: a record that cannot be read is left, so that it holds up none of the others."""

        def changed(record: Record) -> Outcome | None:
            now = self.now()
            try:
                job = _read(record)
            except _DamagedError:
                damaged.append(record)
                return None
            step = decide(job, now)
            return None if step is None else jobs.outcome(record, step, now, tally)

        return changed

    def _readable(self, records: Sequence[Record]) -> list[Job]:
        return [job for record in records if (job := self._read_or_set_aside(record)) is not None]

    def _read_or_set_aside(self, record: Record) -> Job | None:
        try:
            return _read(record)
        except _DamagedError as error:
            reason = f"not a job: {error}"
            log.warning("Job %s of %s goes to quarantine: %s", record.id, self._project, reason)
            try:
                self._store.quarantine(self._project, JOBS.name, record.id, reason)
            except (store_errors.RecordNotFoundError, store_errors.QuarantinedError):
                log.info("Job %s of %s was deleted or set aside by somebody else.", record.id, self._project)
            return None


@contextmanager
def translated(id: str | None = None) -> Iterator[None]:
    """Refusals of the domain and of the store, in the words of `errors.py`."""
    try:
        yield
    except TransitionRefusedError as error:
        states = {"from": error.source.value, "to": error.target.value}
        raise InvalidTransitionError(error.detail, **states) from error
    except StateRefusedError as error:
        raise ConflictError(error.detail) from error
    except LeaseLostError as error:
        raise LeaseLostRefusal(error.detail) from error
    except store_errors.RecordNotFoundError as error:
        raise _absent(error.details["id"]) from error
    except store_errors.VersionConflictError as error:
        current = error.details["version"]
        raise PreconditionFailedError(
            f"The job was changed meanwhile; it is at version {current} now.", current_version=current
        ) from error
    except store_errors.InvalidError as error:
        place = error.details["place"]
        if place == "id" and id is not None:
            raise _absent(id) from error  # what can be no id is as absent as any other
        raise InvalidError.at(place or "request", error.message.removeprefix(f"{place}: ")) from error


class _DamagedError(Exception):
    def __init__(self, record: Record, reason: str) -> None:
        self.record = record
        super().__init__(reason)


def _is_id(id: str) -> bool:
    try:
        JOBS.check_id(id)
    except store_errors.InvalidError:
        return False
    return True


def _read(record: Record) -> Job:
    try:
        return jobs.from_record(record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _DamagedError(record, f"{type(error).__name__}: {error}") from error


def _moment(order: str | Sequence[str], key: Key) -> datetime | None:
    """The time that an order had come to."""
    name = (order if isinstance(order, str) else order[0]).removeprefix("-")
    declared = JOBS.by_name.get(name)
    return from_instant(key) if declared and declared.kind is Kind.TIME and isinstance(key, int) else None


def _unreadable(id: str) -> ConflictError:
    return ConflictError(f"Job {id} could not be read and was set aside; see the quarantine.")


def _absent(id: object) -> NotFoundError:
    return NotFoundError(f"There is no job {str(id)[:80]!r} here.")
