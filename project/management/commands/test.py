"""`manage.py test`: every check, a line each, and pytest's own summary last. With arguments: only pytest, with them."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand

from project import chromium
from project.config import ROOT

MANAGE = [sys.executable, str(ROOT / "manage.py")]
STEPS = {
    "ruff check": [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "."],
    "ruff format --check": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "mypy": [sys.executable, "-m", "mypy"],
    "makemigrations --check": [*MANAGE, "makemigrations", "--check", "--dry-run"],
    "check": [*MANAGE, "check", "--fail-level", "WARNING"],
    "lock --check": [*MANAGE, "lock", "--check"],
}
BROWSER_TESTS = "tests/browser"
NO_CHROMIUM = (
    "the browser tests were left out, as there is no Chromium that starts: install one "
    "(Debian, Ubuntu: `apt-get install chromium`), or set CHROMIUM to its path"
)
NOTICES = "TEST_NOTICES"  # read by tests/notices.py


class Command(BaseCommand):
    help = "Runs every check and test; with arguments only pytest, which gets them: `manage.py test -k claim -x`."
    requires_system_checks = []

    def run_from_argv(self, argv: list[str]) -> None:
        """Past Django's parser, which would take -v and -h for its own and refuse what only pytest knows."""
        if argv[2:] in (["-h"], ["--help"]):
            self.print_help(argv[0], argv[1])
        else:
            sys.exit(self._run(argv[2:]))

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(self._run([]))

    def _run(self, arguments: list[str]) -> int:
        failed = [] if arguments else [title for title, command in STEPS.items() if not self._passes(title, command)]
        browser = self._chromium(may_install=not arguments)
        if browser is None and os.environ.get("CI") == "true":
            failed.append("browser tests")
        if failed:
            self.stdout.write(f"FAILED before pytest: {', '.join(failed)}")
        self.stdout.flush()
        code = _pytest(arguments or ["-n", str(_cores()), "--dist", "worksteal"], browser, failed)
        return code or (1 if failed else 0)

    def _passes(self, title: str, command: list[str]) -> bool:
        self.stdout.write(f"{title} … ", ending="")
        self.stdout.flush()
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        outcome = "ok" if done.returncode == 0 else "FAILED"
        self.stdout.write(f"{outcome}, {time.monotonic() - began:.1f} s")
        if done.returncode != 0:
            self.stdout.write(f"{done.stdout}{done.stderr}".rstrip())
        return done.returncode == 0

    def _chromium(self, *, may_install: bool) -> str | None:
        found = chromium.find()
        if found is None and may_install:
            self.stdout.write("Chromium is not here; trying to install it …")
            self.stdout.flush()
            found = chromium.install()
        if found is None:
            self.stdout.write(f"Note: {NO_CHROMIUM}.")
        return str(found) if found else None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pytest(arguments: list[str], browser: str | None, failed: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-p", "tests.notices", *arguments]
    notices = [f"FAILED before pytest: {', '.join(failed)}"] if failed else []
    environ = dict(os.environ)
    if browser:
        environ[chromium.VARIABLE] = browser
    else:
        command.append(f"--ignore={BROWSER_TESTS}")
        notices.append(f"{NO_CHROMIUM}.")
    return _to_its_end(command, environ | {NOTICES: "\n".join(notices)})


def _to_its_end(command: list[str], environ: dict[str, str]) -> int:
    process = subprocess.Popen(command, cwd=ROOT, env=environ)
    # Ctrl-C reaches both from the terminal: pytest ends with its summary, this one waits for it
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()
