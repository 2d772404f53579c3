"""Two ways to do the same, in turn within one run: what shares the machine then slows both."""

import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

Step = Callable[[int], Awaitable[object]]


class Pair(NamedTuple):
    """Each step is given a number of its own, for names that are new."""

    name: str
    ours: Step
    yardstick: str
    theirs: Step
    steps: int = 20


async def compared(pairs: list[Pair], rounds: int) -> list[str]:
    lines = [f"  {'operation':36} {'ours':>11} {'times':>8}  {'of what':30} (25 % to 75 %)"]
    for pair in pairs:
        numbers = iter(range(1_000_000))
        await pair.ours(next(numbers))
        await pair.theirs(next(numbers))
        taken = [
            (await _taken(pair.ours, pair.steps, numbers), await _taken(pair.theirs, pair.steps, numbers))
            for _ in range(rounds)
        ]
        ratios = [ours / theirs for ours, theirs in taken]
        low, middle, high = statistics.quantiles(ratios, n=4)
        ours = statistics.median(ours for ours, _ in taken)
        lines.append(
            f"  {pair.name:36} {ours * 1000:8.3f} ms {middle:8.2f}  {pair.yardstick:30} ({low:.2f} to {high:.2f})"
        )
    return lines


async def _taken(step: Step, steps: int, numbers: Iterator[int]) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        await step(next(numbers))
    return (time.perf_counter() - start) / steps
