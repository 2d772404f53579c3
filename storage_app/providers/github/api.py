"""Requests to GitHub: one client, credentials, limits, retries where they are safe; every failure is a StorageError."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import httpx

from storage_app.providers.errors import StorageErrorCode
from storage_app.providers.github import refusals
from storage_app.providers.github.clock import Clock
from storage_app.providers.github.endpoints import Endpoints
from storage_app.providers.github.limits import RateLimits
from storage_app.providers.github.refusals import GitHubError
from storage_app.providers.github.tokens import TokenSource
from storage_app.providers.github.uploaded import Uploaded

API_VERSION: Final = "2022-11-28"
RETRY_DELAYS: Final = (1.0, 2.0, 4.0)
MOST_AT_ONCE: Final = 8
PATIENCE: Final = 60.0  # seconds that a part of a commit waits for content to be allowed again
JSON: Final = "application/vnd.github+json"
RAW: Final = "application/vnd.github.raw+json"
SHA: Final = "application/vnd.github.sha"


class GitHubApi:
    def __init__(
        self,
        endpoints: Endpoints,
        tokens: TokenSource,
        clock: Clock,
        timeout: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.endpoints, self.clock = endpoints, clock
        self.limits = RateLimits(clock)
        self.requests: Counter[str] = Counter()
        self.token_expires: str | None = None
        self.uploaded = Uploaded(clock)
        self._tokens = tokens
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=timeout,
            follow_redirects=True,  # a renamed repository: credentials stay with the host, 307 keeps the method
            headers={"User-Agent": "holdfast", "X-GitHub-Api-Version": API_VERSION},
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def has_token(self) -> bool:
        return await self._tokens.get(self._client) is not None

    async def rest(
        self,
        method: str,
        where: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = JSON,
        etag: str | None = None,
        repeatable: bool = False,
        path: str | None = None,
    ) -> httpx.Response:
        """A 2xx, or the 304 that an etag asked for. `where` lies below the repository, encoded.

        `repeatable` is said of a POST that may happen twice: blobs and trees are known by their content.
        """
        headers = {"Accept": accept, **({"If-None-Match": etag} if etag else {})}
        url = where if where.startswith("http") else self.endpoints.rest + self.endpoints.repository + where
        request = {"method": method, "url": url, "params": params, "headers": headers, "json": body}
        return await self._send(request, "core", is_write=method != "GET", repeatable=repeatable, path=path)

    async def graphql(self, query: str, variables: Mapping[str, Any], *, path: str | None = None) -> dict[str, Any]:
        """The data. An answer with errors and all the data asked for does not exist here: errors are raised."""
        is_write = query.startswith("mutation")
        request = {
            "method": "POST",
            "url": self.endpoints.graphql,
            "headers": {"Accept": JSON},
            "json": {"query": query, "variables": variables},
        }
        response = await self._send(request, "graphql", is_write=is_write, repeatable=not is_write, path=path)
        answer = decoded(response, path)
        errors = answer.get("errors")
        if errors:
            raise self._graphql_error(errors, response, path)
        if not isinstance(answer.get("data"), dict):
            raise refusals.not_understood(path)
        data: dict[str, Any] = answer["data"]
        return data

    async def _send(
        self, request: Mapping[str, Any], resource: str, *, is_write: bool, repeatable: bool, path: str | None
    ) -> httpx.Response:
        """Only network errors and 5xx of what may be repeated are tried again; after a 401 once with a new token."""
        delays = list(RETRY_DELAYS) if repeatable or request["method"] == "GET" else []
        may_renew = True
        while True:
            try:
                return await self._send_once(request, resource, is_write, path)
            except GitHubError as error:
                if error.details.get("reason") == "bad_credentials" and may_renew and self._tokens.renew():
                    may_renew = False
                    self.limits.renew()
                    continue
                if not (delays and _can_pass(error)):
                    raise
                await self.clock.sleep(delays.pop(0) * (0.8 + 0.4 * self.clock.chance()))

    async def _send_once(
        self, request: Mapping[str, Any], resource: str, is_write: bool, path: str | None
    ) -> httpx.Response:
        token = await self._tokens.get(self._client)
        self.limits.check(resource, is_write)
        if is_write:
            await self._wait_for_content("/git/" in request["url"])
        headers = {**request["headers"], **({"Authorization": f"Bearer {token}"} if token else {})}
        async with self._at_once:
            try:
                response = await self._client.request(**{**request, "headers": headers})
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise refusals.of_exception(error, path) from error
        self._note(response, resource, is_write)
        if response.is_success or (response.status_code == 304 and "If-None-Match" in headers):
            return response
        raise self.limits.refused(refusals.of_response(response, self.clock.now(), path), response)

    async def _wait_for_content(self, is_part: bool) -> None:
        """What is one of many for a commit waits for the next minute: given up, all before it would be sent again."""
        while (free_at := self.limits.content_free_at) > self.clock.now():
            if not is_part or free_at - self.clock.now() > PATIENCE:
                raise refusals.limited(free_at)
            await self.clock.sleep(free_at - self.clock.now())
        self.limits.content.take()

    def _note(self, response: httpx.Response, resource: str, is_write: bool) -> None:
        self.limits.note(response, resource, is_write)
        self.requests["free" if response.status_code == 304 else "counted"] += 1
        expires = response.headers.get("github-authentication-token-expiration")
        self.token_expires = expires or self.token_expires

    def _graphql_error(self, errors: list[dict[str, Any]], response: httpx.Response, path: str | None) -> GitHubError:
        """A limit comes with a 200 here."""
        said = str(errors[0].get("message", ""))
        if errors[0].get("type") == "RATE_LIMITED" or "rate limit" in said.lower():
            now = self.clock.now()
            as_rest = httpx.Response(403, headers=response.headers, json={"message": said})
            return self.limits.refused(refusals.of_response(as_rest, now, path), as_rest)
        return refusals.of_graphql(errors, path)


def decoded(response: httpx.Response, path: str | None = None) -> Any:
    """The JSON of an answer."""
    try:
        return json.loads(response.content)
    except ValueError as error:
        raise refusals.not_understood(path) from error


def _can_pass(error: GitHubError) -> bool:
    """Not a limit: that lasts longer than a caller waits."""
    return error.code is StorageErrorCode.NETWORK_ERROR
