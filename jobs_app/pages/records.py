"""Free records: collections, the records of one, and one record as JSON to read and to edit."""

import json
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from jobs_app.domain.access import Scope
from jobs_app.domain.free_record import FreeRecord
from jobs_app.errors import InvalidError, PreconditionFailedError, RefusedError
from jobs_app.pages import segment_marks
from jobs_app.pages.first_steps import first_record_command
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, free_records
from storage_app import strict_json

PAGE: Final = 50
SHOWN: Final = 160
NEW: Final = 0


@dataclass(frozen=True, slots=True)
class Row:
    record: FreeRecord
    text: str


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    context = {
        "project": project,
        "rows": free_records.collections(actor, slug),
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "command": first_record_command(request, slug),
    }
    return render(request, "records/index.html", context)


@require_safe
def collection(request: PageRequest, slug: str, collection: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    text = request.GET.get("q", "")
    page, fault = None, ""
    try:
        filters = _filters(text)
        page = free_records.find(actor, slug, collection, filters, "-id", PAGE, request.GET.get("cursor") or None)
    except InvalidError as error:
        fault = error.detail
    context = {
        "project": project,
        "collection": collection,
        "rows": [Row(record, _short(record)) for record in page.records] if page else [],
        "query": text,
        "fault": fault,
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if request.GET.get("cursor") else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page and page.next_cursor else "",
        },
    }
    return render(request, "records/collection.html", context)


@require_safe
def show(request: PageRequest, slug: str, collection: str, record_id: int) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    record = free_records.get(actor, slug, collection, record_id) if record_id else None
    context = _context(request, project, collection, record)
    return render(request, "records/show.html", context)


@require_POST
def save(request: PageRequest, slug: str, collection: str, record_id: int) -> HttpResponse:
    """What the form holds; 0 is a new one. One that was changed meanwhile is shown beside what was typed."""
    actor, text = actor_of(request), request.POST.get("data", "")
    project = access.project_for(actor, slug, Scope.WRITE)
    version = request.POST.get("version", "")
    try:
        data = _object(text)
        if record_id == NEW:
            record = free_records.create(actor, slug, collection, data)
        else:
            expected = int(version) if version.isascii() and version.isdigit() else 0
            record = free_records.replace(actor, slug, collection, record_id, data, expected)
    except (InvalidError, PreconditionFailedError) as error:
        return _again(request, project, collection, record_id, error, text)
    messages.success(request, f"Record {record.id} was saved.")
    return redirect("records-show", slug, collection, record.id)


@require_POST
def delete(request: PageRequest, slug: str, collection: str, record_id: int) -> HttpResponse:
    free_records.delete(actor_of(request), slug, collection, record_id)
    messages.success(request, f"Record {record_id} was deleted. Its number is not given out again.")
    return redirect("records-collection", slug, collection)


def _context(request: PageRequest, project: Any, collection: str, record: FreeRecord | None) -> dict[str, Any]:
    return {
        "project": project,
        "collection": collection,
        "record": record,
        "text": _written(record.data) if record else "{\n  \n}",
        "may_write": Scope.WRITE in actor_of(request).scopes_in(project.pk),
    }


def _again(
    request: PageRequest, project: Any, collection: str, record_id: int, error: RefusedError, text: str
) -> HttpResponse:
    record = free_records.get(actor_of(request), project.slug, collection, record_id) if record_id else None
    conflict = isinstance(error, PreconditionFailedError) and record is not None
    lines = segment_marks.difference(_written(record.data), _evenly(text)) if conflict and record else None
    context = {**_context(request, project, collection, record), "text": text, "fault": error.detail, "conflict": lines}
    return render(request, "records/show.html", context, status=409 if conflict else 422)


def _filters(text: str) -> dict[str, Any]:
    return _object(text) if text.strip() else {}


def _object(text: str) -> dict[str, Any]:
    try:
        return strict_json.loads_object(text)
    except strict_json.StrictJSONError as error:
        raise InvalidError.at("JSON", str(error)) from error


def _written(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2)


def _evenly(text: str) -> str:
    """Laid out as the stored one is, so that a comparison shows values and no blanks."""
    return _written(_object(text))


def _short(record: FreeRecord) -> str:
    text = strict_json.dumps(record.data)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
