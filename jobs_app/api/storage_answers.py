"""Storages, commits and pending changes as plain values."""

from typing import Any

from jobs_app.api.job_answers import time_value
from jobs_app.api.schemas import rfc3339
from jobs_app.services.outbox import OutboxState
from jobs_app.services.storages import Health, StorageState
from storage_app.outbox.tables import PendingChange, SentBatch
from storage_app.providers import StorageCommit, StorageFileInfo, StorageVersion


def storage_value(state: StorageState) -> dict[str, Any]:
    return {
        "alias": state.alias,
        "provider": state.provider,
        "project": state.project,
        "capabilities": list(state.capabilities),
        "hash_kind": state.hash_kind,
        "health": _health_value(state.health) if state.health else None,
        "statistics": state.statistics,
    }


def entry_value(info: StorageFileInfo) -> dict[str, Any]:
    return {
        "path": info.path,
        "size": info.size,
        "sha": info.sha,
        "is_directory": info.is_directory,
        "last_modified": time_value(info.last_modified),
    }


def commit_value(commit: StorageCommit) -> dict[str, Any]:
    return {
        "sha": commit.sha,
        "message": commit.message,
        "author": commit.author,
        "timestamp": rfc3339(commit.timestamp),
        "files": commit.files,
    }


def version_value(version: StorageVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "path": version.path,
        "sha": version.sha,
        "message": version.message,
        "author": version.author,
        "timestamp": rfc3339(version.timestamp),
        "deleted": version.deleted,
    }


def pending_value(change: PendingChange) -> dict[str, Any]:
    return {
        "id": change.pk,
        "path": change.path,
        "action": change.action,
        "size": change.size,
        "sha": change.sha256 or None,
        "message": change.message,
        "author": change.author,
        "state": change.state,
        "reason": change.reason or None,
        "waiting_since": rfc3339(change.waiting_since),
        "changed_at": rfc3339(change.changed_at),
    }


def sent_value(batch: SentBatch) -> dict[str, Any]:
    return {
        "id": batch.pk,
        "commit": batch.commit,
        "message": batch.message,
        "ended_at": time_value(batch.ended_at),
        "tries": batch.tries,
        "files": batch.files,
    }


def queue_value(state: OutboxState) -> dict[str, Any]:
    queue = state.queue
    return {
        "waiting": queue.waiting,
        "sending": queue.sending,
        "parked": queue.parked,
        "bytes": queue.bytes,
        "oldest": time_value(queue.oldest),
        "next_send_at": time_value(state.next_send_at),
        "retry_at": time_value(queue.retry_at),
        "reason": queue.reason or None,
    }


def _health_value(health: Health) -> dict[str, Any]:
    return {
        "healthy": health.healthy,
        "message": health.message,
        "details": health.details,
        "checked_at": rfc3339(health.checked_at),
        "since": rfc3339(health.since),
    }
