"""What the OpenAPI document shows of jobs, logs and workers."""

from typing import Any, Final

from jobs_app.api.schemas import MOMENT

Example = dict[str, Any]

JOB_ID: Final = "01984f5e-7c1a-7b3e-9a55-3f1d2c4b5a69"
BY: Final[Example] = {"kind": "token", "name": "importer"}
PROGRESS: Final[Example] = {"percent": 40, "message": "page 4 of 10", "at": MOMENT}
NEW_USE: Final[Example] = {"kind": "prompts", "name": "summarise", "variables": {"language": "de"}}
USE: Final[Example] = {**NEW_USE, "hash": f"sha256:{'0f' * 32}", "version": None}
NEW_JOB: Final[Example] = {
    "name": "Quarterly report",
    "ingestion_task_id": "task-4711",
    "source_file_path": "inbox/2026/q1.pdf",
    "content_type": "application/pdf",
    "task_options": {"lang": "de", "pages": [1, 2, 3]},
    "priority": 10,
    "tags": ["finance"],
    "uses": [NEW_USE],
    "attempt_timeout_seconds": 600,
}
JOB: Final[Example] = {
    "id": JOB_ID,
    "project": "reports",
    **NEW_JOB,
    "uses": [USE],
    "run_id": None,
    "document_id": None,
    "status": "processing",
    "worker_id": "worker-1",
    "created_at": MOMENT,
    "created_by": BY,
    "not_before": None,
    "started_at": MOMENT,
    "completed_at": None,
    "timeout_at": None,
    "attempt": 1,
    "lease_expires_at": MOMENT,
    "heartbeat_at": MOMENT,
    "progress": PROGRESS,
    "cancel_requested": False,
    "error_message": None,
    "traceback": None,
    "result_data": None,
    "retry_count": 0,
    "max_retries": 3,
    "lost_count": 0,
    "version": 3,
    "is_expired": False,
    "can_retry": False,
    "processing_duration": 12.5,
    "waiting_duration": 0.25,
}
TRASHED_JOB: Final[Example] = {**JOB, "status": "cancelled", "deleted_at": MOMENT, "deleted_by": BY}
CLAIMED_JOB: Final[Example] = {**JOB, "lease_token": "proves-who-holds-the-attempt"}
EVENT: Final[Example] = {
    "number": 2,
    "at": MOMENT,
    "type": "claimed",
    "from": "pending",
    "to": "processing",
    "by": {"kind": "worker", "name": "worker-1"},
    "why": "",
    "attempt": 1,
    "details": {},
}
ATTEMPT: Final[Example] = {
    "number": 1,
    "worker_id": "worker-1",
    "planned_at": MOMENT,
    "started_at": MOMENT,
    "ended_at": MOMENT,
    "outcome": "put_off",
    "error_message": "no such page",
    "traceback": None,
}
LOG_LINE: Final[Example] = {
    "number": 1,
    "level": "info",
    "message": "page 1",
    "time": MOMENT,
    "data": None,
    "attempt": 1,
}
STOP: Final[Example] = {"at": MOMENT, "by": {"kind": "person", "name": "anna"}, "why": "the parser is broken"}
WORKER: Final[Example] = {
    "id": "worker-1",
    "first_seen_at": MOMENT,
    "last_seen_at": MOMENT,
    "last_beat_at": MOMENT,
    "content_types": ["application/pdf"],
    "version": "1.4",
    "capabilities": {"gpu": True},
    "holds": [
        {
            "id": JOB_ID,
            "name": "Quarterly report",
            "attempt": 1,
            "started_at": MOMENT,
            "heartbeat_at": MOMENT,
            "lease_expires_at": MOMENT,
            "progress": PROGRESS,
        }
    ],
    "drained": None,
    "safe_to_stop": False,
}
PAUSE: Final[Example] = {"content_type": "application/pdf", **STOP}
WAITING: Final[Example] = {
    "reasons": [{"code": "workers_busy", "sentence": "All workers for application/pdf are busy (2)."}],
    "position": {"place": 3, "exact": True, "of": 17},
}
DOOMED: Final[Example] = {"state": "completed", "days": 7, "jobs": 120, "bytes": 482_113, "complete": True}
