"""Addresses of the page at hand with one thing changed, since the address holds the whole state."""

from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


def link_with(request: HttpRequest, **values: str | None) -> str:
    """None takes a thing out."""
    query = request.GET.copy()
    for name, value in values.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = value
    return f"{request.path}?{query.urlencode()}" if query else request.path


def link_without(request: HttpRequest, *names: str) -> str:
    return link_with(request, **dict.fromkeys(names))
