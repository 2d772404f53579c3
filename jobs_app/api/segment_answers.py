"""Segments as plain values, shaped once; `tests/api/test_segment_shape.py` holds them to the schemas."""

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpResponse

from jobs_app.api import preconditions
from jobs_app.api.job_answers import answer, by_value, time_value
from jobs_app.api.schemas import rfc3339
from jobs_app.domain.segment import Past, Segment, Source
from jobs_app.domain.token_budget import Loaded
from jobs_app.services.segment_files import Imported
from jobs_app.services.segment_search import Match, Matches
from jobs_app.services.segment_stashing import Stashing

MOST_LEFT_OUT: Final = 1000


def one(segment: Segment, project: str, status: int = 200, stale: bool | None = None) -> HttpResponse:
    """A segment, with its version as `ETag`."""
    response = answer({**segment_value(segment, project), "stale": stale}, status)
    response["ETag"] = tag(segment, stale)
    return response


def tag(segment: Segment, stale: bool | None) -> str:
    """A file changes without its segments, so a caller's copy is not current when `stale` is another."""
    return preconditions.etag(segment.version, "" if stale is None else "stale" if stale else "fresh")


def segment_value(segment: Segment, project: str) -> dict[str, Any]:
    return {
        "segment_id": segment.id,
        "project_id": project,
        "text": segment.text,
        "type": segment.type,
        "metadata": segment.metadata,
        "tokens": segment.tokens,
        "task_id": segment.task_id,
        "file_path": segment.file_path,
        "tags": list(segment.tags),
        "tier": segment.tier.value,
        "pinned": segment.pinned,
        "source": source_value(segment.source),
        "created_at": rfc3339(segment.created_at),
        "created_by": by_value(segment.created_by),
        "touched_at": rfc3339(segment.touched_at),
        "expires_at": time_value(segment.expires_at),
        "duplicate": segment.duplicate,
        "stale": None,
        "version": segment.version,
    }


def trashed_value(segment: Segment, project: str) -> dict[str, Any]:
    assert segment.trashed is not None
    deleted = {"deleted_at": rfc3339(segment.trashed.at), "deleted_by": by_value(segment.trashed.by)}
    return {**segment_value(segment, project), **deleted}


def source_value(source: Source) -> dict[str, Any] | None:
    return {name: getattr(source, name) for name in Source.__slots__} if source else None


def loaded(found: Loaded, project: str) -> HttpResponse:
    left_out = [
        {"segment_id": left.segment.id, "tokens": left.segment.tokens, "reason": left.reason}
        for left in found.left_out[:MOST_LEFT_OUT]
    ]
    return answer(
        {
            "items": [segment_value(segment, project) for segment in found.segments],
            "tokens": found.tokens,
            "left_out": left_out,
            "left_out_count": len(found.left_out),
        }
    )


def matches(found: Matches, project: str) -> HttpResponse:
    facets = {
        name: [{"value": one.value, "count": one.count} for one in values] for name, values in found.facets.items()
    }
    return answer(
        {
            "items": [_match_value(match, project) for match in found.items],
            "next_cursor": found.next_cursor,
            "matched": found.matched,
            "capped": found.capped,
            "facets": facets,
            "partial_facets": list(found.partial_facets),
        }
    )


def stashing(done: Stashing, *, preview: bool) -> HttpResponse:
    fitting = done.fitting
    return answer(
        {
            "preview": preview,
            "segment_ids": [segment.id for segment in done.segments],
            "tokens": done.tokens,
            "pinned_left": done.pinned_left,
            "more": done.more,
            "tokens_before": fitting.tokens_before if fitting else None,
            "tokens_after": fitting.tokens_after if fitting else None,
            "over_by": fitting.over_by if fitting else None,
        }
    )


def past_value(past: Past) -> dict[str, Any]:
    return {
        "version": past.version,
        "at": rfc3339(past.at),
        "what": past.what,
        "by": by_value(past.by),
        "why": past.why,
        "before": dict(past.before),
    }


def version_value(id: str, version: int, state: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in state.items() if name != "tokens_given"}
    told["source"] = source_value(state["source"])
    told["expires_at"] = time_value(state["expires_at"])
    told["tier"] = state["tier"].value
    return {"segment_id": id, "version": version, **told, "tags": list(state["tags"])}


def imported(done: Imported) -> HttpResponse:
    return answer(
        {
            "from": done.project,
            "created": done.created,
            "replaced": done.replaced,
            "unchanged": done.unchanged,
            "kept": done.kept,
            "duplicates": done.duplicates,
            "faults": [
                {"reason": fault.reason, "position": fault.position, "line": fault.line, "column": fault.column}
                for fault in done.faults
            ],
        }
    )


def _match_value(match: Match, project: str) -> dict[str, Any]:
    return {
        "segment": segment_value(match.segment, project),
        "score": match.score,
        "highlights": [{"start": span.start, "end": span.end} for span in match.highlights],
        "excerpt": {"start": match.excerpt.start, "end": match.excerpt.end},
    }
