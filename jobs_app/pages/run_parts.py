"""The three ways to look into a run: its documents as squares, as rows, and what was made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.urls import reverse

from jobs_app.domain.access import Actor
from jobs_app.domain.artifact import Artifact
from jobs_app.domain.document import SENTENCES, WORDS, Document, DocumentState, Why
from jobs_app.pages import document_places as places
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest
from jobs_app.pages.run_filters import Asked
from jobs_app.services import artifacts, documents
from jobs_app.services.documents import DocumentView
from jobs_app.services.runs import RunView
from jobs_app.stores.noun_records import Found
from jobs_app.templatetags import wording

ROWS = 100
SQUARES = 1000
LONGEST_ERROR = 300


class Part(StrEnum):
    GRID = "grid"
    LIST = "list"
    ARTIFACTS = "artifacts"


LABELS: Mapping[Part, str] = {Part.GRID: "Grid", Part.LIST: "List", Part.ARTIFACTS: "Artifacts"}


@dataclass(frozen=True, slots=True)
class Square:
    """A document as small as it can be told: a state, and on hover what it is."""

    url: str
    look: wording.State
    name: str


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """`word` says in one why it ran or did not, `reason` in a sentence; `error` is what its job failed with, and `note`
    what a reader looks for first.
    """

    view: DocumentView
    word: str = ""
    reason: str = ""
    error: str = ""
    note: str = ""
    served_url: str = ""
    served_path: str = ""
    served_more: int = 0


@dataclass(frozen=True, slots=True)
class MadeRow:
    """An artifact among those of its run, with the document it was made of, where that is still there."""

    artifact: Artifact
    document: Document | None
    file_url: str


def asked_for(request: PageRequest, view: RunView) -> Part:
    """Where the address does not say: rows as long as they fit on one page."""
    word = request.GET.get("view", "")
    if word in set(Part):
        return Part(word)
    return Part.LIST if view.tally.documents <= ROWS else Part.GRID


def tabs(request: PageRequest, current: Part) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "url": link_with(request, view=part.value, cursor=None, ask=None),
            "current": part is current,
        }
        for part, label in LABELS.items()
    ]


def shown(
    request: PageRequest, actor: Actor, slug: str, run_id: str, part: Part, asked: Asked[DocumentState]
) -> dict[str, Any]:
    """What the part's template needs, and `found`, its page."""
    cursor = request.GET.get("cursor") or None
    if part is Part.ARTIFACTS:
        return _made(request, actor, slug, run_id, cursor)
    limit = SQUARES if part is Part.GRID else ROWS
    found = documents.find(actor, slug, run_id, state=asked.state, text=asked.text or None, cursor=cursor, limit=limit)
    if part is Part.GRID:
        place = f"{reverse('runs-show', args=[slug, run_id])}documents/"
        return {
            "found": found,
            "squares": [_square(place, each) for each in found.items],
            "page": pager(request, found),
        }
    serving = artifacts.get_many(actor, slug, [id for each in found.items for id in each.document.served_by[:1]])
    rows = [document_row(slug, each, serving) for each in found.items]
    return {"found": found, "rows": rows, "page": pager(request, found)}


def document_row(slug: str, view: DocumentView, serving: Mapping[str, Artifact] | None = None) -> DocumentRow:
    document, why = view.document, view.document.why
    if why is None:
        return DocumentRow(view)
    reason = document.detail or SENTENCES[why]
    error = _error(view)
    note = error or ("" if why in (Why.NEW, Why.FORCED) else reason)
    first = next((each for id in document.served_by if (each := (serving or {}).get(id))), None)
    if first is None:
        return DocumentRow(view, WORDS[why], reason, error, note)
    url = places.file_url(slug, first.storage, first.path)
    return DocumentRow(view, WORDS[why], reason, error, note, url, first.path, len(document.served_by) - 1)


def pager(request: PageRequest, found: Found[Any]) -> dict[str, str]:
    def at(cursor: str | None) -> str:
        return link_with(request, cursor=cursor) if cursor else ""

    return {
        "summary": "",
        "first_url": link_without(request, "cursor") if found.previous_cursor else "",
        "previous_url": at(found.previous_cursor),
        "next_url": at(found.next_cursor),
    }


def _square(place: str, view: DocumentView) -> Square:
    look = wording.state(view.state)
    error = _error(view)
    name = f"{view.document.path}: {look.word}{f', {error}' if error else ''}"
    return Square(f"{place}{view.document.id}/", look, name)


def _error(view: DocumentView) -> str:
    """The first line of what its job failed with."""
    if view.job is None or view.state not in (DocumentState.FAILED, DocumentState.TIMEOUT):
        return ""
    return next(iter((view.job.error_message or "").strip().splitlines()), "")[:LONGEST_ERROR]


def _made(request: PageRequest, actor: Actor, slug: str, run_id: str, cursor: str | None) -> dict[str, Any]:
    found = artifacts.of_run(actor, slug, run_id, cursor=cursor, limit=ROWS)
    of = _documents(actor, slug, run_id, found.items)
    made = [
        MadeRow(each, of.get(each.document_id), places.file_url(slug, each.storage, each.path)) for each in found.items
    ]
    return {"found": found, "made": made, "page": pager(request, found)}


def _documents(actor: Actor, slug: str, run_id: str, made: Sequence[Artifact]) -> dict[str, Document]:
    ids = list(dict.fromkeys(each.document_id for each in made))
    return {view.document.id: view.document for view in documents.get_many(actor, slug, run_id, ids)}
