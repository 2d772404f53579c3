"""Which blobs GitHub has from us though no commit names them yet."""

from collections import OrderedDict
from typing import Final

from storage_app.providers.github.clock import Clock

KEPT: Final = 2 * 3600.0  # seconds; GitHub keeps what nobody names for days
MOST: Final = 10_000


class Uploaded:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: OrderedDict[str, float] = OrderedDict()

    def add(self, sha: str) -> None:
        self._at[sha] = self._clock.now()
        self._at.move_to_end(sha)
        if len(self._at) > MOST:
            self._at.popitem(last=False)

    def __contains__(self, sha: str) -> bool:
        return self._at.get(sha, 0.0) > self._clock.now() - KEPT
