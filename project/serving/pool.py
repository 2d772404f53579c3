"""A fixed number of long-lived threads that do blocking work for the event loop.

Each hand-over costs one queue and one wake-up, a third of what an executor with its paired futures costs;
the threads live as long as the process, so their database connections are reused and closed by age.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Task = tuple[asyncio.Future[object], Callable[..., object], tuple[object, ...]]
Outcome = tuple[asyncio.Future[object], object, BaseException | None]


class Pool:
    def __init__(self, loop: asyncio.AbstractEventLoop, size: int, name: str) -> None:
        self._loop = loop
        self._tasks: SimpleQueue[Task] = SimpleQueue()
        self._outcomes: deque[Outcome] = deque()
        self._woken = False
        for number in range(size):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def run(self, function: Callable[..., T], *arguments: object) -> "asyncio.Future[T]":
        """Call on the event loop. The call itself is never interrupted; who is cancelled merely stops waiting."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._tasks.put((future, function, arguments))  # type: ignore[arg-type] # Future is invariant; only passed on
        return future

    def _work(self) -> None:
        while True:
            future, function, arguments = self._tasks.get()
            try:
                outcome: Outcome = (future, function(*arguments), None)
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits for it
                outcome = (future, None, error)
            self._outcomes.append(outcome)
            # append comes first: an outcome is either seen by the running settle, or wakes the next one
            if not self._woken:
                self._woken = True
                self._wake()
            # an idle thread must not keep the last request alive
            del future, function, arguments, outcome

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _settle(self) -> None:
        self._woken = False
        while self._outcomes:
            future, result, error = self._outcomes.popleft()
            if future.cancelled():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
