"""A filter of jobs as plain values, to be kept with what was asked: an operation, an audit entry."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from jobs_app.domain.job_states import JobState
from jobs_app.services.jobs import JobFilter
from storage_app.records.times import to_text


def to_value(wanted: JobFilter) -> dict[str, Any]:
    """Only what narrows. `nodes` cannot be kept: whoever has them writes a query instead."""
    assert not wanted.nodes
    value: dict[str, Any] = {}
    for each in fields(JobFilter):
        given = getattr(wanted, each.name)
        if isinstance(given, datetime):
            value[each.name] = to_text(given)
        elif each.name == "statuses" and given:
            value[each.name] = [state.value for state in given]
        elif given is not None and given != ():
            value[each.name] = given
    return value


def from_value(value: Mapping[str, Any]) -> JobFilter:
    given = dict(value)
    if "statuses" in given:
        given["statuses"] = tuple(JobState(state) for state in given["statuses"])
    for name in ("created_after", "created_before"):
        if name in given:
            given[name] = datetime.fromisoformat(given[name])
    return JobFilter(**given)
