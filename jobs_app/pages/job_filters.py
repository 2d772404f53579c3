"""What a list of jobs is asked for, read from its address; and the bar that says it and changes it.

`q` holds a query of its own language; states, types and the like may stand beside it, as menus send them.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, QueryDict

from jobs_app.domain.job_states import JobState
from jobs_app.errors import InvalidQueryError
from jobs_app.pages.links import link_with, link_without
from jobs_app.services import job_queries
from jobs_app.services.job_counts import JobCounts
from jobs_app.services.jobs import JobFilter
from jobs_app.stores.job_records import JobPage
from jobs_app.templatetags import wording
from storage_app.search import nodes

MOST_TYPES_SHOWN = 50
MOST_WORKERS_SHOWN = 100
LONGEST_QUERY = 1000
NEWEST_FIRST = "-created_at"
ORDERS: Mapping[str, str] = {
    NEWEST_FIRST: "Newest first",
    "created_at": "Oldest first",
    "-completed_at": "Last ended first",
    "-priority": "Highest priority first",
    "priority": "Lowest priority first",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The filter of an address; what makes no sense in it is left out, and the chips show what remains."""

    text: str
    states: tuple[JobState, ...]
    content_type: str
    worker_id: str
    tag: str
    order: str

    @property
    def filter(self) -> JobFilter:
        return JobFilter(
            statuses=self.states,
            content_type=self.content_type or None,
            worker_id=self.worker_id or None,
            tag=self.tag or None,
            text=self.text if self.text.split() else None,
        )

    @property
    def is_counted(self) -> bool:
        """Whether counters know the number of matches."""
        return not (self.text.split() or self.worker_id or self.tag)

    @property
    def narrows(self) -> bool:
        return bool(self.states or self.content_type or not self.is_counted)

    @property
    def as_query(self) -> str:
        """All of it in the query language, to be kept in a view; InvalidQueryError where the text is none."""
        query = job_queries.read(self.text)
        if self.states:
            query = nodes.with_term(query, nodes.term("status", *(state.value for state in self.states)))
        for name, value in (("type", self.content_type), ("worker", self.worker_id), ("tag", self.tag)):
            if value:
                query = nodes.with_term(query, nodes.term(name, value))
        return str(query)


def read(query: QueryDict) -> Asked:
    given = set(query.getlist("status"))
    order = query.get("order", "")
    return Asked(
        text=_line(query.get("q", ""))[:LONGEST_QUERY],
        states=tuple(state for state in JobState if state.value in given),
        content_type=_line(query.get("type", "")),
        worker_id=_line(query.get("worker", "")),
        tag=_line(query.get("tag", "")),
        order=order if order in ORDERS else NEWEST_FIRST,
    )


@dataclass(frozen=True, slots=True)
class Wrong:
    """A query that cannot be read: what stands before, in and behind the part that is wrong, and what was meant."""

    sentence: str
    before: str
    part: str
    behind: str
    suggestion: str
    suggestion_url: str


def wrong(request: HttpRequest, text: str, error: InvalidQueryError) -> Wrong:
    start, suggestion = error.extra["position"], error.extra["suggestion"] or ""
    end = start + error.extra["length"]
    url = link_with(request, q=suggestion, cursor=None, since=None) if suggestion else ""
    return Wrong(error.detail, text[:start], text[start:end], text[end:], suggestion, url)


def bar(
    request: HttpRequest,
    slug: str,
    asked: Asked,
    counts: JobCounts,
    workers: list[str],
    page: JobPage,
    shown: int,
    *,
    is_wrong: bool = False,
) -> dict[str, Any]:
    """For components/_filters.html and _chips.html."""
    return {
        "suggest_url": f"/api/v1/projects/{slug}/jobs/suggestions",
        "longest": LONGEST_QUERY,
        "action": request.path,
        "query": asked.text,
        "placeholder": 'Words, or status:failed type:pdf error:"timed out" created:>-2h',
        "count": "" if is_wrong else _count(asked, counts, page, shown),
        "chips": list(_chips(request, asked)),
        "clear_url": request.path,
        "menus": [_state_menu(asked, counts), _type_menu(asked, counts), _order_menu(asked)],
        "more": "jobs/index/_more.html",
        "worker": asked.worker_id,
        "workers": workers[:MOST_WORKERS_SHOWN],
        "tag": asked.tag,
    }


