"""`manage.py up` starts everything, keeps it running, and leaves nothing behind."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from project.supervisor import Supervisor
from tests.project.servers import PATIENCE, ROOT, alive, answered, free_port, kill, until

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="kills by POSIX signals"), pytest.mark.long]


class Up:
    def __init__(self, data: Path, port: int, *options: str, **environ: str) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port), *options],
            cwd=ROOT,
            env={**_plain_environment(), "HOLDFAST_DATA_DIR": str(data), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def says(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def await_line(self, text: str) -> None:
        until(lambda: self.says(text) or self.process.poll() is not None, f"{text}\n{self.text()}")
        assert self.says(text), self.text()

    def text(self) -> str:
        return "".join(self.lines)

    def children(self) -> dict[str, int]:
        found = subprocess.run(["pgrep", "-P", str(self.process.pid), "-a"], capture_output=True, text=True)
        pids = {}
        for line in found.stdout.splitlines():
            pid, _, command = line.partition(" ")
            names = {"serving.server": "server", "project.consumer": "consumer", "project.demo_fleet": "fleet"}
            pids[next(name for module, name in names.items() if module in command)] = int(pid)
        return pids

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def end_by_itself(self) -> int:
        self.process.wait(PATIENCE)
        return self.end()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)


def test_two_may_start_at_once_on_one_folder_say_how_to_log_in_and_stop_and_start_again(tmp_path: Path) -> None:
    both = [Up(tmp_path / "data", free_port()) for _ in range(2)]
    try:
        for one in both:
            one.await_line("Ctrl-C stops it")
            assert _answers(one)
            assert one.says(f"curl {one.url}/api/v1/openapi.json")
            assert one.says(f'tokens create --server --days 1)" {one.url}/api/v1/me')
        assert sum(one.says("migrations applied") for one in both) == 1
        assert sum(one.says("  Password   ") for one in both) == 1
        children = [one.children() for one in both]
        assert [set(names) for names in children] == [{"server", "consumer"}] * 2
        both[0].process.send_signal(signal.SIGINT)
    finally:
        codes = [one.end() for one in both]
    assert codes == [0, 0]
    assert not any(one.says("Traceback") for one in both)
    assert not [pid for names in children for pid in names.values() if alive(pid)]

    again = Up(tmp_path / "data", both[0].port)
    try:
        again.await_line("Ctrl-C stops it")
        assert not again.says("Password")
        assert not again.says("applied")
        assert not again.says("collected")
        what_is_killed_is_started_again_and_what_is_orphaned_ends(again)
    finally:
        again.end()


def what_is_killed_is_started_again_and_what_is_orphaned_ends(up: Up) -> None:
    before = up.children()
    for pid in before.values():
        kill(pid)
    up.await_line("The server was ended by SIGKILL")
    up.await_line("The consumer was ended by SIGKILL")
    until(lambda: set(up.children().values()).isdisjoint(before.values()) and len(up.children()) == 2, "both are back")
    until(lambda: _answers(up), "the server answers again")

    now = up.children()
    kill(up.process.pid)
    until(lambda: not [pid for pid in now.values() if alive(pid)], "the children end with their parent")
    until(lambda: not _taken(up.port), "the port is free")


def test_behind_a_proxy_that_speaks_https_everything_is_secure_and_the_sample_fleet_works(prepared_data: Path) -> None:
    name = "holdfast.example.org"
    environ = {"HOLDFAST_PUBLIC_URL": f"https://{name}", "HOLDFAST_TRUSTED_PROXIES": "127.0.0.1"}
    one = Up(prepared_data, free_port(), "--workers", "2", "--demo", **environ)
    try:
        one.await_line("Ctrl-C stops it")
        assert one.says(f"https://{name}/")
        children = one.children()
        assert set(children) == {"server", "consumer", "fleet"}
        until(lambda: _held_jobs(prepared_data), "the fleet takes jobs")
        everything_is_secure(one, name)
    finally:
        assert one.end() == 0, one.text()
    assert not [pid for pid in children.values() if alive(pid)]
    assert not one.says("Traceback"), one.text()
    the_fleet_goes_on(prepared_data)


def everything_is_secure(one: Up, name: str) -> None:
    with httpx.Client(base_url=one.url, headers={"Host": name}, timeout=PATIENCE) as plain:
        assert plain.get("/login/").headers["Location"] == f"https://{name}/login/"
        assert plain.get("/readyz").status_code == 200
    forwarded = {"Host": name, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    with httpx.Client(base_url=one.url, headers=forwarded, timeout=PATIENCE) as proxied:
        page = proxied.get("/login/")
        assert page.status_code == 200
        assert page.headers["Strict-Transport-Security"].startswith("max-age=31536000; includeSubDomains")
        cookies = page.headers.get_list("Set-Cookie")
        assert cookies
        assert all(cookie.startswith("__Host-") and "; Secure" in cookie for cookie in cookies)
        assert proxied.get("/static/favicon.svg").headers["Strict-Transport-Security"]
        assert proxied.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_a_taken_port_is_one_sentence_and_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        one = Up(tmp_path / "data", port)
        assert one.end_by_itself() == 2
    assert one.text().strip().endswith(f"Port {port} on 127.0.0.1 is in use; choose another with --port.")
    assert "Traceback" not in one.text()


def test_a_child_that_cannot_live_is_held_back_longer_each_time() -> None:
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    supervisor = Supervisor(
        {"child": [sys.executable, "-S", "-c", "print('no'); raise SystemExit(3)"]}, said.put, dict(os.environ)
    )
    supervisor.start()
    running = threading.Thread(target=supervisor.run)
    running.start()
    try:
        pauses: list[float] = []
        while len(pauses) < 5:
            line = said.get(timeout=PATIENCE)
            if "ended with code 3" in line:
                pauses.append(float(line.partition("again in ")[2].partition(" s")[0]))
    finally:
        supervisor.stop()
        running.join(PATIENCE)
    assert pauses == sorted(set(pauses))
    assert "5th time in a row" in line
    assert not running.is_alive()


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "DJANGO_"))}


def _answers(one: Up) -> bool:
    return answered(one.port, "/healthz") is not None


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def the_fleet_goes_on(data: Path) -> None:
    left = _held_jobs(data)
    again = subprocess.Popen(
        [sys.executable, "-m", "project.demo_fleet", "--lifeline"],
        cwd=ROOT,
        env={**_plain_environment(), "HOLDFAST_DATA_DIR": str(data)},
        stdin=subprocess.PIPE,
    )
    try:
        until(lambda: _held_jobs(data) - left, "the fleet takes jobs again")
    finally:
        again.communicate(timeout=PATIENCE)
    assert again.returncode == 0


def _held_jobs(data: Path) -> set[str]:
    return {path.name for path in (data / "records" / "demo" / "jobs" / "processing").rglob("*.json")}
