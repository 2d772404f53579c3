"""A record store for async code: calls run in a small pool of threads that stay, waiting costs no thread.

records = AsyncRecords(store)
job = await records.run(store.get, "project", "jobs", id)
counter = await records.wait_for_change("project", "jobs", seen, timeout=60)
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeAlias, TypeVar

from storage_app.records.base import POLL_SECONDS, RecordStore

P = ParamSpec("P")
T = TypeVar("T")
_Place: TypeAlias = tuple[str, str, str | None]

_THREADS: Final = 8


class AsyncRecords:
    """Belongs to one event loop. The threads stay, so that a database connection of theirs is used again."""

    def __init__(self, store: RecordStore, *, threads: int = _THREADS) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="records")
        self._waiting: dict[_Place, list[asyncio.Future[None]]] = {}
        self._seen: dict[_Place, int] = {}
        self._poller: asyncio.Task[None] | None = None

    async def run(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The method's answer or error, from a thread of the pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(method, *args, **kwargs))

    async def wait_for_change(
        self, project: str, collection: str, seen: int, timeout: float, stream: str | None = None
    ) -> int:
        """As the store's, without a thread: all who wait share one look at the counters ten times a second."""
        place = (project, collection, stream)
        deadline = asyncio.get_running_loop().time() + timeout
        while (counter := await self.run(self._store.change_counter, *place)) == seen:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not await self._woken(place, counter, left):
                return await self.run(self._store.change_counter, *place)
        return counter

    async def close(self) -> None:
        """Ends the waiting; the store itself is its owner's to close."""
        if self._poller:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
        self._pool.shutdown(wait=False)

    async def _woken(self, place: _Place, counter: int, timeout: float) -> bool:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(place, []).append(future)
        self._seen.setdefault(place, counter)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            await asyncio.wait_for(future, timeout)
        except TimeoutError:
            return False
        finally:
            self._forget(place, future)
        return True

    def _forget(self, place: _Place, future: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(place, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._waiting.pop(place, None)
            self._seen.pop(place, None)

    async def _poll(self) -> None:
        """Runs while anyone waits. A failure goes to those who wait, who would otherwise wait in vain."""
        while self._waiting:
            await asyncio.sleep(POLL_SECONDS)
            places = list(self._waiting)
            try:
                counters = await self.run(self._counters, places)
            except Exception as error:  # noqa: BLE001 - handed on, to be raised where somebody waits
                for future in [future for place in places for future in self._waiting.get(place, [])]:
                    if not future.done():
                        future.set_exception(error)
                continue
            for place in places:
                if counters[place] != self._seen.get(place):
                    for future in self._waiting.get(place, []):
                        if not future.done():
                            future.set_result(None)

    def _counters(self, places: list[_Place]) -> dict[_Place, int]:
        return {place: self._store.change_counter(*place) for place in places}
