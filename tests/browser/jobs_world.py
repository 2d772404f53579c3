"""A project with jobs in every state, names that try to be more than text, workers and pauses: what the pages show."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jobs_app.domain import job_transitions
from jobs_app.domain.access import COMMAND
from jobs_app.domain.job import Job, Step
from jobs_app.domain.job_log import LogLevel, NewLogEntry
from jobs_app.domain.job_transitions import Failure
from jobs_app.models import Project
from jobs_app.services import claims, jobs, logs, pauses, workers
from jobs_app.services.claims import ClaimRequest
from jobs_app.stores.job_records import JobRecords
from storage_app.records.configured import record_store
from tests.conftest import Clock
from tests.factories import claim_job, make_job

HOSTILE = "<img src=x onerror=alert(1)>"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
TRACEBACK = f"""Traceback (most recent call last):
  File "worker/split.py", line 41, in split
    page = document.pages[number]
IndexError: page 17 of {HOSTILE} is out of range"""


@dataclass(frozen=True)
class Jobs:
    """By what became of them."""

    failed: Job
    hostile: Job
    running: Job
    completed: Job
    later: Job
    waiting: Job
    deleted: Job


def fill(project: Project, clock: Clock) -> Jobs:
    slug = project.slug
    clock.advance(minutes=-12)  # so that it ends where the browser's own clock stands
    completed = _completed(project, clock)
    failed = _failed(project, clock, "quarterly-report.pdf", Failure("no such page: 17", TRACEBACK, retryable=False))
    hostile = _failed(project, clock, HOSTILE, Failure(f"{HOSTILE} {LONG}", retryable=False))
    jobs.cancel(COMMAND, slug, make_job(project, name="minutes.md", content_type="markdown").id, "wrong file")
    _timed_out(project)
    deleted = make_job(project, name=f"old {HOSTILE}", content_type="pdf")
    jobs.delete(COMMAND, slug, deleted.id)
    running = _running(project, clock)
    clock.advance(minutes=4)
    waiting = make_job(project, name=LONG, content_type="tiff", priority=5, tags=["urgent", HOSTILE])
    later = make_job(
        project, name="nightly.csv", content_type="csv", not_before=running.created_at + timedelta(hours=5)
    )
    for name in (HOSTILE, "w2"):
        claims.claim(
            COMMAND, slug, ClaimRequest(name, ["none"], software_version="2.4.1", capabilities={"gpu": HOSTILE})
        )
    workers.drain(COMMAND, slug, "w2", f"new disk {HOSTILE}")
    pauses.pause(COMMAND, slug, "tiff", f"scanner is down {HOSTILE}")
    return Jobs(failed, hostile, running, completed, later, waiting, deleted)


def write_log(project: Project, job_id: str, lines: int, start: int = 1) -> None:
    """Numbered lines of every level; the last page of them is what a reader sees first."""
    levels = list(LogLevel)
    for first in range(start, start + lines, 1000):
        batch = [
            NewLogEntry(
                f"line {number} says {HOSTILE}", levels[number % 4], data={"n": number} if number % 50 == 0 else None
            )
            for number in range(first, min(first + 1000, start + lines))
        ]
        logs.append(COMMAND, project.slug, job_id, batch)


def _completed(project: Project, clock: Clock) -> Job:
    job = make_job(
        project, name="contract.docx", content_type="docx", task_options={"big": 9007199254740993, "text": HOSTILE}
    )
    clock.advance(seconds=9)
    claimed = claim_job(project, lease_seconds=600)
    clock.advance(seconds=95)
    result = {"pages": 3, "note": HOSTILE}
    return claims.complete(COMMAND, project.slug, job.id, claimed.lease_token, result)


def _failed(project: Project, clock: Clock, name: str, failure: Failure) -> Job:
    job = make_job(project, name=name, content_type="pdf", tags=["q3"], source_file_path=f"in/{name}")
    clock.advance(seconds=12)
    first = claim_job(project)
    clock.advance(seconds=25)
    claims.release(COMMAND, project.slug, job.id, first.lease_token)
    clock.advance(seconds=31)
    claimed = claim_job(project, worker_id=f"worker {HOSTILE}", lease_seconds=600)
    clock.advance(seconds=48)
    return claims.fail(COMMAND, project.slug, job.id, claimed.lease_token, failure)


def _timed_out(project: Project) -> None:
    job = make_job(project, name="slow.tar", content_type="tar")
    claim_job(project)

    def end(job: Job, now: datetime) -> Step | None:
        return job_transitions.settle(replace(job, timeout_at=now - timedelta(seconds=1)), now, 3)

    JobRecords(record_store(), project.slug).change(job.id, end)


def _running(project: Project, clock: Clock) -> Job:
    job = make_job(project, name="archive-2025.zip", content_type="zip")
    clock.advance(seconds=15)
    claimed = claim_job(project, lease_seconds=600)
    clock.advance(seconds=70)
    claims.heartbeat(
        COMMAND, project.slug, job.id, claimed.lease_token, percent=42, message=f"page 42 of 100 {HOSTILE}"
    )
    clock.advance(seconds=20)
    return jobs.get(COMMAND, project.slug, job.id)