def sorting(request: HttpRequest, asked: Asked) -> dict[str, dict[str, str]]:
    """For {% columns %}: how the list is sorted by age, and the address that turns it round."""
    direction = {NEWEST_FIRST: "descending", "created_at": "ascending"}.get(asked.order, "")
    turned = "created_at" if asked.order == NEWEST_FIRST else None
    return {"Made": {"url": link_with(request, order=turned, cursor=None, since=None), "direction": direction}}


def _line(text: str) -> str:
    """Somebody's paste as one line of text: what cannot be seen is no part of a question."""
    return "".join(" " if unicodedata.category(character) == "Cc" else character for character in text).strip()


def _count(asked: Asked, counts: JobCounts, page: JobPage, shown: int) -> str:
    if asked.is_counted:
        return wording.count_of(counts.matching(asked.states, asked.content_type or None), "job")
    has_more = page.next_cursor or page.previous_cursor
    return f"{wording.count_of(shown, 'job')} {'on this page' if has_more else 'found'}"


def _chips(request: HttpRequest, asked: Asked) -> Iterator[dict[str, str]]:
    values = (
        ("type", "type", asked.content_type),
        ("worker", "worker", asked.worker_id),
        ("tag", "tag", asked.tag),
    )
    yield from _query_chips(request, asked.text)
    for state in asked.states:
        yield {"name": "state", "value": wording.state(state).word, "remove_url": _without_state(request, state)}
    for key, name, value in values:
        if value:
            yield {"name": name, "value": value, "remove_url": link_without(request, key, "cursor", "since")}
    if asked.order != NEWEST_FIRST:
        yield {
            "name": "order",
            "value": ORDERS[asked.order],
            "remove_url": link_without(request, "order", "cursor", "since"),
        }


def _query_chips(request: HttpRequest, text: str) -> Iterator[dict[str, str]]:
    """One for each thing that the query asks; the query as it was typed where it cannot be read."""
    try:
        query = job_queries.read(text)
    except InvalidQueryError:
        yield {"name": "", "value": text, "remove_url": link_without(request, "q", "cursor", "since")}
        return
    for part in query.parts:
        rest = str(nodes.without(query, part)) or None
        yield {
            "name": "",
            "value": nodes.written(part),
            "remove_url": link_with(request, q=rest, cursor=None, since=None),
        }


def _without_state(request: HttpRequest, state: JobState) -> str:
    query = request.GET.copy()
    query.pop("cursor", None)
    query.pop("since", None)
    query.setlist("status", [value for value in query.getlist("status") if value != state.value])
    return f"{request.path}?{query.urlencode()}" if query else request.path


def _state_menu(asked: Asked, counts: JobCounts) -> dict[str, Any]:
    options = [
        {
            "value": state.value,
            "label": wording.state(state).word,
            "checked": state in asked.states,
            "count": wording.number(number),
        }
        for state, number in counts.by_state.items()
    ]
    return {"name": "status", "label": "State", "options": options}


def _type_menu(asked: Asked, counts: JobCounts) -> dict[str, Any]:
    known = {name: number for name, number in counts.by_content_type.items() if name}
    shown = dict(list(known.items())[:MOST_TYPES_SHOWN])
    if asked.content_type:
        shown.setdefault(asked.content_type, known.get(asked.content_type, 0))
    options = [{"value": "", "label": "Any type", "checked": not asked.content_type, "count": None}]
    options += [
        {"value": name, "label": name, "checked": name == asked.content_type, "count": wording.number(number)}
        for name, number in shown.items()
    ]
    return {"name": "type", "label": "Type", "options": options, "one_of": True}


def _order_menu(asked: Asked) -> dict[str, Any]:
    options = [
        {
            "value": "" if order == NEWEST_FIRST else order,
            "label": label,
            "checked": order == asked.order,
            "count": None,
        }
        for order, label in ORDERS.items()
    ]
    return {"name": "order", "label": "Order", "options": options, "one_of": True}
