"""What goes in over the wire is what Django sees, and what Django answers is what comes out."""

import hashlib
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from project.security_headers import HEADERS
from tests.project.servers import PATIENCE, Server, parsed, received, running, until


def environ(served: Server, path: str = "/environ/x", **headers: str) -> dict[str, object]:
    answer: dict[str, object] = httpx.get(f"{served.url}{path}", headers=headers).json()
    return answer


def test_a_request_without_a_body_is_answered_in_a_thread_of_the_server(served: Server) -> None:
    """The shortcut knows granian's inside; when a new granian differs, this says so before a benchmark does."""
    names = {httpx.get(f"{served.url}/connections").json()["name"] for _ in range(3)}
    assert not [name for name in names if name.startswith("request-")]
    assert httpx.post(f"{served.url}/body", content=b"x").json()["thread"].startswith("request-")


def test_an_encoded_path_is_decoded_once_and_kept_raw(served: Server) -> None:
    seen = environ(served, "/environ/a%2Fb%2520%C3%A9?q=%20")
    assert seen["rest"] == "a/b%20é"
    assert seen["RAW_URI"] == "/environ/a%2Fb%2520%C3%A9"
    assert seen["QUERY_STRING"] == "q=%20"


@pytest.mark.parametrize("path", ["/environ/%ff", "/api/%00", "/environ/%"])
def test_a_strange_path_is_an_answer_and_no_accident(served: Server, path: str) -> None:
    status = served.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert status.split(b" ", 2)[1] in (b"200", b"400", b"404")


def test_duplicate_headers_are_joined(served: Server) -> None:
    status, seen = parsed(
        served.raw(
            b"GET /environ/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"X-Many: a\r\nX-Many: b\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n"
        )
    )
    assert status == 200
    assert (seen["HTTP_X_MANY"], seen["HTTP_COOKIE"]) == ("a,b", "a=1; b=2")


@pytest.mark.parametrize("header", ["Host: other", "Authorization: Bearer b"])
def test_a_second_header_that_could_mean_another_thing_is_refused(served: Server, header: str) -> None:
    status, problem = parsed(
        served.raw(
            b"GET /environ/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nConnection: close\r\n"
            + header.encode()
            + b"\r\n\r\n"
        )
    )
    assert (status, problem["code"]) == (400, "bad_request")


def test_an_underscore_does_not_pass_for_a_hyphen(served: Server) -> None:
    assert "HTTP_X_SECRET" not in environ(served, X_Secret="1")


def test_http_1_0_and_options_and_head_are_answered(served: Server) -> None:
    assert b" 200 " in served.raw(b"GET /environ/x HTTP/1.0\r\nHost: localhost\r\n\r\n").splitlines()[0]
    assert httpx.options(f"{served.url}/environ/x").status_code == 200
    head = httpx.head(f"{served.url}/environ/x")
    assert head.status_code == 200
    assert head.content == b""
    assert int(head.headers["content-length"]) > 0


def test_expect_continue_is_told_to_continue(served: Server) -> None:
    answer = served.raw(
        b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
        b"Connection: close\r\n\r\n",
        b"hi",
    )
    assert answer.startswith(b"HTTP/1.1 100 Continue")
    assert b'"length": 2' in answer


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: +5",
        b"Content-Length: 5, 6",
    ],
)
def test_no_second_request_is_smuggled_in_a_body(served: Server, head: bytes) -> None:
    smuggled = b"GET /marks/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    both = b"POST /body HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n0\r\n\r\n" + smuggled
    answer = served.raw(both, patience=3)  # a second answer would follow the first at once
    # one reading of the length and one answer, or a refusal and the line closed; never 200 for what an
    # intermediary would have taken for the body of the first
    assert answer.count(b"HTTP/1.1 ") <= 1 or answer.startswith(b"HTTP/1.1 400")
    assert not (served.marks / "smuggled").exists()


