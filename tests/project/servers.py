"""Real servers on free ports for the tests, and the plainest of clients."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0  # seconds; only what fails needs them


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain: {what}"
        time.sleep(0.02)


def answered(port: int, path: str) -> bytes | None:
    """The body of a 200, or None. For those who ask again and again: a client of httpx takes 20 ms to make."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.read() if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        line.close()


class Server:
    """The server of tests/project/site, in processes of its own."""

    def __init__(self, data: Path, *options: str, **environ: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = data
        self.marks = data / "marks"
        self.marks.mkdir(parents=True)
        settings = {"DJANGO_SETTINGS_MODULE": "tests.project.site.settings", "HOLDFAST_DATA_DIR": str(data)}
        self._log = (data / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "project.serving.server", "--port", str(self.port), "--lifeline", *options],
            cwd=ROOT,
            env={**os.environ, **settings, **environ},
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            until(self._answers, "the server answers")
        except BaseException:
            self.end()
            raise

    def mark(self, name: str) -> None:
        (self.marks / name).touch()

    def forget_marks(self) -> None:
        for mark in self.marks.iterdir():
            mark.unlink()

    def await_mark(self, name: str) -> None:
        until((self.marks / name).exists, f"the mark {name}\n{self.log()}")

    def log(self) -> str:
        return (self.data / "log").read_text(errors="replace")

    def worker(self) -> int:
        """Raises ConnectionError while none is there."""
        seen = answered(self.port, "/seen")
        if seen is None:
            raise ConnectionError
        pid: int = json.loads(seen)["pid"]
        return pid

    def raw(self, *sent: bytes, patience: float = PATIENCE) -> bytes:
        """What comes back for these bytes until the server closes, or has been silent for so long."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as line:
            for part in sent:
                line.sendall(part)
            return received(line)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._log.close()

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        return answered(self.port, "/seen") is not None


def received(line: socket.socket) -> bytes:
    answer = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while part := line.recv(65536):
            answer += part
    return answer


def alive(pid: int) -> bool:
    """A zombie counts as dead: nobody may be there to bury it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    if not status.exists():
        return sys.platform != "linux"
    with contextlib.suppress(OSError):
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@contextlib.contextmanager
def running(data: Path, *options: str, **environ: str) -> Iterator[Server]:
    server = Server(data, *options, **environ)
    try:
        yield server
    finally:
        server.end()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def parsed(answer: bytes) -> tuple[int, Any]:
    """Status and JSON of a raw answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), json.loads(body)
