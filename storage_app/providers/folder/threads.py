"""A bounded pool of threads for work that blocks."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_THREADS: Final = 8


class Threads:
    """A pool that a fork does not inherit: its threads are the parent's."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def pool(self) -> ThreadPoolExecutor:
        if self._pool is None or self._process != os.getpid():
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="local-storage")
            self._process = os.getpid()
        return self._pool

    def close(self) -> None:
        if self._pool is not None and self._process == os.getpid():
            self._pool.shutdown(wait=False)
