"""Files of a project's storages: found by folder or name, looked at, with what they were before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs_app.domain.access import Actor, Scope
from jobs_app.models import Project
from jobs_app.pages import document_diff, document_preview, document_tree, outbox
from jobs_app.pages import document_places as places
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, files, paging, storages
from jobs_app.services import outbox as outbox_service
from jobs_app.services.storages import StorageState
from storage_app.outbox.tables import PendingState
from storage_app.providers import StorageError, StorageErrorCode, StorageFileInfo, StorageVersion

PAGE: Final = 100
MOST_VERSIONS: Final = 100
LARGEST_COMPARED: Final = document_preview.LARGEST_TEXT
SANDBOX: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: a folder, or a file and whether a change of it waits to be sent."""

    name: str
    url: str
    is_folder: bool
    size: int
    changed_at: datetime | None
    waits: bool
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    id: str
    message: str
    author: str
    at: datetime
    deleted: bool
    url: str
    diff_url: str
    current: bool


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    found = storages.of_project(actor_of(request), slug)
    aliases = [state.alias for state in found]
    if not aliases:
        raise Http404
    return redirect(places.folder_url(slug, "default" if "default" in aliases else aliases[0]))


@require_safe
def folder(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    here, wanted = request.GET.get("folder", ""), request.GET.get("q", "").strip()
    try:
        found = _found(actor, slug, storage, here, wanted)
    except StorageError as error:
        if error.code is StorageErrorCode.INVALID_PATH:
            raise
        return _away(request, project, storage, here, error)
    page = paging.of_sorted(found, _order, request.GET.get("cursor") or None, PAGE)
    waiting = _waiting(actor, slug, storage)
    context = {
        **around(actor, project, storage, here),
        **_offers(request, slug, storage, here),
        "rows": [_entry(info, slug, storage, waiting, wanted != "") for info in page.items],
        "found": len(found),
        "wanted": wanted,
        "page": {
            "summary": f"{len(page.items)} of {len(found)}" if len(found) > PAGE else "",
            "first_url": link_without(request, "cursor") if "cursor" in request.GET else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
    }
    return render(request, "documents/index.html", context)


@require_safe
def show(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    """`tab`: preview, source, history or diff; `version`: as it was then; `against`: what to compare that with."""
    actor, path = actor_of(request), request.GET.get("path", "")
    project = access.project_for(actor, slug, Scope.READ)
    version = request.GET.get("version") or None
    info = _info(actor, slug, storage, path, version)
    if info.is_directory:
        return redirect(places.folder_url(slug, storage, info.path))
    state = storages.get(actor, slug, storage)
    versioned = state.can("versioning")
    preview = document_preview.of(actor, slug, storage, info, version)
    tab = _tab(request.GET.get("tab", ""), preview, versioned)
    context = {
        **around(actor, project, storage, places.folder_of(info.path), tree=False),
        "info": info,
        "name": places.name_of(info.path),
        "steps": places.steps(slug, storage, places.folder_of(info.path), last_has_address=True),
        "preview": preview,
        "version": version,
        "waits": info.path in _waiting(actor, slug, storage),
        "tab": tab,
        "tabs": _tabs(request, preview, versioned, tab),
        "file_url": places.file_url(slug, storage, info.path),
        "download_url": places.download_url(slug, storage, info.path, version or ""),
        "edit_url": places.edit_url(slug, storage, info.path) if preview.is_text and not version else "",
        "delete_url": reverse("documents-delete", args=[slug, storage]),
        "rename_here": link_with(request, ask="rename"),
        "asks": request.GET.get("ask", ""),
        "rename_url": reverse("documents-rename", args=[slug, storage]),
    }
    if tab in ("history", "diff"):
        context |= _history(request, actor, slug, storage, info.path, tab)
    return render(request, "documents/show.html", context)


@require_safe
def image(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    """The bytes of a picture to show; what does not begin as one is not there."""
    actor, path = actor_of(request), request.GET.get("path", "")
    version = request.GET.get("version") or None
    info = _info(actor, slug, storage, path, version)
    if info.size > document_preview.LARGEST_PICTURE:
        raise Http404
    content = document_preview.content_of(actor, slug, storage, info.path, version)
    kind = document_preview.picture_type(content)
    if kind is None:
        raise Http404
    response = HttpResponse(content, content_type=kind)
    response["Content-Security-Policy"] = SANDBOX
    return response


def around(actor: Actor, project: Project, storage: str, folder: str, *, tree: bool = True) -> dict[str, Any]:
    """What every page of files has round it."""
    state = storages.get(actor, project.slug, storage)
    return {
        "project": project,
        "storage": state,
        "folder": folder,
        "folder_url": places.folder_url(project.slug, storage, folder),
        "steps": places.steps(project.slug, storage, folder),
        "tree": document_tree.of(actor, project.slug, storage, folder) if tree else [],
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "defers": _defers(state),
        "outbox": outbox.summary(actor, project.slug, storage),
    }


def _defers(state: StorageState) -> bool:
    """Whether a change is better sent with the next batch: requests are counted there, or nobody answers now."""
    return state.can("rate_limited") or (state.health is not None and not state.health.healthy)


def _away(request: PageRequest, project: Project, storage: str, here: str, error: StorageError) -> HttpResponse:
    """The folder of a storage that does not answer: why, what waits for it, and the way to add to that."""
    actor, slug = actor_of(request), project.slug
    found = sorted(files.waiting(actor, slug, storage, prefix=here), key=_order)
    waiting = {info.path for info in found}
    context = {
        **around(actor, project, storage, here, tree=False),
        **_offers(request, slug, storage, here),
        "tree": document_tree.without_folders(actor, slug, storage),
        "rows": [_entry(info, slug, storage, waiting, searched=False) for info in found],
        "found": len(found),
        "defers": True,
        "away": error.message,
    }
    return render(request, "documents/index.html", context, status=503)


def _offers(request: PageRequest, slug: str, storage: str, here: str) -> dict[str, Any]:
    """What can be done in a folder."""
    return {
        "new_url": places.new_url(slug, storage, here),
        "upload_url": reverse("documents-upload", args=[slug, storage]),
        "files_api": places.files_api(slug, storage),
        "upload_here": link_with(request, ask="upload"),
        "asks": request.GET.get("ask", ""),
        "command": _command(request, slug, storage, here),
    }


def _found(actor: Actor, slug: str, storage: str, here: str, wanted: str) -> list[StorageFileInfo]:
    """What lies in the folder, or whatever below it has the words in its name; a pattern is taken as it is."""
    if not wanted:
        return sorted(files.listed(actor, slug, storage, prefix=here), key=_order)
    pattern = wanted if any(sign in wanted for sign in "*?[") else f"*{wanted}*"
    below = f"**/{pattern}" if not pattern.startswith("**") else pattern
    return sorted(files.found(actor, slug, storage, f"{here}/{below}" if here else below), key=_order)


def _order(info: StorageFileInfo) -> str:
    """Folders first."""
    return f"{0 if info.is_directory else 1}{info.path}"


def _entry(info: StorageFileInfo, slug: str, storage: str, waiting: set[str], searched: bool) -> Entry:
    url = (
        places.folder_url(slug, storage, info.path) if info.is_directory else places.file_url(slug, storage, info.path)
    )
    return Entry(
        places.name_of(info.path),
        url,
        info.is_directory,
        info.size,
        info.last_modified,
        info.path in waiting,
        places.folder_of(info.path) if searched else "",
    )


def _waiting(actor: Actor, slug: str, storage: str) -> set[str]:
    """What is to be sent; what is parked was refused, and does not shine through."""
    pending = outbox_service.pending(actor, slug, storage).exclude(state=PendingState.PARKED)
    return set(pending.values_list("path", flat=True))


def _info(actor: Actor, slug: str, storage: str, path: str, version: str | None) -> StorageFileInfo:
    if version is None:
        return files.info(actor, slug, storage, path)
    return files.opened(actor, slug, storage, path, length=0, version=version).info


def _tab(asked: str, preview: document_preview.Preview, versioned: bool) -> str:
    allowed = ["preview"]
    allowed += ["source"] if preview.kind in ("markdown", "json") else []
    allowed += ["history", "diff"] if versioned else []
    return asked if asked in allowed else "preview"


def _tabs(
    request: PageRequest, preview: document_preview.Preview, versioned: bool, current: str
) -> list[dict[str, Any]]:
    names = [("preview", "Preview")]
    names += [("source", "Source")] if preview.kind in ("markdown", "json") else []
    names += [("history", "History")] if versioned else []
    shown = "history" if current == "diff" else current
    return [
        {
            "label": label,
            "url": link_with(request, tab=name if name != "preview" else None, against=None, cursor=None),
            "current": name == shown,
        }
        for name, label in names
    ]


def _history(request: PageRequest, actor: Actor, slug: str, storage: str, path: str, tab: str) -> dict[str, Any]:
    versions = files.versions(actor, slug, storage, path, limit=MOST_VERSIONS)
    context: dict[str, Any] = {
        "versions": _rows(versions, slug, storage, path, request.GET.get("version")),
        "more_versions": len(versions) == MOST_VERSIONS,
    }
    if tab == "diff":
        newer = request.GET.get("version") or (versions[0].version if versions else "")
        older = request.GET.get("against") or _before(versions, newer)
        context["compared"] = _compared(actor, slug, storage, path, versions, older, newer)
    return context


def _rows(versions: Sequence[StorageVersion], slug: str, storage: str, path: str, shown: str | None) -> list[Version]:
    return [
        Version(
            version.version,
            version.message,
            version.author,
            version.timestamp,
            version.deleted,
            "" if version.deleted else places.file_url(slug, storage, path, version=version.version),
            places.file_url(slug, storage, path, tab="diff", version=version.version),
            version.version == shown,
        )
        for version in versions
    ]


def _before(versions: Sequence[StorageVersion], newer: str) -> str:
    names = [version.version for version in versions]
    place = names.index(newer) + 1 if newer in names else len(names)
    return names[place] if place < len(names) else ""


def _compared(
    actor: Actor, slug: str, storage: str, path: str, versions: Sequence[StorageVersion], older: str, newer: str
) -> dict[str, Any]:
    by_name = {version.version: version for version in versions}
    before, after = (_text_at(actor, slug, storage, path, version) for version in (older, newer))
    comparable = before is not None and after is not None
    return {
        "older": by_name.get(older),
        "newer": by_name.get(newer),
        "diff": document_diff.between(before or "", after or "") if comparable else None,
    }


def _text_at(actor: Actor, slug: str, storage: str, path: str, version: str) -> str | None:
    """Empty where the file was not there; None for what cannot be compared as text."""
    if not version:
        return ""
    try:
        info = _info(actor, slug, storage, path, version)
        if info.size > LARGEST_COMPARED:
            return None
        return document_preview.content_of(actor, slug, storage, path, version).decode()
    except UnicodeDecodeError:
        return None
    except StorageError as error:
        if error.is_absence:
            return ""
        raise


def _command(request: PageRequest, slug: str, storage: str, folder: str) -> str:
    address = request.build_absolute_uri(
        places.download_url(slug, storage, f"{folder}/hello.txt" if folder else "hello.txt")
    )
    return f'curl -X PUT -H "Authorization: Bearer $TOKEN" --data-binary "Hello" {address}'
