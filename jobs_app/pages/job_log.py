"""A job's log on a page: from its end backwards, page by page, so that its length does not matter; followed live."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs_app.domain.access import Actor
from jobs_app.domain.job_log import LogEntry, LogLevel
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import jobs, logs
from jobs_app.services.logs import LogFilter, LogPage

PAGE = 500
CONTEXT = 20  # lines shown before the one that was asked for
MOST_SHOWN = 2000  # lines that following a log leaves on the page
LONGEST_QUERY = 200
LEVELS = (("", "All levels"), ("info", "Info and above"), ("warning", "Warnings and errors"), ("error", "Errors only"))
COLOURING = re.compile(r"\x1b\[[0-9;]*m")  # what terminals colour by; it says nothing here
# Other control characters are shown as the pictures that Unicode has for them, so that none acts and none is lost.
PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}


@dataclass(frozen=True, slots=True)
class LogRow:
    number: int
    level: str
    message: str
    at: datetime
    data: Mapping[str, Any] | None
    attempt: int | None


@dataclass(frozen=True, slots=True)
class LogAsked:
    """Which part of the log an address asks for."""

    text: str
    level: LogLevel | None
    before: int | None
    after: int | None

    @property
    def filter(self) -> LogFilter:
        return LogFilter(self.level, self.text or None)

    @property
    def at_end(self) -> bool:
        return self.before is None and self.after is None

    @property
    def narrows(self) -> bool:
        return bool(self.text) or self.level is not None


def read(query: QueryDict) -> LogAsked:
    level = query.get("level", "")
    at = _number(query.get("at", ""))
    return LogAsked(
        text=query.get("q", "").strip()[:LONGEST_QUERY],
        level=LogLevel(level) if level in set(LogLevel) else None,
        before=_number(query.get("before", "")),
        after=_number(query.get("after", "")) if at is None else max(at - CONTEXT, 0),
    )


def tab(actor: Actor, slug: str, job_id: str, request: HttpRequest) -> dict[str, Any]:
    """What the tab shows."""
    asked = read(request.GET)
    page = _page(actor, slug, job_id, asked)
    address = reverse("jobs-show", args=[slug, job_id])
    same = {"tab": "log", **_narrowing(asked)}
    follows = asked.at_end or (page.after is None and asked.before is None)
    return {
        "lines": [_row(line) for line in page.lines],
        "asked": asked,
        "levels": LEVELS,
        "end": page.end,
        "first": page.lines[0].number if page.lines else None,
        "last": page.lines[-1].number if page.lines else None,
        "searched_to": page.before if asked.narrows and asked.after is None and page.before else None,
        "most_shown": MOST_SHOWN,
        "first_url": f"{address}?{urlencode(same | {'after': 0})}" if page.before else "",
        "earlier_url": f"{address}?{urlencode(same | {'before': page.before})}" if page.before else "",
        "later_url": f"{address}?{urlencode(same | {'after': page.after})}" if page.after else "",
        "end_url": f"{address}?{urlencode(same)}#log-end" if not follows else "",
        "all_url": f"{address}?tab=log",
        "context_url": f"{address}?tab=log&at=",
        "follow_url": _follow_url(slug, job_id, asked, page.end) if follows else "",
        "text_url": reverse("jobs-log-text", args=[slug, job_id]) + _query(_narrowing(asked)),
    }


@require_safe
def follow(request: PageRequest, slug: str, job_id: str) -> HttpResponse:
    """The lines that came since `after`, and where to go on."""
    asked = read(request.GET)
    page = logs.read(actor_of(request), slug, job_id, asked.filter, after=asked.after or 0, limit=PAGE)
    reached = page.end if page.after is None else page.after
    context = {
        "lines": [_row(line) for line in page.lines],
        "end": page.end,
        "follow_url": _follow_url(slug, job_id, asked, reached),
        "has_more": page.after is not None,
        "context_url": reverse("jobs-show", args=[slug, job_id]) + "?tab=log&at=",
    }
    return render(request, "jobs/show/_new_lines.html", context)


@require_safe
def download(request: PageRequest, slug: str, job_id: str) -> HttpResponseBase:
    """The whole log as text, or what the filter leaves of it, streamed."""
    actor = actor_of(request)
    job = jobs.get(actor, slug, job_id)
    lines = logs.download(actor, slug, job_id, read(request.GET).filter)
    response = StreamingHttpResponse(_texts(lines), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="job-{job.id}.log"'
    return response


def _page(actor: Actor, slug: str, job_id: str, asked: LogAsked) -> LogPage:
    if asked.after is not None:
        return logs.read(actor, slug, job_id, asked.filter, after=asked.after, limit=PAGE)
    return logs.tail(actor, slug, job_id, asked.filter, before=asked.before, limit=PAGE)


def _row(line: LogEntry) -> LogRow:
    message = COLOURING.sub("", line.message).rstrip("\n").translate(PICTURES)
    return LogRow(line.number, line.level.value, message, line.time, line.data, line.attempt)


def _texts(lines: Iterator[LogEntry]) -> Iterator[bytes]:
    for line in lines:
        text = f"{line.time.isoformat(timespec='milliseconds')} {line.level.value.upper():7} {line.message}\n"
        yield text.encode(errors="backslashreplace")


def _follow_url(slug: str, job_id: str, asked: LogAsked, reached: int) -> str:
    return reverse("jobs-log", args=[slug, job_id]) + _query({**_narrowing(asked), "after": str(reached)})


def _narrowing(asked: LogAsked) -> dict[str, Any]:
    found = {"q": asked.text, "level": asked.level.value if asked.level else ""}
    return {name: value for name, value in found.items() if value}


def _query(values: Mapping[str, Any]) -> str:
    return f"?{urlencode(values)}" if values else ""


def _number(text: str) -> int | None:
    """A line's number as we write them; anything else is not asked for."""
    return int(text) if re.fullmatch("[0-9]{1,15}", text, re.ASCII) else None
