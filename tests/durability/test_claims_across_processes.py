"""Workers in processes of their own, some of them killed with jobs in their hands: each job has exactly one outcome."""

import contextlib
import os
import signal
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from jobs_app.domain import job_transitions, lease, new_job
from jobs_app.domain.job import By, Job, Step
from jobs_app.domain.job_states import JobState
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import LeaseLostError
from jobs_app.stores.collections import COLLECTIONS
from jobs_app.stores.job_records import JobRecords
from storage_app.records import registry
from storage_app.records.base import RecordStore
from tests.contracts.backends import BACKENDS, SHARED
from tests.processes import CONTEXT

PROJECT = "killed"
WORKERS, KILLED, JOBS = 4, 2, 60
PATIENCE = 300.0
LEASE_SECONDS = 2
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


def make(new: NewJob, id: str, now: datetime) -> Step:
    return new_job.make(new, id, now, ANNA)


def settled(job: Job, now: datetime) -> Step | None:
    return job_transitions.settle(job, now, poison_limit=100)


def work(number: int, place: Place, all_have_some: Barrier, is_to_die: bool) -> None:
    """Claims two at a time and completes them, until nothing is left; or dies with one of its first in its hands.
    Nobody goes on before everybody has some, so that none comes too late to die.
    """
    with place.open() as store:
        records, tokens, claims = JobRecords(store, PROJECT), dict[str, str](), 0

        def claim(job: Job, now: datetime) -> Step:
            tokens[job.id] = lease.new_token()
            return job_transitions.claim(job, now, f"w{number}", lease.digest(tokens[job.id]), LEASE_SECONDS)

        while not_ended(store):
            records.settle(records.now(), settled, 100)
            taken = records.claim({"due": True}, claim, 2)
            if not claims:
                all_have_some.wait(PATIENCE)
            for job in taken:
                claims += 1
                if is_to_die and claims > 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                complete(records, job.id, tokens[job.id], number)


def complete(records: JobRecords, id: str, token: str, number: int) -> None:
    def decide(job: Job, now: datetime) -> Step:
        lease.require_holder(job, token)
        return job_transitions.complete(job, now, {"by": number})

    with contextlib.suppress(LeaseLostError):  # this process was too slow, and another has the job
        records.change(id, decide)


def not_ended(store: RecordStore) -> int:
    return store.count(PROJECT, "jobs", {"status__in": ["pending", "processing"]})


def test_each_job_has_exactly_one_outcome_though_workers_are_killed(place: Place) -> None:
    with place.open() as store:
        records = JobRecords(store, PROJECT)
        made = records.create([NewJob(priority=number % 5) for number in range(JOBS)], make)
        all_have_some = CONTEXT.Barrier(WORKERS)
        workers = [
            CONTEXT.Process(target=work, args=(number, place, all_have_some, number < KILLED))
            for number in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(PATIENCE)
        assert [worker.exitcode for worker in workers] == [-signal.SIGKILL] * KILLED + [0] * (WORKERS - KILLED)
        jobs = [records.get(job.id) for job in made]
        assert {job.status for job in jobs} == {JobState.COMPLETED}
        lost = 0
        for job in jobs:
            told = Counter(event.type for _, event in records.events(job.id, 0, 100)[0])
            attempts = [attempt for _, attempt in records.attempts(job.id, 0, 100)[0]]
            assert told["completed"] == 1
            assert told["claimed"] == len(attempts) == job.attempt
            assert [attempt.number for attempt in attempts] == list(range(1, job.attempt + 1))
            lost += told["lease_lost"]
        assert lost >= KILLED, "somebody must have died with a job in its hands, or this proves nothing"
