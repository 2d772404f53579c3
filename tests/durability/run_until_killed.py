"""Attaches documents by glob and starts a run of them, until it is killed; started again, it goes on:

    python -m tests.durability.run_until_killed FOLDER DOCUMENTS [WRITES]

Each step is told on standard output as a line of JSON; the last one holds what there is in the end. With WRITES it
kills itself after so many writes to the store.
"""

import json
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.durability.outbox_process import ALIAS, PROJECT, prepare

STEP = timedelta(seconds=0.2)
PAGE = 1000


def main(folder: Path, number: int, writes: int | None) -> None:
    prepare(folder, {"provider": "local", "root_path": str(folder / "files")})
    from django.core.management import call_command

    from jobs_app.domain.access import COMMAND
    from jobs_app.domain.maintenance import Deadline
    from jobs_app.domain.new_run import NewRun
    from jobs_app.domain.run import Phase
    from jobs_app.models import Project
    from jobs_app.services import documents, run_steps, runs
    from storage_app.records.configured import record_store
    from tests.durability.dying import die_after

    call_command("migrate", verbosity=0)
    Project.objects.get_or_create(slug=PROJECT, defaults={"name": "Alpha"})
    write_files(folder, number)
    if writes is not None:
        die_after(record_store(), writes)
    found = runs.find(COMMAND, PROJECT).items
    view = found[0] if found else runs.create(COMMAND, PROJECT, NewRun(content_type="md", storage=ALIAS))
    if view.run.phase is Phase.DRAFT:
        tell("attaching")
        began = time.monotonic()
        made = documents.attach_many(COMMAND, PROJECT, view.run.id, ALIAS, glob="docs/**/*.md")
        tell("attached", new=made.new, known=made.known, seconds=time.monotonic() - began)
        began = time.monotonic()
        view = runs.start(COMMAND, PROJECT, view.run.id)
        tell(
            "answered",
            seconds=time.monotonic() - began,
            progress=view.tally.documents - view.tally.plans.get(run_steps.WAITING, 0),
        )
    began = time.monotonic()
    while runs.get(COMMAND, PROJECT, view.run.id).run.phase is Phase.STARTING:
        settled = run_steps.run(Deadline(STEP))["documents"]
        tell("settled", documents=settled, seconds=time.monotonic() - began)
    began = time.monotonic()
    view = runs.get(COMMAND, PROJECT, view.run.id)
    tell("looked", seconds=time.monotonic() - began, jobs=sum(view.tally.jobs.values()))
    tell("done", **what_there_is(view.run.id))


def write_files(folder: Path, number: int) -> None:
    for place in (folder / "files" / PROJECT / "docs" / f"{n % 100:02}" / f"{n:05}.md" for n in range(number)):
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"# Document {place.name}\n")


def what_there_is(run_id: str) -> dict[str, Any]:
    """Counted from the records themselves, not by counters."""
    from storage_app.records.configured import record_store

    store = record_store()

    def every(collection: str) -> list[Any]:
        found, cursor = [], None
        while True:
            page = store.query(PROJECT, collection, {"run_id": run_id}, order="id", limit=PAGE, cursor=cursor)
            found += page.records
            cursor = page.next_cursor
            if cursor is None:
                return found

    jobs = {record.id: record.document["document_id"] for record in every("jobs")}
    documents = {record.id: record.document["job_id"] for record in every("documents")}
    return {
        "documents": len(documents),
        "jobs": len(jobs),
        "jobs_twice": sum(count > 1 for count in Counter(jobs.values()).values()),
        "linked": sum(jobs.get(job_id) == id for id, job_id in documents.items()),
    }


def tell(what: str, **values: Any) -> None:
    print(json.dumps({"what": what, **values}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
