"""Between a client and a server: passes requests on until told to lose an answer, to refuse, or to be silent."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["lose the answer", "refuse", "be silent", "break off"]
Matches = Callable[[str, str], bool]


@dataclass
class Interference:
    """`faults` hit the next requests that they match, once each. `seen` are all requests, as method and path."""

    address: str = ""
    faults: list[tuple[Matches, Fault]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    hit: list[str] = field(default_factory=list)
    status: int = 503
    closing: threading.Event = field(default_factory=threading.Event)

    def plan(self, method: str, fault: Fault, part: str = "", times: int = 1) -> None:
        for _ in range(times):
            self.faults.append((lambda verb, path: verb == method and part in path, fault))

    def take(self, method: str, path: str) -> Fault | None:
        self.seen.append(f"{method} {path}")
        for number, (matches, fault) in enumerate(self.faults):
            if matches(method, path):
                del self.faults[number]
                self.hit.append(f"{method} {path}")
                return fault
        return None


@contextmanager
def interference(upstream: str) -> Iterator[Interference]:
    target = urlsplit(upstream)
    state = Interference()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def handle_any(self) -> None:
            fault = state.take(self.command, self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if fault == "be silent":
                state.closing.wait(30)
                self.close_connection = True
                return
            if fault == "refuse":
                self.send_response(state.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.pass_on(body, fault)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - the server looks for these names

        def pass_on(self, body: bytes, fault: Fault | None) -> None:
            connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            if fault == "lose the answer":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            with suppress(ConnectionError):  # one who hung up before the end wants no more
                self.wfile.write(content[: len(content) // 2] if fault == "break off" else content)
            if fault == "break off":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
        assert not state.faults, "a planned fault that never hit proves nothing"
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def wait_until(condition: Callable[[], bool], deadline: float = 120) -> None:
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
