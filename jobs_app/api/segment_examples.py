"""What the OpenAPI document shows of segments, free records and messages."""

from typing import Any, Final

from jobs_app.api.job_examples import BY, JOB_ID
from jobs_app.api.schemas import MOMENT

Example = dict[str, Any]

SEGMENT_ID: Final = "01984f5e-9d2b-7c11-8a01-5b6c7d8e9f00"
SOURCE: Final[Example] = {"job_id": JOB_ID, "path": "src/retries.py", "digest": "sha256:9f86d081884c7d65"}
NEW_SEGMENT: Final[Example] = {
    "text": "Retries back off with jitter; see src/retries.py.",
    "type": "decision",
    "metadata": {"author": "planner"},
    "task_id": "task-4711",
    "file_path": "src/retries.py",
    "tags": ["retries"],
    "pinned": False,
    "source": SOURCE,
}
SEGMENT: Final[Example] = {
    "segment_id": SEGMENT_ID,
    "project_id": "reports",
    **NEW_SEGMENT,
    "source": {**SOURCE, "run_id": None, "document_id": None, "storage": None},
    "tokens": 13,
    "tier": "active",
    "created_at": MOMENT,
    "created_by": BY,
    "touched_at": MOMENT,
    "expires_at": None,
    "duplicate": False,
    "stale": None,
    "version": 1,
}
MATCH: Final[Example] = {
    "segment": SEGMENT,
    "score": 3.21,
    "highlights": [{"start": 0, "end": 7}],
    "excerpt": {"start": 0, "end": 49},
}
LEFT_OUT: Final[Example] = {"segment_id": SEGMENT_ID, "tokens": 4000, "reason": "no room left in the budget"}
PAST: Final[Example] = {
    "version": 2,
    "at": MOMENT,
    "what": "changed",
    "by": BY,
    "why": "",
    "before": {"text": "Retries back off."},
}
VERSION: Final[Example] = {
    "segment_id": SEGMENT_ID,
    "version": 1,
    "text": "Retries back off.",
    "type": "decision",
    "metadata": {},
    "tokens": 5,
    "task_id": None,
    "file_path": None,
    "tags": [],
    "tier": "active",
    "pinned": False,
    "source": None,
    "expires_at": None,
}
FAULT: Final[Example] = {"reason": "Expecting ',' delimiter", "position": 512, "line": 14, "column": 7}
RECORD: Final[Example] = {
    "id": 1,
    "version": 1,
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "data": {"title": "Write the report", "done": False},
}
