"""The files of a job on its page: what the worker left in its workspace, to be downloaded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest

from jobs_app.domain.access import Actor
from jobs_app.pages.links import link_with, link_without
from jobs_app.services import paging, workspaces
from storage_app.providers.types import StorageFileInfo

PAGE = 200


@dataclass(frozen=True, slots=True)
class FileRow:
    path: str
    url: str
    size: int
    changed_at: datetime | None


def tab(actor: Actor, slug: str, job_id: str, request: HttpRequest) -> dict[str, Any]:
    """What the tab shows; the addresses are the API's, which sends a file as a download that no browser runs."""
    found = workspaces.files(actor, slug, job_id)
    cursor = request.GET.get("cursor") or None
    page = paging.of_sorted(found, lambda info: info.path, cursor, PAGE)
    return {
        "files": [_row(slug, job_id, info) for info in page.items],
        "files_count": len(found),
        "files_size": sum(info.size for info in found),
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if cursor else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
    }


def _row(slug: str, job_id: str, info: StorageFileInfo) -> FileRow:
    address = f"/api/v1/projects/{quote(slug)}/jobs/{quote(job_id)}/files/{quote(info.path, safe='/')}"
    return FileRow(info.path, address, info.size, info.last_modified)
