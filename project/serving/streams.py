"""Sends what is not one piece: files, generators, event streams, answers that come later. Memory stays constant, since
each piece waits until the caller took the one before; a caller who hangs up ends the source at once."""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any

from django.db import close_old_connections
from django.http import FileResponse, StreamingHttpResponse

from jobs_app.streaming import Caller, EventStream, Later
from project import request_context
from project.serving import bridge
from project.serving.pool import Pool

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PIECE = 256 * 1024
LONGEST_STALL = 60.0
LONGEST_LINGER = 0.25


class CallerGoneError(Exception):
    """Nobody takes the answer any more."""


class Streams:
    """Everything that is being streamed or waited for in this process."""

    def __init__(self, pool: Pool, generators: Pool) -> None:
        self._pool = pool
        # a generator may hold a thread for as long as its caller takes: it must not be one of those that answer
        self._generators = generators
        self._callers: set[Caller] = set()
        self._stopping = False

    def stop(self) -> None:
        """Every wait is answered and every stream ended now; what computes goes on to its end."""
        self._stopping = True
        for caller in self._callers:
            caller.close()

    async def send(self, response: StreamingHttpResponse, receive: Receive, send: Send) -> None:
        caller = self._admit()
        sending = asyncio.ensure_future(self._send(response, caller, send))
        leaving = asyncio.ensure_future(_hang_up(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                caller.close()
                # an answer under way may have taken something on: it ends by itself, having seen the line closed
                if not isinstance(response, Later):
                    sending.cancel()
                await asyncio.wait({sending})
            if not sending.cancelled() and (error := sending.exception()) and not isinstance(error, CallerGoneError):
                raise error
        finally:
            leaving.cancel()
            sending.cancel()
            self._callers.discard(caller)
            await self._pool.run(response.close)

    def _admit(self) -> Caller:
        caller = Caller(self._in_thread)
        self._callers.add(caller)
        if self._stopping:
            caller.close()
        return caller

    async def _in_thread(self, function: Callable[..., Any], *arguments: object) -> Any:
        # what is logged in that thread belongs to the same request
        context = contextvars.copy_context()
        return await self._pool.run(context.run, _with_fresh_connections, function, *arguments)

    async def _send(self, response: StreamingHttpResponse, caller: Caller, send: Send) -> None:
        # a task of its own, which takes the context with it when it ends
        request_context.current.set(getattr(response, "request_context", None))
        if isinstance(response, Later):
            await bridge.send_whole(await response.final(caller), send)
            return
        await send(bridge.head(response))
        if isinstance(response, EventStream):
            await _send_each(response.open(caller), send)
        elif response.is_async:
            await _send_each(aiter(response), send)
        elif isinstance(response, FileResponse) and response.file_to_stream is not None:
            await _send_each(self._read(response.file_to_stream), send)
        else:
            await self._drain(iter(response), send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _read(self, file: Any) -> AsyncIterator[bytes]:
        """A thread for each piece only, so that slow callers hold none."""
        while piece := await self._pool.run(file.read, PIECE):
            yield piece

    async def _drain(self, pieces: Iterator[bytes], send: Send) -> None:
        """One thread for the whole generator, as its database cursor belongs to that thread."""
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()

        def push(piece: bytes) -> None:
            if gone.is_set():
                raise CallerGoneError
            sent = asyncio.run_coroutine_threadsafe(_send_piece(piece, send), loop)
            sent.result()

        draining = self._generators.run(_push_all, pieces, push)
        try:
            await asyncio.shield(draining)
        except asyncio.CancelledError:
            gone.set()
            await asyncio.wait({draining})
            raise


def _push_all(pieces: Iterator[bytes], push: Callable[[bytes], None]) -> None:
    close_old_connections()
    try:
        for piece in _gathered(pieces):
            push(piece)
    finally:
        # in its own thread, where its cursors are
        if close := getattr(pieces, "close", None):
            close()
        close_old_connections()


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Rows come by the hundred bytes; sending each alone would cost more than making it."""
    waiting = bytearray()
    last = time.monotonic()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= PIECE or time.monotonic() - last > LONGEST_LINGER:
            yield bytes(waiting)
            waiting.clear()
            last = time.monotonic()
    if waiting:
        yield bytes(waiting)


async def _send_each(pieces: AsyncIterator[Any], send: Send) -> None:
    async for piece in pieces:
        if piece:
            await _send_piece(piece if isinstance(piece, bytes) else str(piece).encode(), send)


async def _send_piece(piece: bytes, send: Send) -> None:
    try:
        await asyncio.wait_for(_sent(piece, send), LONGEST_STALL)
    except TimeoutError as error:
        raise CallerGoneError from error


async def _sent(piece: bytes, send: Send) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _with_fresh_connections(function: Callable[..., Any], *arguments: object) -> Any:
    close_old_connections()
    try:
        return function(*arguments)
    finally:
        close_old_connections()
