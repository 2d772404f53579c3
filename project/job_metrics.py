"""What Prometheus is told of jobs: how many there are, how long the oldest waits, and everything that ever ended.

Labels are bounded: projects beyond the first hundred are told as one, content types and workers not at all. What ended
is counted once a minute; what retention removes stays counted, so a counter never falls.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from jobs_app.domain.histogram import BOUNDS, Histogram
from jobs_app.domain.job_numbers import Outcome, Tally
from jobs_app.domain.job_states import JobState
from jobs_app.services import job_numbers
from jobs_app.services.job_numbers import Standing
from project import metrics
from project.metrics import Sample

MOST_PROJECTS: Final = 100
OTHERS: Final = "_others"  # no project can have this name
# every sixteenth bound of ours, five times as long each, so that nothing is estimated: from 5 ms to some days
_PLACES: Final = range(15, 143, 16)


def wire() -> None:
    """Called once, when the app is ready."""
    metrics.GAUGES.append(samples)


def samples() -> Iterator[Sample]:
    """The lines of one metric stand together, as the format asks."""
    found = _by_project(job_numbers.standings())
    for project, standing in found.items():
        for state in JobState:
            labels = {"project": project, "status": state.value}
            yield Sample("holdfast_jobs", standing.depth.counts.get(state, 0), labels)
    for project, standing in found.items():
        yield Sample("holdfast_jobs_due", standing.depth.due, {"project": project})
    for project, standing in found.items():
        age = standing.depth.oldest_seconds or 0.0
        yield Sample("holdfast_jobs_oldest_waiting_seconds", age, {"project": project})
    for project, standing in found.items():
        yield Sample("holdfast_records_bytes", standing.depth.stored_bytes or 0, {"project": project})
    for project, standing in found.items():
        for outcome in Outcome:
            labels = {"project": project, "outcome": outcome.value}
            count = standing.ever.outcomes.get(outcome, 0)
            yield Sample("holdfast_job_attempts_ended_total", count, labels, kind="counter")
    for name, histogram_of in (("waiting", _waited), ("processing", _worked)):
        for project, standing in found.items():
            yield from _histogram(f"holdfast_job_{name}_seconds", {"project": project}, histogram_of(standing.ever))


def _by_project(standings: Iterable[Standing]) -> dict[str, Standing]:
    found: dict[str, Standing] = {}
    for number, standing in enumerate(standings):
        name = standing.project if number < MOST_PROJECTS else OTHERS
        found[name] = found[name] + standing if name in found else standing
    return found


def _histogram(family: str, labels: dict[str, str], histogram: Histogram) -> Iterator[Sample]:
    for place in _PLACES:
        bucket = {**labels, "le": f"{BOUNDS[place]:.6g}"}
        yield Sample(f"{family}_bucket", histogram.up_to(place), bucket, kind="histogram", family=family)
    everything = {**labels, "le": "+Inf"}
    yield Sample(f"{family}_bucket", histogram.count, everything, kind="histogram", family=family)
    yield Sample(f"{family}_sum", histogram.total_seconds, labels, kind="histogram", family=family)
    yield Sample(f"{family}_count", histogram.count, labels, kind="histogram", family=family)


def _waited(tally: Tally) -> Histogram:
    return tally.waited


def _worked(tally: Tally) -> Histogram:
    return tally.worked
