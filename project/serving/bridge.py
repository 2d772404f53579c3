"""Django's WSGI handler without WSGI: an environment in, the response object out."""

from collections.abc import Awaitable, Callable
from typing import Any

from django.core import signals
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

Head = dict[str, Any]


class Bridge(WSGIHandler):
    def respond(self, environ: dict[str, Any]) -> HttpResponseBase:
        """Blocks as long as the view does. Whoever sends the response closes it, which ends the request."""
        set_script_prefix("/")
        signals.request_started.send(sender=type(self), environ=environ)
        return self.get_response(WSGIRequest(environ))


def head(response: HttpResponseBase) -> Head:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    headers += [(b"set-cookie", morsel.OutputString().encode("latin-1")) for morsel in response.cookies.values()]
    # instead of the server's own name and version
    headers.append((b"server", b"Holdfast"))
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


def body(response: HttpResponse) -> dict[str, Any]:
    return {"type": "http.response.body", "body": response.content, "more_body": False}


async def send_whole(response: HttpResponse, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    await send(head(response))
    await send(body(response))
