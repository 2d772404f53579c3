"""The pages of jobs with made-up content; tests/browser/preview.py draws them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs_app.domain.failure import Cause
from jobs_app.domain.failure_group import FailureGroup
from jobs_app.domain.job import Attempt, By, CancelRequest, Event, Job, Progress, Trashed
from jobs_app.domain.job_states import JobState
from jobs_app.domain.operation import Action, Deed, Item, ItemOutcome, Operation, OperationState
from jobs_app.domain.saved_view import SavedView
from jobs_app.domain.waiting import Position, Reason, Waiting, WaitingCode
from jobs_app.domain.worker import Stop, Worker, WorkerGlance, WorkerState
from jobs_app.pages import (
    job_bulk,
    job_filters,
    job_log,
    job_rows,
    job_timeline,
    job_trash,
    jobs,
    operations,
    overview,
    workers,
)
from jobs_app.pages.job_files import FileRow
from jobs_app.pages.job_log import LogAsked, LogRow
from jobs_app.pages.pauses import PauseForm
from jobs_app.pages.storage_rows import Room
from jobs_app.pages.styleguide import DOCUMENT, FILTERS, HOSTILE, LONG
from jobs_app.services.failures import Failure
from jobs_app.services.job_actions import Preview
from jobs_app.services.job_counts import JobCounts
from jobs_app.services.pauses import Pause
from tests.browser import numbers_world

JOB_FILES = [
    FileRow(path, "?", size, None) for path, size in (("out/report.json", 812), (f"{HOSTILE}/{LONG}", 4 * 1024**3))
]

Sample = tuple[str, dict[str, Any], dict[str, Any]]

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ADA = By("person", "ada")
COMMAND = 'curl -X POST http://127.0.0.1:8000/api/v1/projects/reports/jobs -d \'{"name": "first"}\''
MADE = NOW - timedelta(hours=2)
PENDING = Job("0198c0f2-7c1e", 1, LONG, MADE, content_type="pdf", priority=5, tags=("q3", HOSTILE), waiting_since=MADE)
RUNNING = replace(
    PENDING,
    id="0198c0f2-7c1f",
    name="archive-2025.zip",
    status=JobState.PROCESSING,
    worker_id=HOSTILE,
    attempt=3,
    retry_count=2,
    started_at=NOW - timedelta(minutes=20),
    heartbeat_at=NOW,
    lease_expires_at=NOW + timedelta(minutes=1),
    attempt_timeout_seconds=3600,
    waiting_since=NOW - timedelta(minutes=30),
    progress=Progress(42.5, f"page 42 {HOSTILE}", NOW - timedelta(minutes=2)),
    cancel=CancelRequest(NOW, ADA, HOSTILE),
    error_message=f"page 17: {LONG}",
    traceback=f"Traceback (most recent call last):\n  {HOSTILE}\n{LONG}",
    task_options=DOCUMENT,
)
FAILED = replace(RUNNING, id="0198c0f2-7c20", name=HOSTILE, status=JobState.FAILED, completed_at=NOW, cancel=None)
COMPLETED = replace(FAILED, id="0198c0f2-7c21", name="contract.docx", status=JobState.COMPLETED, result_data=DOCUMENT)
COMPLETED = replace(COMPLETED, error_message=None, traceback=None)
CANCELLED = replace(COMPLETED, id="0198c0f2-7c22", status=JobState.CANCELLED)
TIMEOUT = replace(FAILED, id="0198c0f2-7c23", status=JobState.TIMEOUT)
TRASHED = replace(FAILED, id="0198c0f2-7c24", trashed=Trashed(NOW, ADA, None))
JOBS = [PENDING, RUNNING, FAILED, COMPLETED, CANCELLED, TIMEOUT]
LOST_AT = MADE + timedelta(minutes=80)
ATTEMPTS = [
    Attempt(1, "w1", MADE, MADE + timedelta(minutes=20), MADE + timedelta(minutes=35), "put_off", HOSTILE),
    Attempt(2, HOSTILE, MADE + timedelta(minutes=50), MADE + timedelta(minutes=60), LOST_AT, "lease_lost"),
]  # fmt: skip
STOP = Stop(NOW - timedelta(minutes=40), ADA, f"new disk {HOSTILE} {LONG}")
STATES = [
    WorkerState(Worker("w1", MADE, NOW, ("pdf", LONG), "2.4.1", {"gpu": HOSTILE}), [RUNNING] * 5, None),
    WorkerState(Worker(f"{HOSTILE}{LONG}", MADE, NOW), [], STOP),
    WorkerState(Worker("silent", MADE, MADE), [], None),
]
COUNTS = JobCounts({(state, "pdf"): 12_345 * 7**number for number, state in enumerate(JobState)}, 3)
PAGE = {"summary": "", "first_url": "?", "previous_url": "?", "next_url": "?cursor=x"}
LINES = [
    LogRow(
        number, level, f"{HOSTILE} {LONG if number % 3 == 0 else 'short'}", NOW, DOCUMENT if number == 2 else None, 1
    )
    for number, level in enumerate(["debug", "info", "warning", "error"] * 3, 1)
]


def _log(lines: list[LogRow], asked: LogAsked) -> dict[str, Any]:
    return {
        "lines": lines, "asked": asked, "levels": job_log.LEVELS, "end": 200_000 if lines else 0, "first": 1,
        "last": 12, "searched_to": 150_000 if asked.narrows else None, "most_shown": 2000, "first_url": "?",
        "earlier_url": "?", "later_url": "?", "end_url": "?", "all_url": "?", "context_url": "?at=",
        "follow_url": "?after=12", "text_url": "?",
    }  # fmt: skip


def _job(job: Job, tab: str = "summary", **parts: Any) -> dict[str, Any]:
    return {
        "job": job,
        "row": job_rows.row(job, NOW),
        "tab": tab,
        "tabs": [{"label": name.capitalize(), "url": "?", "current": name == tab} for name in jobs.TABS],
        "choices": [jobs.CHOICES[name] for name in jobs.actions_for(job)],
        "timeline": job_timeline.draw(job, ATTEMPTS if job.attempt else [], NOW),
        "waited": job.waiting_duration(NOW),
        "took": job.processing_duration(NOW),
        **parts,
    }


WAITING = Waiting(
    [Reason(WaitingCode.CONTENT_TYPE_PAUSED, f"pdf is paused by ada: {HOSTILE}")], Position(201, exact=False, of=12_345)
)
EVENTS = [
    jobs.event_row(Event(MADE, "created", None, JobState.PENDING, ADA)),
    jobs.event_row(Event(NOW, "put_off", JobState.PROCESSING, JobState.PENDING, By("worker", HOSTILE), LONG, 1)),
    jobs.event_row(Event(NOW, "changed", None, JobState.PENDING, ADA, details={"fields": [HOSTILE]})),
]
NOTES = list(numbers_world.depths(NOW))
MUCH = numbers_world.statistics(NOW, list(numbers_world.facts(NOW)), NOTES, COUNTS)
NO_NUMBERS = numbers_world.statistics(NOW, [], [], JobCounts({}, 0))
QUEUE = overview.Waiting(12, 3, timedelta(minutes=25), PENDING.id, PENDING.name)
AT_WORK = [workers.row(state, NOW) for state in STATES]
FLEET = [overview.fleet_row(WorkerGlance(state.worker, bool(state.holds), state.drained), NOW) for state in STATES]
ROOMS = [Room(LONG, "Down", f"{HOSTILE} {LONG}", "?"), Room("default", "12.3 GB", "free of 256 GB", "?")]
WAITED_FOR = [(Pause(None, STOP), 12_345), (Pause("pdf", STOP), 1)]
CAUSE = Cause("DamagedFileError", "steps/tiff.py in read", f"strip # of {HOSTILE} {LONG} is damaged")
GROUP = FailureGroup(CAUSE, 12_345, MADE - timedelta(days=40), NOW, FAILED.id)
FAILURES = [
    Failure("0f3a", GROUP, 1_204, 12, {"1h": 3, "24h": 1_204, "7d": 12_345}),
    Failure("0f3b", replace(GROUP, cause=Cause("", "", "")), 0, 0, {"1h": 0, "24h": 0, "7d": 0}),
]
OPERATIONS = [
    Operation(
        "0198c0f2-8000",
        3,
        Deed(Action.RETRY, ADA, HOSTILE),
        OperationState.RUNNING,
        MADE,
        NOW,
        filter={"text": f'error:"{HOSTILE}"'},
        matched=12_345,
        changed=700,
        refused=12,
        started_at=MADE,
        error=f"lock_timeout: {LONG}",
    ),
    Operation(
        "0198c0f2-8001",
        9,
        Deed(Action.DELETE, ADA),
        OperationState.DONE,
        MADE,
        NOW,
        ids=("x",),
        changed=1,
        ended_at=NOW,
    ),
]
ITEMS = [
    Item(FAILED.id, ItemOutcome.CHANGED),
    Item(RUNNING.id, ItemOutcome.REFUSED, "conflict", f"It ended again after this was asked for. {HOSTILE}"),
]
VIEW = SavedView("0198c0f2-9000", 1, HOSTILE, f'error:"{LONG}"', "-created_at", (), True, "person:1", ADA, MADE, NOW)
VIEWS = {
    "found": [{"view": VIEW, "url": "?", "current": False}],
    "current": "",
    "query": "status:failed",
    "order": "-created_at",
    "can_save": True,
}
EXPORTS = [{"label": "CSV, for spreadsheets", "url": "?"}]
BULK_VERBS = [(verb.action.value, verb.label, verb.icon) for verb in job_bulk.VERBS.values()]
QUERY_FILTERS = FILTERS | {"more": "jobs/index/_more.html", "workers": [HOSTILE], "suggest_url": "?", "longest": 1000}
WRONG = job_filters.Wrong(f"{HOSTILE} is no state", "status:", HOSTILE, f" {LONG}", "status:failed", "?")
NOTHING = overview.Waiting(0, 0, None, "", "")

SAMPLES: dict[str, Sample] = {
    "overview": (
        "overview/index.html",
        {
            "figures": overview.figures("reports", COUNTS, dict.fromkeys(JobState, -3)),
            **overview.drawn(MUCH, "?"), "waiting": QUEUE, "workers": FLEET, "present": 2,
            "busy": 1, "needs": list(overview.needs("reports", COUNTS, QUEUE, FLEET)), "storages": ROOMS,
            "running": [job_rows.row(RUNNING, NOW)], "failure_groups": FAILURES, "may_write": True,
        },
        {
            "figures": overview.figures("reports", JobCounts({}, 0)), **overview.drawn(NO_NUMBERS, "?"),
            "waiting": NOTHING, "present": 0, "busy": 0,
        },
    ),
    "overview-empty": (
        "overview/empty.html",
        {"token_command": "python3 manage.py tokens create", "job_command": COMMAND, "claim_command": COMMAND},
        {"token_command": LONG, "job_command": LONG, "claim_command": LONG, "member_command": LONG},
    ),
    "jobs": (
        "jobs/index.html",
        {
            "rows": [job_rows.row(job, NOW) for job in JOBS], "may_write": True, "has_jobs": True, "new": 12,
            "filters": QUERY_FILTERS, "page": PAGE, "here": "?", "since": "x", "views": VIEWS, "exports": EXPORTS,
            "bulk_verbs": BULK_VERBS, "is_complete": False, "searched_to": MADE,
        },
        {"rows": [], "command": COMMAND, "here": "?", "is_complete": True},
    ),
    "jobs-none": (
        "jobs/index.html",
        {"narrows": True, "filters": FILTERS, "is_complete": True},
        {"has_jobs": True, "filters": FILTERS, "is_complete": True},
    ),
    "jobs-wrong": (
        "jobs/index.html",
        {"has_jobs": True, "filters": QUERY_FILTERS, "wrong": WRONG, "is_complete": True},
        {"has_jobs": True, "filters": QUERY_FILTERS, "wrong": replace(WRONG, suggestion_url=""), "is_complete": True},
    ),
    "jobs-bulk": (
        "jobs/bulk.html",
        {
            "verb": job_bulk.VERBS["delete"], "preview": Preview(12_345, False, []), "number": "at least 12,345 jobs",
            "rows": [job_rows.row(job, NOW) for job in JOBS[:5]], "query": f'"{HOSTILE}" {LONG}', "back": "?",
        },
        {"verb": job_bulk.VERBS["retry"], "preview": Preview(0, True, []), "number": "0 jobs", "back": "?"},
    ),
    "jobs-views": (
        "jobs/views.html",
        {"rows": [{"view": VIEW, "url": "?", "order": "Newest first", "may_change": True}], "may_share": True},
        {"rows": []},
    ),
    "failures": ("failures/index.html", {"rows": FAILURES, "may_write": True, "page": PAGE}, {"rows": []}),
    "operations": (
        "operations/index.html",
        {"rows": [operations.row(each, NOW) for each in OPERATIONS], "page": PAGE},
        {"rows": []},
    ),
    "operation": (
        "operations/show.html",
        {
            "row": operations.row(OPERATIONS[0], NOW), "items": ITEMS, "page": PAGE, "may_write": True,
            "tabs": [{"label": "All", "url": "?", "current": True, "count": 12_345}],
        },
        {"row": operations.row(OPERATIONS[1], NOW), "items": [], "may_write": True},
    ),
    "job": ("jobs/show.html", _job(FAILED), _job(PENDING, waiting=WAITING, choices=[])),
    "job-running": ("jobs/show.html", _job(RUNNING), _job(COMPLETED)),
    "job-data": ("jobs/show.html", _job(COMPLETED, "data"), _job(replace(PENDING, task_options={}), "data")),
    "job-files": (
        "jobs/show.html",
        _job(COMPLETED, "files", files=JOB_FILES, files_count=12_345, files_size=5_000_000_000, page=PAGE),
        _job(PENDING, "files", files=[]),
    ),
    "job-events": (
        "jobs/show.html",
        _job(FAILED, "events", events=EVENTS, page=PAGE),
        _job(PENDING, "events", events=[]),
    ),
    "job-log": (
        "jobs/show.html",
        _job(RUNNING, "log", log=_log(LINES, LogAsked(HOSTILE, None, None, None))),
        _job(PENDING, "log", log=_log([], LogAsked("", None, None, None))),
    ),
    "jobs-trash": (
        "jobs/trash.html",
        {"rows": [job_trash.row(TRASHED, 7)], "days": 7, "may_write": True, "page": PAGE},
        {"rows": [], "days": 0},
    ),
    "workers": (
        "workers/index.html",
        {"rows": AT_WORK, "may_write": True, "page": PAGE},
        {"rows": [], "command": COMMAND},
    ),
    "pauses": (
        "pauses/index.html",
        {"pauses": WAITED_FOR, "form": PauseForm(), "content_types": ["pdf", HOSTILE], "may_write": True},
        {"pauses": [], "form": PauseForm({})},
    ),
}  # fmt: skip
