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


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    sys.stdout.write(json.dumps(_filled(int(sys.argv[2])) if sys.argv[1] == "fill" else _session()))


def _filled(size: int) -> dict[str, Any]:
    """Spread over the last month, the oldest first; nine of ten have ended. Their streams are left out: no list reads
    them."""
    from jobs_app.stores.jobs import JOBS, to_document
    from storage_app.records.configured import record_store
    from storage_app.records.operations import Durability, Insert

    store = record_store()
    now, firsts = store.now(), []
    for start in range(0, size, BATCH):
        numbers = range(start, min(start + BATCH, size))
        jobs = [_job(str(store.new_id(JOBS.name)), number, now - AGES + AGES * number / size) for number in numbers]
        made = [Insert(JOBS.name, to_document(job, now), job.id) for job in jobs]
        store.apply(SLUG, made, durability=Durability.KILL_SAFE)
        firsts.append(jobs[0].id)
    return {"middle": firsts[len(firsts) // 2]}


def _job(id: str, number: int, at: datetime) -> Any:
    from jobs_app.domain import job_transitions, lease, new_job
    from jobs_app.domain.job import By
    from jobs_app.domain.job_states import JobState
    from jobs_app.domain.job_transitions import Failure

    pending = new_job.make(_new(number), id, at, By("token", "bench")).job
    if number % 10 == 0:
        return pending
    worker = f"worker-{number % 64}"
    claimed = job_transitions.claim(pending, at, worker, lease.digest("none"), 60).job
    end = at + timedelta(seconds=number % 600)
    if number % 20 == 1:
        failure = Failure(ERRORS[number % 3], f"Traceback\n  File 'work.py', line {number % 9}\n", retryable=False)
        return job_transitions.fail(claimed, end, failure, timedelta(0)).job
    if number % 50 == 2:
        return job_transitions.move(pending, end, By("person", "anna"), JobState.CANCELLED, "").job
    return job_transitions.complete(claimed, end, {"pages": number % 100, "checksum": number}).job


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
