"""Failed jobs made in one go, and a judgement of what became of them: run inside an installation by `bench bulk`.

python -m tests.benchmarks.failed_jobs make NUMBER
python -m tests.benchmarks.failed_jobs judge OPERATION
"""

import json
import os
import sys
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

import django

SLUG: Final = "bulk"
BATCH: Final = 1000


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    what, argument = sys.argv[1:]
    sys.stdout.write(json.dumps(_made(int(argument)) if what == "make" else _judged(argument)))


def _made(number: int) -> dict[str, int]:
    from jobs_app.domain.new_job import NewJob
    from jobs_app.stores.job_records import JobRecords
    from storage_app.records.configured import record_store

    records = JobRecords(record_store(), SLUG)
    for start in range(0, number, BATCH):
        new = [NewJob(name=f"report {each}", content_type="pdf") for each in range(start, min(start + BATCH, number))]
        records.create(new, _failed_at_once)
    return {"made": number}


def _failed_at_once(new: Any, id: str, now: datetime) -> Any:
    """As one that was claimed and failed; its story begins with that."""
    from jobs_app.domain import job_transitions, lease, new_job
    from jobs_app.domain.job import By
    from jobs_app.domain.job_transitions import Failure

    made = new_job.make(new, id, now, By("command", "bench"))
    claimed = job_transitions.claim(made.job, now, "w1", lease.digest("none"), 60)
    return job_transitions.fail(claimed.job, now, Failure("ValueError: no such page: 7", None, False), timedelta(0))


def _judged(operation: str) -> dict[str, int]:
    """By the story of each job, which is written with each change, and by the operation's own items."""
    from jobs_app.stores.job_records import JobRecords
    from jobs_app.stores.operations import OperationRecords
    from storage_app.records.configured import record_store

    store = record_store()
    records, operations = JobRecords(store, SLUG), OperationRecords(store, SLUG)
    found: Counter[str] = Counter(jobs=0, pending=0, retried_once=0, retried_twice=0, never_retried=0)
    cursor: str | None = None
    while True:
        page = records.find({}, "created_at", 500, cursor)
        for job in page.jobs:
            times = sum(event.type == "retried" for _, event in records.events(job.id, 0, 100)[0])
            found["jobs"] += 1
            found["pending"] += job.status == "pending"
            found["retry_count_1"] += job.retry_count == 1
            found["never_retried" if times == 0 else "retried_once" if times == 1 else "retried_twice"] += 1
        cursor = page.next_cursor
        if cursor is None:
            break
    told: Counter[str] = Counter()
    after: int | None = 0
    while after is not None:
        items, after = operations.items(operation, after, 1000)
        told.update(item.job_id for item in items)
    found["items"], found["items_of_different_jobs"] = told.total(), len(told)
    return dict(found)


if __name__ == "__main__":
    main()
