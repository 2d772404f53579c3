"""Time, waiting and chance, so that tests need neither."""

import asyncio
import random
import time


class Clock:
    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def chance(self) -> float:
        """From 0 to 1."""
        return random.random()  # noqa: S311 - spreads retries, protects nothing
