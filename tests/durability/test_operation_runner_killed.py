"""Runners that are killed in the middle of an operation: the next one goes on, and no job is done twice or left out."""

import signal
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs_app.domain import job_transitions, lease, new_job
from jobs_app.domain.job import By, Job, Step
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.new_job import NewJob
from jobs_app.domain.operation import Action, Deed, Operation, OperationState
from jobs_app.stores.collections import COLLECTIONS
from jobs_app.stores.job_records import JobRecords
from jobs_app.stores.operations import OperationRecords
from storage_app.records import registry
from storage_app.records.base import RecordStore
from tests.contracts.backends import BACKENDS, SHARED
from tests.durability.dying import die_after
from tests.processes import CONTEXT

PROJECT = "killed-runners"
JOBS, BATCH, KILLED, WRITES = 300, 10, 3, 5
PATIENCE = 300.0
ANNA = By("person", "anna")


@dataclass(frozen=True)
class Place:
    """Where the store is, in plain values that another process can be given."""

    name: str
    options: dict[str, Any]

    def open(self) -> RecordStore:
        return registry.open_store(self.name, COLLECTIONS, **self.options)


@pytest.fixture(params=SHARED)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    backend = BACKENDS[request.param]
    place = Place(backend.name, backend.prepare(request, tmp_path))
    with place.open() as store:
        store.delete_project(PROJECT)
    return place


def test_an_operation_survives_its_runners(place: Place) -> None:
    with place.open() as store:
        ids = failed_jobs(JobRecords(store, PROJECT))
        records = OperationRecords(store, PROJECT)
        operation = records.create(retry_of_all(store.now()))
        deaths = [done_when_a_runner_died(place, records, operation.id) for _ in range(KILLED)]
        assert 0 < deaths[0] < deaths[1] < deaths[2] < JOBS, "no runner was killed half way"
        last = start_runner(place)
        last.join(PATIENCE)
        assert last.exitcode == 0
        ended = records.get(operation.id)
        assert (ended.state, ended.changed, ended.refused) == (OperationState.DONE, JOBS, 0)
        told = [item.job_id for item in records.items(operation.id, 0, 1000)[0]]
        assert sorted(told) == sorted(ids)
        jobs = JobRecords(store, PROJECT)
        for id in ids:
            assert jobs.get(id).status is JobState.PENDING
            assert sum(event.type == "retried" for _, event in jobs.events(id, 0, 100)[0]) == 1


def failed_jobs(records: JobRecords) -> list[str]:
    made = records.create([NewJob(name=f"j{n}") for n in range(JOBS)], make)
    taken = records.claim({"due": True}, claimed, JOBS)
    assert len(taken) == JOBS
    for job in taken:
        records.change(job.id, failed)
    return [job.id for job in made]


def make(new: NewJob, id: str, now: datetime) -> Step:
    return new_job.make(new, id, now, ANNA)


def claimed(job: Job, now: datetime) -> Step:
    return job_transitions.claim(job, now, "w1", lease.digest("token"), 3600)


def failed(job: Job, now: datetime) -> Step:
    return job_transitions.fail(job, now, Failure("it broke", retryable=False), timedelta(0))


def retry_of_all(now: datetime) -> Operation:
    deed = Deed(Action.RETRY, ANNA, "mended", True, now)
    return Operation("", 0, deed, OperationState.WAITING, now, now, filter={"text": "status:failed broke"})


def done_when_a_runner_died(place: Place, records: OperationRecords, id: str) -> int:
    runner = start_runner(place, dies_after=WRITES)
    runner.join(PATIENCE)
    assert runner.exitcode == -signal.SIGKILL
    return records.get(id).done


def start_runner(place: Place, dies_after: int | None = None) -> Any:
    runner = CONTEXT.Process(target=run, args=(place, dies_after))
    runner.start()
    return runner


def run(place: Place, dies_after: int | None) -> None:
    from tests import databases

    databases.set_up()
    from jobs_app.domain.maintenance import Deadline
    from jobs_app.services import operations
    from storage_app.records import configured

    operations.BATCH = BATCH  # type: ignore[misc]  # small ones, so that a kill meets the middle
    operations.HOLD = timedelta(seconds=1)  # type: ignore[misc]  # of a runner that died
    with place.open() as store, configured.using(store):
        if dies_after is not None:
            die_after(store, dies_after)
        records = OperationRecords(store, PROJECT)
        ends = time.monotonic() + PATIENCE
        while records.find(None, 1, is_open=True).operations and time.monotonic() < ends:
            operations.run(Deadline(timedelta(seconds=PATIENCE)))
            time.sleep(0.05)
