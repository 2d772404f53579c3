"""ULIDs: 26 signs that sort by time, what a storage without commits of its own calls a commit."""

import secrets
import threading
import time
from typing import Final

_SIGNS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, without I, L, O and U


class Ulids:
    """Ids that grow within this process, also within a millisecond and when the clock steps back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> str:
        fresh = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
        with self._lock:
            if fresh <= self._last or fresh >> 80 == self._last >> 80:
                # Not just one more: a guess of the neighbour should stay a guess.
                fresh = self._last + 1 + secrets.randbits(32)
            self._last = number = fresh
        return "".join(_SIGNS[number >> shift & 31] for shift in range(125, -1, -5))


new_ulid: Final = Ulids()
