"""The numbers of a project as they go out."""

from typing import Any, Final

from ninja import Schema
from pydantic import Field

from jobs_app.api.schemas import MOMENT, Time, shown_as

_DURATIONS: Final = {"count": 118, "mean": 4.2, "p50": 3.1, "p95": 11.8, "p99": 20.4}
_OUTCOMES: Final = {
    "completed": 110,
    "failed": 4,
    "timeout": 1,
    "cancelled": 2,
    "put_off": 3,
    "released": 0,
    "lost": 0,
}
_PART: Final = {"outcomes": _OUTCOMES, "failure_rate": 0.0435, "waiting": _DURATIONS, "processing": _DURATIONS}
_STATES: Final = {"pending": 12, "processing": 4, "completed": 8120, "failed": 31, "timeout": 3, "cancelled": 9}
EXAMPLE: Final[dict[str, Any]] = {
    "window": "24h",
    "step_seconds": 900,
    "as_of": MOMENT,
    "counts": {
        "total": 8179,
        "by_status": _STATES,
        "by_content_type": {"application/pdf": 8000, "text/plain": 179},
        "other_content_types": 0,
        "trashed": 2,
    },
    "storage": {"bytes": 18_350_211},
    "queue": {"due": 11, "oldest_waiting_seconds": 42.5},
    "ended": 117,
    "throughput_per_minute": 0.08,
    **_PART,
    "by_content_type": [
        {"content_type": "application/pdf", **_PART},
        {"content_type": None, **_PART},
    ],
    "series": [
        {
            "at": MOMENT,
            **_PART,
            "depth": {
                "pending": 12,
                "highest_pending": 15,
                "processing": 4,
                "due": 11,
                "oldest_waiting_seconds": 42.5,
                "bytes": 18_350_211,
            },
        }
    ],
}


class Durations(Schema):
    """In seconds. Quantiles are within 5 % of the true value; count and mean are exact."""

    count: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class Outcomes(Schema):
    """How attempts ended. The first four ended the job; what was put off, released or lost went back to the queue."""

    completed: int
    failed: int
    timeout: int
    cancelled: int
    put_off: int
    released: int
    lost: int


class StateCounts(Schema):
    pending: int
    processing: int
    completed: int
    failed: int
    timeout: int
    cancelled: int


class Part(Schema):
    outcomes: Outcomes
    failure_rate: float | None = Field(
        description="Of the jobs that were done, failed or ran out of time, the share that was not done."
    )
    waiting: Durations = Field(description="From when a job was due to when a worker took it, of attempts that ended.")
    processing: Durations = Field(description="How long attempts took.")


class TypePart(Part):
    content_type: str | None = Field(description="Null: all others together.")


class DepthOut(Schema):
    pending: int
    highest_pending: int
    processing: int
    due: int
    oldest_waiting_seconds: float | None = Field(description="The longest that was seen within the step.")
    bytes: int | None


class SeriesStep(Part):
    at: Time = Field(description="Where the step begins; the last one is under way.")
    depth: DepthOut | None = Field(description="Null where nobody took notes, since no consumer ran.")


class CountsOut(Schema):
    total: int
    by_status: StateCounts
    by_content_type: dict[str, int] = Field(description="The hundred most frequent.")
    other_content_types: int
    trashed: int


class StoredOut(Schema):
    bytes: int = Field(description="Of all records of the project, with their events, attempts and logs.")


class QueueOut(Schema):
    due: int
    oldest_waiting_seconds: float | None


class JobStatisticsOut(Part):
    """`counts`, `storage` and `queue` are of this moment; all else is counted once a minute."""

    model_config = shown_as(EXAMPLE)
    window: str
    step_seconds: int
    as_of: Time
    counts: CountsOut
    storage: StoredOut
    queue: QueueOut
    ended: int = Field(description="Jobs that came to an end within the window.")
    throughput_per_minute: float
    by_content_type: list[TypePart]
    series: list[SeriesStep]
