"""What the fault tests went through, printed at the end of a run, whichever processes they ran in."""

from collections import Counter
from typing import Final

import pytest

PROPERTY: Final = "durability"


def print_totals(reporter: pytest.TerminalReporter) -> None:
    totals: Counter[str] = Counter()
    for report in reporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", []):
            if name == PROPERTY:
                totals[value[0]] += value[1]
    if totals:
        reporter.section("durability")
        for what, times in sorted(totals.items()):
            reporter.write_line(f"{times:>7} {what}, nothing acknowledged lost")
