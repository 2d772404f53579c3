"""The first steps of a newcomer, with the standard library alone: start, log in, make a token, call, stop, again.

Run by `.ci/run` before the tests: `python3 -m tests.smoke.first_steps`. The data folder is one of its own.
"""

import contextlib
import html.parser
import http.client
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MANAGE = [sys.executable, str(ROOT / "manage.py")]
# seconds that are promised on a machine with nothing else to do, and that a busy one may take before it is a fault
FIRST_START, SECOND_START, STOP = (90, 900), (3, 90), (3, 90)
LOGIN = re.compile(r"^\s*(?:First login:|Login)\s+(\S+)\s+(?:/|Password)\s+(\S+)", re.MULTILINE)
NEW_PASSWORD = "a-longer-one-of-the-newcomers-own"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="holdfast-smoke-") as folder:
        data = Path(folder) / "data"
        with started(data, FIRST_START) as (address, output):
            log_in(address, *printed_login(output))
            token = make_token(data)
            assert who_am_i(address, token)["projects"], "the token knows its project"
        before = files_of(data)
        assert before, "the data folder holds what was made"
        with started(data, SECOND_START) as (address, _):
            assert who_am_i(address, token)["projects"], "the token still works after a restart"
        assert before <= files_of(data), f"gone from the data folder: {before - files_of(data)}"
    say("The first steps work.")


@contextlib.contextmanager
def started(data: Path, limits: tuple[int, int]) -> Iterator[tuple[str, Path]]:
    """`up` on a free port, ready; afterwards stopped, with nothing left of it."""
    port = free_port()
    output = data.parent / f"up-{port}.log"
    began = time.monotonic()
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*MANAGE, "up", "--port", str(port)],
            env=os.environ | {"HOLDFAST_DATA_DIR": str(data)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        promised, most = limits
        wait_until_ready(process, f"http://127.0.0.1:{port}", began + most)
        took = f"{time.monotonic() - began:.1f} s"
        say(f"/readyz answered 200 after {took} (promised in {promised} s where nothing else runs)")
        yield f"http://127.0.0.1:{port}", output
        stop(process, port, data)
    except BaseException:
        sys.stderr.write(output.read_text(encoding="utf-8", errors="replace"))
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_until_ready(process: "subprocess.Popen[bytes]", address: str, deadline: float) -> None:
    answer = "nothing"
    while time.monotonic() < deadline:
        assert process.poll() is None, f"up ended with code {process.returncode}"
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                return
        except urllib.error.HTTPError as error:
            answer = f"{error.code} {error.read().decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            answer = str(error)
        time.sleep(0.05)
    raise AssertionError(f"/readyz was not 200 in time; last: {answer}")


def stop(process: "subprocess.Popen[bytes]", port: int, data: Path) -> None:
    began = time.monotonic()
    promised, most = STOP
    process.terminate()
    code = process.wait(timeout=most)
    assert code == 0, f"up ended with code {code} after SIGTERM"
    assert not left_running(process.pid, data), f"still running: {left_running(process.pid, data)}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    say(f"stopped after {time.monotonic() - began:.1f} s (promised in {promised} s), nothing left running, port free")


def left_running(group: int, data: Path) -> list[str]:
    """Whatever is in its process group, and on Linux whatever has its data folder in the environment."""
    found = [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if str(data) in text_of(path)]
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return found
    return found or [f"group {group}"]


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # ended meanwhile, or somebody else's
        return ""


def printed_login(output: Path) -> tuple[str, str]:
    """Printed a moment after /readyz, once `up` has seen it itself."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := LOGIN.search(output.read_text(encoding="utf-8")):
            return found[1], found[2]
        time.sleep(0.05)
    raise AssertionError("up printed no first login")


def log_in(address: str, name: str, password: str) -> None:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    landed = fill_in(browser, f"{address}/login/", lambda field: name if field == "username" else password)
    if "password" in landed:  # the printed one is for one time
        fill_in(browser, landed, lambda field: password if field.startswith("old") else NEW_PASSWORD)
    with browser.open(f"{address}/account/", timeout=60) as page:
        assert page.url == f"{address}/account/", f"not logged in, but led to {page.url}"
        assert name in page.read().decode(), "the account page names who is logged in"
    say(f"logged in as {name}, with a password of one's own")


def fill_in(browser: urllib.request.OpenerDirector, address: str, fill: Callable[[str], str]) -> str:
    """Where the answer to the page's form leads."""
    with browser.open(address, timeout=60) as page:
        form = Form(page.read().decode())
    assert form.blank, f"{address} has no form to fill in"
    body = urllib.parse.urlencode(form.hidden | {field: fill(field) for field in form.blank}).encode()
    with browser.open(urllib.request.Request(address, body, {"Referer": address}), timeout=60) as answer:
        assert answer.url != address, f"{address} did not accept the form"
        return str(answer.url)


class Form(html.parser.HTMLParser):
    """The fields of a page: hidden ones with their values, and those for a name or a password."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.blank: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag != "input" or "name" not in found:
            return
        if found.get("type") == "hidden":
            self.hidden[found["name"]] = found.get("value", "")
        elif found.get("type") == "password" or found["name"] == "username":
            self.blank.append(found["name"])


def make_token(data: Path) -> str:
    manage(data, "projects", "create", "smoke")
    made = manage(data, "tokens", "create", "--project", "smoke", "--scope", "read")
    say("made a project and a token")
    return str(made["token"])


def manage(data: Path, *arguments: str) -> dict[str, object]:
    environ = os.environ | {"HOLDFAST_DATA_DIR": str(data)}
    done = subprocess.run(
        [*MANAGE, *arguments, "--json"], env=environ, stdout=subprocess.PIPE, timeout=120, check=True
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def who_am_i(address: str, token: str) -> dict[str, object]:
    request = urllib.request.Request(f"{address}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))


def files_of(data: Path) -> set[str]:
    """Without what belongs to a running process only."""
    names = (str(path.relative_to(data)) for path in data.rglob("*") if path.is_file())
    return {name for name in names if not name.endswith(("-wal", "-shm", ".lock", ".tmp"))}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(text: str) -> None:
    print(f"smoke: {text}", flush=True)


if __name__ == "__main__":
    main()
