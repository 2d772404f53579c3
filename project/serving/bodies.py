"""Reads a request's body before a thread is spent on it: counted, bounded in size and time, large ones on disk."""

import asyncio
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import IO, Any

from project.serving.refusals import BodyCutOffError, BodyTooLargeError, BodyTooSlowError

Receive = Callable[[], Awaitable[dict[str, Any]]]

IN_MEMORY = 1024 * 1024
LONGEST_SILENCE = 30.0
GRACE = 60.0
SLOWEST_RATE = 1024


class BodyLimits:
    """How many bytes a path takes; the first pattern that matches decides."""

    def __init__(self, default: int, exceptions: Mapping[str, int]) -> None:
        self._default = default
        self._exceptions = [(re.compile(pattern), limit) for pattern, limit in exceptions.items()]

    def of(self, path: str) -> int:
        return next((limit for pattern, limit in self._exceptions if pattern.match(path)), self._default)


async def read(receive: Receive, declared: str | None, limit: int) -> tuple[IO[bytes], int]:
    """The whole body, rewound, and its length. What is declared is checked first, what arrives is counted."""
    if declared is not None and int(declared) > limit:
        raise BodyTooLargeError(limit)
    body: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the request that reads it closes it
    try:
        length = await _fill(body, receive, limit)
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body, length


async def _fill(body: IO[bytes], receive: Receive, limit: int) -> int:
    length, started = 0, time.monotonic()
    while True:
        message = await _next(receive)
        if message["type"] == "http.disconnect":
            raise BodyCutOffError
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > limit:
            raise BodyTooLargeError(limit)
        body.write(chunk)
        if not message.get("more_body", False):
            return length
        if time.monotonic() - started > GRACE + length / SLOWEST_RATE:
            raise BodyTooSlowError


async def _next(receive: Receive) -> dict[str, Any]:
    try:
        return await asyncio.wait_for(receive(), LONGEST_SILENCE)
    except TimeoutError as error:
        raise BodyTooSlowError from error
