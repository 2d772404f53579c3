"""What `manage.py test` has pytest say besides: at once what fails, for a run that is stopped never comes to its
summary; and again, just above that summary, what was found before pytest ran.
"""

import os

import pytest


class FailuresAtOnce:
    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.terminal.write_line(f"\nFAILED {report.nodeid} ({report.when})", red=True)
            self.terminal.write_line(report.longreprtext)


@pytest.hookimpl(trylast=True)  # after the terminal's own
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(terminal, pytest.TerminalReporter):  # only the process that talks to people has one
        config.pluginmanager.register(FailuresAtOnce(terminal))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    notices = os.environ.get("TEST_NOTICES")
    if notices:
        terminalreporter.section("before pytest", red=True)
        terminalreporter.write_line(notices, red=True)
