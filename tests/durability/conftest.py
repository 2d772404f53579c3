"""Counts what the fault tests went through, and prints it at the end of a run, whichever processes they ran in."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from pytest import FixtureRequest, TerminalReporter  # noqa: PT013 - names for annotations

Tally = Callable[[str, int], None]


@pytest.fixture
def tally(request: FixtureRequest) -> Iterator[Tally]:
    """Called with what was done and how often."""
    counts: Counter[str] = Counter()

    def count(what: str, times: int = 1) -> None:
        counts[what] += times

    yield count
    request.node.user_properties.extend(("durability", pair) for pair in counts.items())


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    totals: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", []):
            if name == "durability":
                totals[value[0]] += value[1]
    if totals:
        terminalreporter.section("durability of the file store")
        for what, times in sorted(totals.items()):
            terminalreporter.write_line(f"{times:>7} {what}, nothing acknowledged lost")
