"""Where the token comes from: given, from a file, or as an App's installation."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import httpx
import jwt

from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.github import refusals
from storage_app.providers.github.clock import Clock

RENEWED_BEFORE: Final = 300.0
JWT_LIFETIME: Final = 540  # GitHub takes ten minutes; clocks differ
JWT_BACKDATED: Final = 60


class TokenSource(Protocol):
    async def get(self, client: httpx.AsyncClient) -> str | None:
        """The token to use now, None for an anonymous caller."""

    def renew(self) -> bool:
        """GitHub took it no longer; whether another can be had."""


class StaticToken:
    def __init__(self, token: str | None) -> None:
        self._token = token or None

    async def get(self, client: httpx.AsyncClient) -> str | None:
        return self._token

    def renew(self) -> bool:
        return False


class FileToken:
    """Rotated by whoever writes the file; read anew when GitHub refuses what was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token: str | None = None

    async def get(self, client: httpx.AsyncClient) -> str | None:
        if self._token is None:
            try:
                text = await asyncio.to_thread(self._path.read_text, encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                message = "The file with GitHub's token cannot be read."
                raise _no_token(message) from error
            self._token = text.strip()
        return self._token or None

    def renew(self) -> bool:
        self._token = None
        return True


class AppToken:
    """Of one hour, for one repository, asked for anew five minutes before its end."""

    def __init__(
        self, app_id: str, private_key: str, installation_id: str, api_url: str, repository: str, clock: Clock
    ) -> None:
        self._app_id, self._private_key = app_id, private_key
        self._url = f"{api_url}/app/installations/{installation_id}/access_tokens"
        self._repository, self._clock = repository, clock
        self._token: str | None = None
        self._expires_at = 0.0
        self._lock = asyncio.Lock()

    async def get(self, client: httpx.AsyncClient) -> str | None:
        async with self._lock:
            if self._token is None or self._clock.now() > self._expires_at - RENEWED_BEFORE:
                await self._ask(client)
            return self._token

    def renew(self) -> bool:
        self._token = None
        return True

    async def _ask(self, client: httpx.AsyncClient) -> None:
        narrowed = {"repositories": [self._repository], "permissions": {"contents": "write"}}
        try:
            response = await client.post(self._url, headers=self._headers(), json=narrowed)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise refusals.of_exception(error) from error
        if response.status_code != 201:
            refused = refusals.of_response(response, self._clock.now())
            if refused.retryable:
                raise refused
            # An installation that is gone is 404, and that is no missing file.
            raise _no_token("GitHub gives the App no token: its id, key or installation is wrong, or it was removed.")
        try:
            body = response.json()
            self._token, expires = str(body["token"]), datetime.fromisoformat(body["expires_at"])
        except (ValueError, KeyError, TypeError) as error:
            raise refusals.not_understood() from error
        self._expires_at = expires.timestamp()

    def _headers(self) -> dict[str, str]:
        now = int(self._clock.now())
        claims = {"iat": now - JWT_BACKDATED, "exp": now + JWT_LIFETIME, "iss": self._app_id}
        try:
            signed = jwt.encode(claims, self._private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            # Not `from`: what a key's parser says may show the key.
            message = "The private key of the GitHub App cannot be read."
            raise _no_token(message) from None
        return {"Authorization": f"Bearer {signed}"}


def _no_token(message: str) -> StorageError:
    """No file is to blame: nothing can be asked."""
    return StorageError(StorageErrorCode.PERMISSION_DENIED, message, None, {"reason": "bad_credentials"})
