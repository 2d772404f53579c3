"""Runs, documents and artifacts as plain values; `tests/api/test_conformance.py` holds them to their schemas."""

from typing import Any

from jobs_app.api.job_answers import by_value, time_value
from jobs_app.api.schemas import rfc3339
from jobs_app.domain.artifact import Artifact
from jobs_app.domain.document import SENTENCES, Document, DocumentState, Plan
from jobs_app.services.runs import RunView


def run_value(view: RunView, project: str) -> dict[str, Any]:
    run, tally = view.run, view.tally
    return {
        "id": run.id,
        "project": project,
        "name": run.name,
        "content_type": run.content_type,
        "options": dict(run.options),
        "outputs": list(run.outputs),
        "uses": [{"kind": use.kind, "name": use.name, "variables": dict(use.variables)} for use in run.uses],
        "storage": run.storage,
        "priority": run.priority,
        "tags": list(run.tags),
        "max_retries": run.max_retries,
        "state": view.state.value,
        "progress": view.progress,
        "documents": {plan.value: tally.plans.get(plan, 0) for plan in Plan},
        "jobs": {state.value: number for state, number in tally.jobs.items()},
        "created_at": rfc3339(run.created_at),
        "created_by": by_value(run.created_by),
        "started_at": time_value(run.start.at if run.start else None),
        "started_by": by_value(run.start.by) if run.start else None,
        "force": bool(run.start and run.start.force),
        "cloned_from": run.cloned_from,
        "version": run.version,
    }


def document_value(document: Document, state: DocumentState) -> dict[str, Any]:
    said = [SENTENCES[document.why]] if document.why else []
    return {
        "id": document.id,
        "run_id": document.run_id,
        "storage": document.storage,
        "path": document.path,
        "filename": document.filename,
        "content_hash": document.content_hash,
        "size": document.size,
        "attached_at": rfc3339(document.attached_at),
        "inline": document.inline,
        "options": dict(document.options),
        "state": state.value,
        "why": document.why.value if document.why else None,
        "reason": " ".join([*said, *([document.detail] if document.detail else [])]),
        "job_id": document.job_id,
        "served_by": list(document.served_by),
        "attached_hash": document.attached_hash,
        "version": document.version,
    }


def artifact_value(artifact: Artifact) -> dict[str, Any]:
    return {
        "id": artifact.id,
        "run_id": artifact.run_id,
        "document_id": artifact.document_id,
        "job_id": artifact.job_id,
        "attempt": artifact.attempt,
        "output": artifact.output,
        "storage": artifact.storage,
        "path": artifact.path,
        "content_hash": artifact.content_hash,
        "size": artifact.size,
        "source": artifact.source,
        "options": dict(artifact.options),
        "fingerprint": artifact.fingerprint,
        "created_at": rfc3339(artifact.created_at),
        "created_by": by_value(artifact.created_by),
        "deferred": artifact.deferred,
    }
