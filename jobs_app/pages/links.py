"""Addresses of the page at hand with one thing changed, since the address holds the whole state."""

from django.http import HttpRequest


def link_with(request: HttpRequest, **values: str) -> str:
    query = request.GET.copy()
    for name, value in values.items():
        query[name] = value
    return f"{request.path}?{query.urlencode()}"


def link_without(request: HttpRequest, *names: str) -> str:
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    return f"{request.path}?{query.urlencode()}" if query else request.path
