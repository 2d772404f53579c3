"""A long history of jobs in one go, and a login to look at it: run inside an installation by `bench pages`.

python -m tests.benchmarks.many_jobs fill NUMBER
python -m tests.benchmarks.many_jobs log-in
"""

import json
import os
import sys
from datetime import datetime, timedelta
from typing import Any, Final

import django

SLUG: Final = "pages"
BATCH: Final = 1000
AGES: Final = timedelta(days=30)
TYPES: Final = ("pdf", "html", "text")
ERRORS: Final = ("ValueError: no such page: 7", "TimeoutError: read timed out after 30 s", "MemoryError")
TRACE: Final = 'Traceback (most recent call last):\n  File "work.py", line {}, in step_{}\nError'
CAUSES: Final = 401
FLEET: Final = 64
IN_HAND: Final = 200
COUNTED: Final = 20_000


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    sys.stdout.write(json.dumps(_filled(int(sys.argv[2])) if sys.argv[1] == "fill" else _session()))


def _filled(size: int) -> dict[str, Any]:
    """Spread over the last month, the oldest first; nine of ten have ended, and a fleet has some of the newest in hand.
    Their streams are left out: no list reads them. Some are counted into the numbers, which weigh the same for all."""
    from jobs_app.stores.job_numbers import counted
    from jobs_app.stores.jobs import JOBS, to_document
    from storage_app.records.configured import record_store
    from storage_app.records.operations import Durability, Insert

    store = record_store()
    now, middle = store.now(), ""
    causes: dict[Any, Any] = {}
    for start in range(0, size, BATCH):
        numbers = range(start, min(start + BATCH, size))
        steps = [
            _step(str(store.new_id(JOBS.name)), number, now - AGES + AGES * number / size, size) for number in numbers
        ]
        made = [Insert(JOBS.name, to_document(step.job, now), step.job.id) for step in steps]
        told = [each for step in steps[:: max(size // COUNTED, 1)] for each in counted(step)]
        store.apply(SLUG, [*made, *told], durability=Durability.KILL_SAFE)
        causes |= {step.job.cause: step.job for step in steps if step.job.has_failed}
        if size // 2 in numbers:
            middle = steps[numbers.index(size // 2)].job.id
    _complete(causes)
    return {"middle": middle}


def _complete(causes: dict[Any, Any]) -> None:
    """What else a project has that was at work for a month: failure groups, workers, and what was counted."""
    from jobs_app.domain.maintenance import Deadline
    from jobs_app.domain.worker import Worker
    from jobs_app.services import job_numbers
    from jobs_app.stores import failure_groups, workers
    from jobs_app.stores.job_numbers import NumberRecords
    from storage_app.records.configured import record_store

    store = record_store()
    for job in causes.values():
        failure_groups.note(store, SLUG, job)
    for number in range(FLEET):
        worker = Worker(f"worker-{number}", store.now() - AGES, store.now(), TYPES, "1.0", {"cores": 4})
        store.insert(SLUG, workers.WORKERS.name, workers.to_document(worker), id=worker.id)
    NumberRecords(store, SLUG).note(job_numbers.depth(store, SLUG))
    job_numbers.count(store, SLUG, Deadline(timedelta(minutes=10)))


def _step(id: str, number: int, at: datetime, size: int) -> Any:
    from jobs_app.domain import job_transitions, lease, new_job
    from jobs_app.domain.job import By
    from jobs_app.domain.job_states import JobState
    from jobs_app.domain.job_transitions import Failure

    made = new_job.make(_new(number), id, at, By("token", "bench"))
    if number % 10 == 0:
        return made
    worker = f"worker-{number % FLEET}"
    claimed = job_transitions.claim(made.job, at, worker, lease.digest("none"), lease.LONGEST_LEASE_SECONDS)
    if number % 10 == 5 and number > size - 10 * IN_HAND:
        return claimed
    end = at + timedelta(seconds=number % 600)
    if number % 20 == 1:
        failure = Failure(ERRORS[number % 3], TRACE.format(number, number % CAUSES), retryable=False)
        return job_transitions.fail(claimed.job, end, failure, timedelta(0))
    if number % 50 == 2:
        return job_transitions.move(made.job, end, By("person", "anna"), JobState.CANCELLED, "")
    return job_transitions.complete(claimed.job, end, {"pages": number % 100, "checksum": number})


def _new(number: int) -> Any:
    from jobs_app.domain.new_job import NewJob

    return NewJob(
        name=f"report {number}",
        ingestion_task_id=f"ingest-{number}",
        run_id=f"run-{number // 1000}",
        document_id=f"document-{number}",
        source_file_path=f"in/{number % 1000}/{number}.pdf",
        content_type=TYPES[number % 3],
        task_options={"lang": "de" if number % 4 else "en", "pages": number % 300},
        priority=-(number % 50),
        tags=[f"t{number % 100}", "rare"] if number % 250_000 == 7 else [f"t{number % 100}"],
    )


def _session() -> dict[str, str]:
    """The cookies of somebody who runs the server."""
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.create_superuser("bench", password=os.urandom(16).hex()))
    return {name: morsel.value for name, morsel in client.cookies.items()}


if __name__ == "__main__":
    main()
