"""Segments: found by search first, one looked at with its past, and what was deleted."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.segment import Segment, Source, Tier
from jobs_app.domain.token_budget import Fitting
from jobs_app.errors import InvalidQueryError, NotFoundError
from jobs_app.pages import document_places, segment_marks
from jobs_app.pages.first_steps import first_segment_command
from jobs_app.pages.links import link_with, link_without
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.pages.segment_marks import Piece
from jobs_app.services import access, documents, file_digests, segment_search, segment_stashing, segments
from jobs_app.services.segment_search import Matches
from jobs_app.services.segments import SegmentFilter
from jobs_app.stores.segments import TRASHED
from jobs_app.templatetags import wording
from storage_app.search.grammar import LONGEST
from storage_app.search.nodes import without, written

PAGE: Final = 50
STEPS: Final = 50
SHOWN_IN_PREVIEW: Final = 20
FACET_WORDS: Final[Mapping[str, str]] = {"type": "Type", "task": "Task", "file": "File", "tag": "Tag"}


@dataclass(frozen=True, slots=True)
class Row:
    segment: Segment
    name: str
    pieces: Sequence[Piece]
    tells_all: bool  # the pieces say what the name would, and more


@dataclass(frozen=True, slots=True)
class FacetLink:
    value: str
    count: int
    url: str


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    text, tier = request.GET.get("q", ""), _tier(request.GET.get("tier", ""))
    found, fault = _found(request, slug, text, tier)
    tiers = segment_search.statistics(actor, slug)
    context = {
        "project": project,
        "rows": [_row(match) for match in found.items] if found else [],
        "fault": fault,
        "filters": _bar(request, slug, text, tier, found),
        "facets": _facets(request, text, found),
        "tiers": [
            {"tier": name.value, "url": _tier_url(request, name), **_figures(one)} for name, one in tiers.items()
        ],
        "narrows": bool(text.strip()) or tier is not None,
        "has_segments": any(one.segments for one in tiers.values()),
        "capped": bool(found and found.capped),
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if request.GET.get("cursor") else "",
            "next_url": link_with(request, cursor=found.next_cursor) if found and found.next_cursor else "",
        },
        "budget": _budget(request, slug),
        "here": link_without(request, "budget"),
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "command": first_segment_command(request, slug),
    }
    return render(request, "segments/index.html", context)


@require_safe
def show(request: PageRequest, slug: str, segment_id: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    segment = segments.get(actor, slug, segment_id)
    before = request.GET.get("before", "")
    start = int(before) if before.isascii() and before.isdigit() and 0 < len(before) < 16 else None
    steps, following = segments.history(actor, slug, segment_id, start, STEPS)
    context = {
        "project": project,
        "segment": segment,
        "title": segment.title or segment.id,
        "stale": file_digests.is_stale(slug, segment.source),
        "origin": _origin(actor, slug, segment.source),
        "metadata": json.dumps(segment.metadata, ensure_ascii=False, indent=2),
        "steps": steps,
        "older_url": link_with(request, before=str(following)) if following else "",
        "compare": _comparison(request, slug, segment),
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "edited": None,
    }
    return render(request, "segments/show.html", context)


@require_safe
def trash(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    page = segments.in_trash(actor, slug, request.GET.get("cursor") or None, PAGE)
    days = settings.CONFIG.retention_days[TRASHED]
    context = {
        "project": project,
        "rows": [{"segment": one, "gone_at": _gone_at(one, days)} for one in page.segments],
        "days": days,
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
        "page": {
            "summary": "",
            "first_url": link_without(request, "cursor") if page.previous_cursor else "",
            "next_url": link_with(request, cursor=page.next_cursor) if page.next_cursor else "",
        },
    }
    return render(request, "segments/trash.html", context)


def _origin(actor: Actor, slug: str, source: Source) -> dict[str, str]:
    """The addresses of what the segment came from. Whoever stored it may have told names that have none."""
    found: dict[str, str] = {}
    with contextlib.suppress(NoReverseMatch):
        found["job"] = reverse("jobs-show", args=[slug, source.job_id or ""])
    with contextlib.suppress(NoReverseMatch):
        found["run"] = reverse("runs-show", args=[slug, source.run_id or ""])
    with contextlib.suppress(NoReverseMatch, NotFoundError):
        run_id = documents.run_of(actor, slug, source.document_id or "")
        found["document"] = reverse("runs-document", args=[slug, run_id, source.document_id])
    with contextlib.suppress(NoReverseMatch):
        storage = source.storage or file_digests.DEFAULT
        found["file"] = document_places.file_url(slug, storage, source.path) if source.path else ""
    return found


def _tier(name: str) -> Tier | None:
    return Tier(name) if name in {tier.value for tier in Tier} else None


def _found(
    request: PageRequest, slug: str, text: str, tier: Tier | None
) -> tuple[Matches | None, InvalidQueryError | None]:
    cursor, wanted = request.GET.get("cursor") or None, SegmentFilter(tier=tier)
    try:
        return segment_search.search(actor_of(request), slug, text, wanted, cursor, PAGE, facets=True), None
    except InvalidQueryError as error:
        return None, error


def _row(match: segment_search.Match) -> Row:
    one = match.segment
    name = one.title or one.id
    pieces = segment_marks.excerpt_pieces(one.text, match.excerpt)
    tells_all = bool(one.title) and match.excerpt.start == 0 and match.excerpt.end >= len(name)
    return Row(one, name, pieces, tells_all)


def _bar(request: PageRequest, slug: str, text: str, tier: Tier | None, found: Matches | None) -> dict[str, Any]:
    chips = []
    if tier is not None:
        chips.append({"name": "tier", "value": tier.value, "remove_url": link_without(request, "tier", "cursor")})
    for part in found.query.parts if found else ():
        rest = str(without(found.query, part)) if found else ""
        chips.append(
            {"name": "", "value": written(part), "remove_url": link_with(request, q=rest or None, cursor=None)}
        )
    count = "" if found is None else wording.count_of(found.matched, "segment") + (", and more" if found.capped else "")
    menu = {
        "name": "tier",
        "label": "Tier",
        "one_of": True,
        "options": [
            {"value": "", "label": "Both", "checked": tier is None},
            *({"value": one.value, "label": one.value.capitalize(), "checked": tier is one} for one in Tier),
        ],
    }
    return {
        "suggest_url": f"/api/v1/projects/{slug}/segments/suggestions",
        "longest": LONGEST,
        "action": request.path,
        "query": text,
        "placeholder": 'Words, "a phrase", pre*, tag:x, file:src/*',
        "count": count,
        "clear_url": request.path,
        "chips": chips,
        "menus": [menu],
    }


def _facets(request: PageRequest, text: str, found: Matches | None) -> list[dict[str, Any]]:
    if found is None:
        return []

    def link(name: str, value: str) -> str:
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return link_with(request, q=f'{text} {name}:"{quoted}"'.strip(), cursor=None)

    return [
        {
            "label": FACET_WORDS[name],
            "values": [FacetLink(one.value, one.count, link(name, one.value)) for one in values],
            "partial": name in found.partial_facets,
        }
        for name, values in found.facets.items()
        if values
    ]


def _figures(one: segment_search.TierStatistics) -> dict[str, int]:
    return {"segments": one.segments, "tokens": one.tokens, "pinned": one.pinned}


def _tier_url(request: PageRequest, tier: Tier) -> str:
    return link_with(request, tier=tier.value, cursor=None)


def _budget(request: PageRequest, slug: str) -> dict[str, Any] | None:
    """What stashing down to the budget in the address would take."""
    given = request.GET.get("budget", "")
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        return None
    seen = segment_stashing.stash_to_budget(actor_of(request), slug, int(given), preview=True)
    fitting: Fitting | None = seen.fitting
    return {
        "tokens": int(given),
        "count": len(seen.segments),
        "names": [
            {"id": one.id, "name": one.title or one.id, "tokens": one.tokens}
            for one in seen.segments[:SHOWN_IN_PREVIEW]
        ],
        "more": max(0, len(seen.segments) - SHOWN_IN_PREVIEW),
        "before": fitting.tokens_before if fitting else 0,
        "after": fitting.tokens_after if fitting else 0,
        "over_by": fitting.over_by if fitting else 0,
        "close_url": link_without(request, "budget"),
    }


def _comparison(request: PageRequest, slug: str, segment: Segment) -> dict[str, Any] | None:
    """The text of an earlier version against the one of now."""
    given = request.GET.get("compare", "")
    if not (given.isascii() and given.isdigit() and 0 < len(given) < 16):
        return None
    state = segments.as_of(actor_of(request), slug, segment.id, int(given))
    return {
        "version": int(given),
        "lines": segment_marks.difference(state["text"], segment.text),
        "other": sorted(
            name
            for name in ("type", "metadata", "task_id", "file_path", "tags", "tokens")
            if state[name] != getattr(segment, name)
        ),
        "close_url": f"{reverse('segments-show', args=[slug, segment.id])}#history",
    }


def _gone_at(segment: Segment, days: int) -> datetime | None:
    return segment.trashed.at + timedelta(days=days) if segment.trashed and days else None
