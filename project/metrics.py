"""Prometheus text: what this process answered, and what the database says of the whole.

Requests are counted in the process that answered them and labelled with it; the sums are Prometheus's work.
"""

import os
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PROCESS = str(os.getpid())
# a caller may make up any other, and each would be kept for ever
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: a gauge or counter with its labels; or a line of a histogram, whose name is then `family`."""

    name: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)
    kind: str = "gauge"
    family: str = ""


class RequestCounts:
    """Requests by method, route and status class, and their times in buckets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[tuple[str, str, str], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        with self._lock:
            self._totals[method, route, str(status)] += 1
            self._buckets[route][bisect_left(BUCKETS, seconds)] += 1
            self._seconds[route] += seconds

    def lines(self) -> Iterable[str]:
        with self._lock:
            totals, seconds = dict(self._totals), dict(self._seconds)
            buckets = {route: list(counts) for route, counts in self._buckets.items()}
        yield "# TYPE holdfast_http_requests_total counter"
        for (method, route, status), count in sorted(totals.items()):
            labels = {"method": method, "route": route, "status": status, "process": PROCESS}
            yield _line(Sample("holdfast_http_requests_total", count, labels))
        yield "# TYPE holdfast_http_request_seconds histogram"
        for route, counts in sorted(buckets.items()):
            labels = {"route": route, "process": PROCESS}
            reached = 0
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                reached += count
                yield _line(Sample("holdfast_http_request_seconds_bucket", reached, {**labels, "le": bound}))
            yield _line(Sample("holdfast_http_request_seconds_sum", round(seconds[route], 6), labels))
            yield _line(Sample("holdfast_http_request_seconds_count", reached, labels))


REQUESTS = RequestCounts()

# What is read at the moment of the scrape; each later part of the product adds its own.
GAUGES: list[Callable[[], Iterable[Sample]]] = []


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    REQUESTS.add(method if method in METHODS else "other", route, status, seconds)


def text() -> str:
    lines = list(REQUESTS.lines())
    typed = set()
    for gauge in GAUGES:
        for sample in gauge():
            family = sample.family or sample.name
            if family not in typed:
                typed.add(family)
                lines.append(f"# TYPE {family} {sample.kind}")
            lines.append(_line(sample))
    return "\n".join(lines) + "\n"


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
    return f"{sample.name}{{{labels}}} {sample.value}" if labels else f"{sample.name} {sample.value}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
