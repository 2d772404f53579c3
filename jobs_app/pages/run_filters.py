"""What a list of documents is asked for, read from its address; and the counts by state above it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from django.http import HttpRequest, QueryDict

from jobs_app.domain.document import DocumentState, Plan
from jobs_app.domain.job_states import JobState
from jobs_app.domain.run import RunState, Tally
from jobs_app.pages.links import link_with, link_without
from jobs_app.templatetags import wording

LONGEST_QUERY = 400
S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Asked(Generic[S]):
    text: str
    state: S | None

    @property
    def narrows(self) -> bool:
        return bool(self.text or self.state)


def read(query: QueryDict) -> Asked[DocumentState]:
    """What makes no sense in an address is left out, and the chips show what remains."""
    return _read(query, DocumentState)


def read_runs(query: QueryDict) -> Asked[RunState]:
    """The same for the list of runs."""
    return _read(query, RunState)


def _read(query: QueryDict, states: type[S]) -> Asked[S]:
    text = "".join(character if character.isprintable() else " " for character in query.get("q", ""))
    state = query.get("state", "")
    return Asked(text.strip()[:LONGEST_QUERY], states(state) if state in set(states) else None)


def by_state(tally: Tally) -> Mapping[DocumentState, int]:
    """Every document once, in the order in which they are shown."""
    counts = {DocumentState(plan.value): tally.plans.get(plan, 0) for plan in Plan if plan is not Plan.QUEUED}
    counts |= {DocumentState(state.value): tally.jobs.get(state, 0) for state in JobState}
    counts[DocumentState.JOB_GONE] = tally.jobs_gone
    return {state: counts[state] for state in DocumentState}


def cells(request: HttpRequest, tally: Tally, asked: Asked[DocumentState], part: str) -> list[dict[str, Any]]:
    """A state each: its number, its part of a bar of 1,000, and the address that shows only its documents."""
    view = "list" if part == "artifacts" else part
    found, start = [], 0.0
    for state, number in by_state(tally).items():
        if not number and state is not asked.state:
            continue
        width = 1000 * number / max(tally.documents, 1)
        is_open = state is asked.state
        found.append(
            {
                "state": state.value,
                "look": wording.state(state),
                "count": number,
                "x": round(start, 2),
                "width": round(width, 2),
                "url": link_with(request, state=None if is_open else state.value, view=view, cursor=None),
                "is_open": is_open,
            }
        )
        start += width
    return found


def bar(request: HttpRequest, asked: Asked[S], count: str) -> dict[str, Any]:
    """Of the list of runs, for components/_filters.html and _chips.html."""
    return _bar(request, asked, count, RunState, "Words of a name or tag")


def document_bar(request: HttpRequest, asked: Asked[S], count: str) -> dict[str, Any]:
    """Of the documents of a run; the way to look at them stays."""
    found = _bar(request, asked, count, DocumentState, "Words of a path")
    return {**found, "clear_url": link_without(request, "q", "state", "cursor"), "more": "runs/show/_view.html"}


def _bar(request: HttpRequest, asked: Asked[S], count: str, states: type[StrEnum], placeholder: str) -> dict[str, Any]:
    chips = []
    if asked.state:
        word = wording.state(asked.state).word
        chips.append({"name": "state", "value": word, "remove_url": link_without(request, "state", "cursor")})
    if asked.text:
        chips.append({"name": "text", "value": asked.text, "remove_url": link_without(request, "q", "cursor")})
    options = [{"value": "", "label": "Any state", "checked": asked.state is None, "count": None}]
    options += [
        {"value": each.value, "label": wording.state(each).word, "checked": each is asked.state, "count": None}
        for each in states
    ]
    return {
        "action": request.path,
        "query": asked.text,
        "placeholder": placeholder,
        "count": count,
        "chips": chips,
        "clear_url": request.path,
        "menus": [{"name": "state", "label": "State", "options": options, "one_of": True}],
    }
