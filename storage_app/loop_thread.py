"""One event loop in a thread of its own: what is opened there keeps its connections, whichever thread asks.

Started when first needed. A process that forks leaves it behind, and its child starts its own.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_TIME_TO_END: Final = 5.0


class LoopThread:
    def __init__(self, name: str) -> None:
        self._name = name
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The answer, waited for in this thread; RuntimeError on the loop's own thread, which would wait for itself."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("this is the loop's own thread: await instead")
        future = self._submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # of interest only if we were interrupted while waiting
            raise

    async def arun(self, work: Coroutine[Any, Any, T]) -> T:
        """The answer, awaited on any loop."""
        if threading.current_thread() is self._thread:
            return await work
        return await asyncio.wrap_future(self._submit(work))

    def stop(self, last: Coroutine[Any, Any, None]) -> None:
        """Runs `last` and ends the thread; harmless where nothing was started."""
        with self._starting:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            last.close()
            return
        try:
            asyncio.run_coroutine_threadsafe(last, loop).result(_TIME_TO_END)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_TIME_TO_END)

    def _submit(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._started())

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # A daemon: the end of the program must not wait for it, `stop` is called on the way there.
                self._thread = threading.Thread(target=_turn, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
