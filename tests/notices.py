"""Says again, just above pytest's summary, what `manage.py test` found before pytest ran."""

import os

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    notices = os.environ.get("TEST_NOTICES")
    if notices:
        terminalreporter.section("before pytest", red=True)
        terminalreporter.write_line(notices, red=True)
