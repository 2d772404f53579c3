"""How long to wait before trying again."""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles with each try up to a limit; the jitter spreads what failed together over the last part of the wait."""

    first: timedelta = timedelta(seconds=10)
    longest: timedelta = timedelta(hours=1)
    jitter: float = 0.25

    def wait(self, tries: int, source: random.Random) -> timedelta:
        """The wait after this many failed tries, from 1 on."""
        doublings = min(max(tries, 1) - 1, 30)
        whole = min(self.longest, self.first * (1 << doublings))
        return whole * (1 - self.jitter * source.random())
