"""A process that kills itself at a known place: no machine is too quick for it, and none too slow."""

import os
import signal
from typing import Any

from storage_app.records.base import RecordStore


def die_after(store: RecordStore, writes: int) -> None:
    """In the moment in which that write is durable, and before anybody knows."""
    apply, left = store.apply, iter(range(writes - 1, -1, -1))

    def apply_and_die(*args: Any, **options: Any) -> Any:
        results = apply(*args, **options)
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return results

    store.apply = apply_and_die  # type: ignore[method-assign]
