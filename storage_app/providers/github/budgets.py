"""How much content may be made in a minute and in an hour: a limit that no header tells of.

GitHub allows 80 requests that make content in a minute and 500 in an hour, and bans who goes on against refusals. So
they are counted here, as far as this process sends them; for what others send, its refusals are obeyed.
"""

from collections import deque
from typing import Final, NamedTuple

from storage_app.providers.github.clock import Clock


class Window(NamedTuple):
    seconds: float
    most: int


WINDOWS: Final = (Window(60.0, 80), Window(3600.0, 500))


class ContentBudget:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: deque[float] = deque(maxlen=max(window.most for window in WINDOWS))

    def take(self) -> None:
        self._sent.append(self._clock.now())

    def free_at(self) -> float:
        """When one more may be sent; the past, if now."""
        return max((self._free_at(window) for window in WINDOWS), default=0.0)

    def state(self) -> list[dict[str, float]]:
        """For people and metrics."""
        now = self._clock.now()
        return [
            {
                "seconds": window.seconds,
                "limit": window.most,
                "remaining": window.most - sum(at > now - window.seconds for at in self._sent),
            }
            for window in WINDOWS
        ]

    def _free_at(self, window: Window) -> float:
        """The oldest of the last `most` has to be a whole window old."""
        if len(self._sent) < window.most:
            return 0.0
        return self._sent[-window.most] + window.seconds
