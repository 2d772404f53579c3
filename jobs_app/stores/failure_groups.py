"""Failure groups as records, one for each cause, counted in the same atomic write in which a job fails."""

from collections.abc import Mapping
from typing import Any, Final

from jobs_app.domain import failure_group
from jobs_app.domain.failure import Cause
from jobs_app.domain.failure_group import FailureGroup
from jobs_app.domain.job import Job
from jobs_app.stores.values import known_time, mapping, number, text, time_out
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Ids, Kind
from storage_app.records.errors import AlreadyExistsError, RecordNotFoundError
from storage_app.records.operations import Operation, Record, Update

FAILURE_GROUPS: Final = Collection(
    "failure_groups", ids=Ids.GIVEN, fields=(Field("last_seen_at", Kind.TIME), Field("count", Kind.INTEGER))
)


class Tally:
    """Counts the failures of one write. A cause that is new has no record to be counted in yet: such a failure is made
    up for right after the write, by `make_up`."""

    def __init__(self) -> None:
        self._failed: dict[str, Job] = {}
        self._counted: set[str] = set()

    def operation(self, job: Job) -> Operation:
        """What belongs into the atomic write in which this job fails."""
        self._failed[job.id] = job
        self._counted.discard(job.id)

        def counted(record: Record) -> dict[str, Any]:
            self._counted.add(job.id)
            assert job.completed_at is not None
            return to_document(failure_group.seen(from_record(record), job.completed_at, job.id))

        assert job.cause is not None
        return Update(FAILURE_GROUPS.name, job.cause.fingerprint, counted, optional=True)

    def make_up(self, store: RecordStore, project: str) -> None:
        for id, job in self._failed.items():
            if id not in self._counted:
                note(store, project, job)
        self._failed, self._counted = {}, set()


def note(store: RecordStore, project: str, job: Job) -> None:
    """One more failure of its cause, which may be the first."""
    assert job.completed_at is not None
    assert job.cause is not None
    at, cause = job.completed_at, job.cause
    document = to_document(failure_group.first(cause, at, job.id))
    try:
        store.insert(project, FAILURE_GROUPS.name, document, id=cause.fingerprint)
    except AlreadyExistsError:
        try:
            store.update(
                project,
                FAILURE_GROUPS.name,
                cause.fingerprint,
                lambda record: to_document(failure_group.seen(from_record(record), at, job.id)),
            )
        except RecordNotFoundError:  # somebody removed it meanwhile, so this one is the first again
            store.insert(project, FAILURE_GROUPS.name, document, id=cause.fingerprint)


def to_document(group: FailureGroup) -> dict[str, Any]:
    return {
        "exception": group.cause.exception,
        "frame": group.cause.frame,
        "message": group.cause.message,
        "count": group.count,
        "first_seen_at": time_out(group.first_seen_at),
        "last_seen_at": time_out(group.last_seen_at),
        "last_job_id": group.last_job_id,
        "fine": {str(bucket): number for bucket, number in group.fine.items()},
        "hours": {str(bucket): number for bucket, number in group.hours.items()},
    }


def from_record(record: Record) -> FailureGroup:
    document = record.document
    return FailureGroup(
        cause=Cause(text(document["exception"]), text(document["frame"]), text(document["message"])),
        count=number(document["count"]),
        first_seen_at=known_time(document["first_seen_at"]),
        last_seen_at=known_time(document["last_seen_at"]),
        last_job_id=text(document["last_job_id"]),
        fine=_buckets(document["fine"]),
        hours=_buckets(document["hours"]),
    )


def _buckets(value: Any) -> Mapping[int, int]:
    return {int(bucket): number(count) for bucket, count in mapping(value).items()}
