"""One document of a run: what it is, what became of it, what was made of it; and its content to take away."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs_app.domain.access import Scope
from jobs_app.domain.artifact import Artifact
from jobs_app.errors import NotFoundError
from jobs_app.pages import document_places as places
from jobs_app.pages import gone
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.pages.run_parts import document_row
from jobs_app.services import access, artifact_comparison, artifacts, documents, jobs, runs
from storage_app.providers import StorageError

MADE = 100
LARGEST_PREVIEW = 64 * 1024


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """With the addresses of its file, of the job that made it, and of the document that it was made of."""

    artifact: Artifact
    file_url: str
    job_url: str
    document_url: str


@require_safe
@gone.told
def show(request: PageRequest, slug: str, run_id: str, document_id: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    view = documents.get(actor, slug, run_id, document_id)
    document = view.document
    made = artifacts.find(actor, slug, document_id=document.id, limit=MADE)
    now = documents.look(actor, slug, run_id, document.id)
    served = [_there_or_none(lambda id=id: artifacts.get(actor, slug, id)) for id in document.served_by]  # type: ignore[misc]  # bound now
    context = {
        "project": project,
        "run": runs.get(actor, slug, run_id).run,
        "view": view,
        "document": document,
        "row": document_row(slug, view),
        "now": now,
        "changed": bool(now.hash) and now.hash != document.content_hash,
        "preview": _preview(request, slug, run_id, document.id, now.size),
        "job": _there_or_none(lambda: jobs.get(actor, slug, document.job_id or "")),
        "served": [_row(slug, each) for each in served if each is not None],
        "served_gone": served.count(None),
        "made": [_row(slug, each) for each in made.items],
        "file_url": places.file_url(slug, document.storage, document.path),
        "attempts": len({each.attempt for each in made.items}),
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
    }
    return render(request, "runs/document.html", context)


@require_safe
@gone.told
def compare(request: PageRequest, slug: str, run_id: str, document_id: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    view = documents.get(actor, slug, run_id, document_id)
    left, right = (_number(request.GET.get(name, "")) for name in ("left", "right"))
    context = {
        "project": project,
        "run": runs.get(actor, slug, run_id).run,
        "document": view.document,
        "comparison": artifact_comparison.compare(actor, slug, run_id, document_id, left, right),
    }
    return render(request, "runs/compare.html", context)


def _row(slug: str, artifact: Artifact) -> ArtifactRow:
    return ArtifactRow(
        artifact,
        places.file_url(slug, artifact.storage, artifact.path),
        reverse("jobs-show", args=[slug, artifact.job_id]) if artifact.job_id else "",
        reverse("runs-document", args=[slug, artifact.run_id, artifact.document_id]),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _there_or_none(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except NotFoundError:
        return None


def _preview(request: PageRequest, slug: str, run_id: str, document_id: str, size: int) -> dict[str, Any]:
    """The start of its text, or why there is none to show."""
    try:
        stream = documents.content(actor_of(request), slug, run_id, document_id, length=LARGEST_PREVIEW)
        start = documents.whole(stream)
    except StorageError as error:
        return {"note": error.message}
    try:
        text = start.decode() if size <= LARGEST_PREVIEW else start[: start.rfind(b"\n") + 1].decode()
    except UnicodeDecodeError:
        return {"note": "This is no text."}
    if not text:
        return {"note": "The file is empty." if not size else "Its first line is too long to be shown here."}
    return {"text": text, "cut": size > LARGEST_PREVIEW}
