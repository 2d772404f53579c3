"""`manage.py bench http`: the whole server against granian's WSGI interface with the same call, and under a crowd.

Every round measures all of them one after the other, and a ratio is taken within its round: the machine's moods are
the same for both. Figures are medians, with the spread of the rounds.
"""

import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.choices import at_least

LONG_POLLS = 1000
EVENT_STREAMS = 200
WSGI = "tests.benchmarks.http_site.granian_wsgi"
OURS = "project.serving.server"
PATH = "/api/v1/trivial"


@dataclass(frozen=True)
class Subject:
    name: str
    port: int
    method: str = "GET"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=at_least(1), default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="for each measurement")
    parser.add_argument("--connections", type=at_least(1), default=16)


def run(*, rounds: int, seconds: float, connections: int) -> Iterator[str]:
    """Lines of the report."""
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory())
        bare = stack.enter_context(_server(data, WSGI, "none"))
        wsgi = stack.enter_context(_server(data, WSGI, "all"))
        ours = stack.enter_context(_server(data, OURS, "all"))
        crowded = stack.enter_context(_server(data, OURS, "all"))
        before = _threads(crowded)
        stack.enter_context(_crowd(crowded))
        after = _threads(crowded)
        subjects = [
            Subject("granian WSGI, no middleware", bare),
            Subject("granian WSGI, all middleware", wsgi),
            Subject("Holdfast", ours),
            Subject("Holdfast with the crowd", crowded),
            Subject("granian WSGI, all, POST", wsgi, "POST"),
            Subject("Holdfast, POST", ours, "POST"),
        ]
        rates = _measure(subjects, rounds, seconds, connections)
    yield f"{rounds} rounds of {seconds} s, {connections} connections, one process each, {os.cpu_count()} cores"
    yield ""
    for subject in subjects:
        seen = rates[subject]
        yield f"{subject.name:<30} {statistics.median(seen):8,.0f}/s   {min(seen):,.0f} to {max(seen):,.0f}"
    yield ""
    bare_s, wsgi_s, ours_s, crowded_s, wsgi_post, ours_post = subjects
    for label, one, other, target in [
        ("Holdfast / WSGI without middleware", ours_s, bare_s, ">= 0.5"),
        ("Holdfast / WSGI with the same", ours_s, wsgi_s, ">= 0.5"),
        ("Holdfast / WSGI with the same, POST", ours_post, wsgi_post, ">= 0.5"),
        ("with the crowd / without", crowded_s, ours_s, "> 0.8"),
    ]:
        ratios = [a / b for a, b in zip(rates[one], rates[other], strict=True)]
        yield f"{label:<36} {statistics.median(ratios):.2f}   {min(ratios):.2f} to {max(ratios):.2f}   wanted {target}"
    yield f"Python threads of the server: {before} before the crowd of {LONG_POLLS + EVENT_STREAMS:,}, {after} with it"


def _measure(subjects: list[Subject], rounds: int, seconds: float, connections: int) -> dict[Subject, list[float]]:
    rates: dict[Subject, list[float]] = {subject: [] for subject in subjects}
    for subject in subjects:
        _rate(subject, 0.5, connections)
    for turn in range(rounds):
        # the order turns, so that nobody always follows the same one
        for subject in subjects if turn % 2 == 0 else reversed(subjects):
            rates[subject].append(_rate(subject, seconds, connections))
    return rates


def _rate(subject: Subject, seconds: float, connections: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.load", str(subject.port), str(seconds), str(connections)]
    done = subprocess.run(
        [*command, subject.method, PATH], check=False, capture_output=True, text=True, timeout=seconds + 60
    )
    if done.returncode:
        raise RuntimeError(f"{subject.name}: {done.stderr}")
    return float(done.stdout)


@contextlib.contextmanager
def _server(data: str, module: str, middleware: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.http_site.settings", "HOLDFAST_DATA_DIR": data}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *(["--port"] if module == OURS else []), str(port)],
        env={**os.environ, **settings, "BENCH_MIDDLEWARE": middleware},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_answer(port)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if _get(port, PATH) == {"ok": True}:
                return
        time.sleep(0.05)
    raise TimeoutError(f"no server answers on port {port}")


@contextlib.contextmanager
def _crowd(port: int) -> Iterator[None]:
    """Connections that only wait cost their holder nothing, so this process holds them."""
    _raise_file_limit()
    lines: list[socket.socket] = []
    try:
        for number in range(LONG_POLLS + EVENT_STREAMS):
            line = socket.create_connection(("127.0.0.1", port), timeout=30)
            lines.append(line)
            path = "/api/v1/wait" if number < LONG_POLLS else "/api/v1/events"
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        for line in lines[LONG_POLLS:]:
            if not line.recv(64).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("an event stream was refused")
        yield
    finally:
        for line in lines:
            line.close()


def _raise_file_limit() -> None:
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _threads(port: int) -> int:
    return _get(port, "/api/v1/threads")["threads"]


def _get(port: int, path: str) -> dict[str, int]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        line.request("GET", path, headers={"Host": "localhost"})
        answer: dict[str, int] = json.loads(line.getresponse().read())
        return answer
    finally:
        line.close()