@pytest.mark.parametrize("size", [40_000, 1_000_000])
def test_large_heads_are_refused(served: Server, size: int) -> None:
    lines = b"".join(b"X-Big-%d: %s\r\n" % (number, b"x" * (size // 50)) for number in range(50))
    answer = served.raw(b"GET /environ/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lines + b"\r\n")
    # granian closes the line on what it cannot even hold
    assert answer.split(b" ", 2)[1:2] in ([b"431"], [])
    assert answer or size > 65536


def test_headers_of_trusted_proxies_are_believed_and_settled(served: Server) -> None:
    seen = environ(served, **{"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.1.2.3", "X-Forwarded-Proto": "https"})
    assert seen["REMOTE_ADDR"] == "203.0.113.9"
    assert seen["secure"] is True
    assert not [name for name in seen if "FORWARDED" in name]


def test_a_garbled_hop_ends_the_trust(served: Server) -> None:
    assert environ(served, **{"X-Forwarded-For": "203.0.113.9, nonsense, 10.0.0.1"})["REMOTE_ADDR"] == "10.0.0.1"


def test_headers_of_anybody_else_are_not_believed(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        seen = environ(server, **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert seen["secure"] is False
    assert not [name for name in seen if "FORWARDED" in name]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_with_and_without_a_length(served: Server, chunked: bool) -> None:
    content = b"x" * 100_001
    for path, length, status in [("/body", 100_000, 200), ("/body", 100_001, 413), ("/large/body", 100_001, 200)]:
        sent = iter([content[:length]]) if chunked else content[:length]
        answer = httpx.post(f"{served.url}{path}", content=sent)
        assert answer.status_code == status
        if status == 413:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "content_too_large"


def test_a_large_body_arrives_whole(served: Server) -> None:
    content = bytes(range(256)) * 20_000
    answer = httpx.post(f"{served.url}/large/body", content=content).json()
    assert answer["length"] == len(content)
    assert answer["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "cut",
    [
        b"Content-Length: 10\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nff\r\nhalf",
    ],
)
def test_half_a_body_never_reaches_a_view(served: Server, cut: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=3) as line:
        line.sendall(b"POST /body HTTP/1.1\r\nHost: localhost\r\n" + cut)
        line.shutdown(socket.SHUT_WR)
        answer = received(line)
    assert b" 200 " not in answer[:16]


def test_an_error_in_a_view_is_a_500(served: Server) -> None:
    assert httpx.get(f"{served.url}/fails").status_code == 500
    assert httpx.post(f"{served.url}/fails", content=b"x").status_code in (403, 500)


def test_a_stream_of_rows_and_a_file_arrive_whole(served: Server) -> None:
    rows = httpx.get(f"{served.url}/rows?count=50000").text.splitlines()
    assert (len(rows), rows[-1]) == (50_000, "row 49999")
    content = bytes(range(256)) * 10_000
    (served.marks / "file").write_bytes(content)
    answer = httpx.get(f"{served.url}/file")
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))


def test_a_caller_who_stops_reading_stops_the_rows(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        made = server.marks / "rows-made"
        with socket.create_connection(("127.0.0.1", server.port)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            line.sendall(b"GET /endless-rows HTTP/1.1\r\nHost: localhost\r\n\r\n")
            server.await_mark("rows-made")
            counts: list[str] = [""]

            def standing_still() -> bool:
                counts.append(made.read_text())
                return len(counts) > 20 and len(set(counts[-20:])) == 1 and counts[-1] != ""

            until(standing_still, "the generator waits for its caller")
            # what the system and the server hold between them: a few megabytes, not what could be made meanwhile
            assert int(made.read_text()) * 65536 < 32 * 1024 * 1024
        server.await_mark("rows-closed")


def test_connections_are_reused_by_each_thread(served: Server) -> None:
    with ThreadPoolExecutor(4) as callers:
        seen = list(callers.map(lambda _: httpx.get(f"{served.url}/connections").json(), range(60)))
    by_thread: dict[int, set[int]] = {}
    for one in seen:
        by_thread.setdefault(one["thread"], set()).add(one["connection"])
    assert all(len(connections) == 1 for connections in by_thread.values())


def test_what_is_refused_before_django_looks_like_every_other_refusal(served: Server) -> None:
    headers = {"X-Request-ID": "too-large-1", "Content-Type": "text/plain"}
    answer = httpx.post(f"{served.url}/body", content=b"x" * 100_001, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "/docs/errors/#content_too_large")
    assert answer.headers["X-Request-ID"] == "too-large-1"
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert logged(served, "too-large-1") == {
        "status": 413, "code": "content_too_large", "path": "/body", "actor": "", "project": ""
    }  # fmt: skip


def test_a_promise_is_logged_when_it_is_kept(served: Server) -> None:
    served.forget_marks()
    headers = {"X-Request-ID": "promise-1"}
    with ThreadPoolExecutor(1) as callers:
        asked = callers.submit(httpx.get, f"{served.url}/later", headers=headers, timeout=PATIENCE)
        served.await_mark("later-began")
        assert "promise-1" not in served.log()
        served.mark("go")
        assert asked.result().headers["X-Request-ID"] == "promise-1"
    assert logged(served, "promise-1")["status"] == 201


def test_a_promise_that_fails_is_logged_as_failed_with_the_id_that_the_caller_was_given(served: Server) -> None:
    answer = httpx.get(f"{served.url}/fails-later", headers={"X-Request-ID": "promise-2"})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "promise-2")
    assert logged(served, "promise-2")["status"] == 500
    failures = [line for line in served.log().splitlines() if "A streamed response failed" in line]
    assert "promise-2" in [json.loads(line)["request_id"] for line in failures]  # other tests' may be among them


def test_an_event_stream_is_logged_when_it_ends(served: Server) -> None:
    with httpx.stream("GET", f"{served.url}/events", headers={"X-Request-ID": "events-1"}) as events:
        lines = events.iter_lines()  # kept: a reader that is thrown away hangs up
        next(lines)
        assert "events-1" not in served.log()
    assert logged(served, "events-1")["status"] == 200


def logged(served: Server, request_id: str) -> dict[str, object]:
    """What the one line of this request says; it may be written a moment after the answer."""

    def lines() -> list[dict[str, object]]:
        mine = [line for line in served.log().splitlines() if f'"{request_id}"' in line]
        return [line for line in map(json.loads, mine) if line["logger"] == "holdfast.requests"]

    until(lines, f"a line about {request_id}")
    (line,) = lines()
    assert isinstance(line["milliseconds"], float)
    return {name: line[name] for name in ("status", "code", "path", "actor", "project")}
