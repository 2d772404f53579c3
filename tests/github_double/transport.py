"""The double in this process: httpx's own ASGI transport, with what a real connection can do wrong."""

import asyncio

import httpx

from tests.github_double.double import GitHubDouble
from tests.github_double.messages import ConnectionLostError


class DoubleTransport(httpx.AsyncBaseTransport):
    """`closed` tells whether a client gave its connections back."""

    def __init__(self, double: GitHubDouble) -> None:
        self._inner = httpx.ASGITransport(double)
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeout = request.extensions.get("timeout", {}).get("read")
        try:
            async with asyncio.timeout(timeout):
                return await self._inner.handle_async_request(request)
        except ConnectionLostError as error:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.") from error
        except TimeoutError as error:
            raise httpx.ReadTimeout("", request=request) from error

    async def aclose(self) -> None:
        self.closed = True
        await self._inner.aclose()
