"""What the file storages and their outbox say of themselves, for Prometheus."""

from collections.abc import Iterable
from typing import Any

from jobs_app.services import outbox, storages
from project.metrics import PROCESS, Sample


def gauges() -> Iterable[Sample]:
    """Requests, cache and limits are this process's; the outbox is everybody's."""
    for alias, statistics in storages.statistics().items():
        yield from _of_process(statistics, {"storage": alias, "process": PROCESS})
    for alias, states in outbox.totals().items():
        for state, number in states.items():
            yield Sample("holdfast_outbox_changes", number, {"storage": alias, "state": state})


def _of_process(statistics: dict[str, Any], labels: dict[str, str]) -> Iterable[Sample]:
    for kind, number in statistics.get("requests", {}).items():
        yield Sample("holdfast_storage_requests", number, {**labels, "kind": kind})
    for kind, number in statistics.get("cache", {}).items():
        yield Sample("holdfast_storage_cache", number, {**labels, "kind": kind})
    limits = statistics.get("rate_limits", {})
    for resource, window in _tightest(limits.get("windows", [])).items():
        named = {**labels, "resource": resource}
        yield Sample("holdfast_storage_rate_limit", window["limit"], named)
        yield Sample("holdfast_storage_rate_limit_left", window["remaining"], named)


def _tightest(windows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each resource the counter with least left: GitHub has several, told apart by when they begin anew, and a label
    of that would be a new series each hour.
    """
    found: dict[str, dict[str, Any]] = {}
    for window in windows:
        known = found.get(str(window["resource"]))
        if known is None or window["remaining"] < known["remaining"]:
            found[str(window["resource"])] = window
    return found
