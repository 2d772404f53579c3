"""The double on a port of its own, for several processes: HTTP/1.1 by h11, which httpx brings."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11

from tests.github_double.double import GitHubDouble
from tests.github_double.messages import ConnectionLostError


@contextmanager
def on_a_port(double: GitHubDouble) -> Iterator[str]:
    """The address, as long as the block lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="github-double", daemon=True)
    thread.start()
    connections = _Connections(double)
    try:
        start = asyncio.start_server(connections.serve, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(start, loop).result(10)
        double.world.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield double.world.base_url
        server.close()
        asyncio.run_coroutine_threadsafe(connections.close(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class _Connections:
    def __init__(self, double: GitHubDouble) -> None:
        self._double = double
        self._tasks: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._talk(h11.Connection(h11.SERVER), reader, writer)
        except (ConnectionError, ConnectionLostError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # the caller left, or was to be left without an answer
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _talk(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            request, body = await self._receive(connection, reader)
            if request is None:
                return
            await self._answer(connection, writer, request, body)
            if connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()

    async def _receive(
        self, connection: h11.Connection, reader: asyncio.StreamReader
    ) -> tuple[h11.Request | None, bytes]:
        request, body = None, bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return request, bytes(body)
            else:
                return None, b""

    async def _answer(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
    ) -> None:
        path, _, query = request.target.partition(b"?")
        scope = {
            "type": "http",
            "method": request.method.decode(),
            "path": path.decode("ascii"),
            "raw_path": path,
            "query_string": query,
            "headers": list(request.headers),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                sent = h11.Response(status_code=message["status"], headers=message["headers"])
                writer.write(connection.send(sent) or b"")
                return
            if message["body"]:
                writer.write(connection.send(h11.Data(data=message["body"])) or b"")
            writer.write(connection.send(h11.EndOfMessage()) or b"")
            await writer.drain()

        await self._double(scope, receive, send)
