"""Prompts and exercises: listed, read with their history and the jobs that use them."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from jobs_app.domain import library as rules
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.domain.library import Kind, Text
from jobs_app.errors import NotFoundError
from jobs_app.models import Project
from jobs_app.pages import document_diff, job_rows
from jobs_app.pages.document_diff import Diff
from jobs_app.pages.job_rows import JobRow
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, jobs, library, markdown, paging
from jobs_app.services.jobs import JobFilter
from jobs_app.services.library import Entry
from jobs_app.services.project_jobs import now
from storage_app.providers import StorageVersion

PAGE = 100
USES = 50
TABS = ("text", "history", "uses")


@dataclass(frozen=True, slots=True)
class UseRow:
    """A job, and which content of the text it uses."""

    job: JobRow
    hash: str
    version: str | None
    is_current: bool


def kind_of(word: str) -> Kind:
    if word not in set(Kind):
        raise Http404
    return Kind(word)


def body_of(text: Text) -> SafeString:
    """A text stands in no folder of ours, so only what leads elsewhere is a link; a picture is its words."""
    return markdown.rendered(text.body, _outside)


def _outside(tag: str, address: str) -> str | None:
    return address if tag == "a" and address.startswith(("https://", "http://", "mailto:")) else None


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    kind = kind_of(request.GET.get("kind", Kind.PROMPTS.value))
    word = request.GET.get("q", "").strip()
    entries = [entry for entry in library.listed(actor, slug, kind) if word.lower() in entry.name.lower()]
    page = paging.of_sorted(entries, lambda entry: entry.name, request.GET.get("cursor") or None, PAGE)
    address = reverse("library", args=[slug])
    context = {
        "project": project,
        "kind": kind,
        "entries": page.items,
        "total": len(entries),
        "word": word,
        "tabs": [
            {
                "label": each.value.capitalize(),
                "url": address if each is Kind.PROMPTS else f"{address}?kind={each.value}",
                "current": each is kind,
            }
            for each in Kind
        ],
        "page": {
            "summary": f"{len(page.items)} of {len(entries)}",
            "first_url": link_without(request, "cursor") if request.GET.get("cursor") else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "command": _write_command(request, slug, kind),
    }
    return render(request, "library/index.html", context)


@require_safe
def show(request: PageRequest, slug: str, kind: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    shelf = kind_of(kind)
    if rules.name_fault(name):
        raise Http404
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else TABS[0]
    current = _current(actor, slug, shelf, name)
    shown, is_past = _shown(request, actor, slug, shelf, name, current)
    if shown is None and tab == "text" and not _is_known(actor, slug, shelf, name):
        raise NotFoundError(f"There is no {shelf.singular} {name[: rules.LONGEST_NAME]!r} here.")
    context = {
        "project": project,
        "kind": shelf,
        "name": name,
        "entry": shown,
        "html": body_of(shown.text) if shown else "",
        "current": current,
        "is_past": is_past,
        "waits": library.waits(actor, slug, shelf, name),
        "deferred": library.is_rate_limited(actor, slug),
        "since": document_diff.between(shown.content, current.content) if is_past and shown and current else None,
        "tab": tab,
        "tabs": _tabs(slug, shelf, name, tab),
        "ask": request.GET.get("ask", ""),
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        **_PARTS[tab](actor, project, shelf, name, request, current),
    }
    return render(request, "library/show.html", context)


def _current(actor: Actor, slug: str, kind: Kind, name: str) -> Entry | None:
    """None where it was deleted or renamed, which what used it still links to."""
    try:
        return library.read(actor, slug, kind, name)
    except NotFoundError:
        return None


def _shown(
    request: PageRequest, actor: Actor, slug: str, kind: Kind, name: str, current: Entry | None
) -> tuple[Entry | None, bool]:
    """The text as it is, or the earlier state that the address names; and whether it is one."""
    if version := request.GET.get("version", "")[:128]:
        entry = library.read(actor, slug, kind, name, version=version)
    elif content_hash := request.GET.get("hash", "")[:128]:
        entry = library.read_content(actor, slug, kind, name, content_hash)
    else:
        return current, False
    return entry, current is None or current.hash != entry.hash


def _is_known(actor: Actor, slug: str, kind: Kind, name: str) -> bool:
    """Whether a text that is not there was: jobs used it."""
    return bool(jobs.find(actor, slug, JobFilter(uses=rules.reference(kind.value, name)), limit=1).jobs)


def _tabs(slug: str, kind: Kind, name: str, current: str) -> list[dict[str, Any]]:
    address = reverse("library-show", args=[slug, kind.value, name])
    labels = {"text": "Text", "history": "History", "uses": "Where used"}
    return [
        {"label": labels[tab], "url": address if tab == TABS[0] else f"{address}?tab={tab}", "current": tab == current}
        for tab in TABS
    ]


def _text(
    actor: Actor, project: Project, kind: Kind, name: str, request: PageRequest, current: Entry | None
) -> dict[str, Any]:
    return {}


def _history(
    actor: Actor, project: Project, kind: Kind, name: str, request: PageRequest, current: Entry | None
) -> dict[str, Any]:
    if not library.keeps_versions(actor, project.slug):
        return {"versions": None}
    states = library.versions(actor, project.slug, kind, name, limit=PAGE)
    wanted = request.GET.get("changes", "")
    numbers = [at for at, state in enumerate(states) if state.version == wanted]
    if not numbers:
        return {"versions": states}
    (at,) = numbers
    title = states[at].message.partition("\n")[0]
    return {
        "versions": states,
        "changes": wanted,
        "title": title,
        "diff": _change(actor, project.slug, kind, name, states, at),
    }


def _change(actor: Actor, slug: str, kind: Kind, name: str, states: list[StorageVersion], at: int) -> Diff:
    """What a state changed of the one before it."""
    before = states[at + 1] if at + 1 < len(states) else None
    texts = [_content(actor, slug, kind, name, state) for state in (before, states[at])]
    return document_diff.between(*texts)


def _content(actor: Actor, slug: str, kind: Kind, name: str, state: StorageVersion | None) -> str:
    if state is None or state.deleted:
        return ""
    return library.read(actor, slug, kind, name, version=state.version).content


def _uses(
    actor: Actor, project: Project, kind: Kind, name: str, request: PageRequest, current: Entry | None
) -> dict[str, Any]:
    content_hash = request.GET.get("of", "")[:128] or None
    wanted = JobFilter(uses=rules.reference(kind.value, name, content_hash))
    page = jobs.find(actor, project.slug, wanted, cursor=request.GET.get("cursor") or None, limit=USES)
    return {
        "of": content_hash,
        "command": _use_command(request, project.slug, kind, name),
        "rows": [row for job in page.jobs for row in _use_rows(job, kind, name, current)],
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if page.previous_cursor else "",
            "previous_url": link_with(request, cursor=page.previous_cursor) if page.previous_cursor else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
    }


def _use_rows(job: Job, kind: Kind, name: str, current: Entry | None) -> list[UseRow]:
    row = job_rows.row(job, now())
    used = {use.hash: use.version for use in job.uses if (use.kind, use.name) == (kind.value, name)}
    return [
        UseRow(row, content_hash, version, current is not None and current.hash == content_hash)
        for content_hash, version in used.items()
    ]


def _write_command(request: PageRequest, slug: str, kind: Kind) -> str:
    address = request.build_absolute_uri(f"/api/v1/projects/{slug}/library/{kind.value}/summarise")
    return _CURL + f"""-X PUT -d '{{"content": "Summarise the document."}}' {address}"""


def _use_command(request: PageRequest, slug: str, kind: Kind, name: str) -> str:
    address = request.build_absolute_uri(f"/api/v1/projects/{slug}/jobs")
    return _CURL + f"""-d '{{"uses": [{{"kind": "{kind.value}", "name": "{name}"}}]}}' {address}"""


_CURL = 'curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" '
_PARTS = dict(zip(TABS, (_text, _history, _uses), strict=True))
