"""The storages of this process, as settings name them, on the one loop where they live.

    file_storages.run(lambda storages: storages.for_project("default", slug).read_file("a.txt"))
    await file_storages.arun(lambda storages: storages.get("archive").list_files())

The function is called on that loop and gives something to await. So one set of connections serves every thread and
every other loop.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeVar

from django.conf import settings
from django.core.signals import setting_changed

from storage_app.loop_thread import LoopThread
from storage_app.providers.errors import StorageError
from storage_app.providers.factory import Storages
from storage_app.providers.streams import StorageStream
from storage_app.providers.types import StorageHealth

T = TypeVar("T")
Work = Callable[[Storages], Awaitable[T]]

SETTING: Final = "FILE_STORAGES"


class Defined(NamedTuple):
    """`project` is the one it belongs to; None: all share it. `root`, of a local one, is a place of this machine, which
    concerns whoever runs it and nobody else.
    """

    alias: str
    provider: str
    project: str | None
    root: str | None = None


def run(work: Work[T]) -> T:
    """For sync code, in any thread but the loop's own."""
    return _process.loop.run(_process.done(work))


async def arun(work: Work[T]) -> T:
    """For async code, on any loop."""
    return await _process.loop.arun(_process.done(work))


def defined(project: str | None = None) -> list[Defined]:
    """Every storage by its alias, or those that the project may use; nothing is opened."""
    storages = Storages(getattr(settings, SETTING))
    aliases = storages.aliases(project)
    return [
        Defined(alias, storages.provider_name(alias), storages.owner(alias), storages.root(alias)) for alias in aliases
    ]


def health(timeout: float = 10.0) -> dict[str, StorageHealth]:
    """Of every storage, by alias; one that does not answer in time, or cannot be opened, is not healthy."""
    return run(lambda storages: _health(storages, timeout))


async def health_of(storages: Storages, alias: str, timeout: float) -> StorageHealth:
    """Of one, for whoever is on the storages' loop already; never an error."""
    try:
        return await asyncio.wait_for(storages.get(alias).health_check(), timeout)
    except TimeoutError:
        return StorageHealth(False, f"The storage did not answer within {timeout:g} seconds.")
    except StorageError as error:
        return StorageHealth(False, error.message, {"code": str(error.code), **error.details})


def pieces_of(stream: StorageStream) -> Iterator[bytes]:
    """A stream that `run` gave, read in sync code, and closed at the end."""
    try:
        while (piece := run(lambda _: anext(stream, None))) is not None:
            yield piece
    finally:
        run(lambda _: stream.aclose())


async def apieces_of(stream: StorageStream) -> AsyncIterator[bytes]:
    """As `pieces_of`, in async code."""
    try:
        while (piece := await arun(lambda _: anext(stream, None))) is not None:
            yield piece
    finally:
        await arun(lambda _: stream.aclose())


async def sent(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Pieces that somebody produces in sync code, for `write_stream`: asked for in a thread, as it may take long."""
    iterator = iter(pieces)
    while (piece := await asyncio.to_thread(next, iterator, None)) is not None:
        yield piece


async def asent(pieces: AsyncIterable[bytes], home: asyncio.AbstractEventLoop) -> AsyncIterator[bytes]:
    """Pieces that come on another loop, `home`, for `write_stream`: a request's body."""
    iterator = aiter(pieces)

    async def step() -> bytes | None:
        return await anext(iterator, None)

    while (piece := await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(step(), home))) is not None:
        yield piece


def close() -> None:
    """Closes what is open; what is asked for later is opened again."""
    _process.close()


class _Process:
    def __init__(self) -> None:
        self.loop = LoopThread("storages")
        self._opening = threading.Lock()
        self._storages: Storages | None = None

    async def done(self, work: Work[T]) -> T:
        return await work(self._current())

    def close(self) -> None:
        with self._opening:
            storages, self._storages = self._storages, None
        self.loop.stop(_closed(storages))

    def _current(self) -> Storages:
        with self._opening:
            if self._storages is None:
                self._storages = Storages(getattr(settings, SETTING))
            return self._storages


async def _health(storages: Storages, timeout: float) -> dict[str, StorageHealth]:
    aliases = storages.aliases()
    found = await asyncio.gather(*(health_of(storages, alias, timeout) for alias in aliases))
    return dict(zip(aliases, found, strict=True))


async def _closed(storages: Storages | None) -> None:
    if storages:
        await storages.close()


def _start_anew() -> None:
    """In a child: threads and connections are the parent's."""
    global _process
    _process = _Process()


def _when_settings_change(*, setting: str, **rest: Any) -> None:
    if setting == SETTING:
        _process.close()


_process = _Process()
atexit.register(close)
setting_changed.connect(_when_settings_change)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
