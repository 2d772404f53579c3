"""The pages of jobs with made-up content; tests/browser/preview.py draws them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs_app.domain.job import Attempt, By, CancelRequest, Event, Job, Progress, Trashed
from jobs_app.domain.job_states import JobState
from jobs_app.domain.waiting import Position, Reason, Waiting, WaitingCode
from jobs_app.domain.worker import Stop, Worker, WorkerState
from jobs_app.pages import job_log, job_rows, job_timeline, job_trash, jobs, overview, workers
from jobs_app.pages.job_log import LogAsked, LogRow
from jobs_app.pages.pauses import PauseForm
from jobs_app.pages.styleguide import DOCUMENT, FILTERS, HOSTILE, LONG
from jobs_app.services.job_counts import JobCounts
from jobs_app.services.pauses import Pause

ACTIONS = {
    "jobs-act": "jobs/act", "jobs-restore": "jobs/restore", "jobs-erase": "jobs/erase", "worker-drain": "workers/drain",
    "worker-resume": "workers/resume", "pause-resume": "pauses/resume",
}  # fmt: skip
JOB_ACTIONS = ("jobs-retry", "jobs-cancel", "jobs-release", "jobs-delete", "jobs-log", "jobs-log-text")

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
QUEUE = overview.Waiting(12, 3, timedelta(minutes=25), PENDING.id, PENDING.name)
AT_WORK = [workers.row(state, NOW) for state in STATES]
WAITED_FOR = [(Pause(None, STOP), 12_345), (Pause("pdf", STOP), 1)]
NOTHING = overview.Waiting(0, 0, None, "", "")

SAMPLES: dict[str, Sample] = {
    "overview": (
        "overview/index.html",
        {
            "figures": overview.figures("reports", COUNTS), "waiting": QUEUE, "workers": AT_WORK, "present": 2,
            "busy": 1, "needs": list(overview.needs("reports", COUNTS, QUEUE, AT_WORK)), "failures_url": "?",
            "running": [job_rows.row(RUNNING, NOW)], "failures": [job_rows.row(job, NOW) for job in (FAILED, TIMEOUT)],
        },
        {"figures": overview.figures("reports", JobCounts({}, 0)), "waiting": NOTHING, "present": 0, "busy": 0},
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
            "filters": FILTERS | {"more": "jobs/index/_more.html", "workers": [HOSTILE]}, "page": PAGE,
            "here": "?", "since": "x",
        },
        {"rows": [], "command": COMMAND, "here": "?"},
    ),
    "jobs-none": ("jobs/index.html", {"narrows": True, "filters": FILTERS}, {"has_jobs": True, "filters": FILTERS}),
    "job": ("jobs/show.html", _job(FAILED), _job(PENDING, waiting=WAITING, choices=[])),
    "job-running": ("jobs/show.html", _job(RUNNING), _job(COMPLETED)),
    "job-data": ("jobs/show.html", _job(COMPLETED, "data"), _job(replace(PENDING, task_options={}), "data")),
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
