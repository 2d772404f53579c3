"""Where Chromium is: the machine's own, else Playwright's. `install()` fetches one where that is allowed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

WITHOUT_WINDOWS = "chromium-headless-shell"  # the same engine, and nothing around pages that would have to be drawn
WITH_WINDOWS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
NAMES = (WITHOUT_WINDOWS, *WITH_WINDOWS)
PACKAGES = (WITHOUT_WINDOWS, "chromium")
PLACES = (
    *("/Applications/Chromium.app/Contents/MacOS/Chromium",),
    *("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",),
    *(f"{os.environ.get(name, '')}/Google/Chrome/Application/chrome.exe" for name in ("PROGRAMFILES", "LOCALAPPDATA")),
)
VARIABLE = "CHROMIUM"
ANSWER_SECONDS = 20
INSTALL_SECONDS = 180


def find() -> Path | None:
    """The first Chromium that starts. The variable CHROMIUM, where it is set, is the only one tried."""
    chosen = os.environ.get(VARIABLE)
    candidates = [Path(chosen)] if chosen else _candidates()
    return next((path for path in candidates if _starts(path)), None)


def install() -> Path | None:
    """Playwright's download, else the package manager as root on Debian or Ubuntu; none where neither gives one."""
    for commands in (_from_playwright(), *(_from_the_package_manager(package) for package in PACKAGES)):
        if commands and all(_succeeds(command) for command in commands) and (path := find()):
            return path
    return None


def _candidates() -> Iterator[Path]:
    yield from (Path(found) for name in NAMES if (found := shutil.which(name)))
    yield from (Path(place) for place in PLACES)
    yield from _of_playwright()


def _of_playwright() -> Iterator[Path]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:  # an environment without the parts of the tests
        return
    with sync_playwright() as playwright:
        yield Path(playwright.chromium.executable_path)


def _starts(path: Path) -> bool:
    """Ubuntu's `chromium-browser` may be a mere hint to install a snap; a download may lack its libraries."""
    return path.is_file() and _succeeds([str(path), "--version"], ANSWER_SECONDS)


def _from_playwright() -> list[list[str]]:
    return [[sys.executable, "-m", "playwright", "install", "chromium"]]


def _from_the_package_manager(package: str) -> list[list[str]]:
    if sys.platform == "win32" or os.geteuid() != 0 or not shutil.which("apt-get"):
        return []
    return [["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", package]]


def _succeeds(command: list[str], seconds: float = INSTALL_SECONDS) -> bool:
    try:
        process = _start(command)
    except OSError:  # no program of this machine
        return False
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        _end(process)
        return False


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "15000"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=environ, start_new_session=True)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """With what it started: a download runs in a child of the one that was called."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
