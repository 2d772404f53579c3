"""`manage.py test`: every check, a line each, and pytest's own summary last. With arguments: only pytest, with them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there gets a random name
ROOM = 6 << 30  # bytes; a run needs about a third of it at its fullest


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
        with _in_memory():
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


@contextmanager
def _in_memory() -> Iterator[None]:
    """Temporary files in memory, where there is room: tests make and remove some hundred thousand, and a slow disk
    would say nothing about us. What a process had written when it was killed stays there as it does on a disk.
    """
    if "TMPDIR" in os.environ or not _has_room(SHARED_MEMORY):
        yield
        return
    folder = tempfile.mkdtemp(prefix="holdfast-", dir=SHARED_MEMORY)
    Path(folder).chmod(0o755)  # PostgreSQL runs as another user, where we are root
    os.environ["TMPDIR"] = folder
    try:
        yield
    finally:
        del os.environ["TMPDIR"]
        shutil.rmtree(folder, ignore_errors=True)  # a process that is just ending may still write there


def _has_room(folder: Path) -> bool:
    """Of a file system in memory, and of the memory itself; programs must be allowed to run from there."""
    try:
        system = os.statvfs(folder)
        available = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2].split()[0]
    except (OSError, AttributeError, IndexError):  # not Linux
        return False
    free = min(system.f_bavail * system.f_frsize, int(available) * 1024)
    return free >= ROOM and not system.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)


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
