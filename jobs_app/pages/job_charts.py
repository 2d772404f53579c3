"""The numbers of a project drawn: charts, the figures above them, and a line for each content type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs_app.domain.histogram import Histogram
from jobs_app.domain.job_numbers import ENDED, Depth, Tally
from jobs_app.domain.job_states import JobState
from jobs_app.domain.number_spans import WINDOWS
from jobs_app.pages.charting import Chart, Series
from jobs_app.services.job_statistics import JobStatistics, Step
from jobs_app.templatetags import wording


@dataclass(frozen=True, slots=True)
class WindowLink:
    label: str
    phrase: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class TypeRow:
    """`name` None: all others; an empty one is that of jobs that were given none."""

    name: str | None
    ended: int
    failure_rate: float | None
    waited: float | None
    worked: float | None
    longest: float | None


@dataclass(frozen=True, slots=True)
class Quantiles:
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, histogram: Histogram) -> "Quantiles":
        return cls(histogram.quantile(0.5), histogram.quantile(0.95), histogram.quantile(0.99))


def window_links(current: str, address: str) -> list[WindowLink]:
    return [
        WindowLink(window.name, window.phrase, f"{address}?window={window.name}", window.name == current)
        for window in WINDOWS.values()
    ]


def charts(found: JobStatistics) -> list[Chart]:
    """Each has the same moments along the bottom, so that what happened at one time stands at one place."""
    places, steps = [step.at for step in found.steps], found.steps
    each = wording.duration(found.window.step)
    step = f"by {each.removeprefix('1 ')}"
    return [
        Chart("Throughput", places, _by_outcome(steps), kind="stacked", measure=f"jobs that ended, {step}"),
        Chart(
            "Queue depth",
            places,
            [
                Series("waiting", _depths(steps, lambda depth: depth.counts.get(JobState.PENDING, 0)), "timeout"),
                Series("in work", _depths(steps, lambda depth: depth.counts.get(JobState.PROCESSING, 0)), "processing"),
            ],
            measure="jobs",
        ),
        Chart("Time to wait", places, _quantiles(steps, lambda tally: tally.waited), unit="seconds"),
        Chart("Time to process", places, _quantiles(steps, lambda tally: tally.worked), unit="seconds"),
        Chart(
            "Age of the oldest waiting job",
            places,
            [Series("oldest", [_oldest(step.depth) for step in steps], "timeout")],
            kind="area",
            unit="seconds",
        ),
        Chart(
            "Storage of records",
            places,
            [Series("stored", [step.depth.stored_bytes if step.depth else None for step in steps])],
            kind="area",
            unit="bytes",
        ),
    ]


def type_rows(found: JobStatistics) -> list[TypeRow]:
    """Those with most ends first; what all others came to, last."""
    rows = [_type_row(name, tally) for name, tally in found.types.named.items()]
    return [*rows, _type_row(None, found.types.others)] if found.types.others.outcomes else rows


def _by_outcome(steps: Sequence[Step]) -> list[Series]:
    return [
        Series(outcome.value, [step.tally.outcomes.get(outcome, 0) for step in steps], outcome.value)
        for outcome in ENDED
    ]


def _depths(steps: Sequence[Step], value: Callable[[Depth], int]) -> list[float | None]:
    return [None if step.depth is None else value(step.depth) for step in steps]


def _quantiles(steps: Sequence[Step], histogram: Callable[[Tally], Histogram]) -> list[Series]:
    """Nothing ended: a gap, for it is not known how long it would have taken."""
    return [
        Series("p50", [histogram(step.tally).quantile(0.5) for step in steps]),
        Series("p95", [histogram(step.tally).quantile(0.95) for step in steps], "timeout"),
    ]


def _oldest(depth: Depth | None) -> float | None:
    """Nothing waits: no age, which is 0 and no gap; a gap is where nobody looked."""
    return None if depth is None else depth.longest_oldest or 0.0


def _type_row(name: str | None, tally: Tally) -> TypeRow:
    return TypeRow(
        name,
        tally.ended,
        tally.failure_rate,
        tally.waited.quantile(0.95),
        tally.worked.quantile(0.95),
        tally.worked.quantile(0.99),
    )
