"""A load of a fixed number of connections, each asking again as soon as it is answered; several times as quick as what
it measures. Run as a process of its own, it prints the rate.

    python -m tests.benchmarks.load PORT SECONDS CONNECTIONS METHOD PATH
"""

import selectors
import socket
import sys
import time


def rate(port: int, seconds: float, connections: int, request: bytes) -> float:
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    selector = selectors.DefaultSelector()
    for line in lines:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(line, selectors.EVENT_READ, line)
        line.sendall(request)
    partial: dict[socket.socket, bytes] = {}
    answered, began = 0, time.perf_counter()
    end = began + seconds
    while time.perf_counter() < end:
        for key, _ in selector.select(1):
            line = key.data
            answer = partial.pop(line, b"") + line.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"not answered: {answer[:200]!r}")
            if not _is_whole(answer):
                partial[line] = answer
                continue
            answered += 1
            line.sendall(request)
    elapsed = time.perf_counter() - began
    for line in lines:
        line.close()
    return answered / elapsed


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    place = head.find(b"content-length: ")
    if place < 0:
        return body.endswith(b"0\r\n\r\n")
    return len(body) == int(head[place + 16 :].partition(b"\r\n")[0])


def request_of(method: str, path: str) -> bytes:
    body = b'{"worker_id": "w1", "limit": 1}' if method == "POST" else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nUser-Agent: bench\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


if __name__ == "__main__":
    port, seconds, connections, method, path = sys.argv[1:]
    sys.stdout.write(f"{rate(int(port), float(seconds), int(connections), request_of(method, path)):.1f}\n")
