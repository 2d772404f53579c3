"""Answers that take their time: what a view returns to wait or to stream without holding a thread.

A view is an ordinary sync view: every middleware runs, it signs in, checks and validates as all others do. Then it
returns `Later` (one answer, after a wait) or `EventStream` (server-sent events); from there on the event loop
carries the answer alone, and what blocks goes through `caller.in_thread`.

    def claim(request):
        if jobs := claims.claim(...):
            return answer(jobs)
        async def wait(caller: Caller) -> HttpResponse:
            while caller.is_open and await live.changed(...):
                if jobs := await caller.in_thread(claims.claim, ...):
                    return answer(jobs)
            return answer([])
        return Later(wait)

Without our server (Django's test client, runserver) both work too, in the thread that reads them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from django.http import HttpResponse, StreamingHttpResponse

T = TypeVar("T")

HEARTBEAT = 15.0
RETRY_MILLISECONDS = 2000


class InThread(Protocol):
    def __call__(self, function: Callable[..., T], /, *arguments: object) -> Awaitable[T]: ...


class Caller:
    """The one who waits at the other end of the line."""

    def __init__(self, in_thread: InThread) -> None:
        self.in_thread = in_thread
        self._hung_up = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """False once the caller went away or the server stops: take nothing on for this caller, answer and end."""
        return not self._hung_up.is_set()

    async def closed(self) -> None:
        """Returns when the line closes."""
        await self._hung_up.wait()

    def close(self) -> None:
        self._hung_up.set()

    async def waits_for(self, signal: Coroutine[Any, Any, T], timeout: float) -> T | None:
        """The signal's result; None as soon as the time is over or the line closes. The signal is cancelled then."""
        waiting = asyncio.ensure_future(signal)
        closing = asyncio.ensure_future(self.closed())
        try:
            await asyncio.wait({waiting, closing}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()
            closing.cancel()


class Later(StreamingHttpResponse):
    """One answer, after a wait. Headers that middleware set here are kept, unless the final answer has its own."""

    def __init__(self, wait: Callable[[Caller], Awaitable[HttpResponse]]) -> None:
        super().__init__(self._at_once(), content_type="application/json")
        self._wait = wait
        self.refusal: Callable[[Exception], HttpResponse | None] = lambda error: None  # the frame knows better

    async def final(self, caller: Caller) -> HttpResponse:
        try:
            answer = await self._wait(caller)
        except Exception as error:
            refused = self.refusal(error)
            if refused is None:
                self.status_code = 500
                raise
            answer = refused
        # for whoever logs this response: the promise said 200 before anything was known
        self.status_code = answer.status_code
        self.problem_code = getattr(answer, "problem_code", "")
        for name, value in self.items():
            if name not in answer:
                answer.headers[name] = value
        for cookie, morsel in self.cookies.items():
            answer.cookies.setdefault(cookie, morsel)
        return answer

    def _at_once(self) -> Iterator[bytes]:
        yield asyncio.run(self._unattended()).content

    async def _unattended(self) -> HttpResponse:
        return await self.final(Caller(asyncio.to_thread))


@dataclass(frozen=True, slots=True)
class Event:
    data: str
    name: str = ""
    id: str = ""

    def encode(self) -> bytes:
        lines = [f"id: {_one_line(self.id)}"] if self.id else []
        if self.name:
            lines.append(f"event: {_one_line(self.name)}")
        # a lone CR ends a line for a browser as well
        lines += [f"data: {line}" for line in self.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
        return ("\n".join(lines) + "\n\n").encode()


class EventStream(StreamingHttpResponse):
    """Server-sent events, with a heartbeat so that both ends notice a dead line, and a last event when we stop."""

    def __init__(self, follow: Callable[[Caller], AsyncIterator[Event]], *, heartbeat: float = HEARTBEAT) -> None:
        super().__init__(self.open(Caller(asyncio.to_thread)), content_type="text/event-stream")
        self.headers["Cache-Control"] = "no-store"
        # proxies of the nginx family hold back what they may buffer
        self.headers["X-Accel-Buffering"] = "no"
        self._follow = follow
        self._heartbeat = heartbeat

    async def open(self, caller: Caller) -> AsyncIterator[bytes]:
        """The bytes of the stream, until the events end or the line closes."""
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        events = self._follow(caller)
        closing: asyncio.Future[Any] = asyncio.ensure_future(caller.closed())
        coming: asyncio.Future[Any] | None = None
        try:
            while not closing.done():
                coming = coming or asyncio.ensure_future(_next(events))
                await asyncio.wait({coming, closing}, timeout=self._heartbeat, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    yield b"" if closing.done() else b":\n\n"
                    continue
                try:
                    yield coming.result().encode()
                except StopAsyncIteration:
                    return
                coming = None
            yield Event("", name="end").encode()
        finally:
            closing.cancel()
            await _end(events, coming)


async def _next(events: AsyncIterator[Event]) -> Event:
    return await anext(events)


async def _end(events: AsyncIterator[Event], coming: "asyncio.Future[Any] | None") -> None:
    """The generator's own clean-up runs, wherever it stood."""
    if coming is not None:
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
            await coming
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ").replace("\0", "")
