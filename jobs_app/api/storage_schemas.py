"""Storages, what is written to them and what waits to be, as they come in and go out."""

from typing import Any, Final, Literal

from ninja import Schema
from pydantic import Field

from jobs_app.api.file_schemas import FILE
from jobs_app.api.schemas import MOMENT, Body, Time, page_of, shown_as

COMMIT_SHA: Final = "3f9c" * 10
ENTRY: Final = {**FILE, "is_directory": False}
COMMIT: Final = {
    "sha": COMMIT_SHA,
    "message": "Add the report",
    "author": "Holdfast",
    "timestamp": MOMENT,
    "files": ["out/report.md"],
}
PENDING: Final = {
    "id": 12,
    "path": "out/report.md",
    "action": "write",
    "size": 1204,
    "sha": f"sha256:{'0f' * 32}",
    "message": "Add the report",
    "author": "worker 1",
    "state": "parked",
    "reason": {"code": "conflict", "message": "The file has changed.", "details": {}},
    "waiting_since": MOMENT,
    "changed_at": MOMENT,
}
QUEUE: Final = {
    "waiting": 3,
    "sending": 0,
    "parked": 1,
    "bytes": 4096,
    "oldest": MOMENT,
    "next_send_at": MOMENT,
    "retry_at": None,
    "reason": None,
}
REASON: Final = {"code": "conflict", "message": "The file has changed.", "details": {}}
BATCH: Final = {
    "id": 7,
    "commit": COMMIT_SHA,
    "message": "Add the report",
    "ended_at": MOMENT,
    "tries": 1,
    "files": [
        {"path": "out/report.md", "action": "write", "size": 1204, "message": "Add the report", "author": "worker 1"}
    ],
}
VERSION: Final = {
    "version": COMMIT_SHA,
    "path": "out/report.md",
    "sha": f"git:{'0f' * 20}",
    "message": "Add the report",
    "author": "Holdfast",
    "timestamp": MOMENT,
    "deleted": False,
}
HEALTH: Final = {"healthy": True, "message": "", "details": {"latency_ms": 3.2}, "checked_at": MOMENT, "since": MOMENT}
STORAGE: Final = {
    "alias": "default",
    "provider": "local",
    "project": None,
    "capabilities": ["atomic_batch_write", "supports_glob"],
    "hash_kind": "sha256",
    "health": HEALTH,
    "statistics": {},
}


class HealthOut(Schema):
    model_config = shown_as(HEALTH)
    healthy: bool
    message: str
    details: dict[str, Any]
    checked_at: Time
    since: Time


class StorageOut(Schema):
    model_config = shown_as(STORAGE)
    alias: str
    provider: str
    project: str | None = Field(description="The one it belongs to; null: every project has its own folder there.")
    capabilities: list[str]
    hash_kind: str
    health: HealthOut | None = Field(description="When it was last asked; null before the first time.")
    statistics: dict[str, Any] = Field(
        description="Requests, cache hits and rate limits of the process that answered, where the storage has them."
    )


class StorageList(Schema):
    model_config = page_of(STORAGE)
    items: list[StorageOut]
    next_cursor: str | None


class EntryOut(Schema):
    """A file, or a folder without size and hash."""

    model_config = shown_as(ENTRY)
    path: str
    size: int
    sha: str | None = Field(description="Null for a folder, and where only reading the content would tell.")
    is_directory: bool
    last_modified: Time | None


class EntryPage(Schema):
    model_config = page_of(ENTRY)
    items: list[EntryOut]
    next_cursor: str | None


class CommitOut(Schema):
    """`files` are those that really changed; where nothing had to be changed, `sha` is empty."""

    model_config = shown_as(COMMIT)
    sha: str
    message: str
    author: str
    timestamp: Time
    files: list[str]


class WrittenOut(Schema):
    model_config = shown_as({"path": "out/report.md", "size": 1204, "sha": FILE["sha"], "commit": COMMIT})
    path: str
    size: int
    sha: str
    commit: CommitOut


class ReasonOut(Schema):
    model_config = shown_as(REASON)
    code: str
    message: str
    details: dict[str, Any]


class PendingOut(Schema):
    model_config = shown_as(PENDING)
    id: int
    path: str
    action: Literal["write", "delete"]
    size: int
    sha: str | None
    message: str
    author: str
    state: Literal["waiting", "sending", "parked"]
    reason: ReasonOut | None
    waiting_since: Time
    changed_at: Time


class DeferredOut(Schema):
    """What waits now; empty where the change only took back one that was still waiting."""

    model_config = shown_as({"pending": [{**PENDING, "state": "waiting", "reason": None}]})
    pending: list[PendingOut]


class SendingOut(Schema):
    model_config = shown_as(QUEUE)
    waiting: int
    sending: int
    parked: int
    bytes: int
    oldest: Time | None
    next_send_at: Time | None
    retry_at: Time | None
    reason: ReasonOut | None = Field(description="Why nothing goes out before `retry_at`.")


class PendingPage(Schema):
    model_config = shown_as({"items": [PENDING], "next_cursor": None, "queue": QUEUE})
    items: list[PendingOut]
    next_cursor: str | None
    queue: SendingOut


class SentFile(Schema):
    model_config = shown_as(BATCH["files"][0])  # type: ignore[index]  # a list of one
    path: str
    action: str
    size: int
    message: str
    author: str


class SentOut(Schema):
    model_config = shown_as(BATCH)
    id: int
    commit: str
    message: str
    ended_at: Time
    tries: int
    files: list[SentFile]


class SentPage(Schema):
    model_config = page_of(BATCH)
    items: list[SentOut]
    next_cursor: str | None


class FlushedOut(Schema):
    """`busy`: another process is sending; what waits goes out with it."""

    model_config = shown_as({"sent": [BATCH], "busy": False, "queue": {**QUEUE, "waiting": 0}})
    sent: list[SentOut]
    busy: bool
    queue: SendingOut


class VersionOut(Schema):
    model_config = shown_as(VERSION)
    version: str
    path: str
    sha: str | None
    message: str
    author: str
    timestamp: Time
    deleted: bool


class VersionList(Schema):
    model_config = page_of(VERSION)
    items: list[VersionOut]
    next_cursor: str | None


class WriteIn(Body):
    model_config = Body.model_config | shown_as({"path": "out/report.md", "content": "# Report\n"})
    path: str
    content: str | None = None
    content_base64: str | None = None
    overwrite: bool = True
    expected_sha: str | None = Field(default=None, max_length=128)


class BatchIn(Body):
    """All of it is one commit."""

    model_config = Body.model_config | shown_as(
        {
            "message": "Replace the draft",
            "writes": [{"path": "out/report.md", "content": "# Report\n"}],
            "deletes": ["out/draft.md"],
        }
    )
    message: str = Field(default="", max_length=2000)
    writes: list[WriteIn] = Field(default=[], max_length=1000)
    deletes: list[str] = Field(default=[], max_length=1000)
    deferred: bool = False
