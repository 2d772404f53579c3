"""What the OpenAPI document shows of runs, documents and artifacts."""

from typing import Any, Final

from jobs_app.api.job_examples import BY, JOB_ID
from jobs_app.api.schemas import MOMENT

Example = dict[str, Any]

RUN_ID: Final = "01984f5e-7c1a-7b3e-9a55-3f1d2c4b5a70"
DOCUMENT_ID: Final = "01984f5e-7c1a-7b3e-9a55-3f1d2c4b5a71"
ARTIFACT_ID: Final = "01984f5e-7c1a-7b3e-9a55-3f1d2c4b5a72"
HASH: Final = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
NEW_RUN: Final[Example] = {
    "name": "Outlines of the handbook",
    "content_type": "text/markdown",
    "options": {"depth": 3},
    "outputs": ["headings", "links"],
    "uses": [],
    "priority": 0,
    "tags": ["handbook"],
    "max_retries": 3,
    "storage": "default",
}
RUN: Final[Example] = {
    "id": RUN_ID,
    "project": "reports",
    **NEW_RUN,
    "state": "running",
    "progress": 50.0,
    "documents": {"attached": 0, "queued": 1, "skipped": 1, "refused": 0},
    "jobs": {"processing": 1},
    "created_at": MOMENT,
    "created_by": BY,
    "started_at": MOMENT,
    "started_by": BY,
    "force": False,
    "cloned_from": None,
    "version": 3,
}
DOCUMENT: Final[Example] = {
    "id": DOCUMENT_ID,
    "run_id": RUN_ID,
    "storage": "default",
    "path": "handbook/start.md",
    "filename": "start.md",
    "content_hash": HASH,
    "size": 1204,
    "attached_at": MOMENT,
    "inline": False,
    "options": {},
    "state": "processing",
    "why": "new",
    "reason": "Nothing was made of this content with these options before.",
    "job_id": JOB_ID,
    "served_by": [],
    "attached_hash": None,
    "version": 2,
}
NEW_ARTIFACT: Final[Example] = {
    "document_id": DOCUMENT_ID,
    "job_id": JOB_ID,
    "output": "headings",
    "path": "outlines/start.json",
    "content": '["Start"]',
}
ARTIFACT: Final[Example] = {
    "id": ARTIFACT_ID,
    "run_id": RUN_ID,
    "document_id": DOCUMENT_ID,
    "job_id": JOB_ID,
    "attempt": 1,
    "output": "headings",
    "storage": "default",
    "path": "outlines/start.json",
    "content_hash": HASH,
    "size": 9,
    "source": HASH,
    "options": {"depth": 3},
    "fingerprint": "5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99",
    "created_at": MOMENT,
    "created_by": BY,
    "deferred": False,
}
