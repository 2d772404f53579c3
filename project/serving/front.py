"""The one front of the one port: an ASGI application that gives Django's work to threads and keeps the waiting.

A request without a body may also be answered by `answer_at_once`, in the very thread that the server woke for it
(`shortcut.py`): no queue, no wake-up of the loop. Everything else comes through `__call__`: the body is read here,
counted, before a thread is spent on it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from project import faults, request_context
from project.serving import bodies, bridge, refusals
from project.serving.bodies import BodyLimits
from project.serving.environs import Environs, has_body
from project.serving.pool import Pool
from project.serving.refusals import FailedError, FaultError, RefusedError
from project.serving.streams import Streams

logger = logging.getLogger("holdfast.serving")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Front:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        threads: int,
        trusted_proxies: tuple[str, ...],
        body_limit: int,
        body_limits: Mapping[str, int],
    ) -> None:
        self._loop = loop
        self._bridge = bridge.Bridge()
        self._environs = Environs(trusted_proxies)
        self._limits = BodyLimits(body_limit, body_limits)
        self._pool = Pool(loop, threads, "request")
        self._streams = Streams(self._pool, Pool(loop, threads, "stream"))

    def stop(self) -> None:
        """From any thread: ends streams and long polls; requests under way are finished."""
        self._loop.call_soon_threadsafe(self._streams.stop)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        try:
            environ = self._environs.build(scope)
            if has_body(environ):
                await self._take_body(environ, receive)
            response = await self._pool.run(self._bridge.respond, environ)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            await bridge.send_whole(_refused(error, scope, started), send)
            return
        await self._deliver(response, receive, send)

    def answer_at_once(self, scope: Scope, receive: Receive, send: Callable[[dict[str, Any]], object]) -> Any:
        """In a thread of the server, where `send` takes effect when called. Gives the coroutine to run when the
        response is a stream, which then finishes the request; None when all is done."""
        started = time.perf_counter()
        try:
            response = self._bridge.respond(self._environs.build(scope))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            response = _refused(error, scope, started)
        if response.streaming:
            return self._deliver(response, receive, send)  # type: ignore[arg-type] # what it gives can be awaited
        assert isinstance(response, HttpResponse)
        send(bridge.head(response))
        send(bridge.body(response))
        response.close()
        return None

    async def _take_body(self, environ: dict[str, Any], receive: Receive) -> None:
        declared = environ.get("CONTENT_LENGTH")
        if "HTTP_TRANSFER_ENCODING" in environ:
            # the server has decoded it, and refuses a length beside it; see the tests on smuggling
            del environ["HTTP_TRANSFER_ENCODING"]
            declared = None
        body, length = await bodies.read(receive, declared, self._limits.of(environ["PATH_INFO"]))
        environ["wsgi.input"] = body
        environ["CONTENT_LENGTH"] = str(length)

    async def _deliver(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        if isinstance(response, StreamingHttpResponse):
            await self._stream(response, receive, send)
            return
        assert isinstance(response, HttpResponse)
        await bridge.send_whole(response, send)
        await self._pool.run(response.close)

    async def _stream(self, response: StreamingHttpResponse, receive: Receive, send: Send) -> None:
        watched = _Watched(send)
        try:
            await self._streams.send(response, receive, watched)
        except Exception:
            request_context.current.set(getattr(response, "request_context", None))
            logger.exception("A streamed response failed.")
            if not watched.began:
                await bridge.send_whole(refusals.answer(FailedError(), response["X-Request-ID"]), watched)


class _Watched:
    """Remembers whether the head is out, after which no other status can be told."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began = False

    async def __call__(self, message: dict[str, Any]) -> None:
        self.began = True
        await self._send(message)


def _refused(error: Exception, scope: Scope, started: float) -> HttpResponse:
    """The answer where there is none of Django's; its line in the log is written here."""
    request_id = refusals.request_id_of(scope)
    if fault := faults.of(error):
        logger.error("%s", fault[1], exc_info=error)
        error = FaultError(*fault)
    elif not isinstance(error, RefusedError):
        logger.error("The request %s could not be handed to Django.", request_id, exc_info=error)
        error = FailedError()
    refusals.note(error, scope, request_id, time.perf_counter() - started)
    return refusals.answer(error, request_id)
