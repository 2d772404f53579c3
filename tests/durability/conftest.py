"""Counts what the fault tests went through, and prints it at the end of a run, whichever processes they ran in."""

from collections import Counter
from collections.abc import Callable

import pytest
from pytest import FixtureRequest, TerminalReporter  # noqa: PT013 - names for annotations

Tally = Callable[[str, int], None]


@pytest.fixture
def tally(request: FixtureRequest) -> Tally:
    """Called with what was done and how often; a test whose number is 0 proves nothing and fails."""

    def count(what: str, times: int) -> None:
        assert times > 0
        request.node.user_properties.append(("durability", (what, times)))

    return count


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
