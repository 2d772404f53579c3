"""What every page shows round its content: the context processor of `templates/shell.html`.

Everything is lazy: a fragment that draws none of it asks for none of it. Who knows a banner or a vital sign adds a
callable to `BANNERS` or `VITALS`; who knows the projects of a person sets `PROJECTS_OF`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from jobs_app.pages.navigation import HasSlug

Tone = Literal["failed", "timeout", "processing", "neutral"]


@dataclass(frozen=True)
class Banner:
    """Something needs a person: one sentence, and where to do something about it."""

    sentence: str
    tone: Tone = "timeout"
    url: str = ""
    action: str = ""


@dataclass(frozen=True)
class Vital:
    """One line of the live state: "Consumer", "up", "last heard 3 s ago"."""

    name: str
    state: str
    note: str = ""


BANNERS: list[Callable[[HttpRequest], Iterable[Banner]]] = []
VITALS: list[Callable[[HttpRequest], Iterable[Vital]]] = []
LIVE_URL: list[Callable[[HttpRequest], Iterable[str]]] = []
PROJECTS_OF: list[Callable[[HttpRequest], Sequence[HasSlug]]] = []


def slug_of(request: HttpRequest) -> str:
    """The project that a page is about; the banners, which are also asked for alone, say it in their address."""
    match = request.resolver_match
    if match is None:
        return ""
    return str(match.kwargs.get("slug") or (request.GET.get("project", "") if match.url_name == "vitals" else ""))


def shell(request: HttpRequest) -> dict[str, Any]:
    """`projects`, `banners`, `vitals`, and `frame`: which shell a page gets that both guests and people see.

    The values are functions that a template calls when it comes to them; what they say holds for the whole page.
    """
    return {
        "projects": cache(lambda: _from_all(PROJECTS_OF, request)),
        "banners": cache(lambda: _from_all(BANNERS, request)),
        "vitals": cache(lambda: _from_all(VITALS, request)),
        "live_url": cache(lambda: "".join(_from_all(LIVE_URL, request))),
        "vitals_url": cache(lambda: _vitals_url(request)),
        "frame": cache(lambda: _frame(request)),
    }


def _vitals_url(request: HttpRequest) -> str:
    slug = slug_of(request)
    return f"{reverse('vitals')}?{urlencode({'project': slug})}" if slug else reverse("vitals")


def _from_all(providers: Iterable[Callable[[HttpRequest], Iterable[Any]]], request: HttpRequest) -> list[Any]:
    return [item for provider in providers for item in provider(request)]


def _frame(request: HttpRequest) -> str:
    # a request that failed before it had a user is nobody's
    user = getattr(request, "user", None)
    return "shell.html" if user is not None and user.is_authenticated else "shell_bare.html"
