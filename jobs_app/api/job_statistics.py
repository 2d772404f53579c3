"""The numbers of a project's jobs."""

from typing import Annotated, Any, Final

from django.http import HttpResponse
from ninja import Query, Router

from jobs_app.api import job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.job_number_schemas import JobStatisticsOut
from jobs_app.api.projects import Slug
from jobs_app.api.schemas import rfc3339
from jobs_app.domain.histogram import Histogram
from jobs_app.domain.job_numbers import Depth, Outcome, Tally
from jobs_app.domain.job_states import JobState
from jobs_app.domain.number_spans import WINDOWS
from jobs_app.services import job_statistics
from jobs_app.services.job_counts import JobCounts
from jobs_app.services.job_statistics import DEFAULT_WINDOW, JobStatistics

router = Router(tags=["Jobs"])
MOST_TYPES: Final = 100


@router.get("/projects/{p}/jobs/stats", response=JobStatisticsOut, summary="Get the numbers of all jobs")
def get_job_statistics(
    request: ApiRequest,
    p: Slug,
    window: Annotated[str, Query(max_length=20, description=f"One of {', '.join(WINDOWS)}.")] = DEFAULT_WINDOW,
) -> HttpResponse:
    """Counts, throughput, failure rate and durations, as totals and as a series up to now. What retention removed
    stays in it.
    """
    return job_answers.answer(_value(job_statistics.of(request.auth, p, window)))


def _value(found: JobStatistics) -> dict[str, Any]:
    return {
        "window": found.window.name,
        "step_seconds": int(found.window.step.total_seconds()),
        "as_of": rfc3339(found.now.at),
        "counts": _counts(found.counts),
        "storage": {"bytes": found.now.stored_bytes},
        "queue": {"due": found.now.due, "oldest_waiting_seconds": found.now.oldest_seconds},
        "ended": found.total.ended,
        "throughput_per_minute": round(found.per_minute, 3),
        **_part(found.total),
        "by_content_type": [
            *({"content_type": name, **_part(tally)} for name, tally in found.types.named.items()),
            *([{"content_type": None, **_part(found.types.others)}] if found.types.others.outcomes else []),
        ],
        "series": [
            {"at": rfc3339(step.at), **_part(step.tally), "depth": step.depth and _depth(step.depth)}
            for step in found.steps
        ],
    }


def _part(tally: Tally) -> dict[str, Any]:
    rate = tally.failure_rate
    return {
        "outcomes": {outcome.value: tally.outcomes.get(outcome, 0) for outcome in Outcome},
        "failure_rate": None if rate is None else round(rate, 4),
        "waiting": _durations(tally.waited),
        "processing": _durations(tally.worked),
    }


def _durations(histogram: Histogram) -> dict[str, Any]:
    told = {"mean": histogram.mean, **{f"p{share}": histogram.quantile(share / 100) for share in (50, 95, 99)}}
    return {
        "count": histogram.count,
        **{name: None if seconds is None else round(seconds, 6) for name, seconds in told.items()},
    }


def _depth(depth: Depth) -> dict[str, Any]:
    return {
        "pending": depth.counts.get(JobState.PENDING, 0),
        "highest_pending": depth.highest_pending,
        "processing": depth.counts.get(JobState.PROCESSING, 0),
        "due": depth.due,
        "oldest_waiting_seconds": depth.longest_oldest,
        "bytes": depth.stored_bytes,
    }


def _counts(counts: JobCounts) -> dict[str, Any]:
    types = list(counts.by_content_type.items())
    return {
        "total": counts.total,
        "by_status": {state.value: number for state, number in counts.by_state.items()},
        "by_content_type": dict(types[:MOST_TYPES]),
        "other_content_types": sum(number for _, number in types[MOST_TYPES:]),
        "trashed": counts.trashed,
    }
