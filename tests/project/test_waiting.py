"""Those who wait hold no thread, hear at once, and leave nothing behind."""

import socket
import threading
from pathlib import Path

import httpx

from tests.project.servers import PATIENCE, Server, alive, kill, received, running, until


def ask(server: Server, path: str, **headers: str) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n".encode())
    return line


def threads(server: Server) -> int:
    return len(httpx.get(f"{server.url}/seen", timeout=PATIENCE).json()["threads"])


def test_many_who_wait_hold_no_thread_each(served: Server) -> None:
    served.forget_marks()
    lines = [ask(served, "/events", **{"Last-Event-ID": "many"}) for _ in range(60)] + [
        ask(served, "/later") for _ in range(60)
    ]
    for line in lines[:60]:
        assert line.recv(64)
    served.await_mark("later-began")
    # 16 threads that answer, 16 that stream, 16 of the server's own
    assert threads(served) < 60
    served.mark("go")
    for line in lines[60:]:
        assert b"201 Created" in line.recv(65536)
    for line in lines:
        line.close()
    served.await_mark("events-many-closed")


def test_an_answer_that_comes_later_keeps_its_status_and_the_promised_headers(served: Server) -> None:
    served.mark("go")
    answer = httpx.get(f"{served.url}/later")
    assert answer.status_code == 201
    assert answer.headers["x-promise"] == "kept"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["came"] is True
    assert answer.json()["thread"].startswith("request-")


def test_a_failure_that_comes_later_is_a_problem_document(served: Server) -> None:
    answer = httpx.get(f"{served.url}/fails-later")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"


def test_events_are_framed_and_hearts_beat(served: Server) -> None:
    with ask(served, "/events", **{"Last-Event-ID": "7"}) as line:
        text = b""
        while b"\n:\n" not in text.replace(b"\r\n", b"\n"):
            text += line.recv(4096)
    assert b"content-type: text/event-stream" in text
    assert b"retry: 2000\n\n" in text
    assert b"id: 7\nevent: greeting\ndata: hello\ndata: world\n\n" in text


def test_a_caller_who_hangs_up_frees_everything(served: Server) -> None:
    served.forget_marks()
    with ask(served, "/events", **{"Last-Event-ID": "one"}) as line:
        assert line.recv(64)
    served.await_mark("events-one-closed")
    with ask(served, "/later"):
        served.await_mark("later-began")
    served.await_mark("later-ended")


def test_a_stop_finishes_what_runs_and_ends_what_waits(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        events, later = ask(server, "/events"), ask(server, "/later")
        assert events.recv(64)
        server.await_mark("later-began")
        slow: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: slow.append(httpx.get(f"{server.url}/slow", timeout=PATIENCE)))
        asking.start()
        server.await_mark("slow-began")

        server.process.terminate()
        assert b"event: end\ndata: \n\n" in received(events)
        answer = received(later)
        assert b'"came": null, "open": false' in answer
        assert server.process.poll() is None, "the slow request is still being answered"

        server.mark("go")
        asking.join(PATIENCE)
        assert slow[0].json() == {"slow": "done"}
        assert server.process.wait(PATIENCE) == 0
        events.close()
        later.close()


def test_a_stop_has_a_deadline(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--stop-deadline", "1") as server, ask(server, "/slow?until=never"):
        server.await_mark("slow-began")
        server.process.terminate()
        assert server.process.wait(PATIENCE) is not None


def test_a_killed_worker_is_replaced_and_ends_with_its_killed_server(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        before = server.worker()
        kill(before)

        def replaced() -> bool:
            try:
                return server.worker() != before
            except ConnectionError:
                return False

        until(replaced, "another worker answers")
        worker = server.worker()
        kill(server.process.pid)
        until(lambda: not alive(worker), "the worker ends")


def test_a_server_whose_lifeline_ends_stops(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        worker = server.worker()
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(PATIENCE) == 0
        assert not alive(worker)
