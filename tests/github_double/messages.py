"""What comes in, what goes out, and what is refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DOCUMENTATION: Final = "https://docs.github.com/rest"
JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Asked:
    """One request. `path` is decoded; `headers` have small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def accept(self) -> str:
        return self.headers.get("accept", "")

    @property
    def is_raw(self) -> bool:
        return "raw" in self.accept

    @property
    def is_graphql(self) -> bool:
        return self.path.endswith("/graphql")

    def json(self) -> dict[str, Any]:
        try:
            body = json.loads(self.body)
        except ValueError as error:
            raise RefusedError(400, "Problems parsing JSON") from error
        if not isinstance(body, dict):
            raise RefusedError(400, "Body should be a JSON object")
        return body


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    template: str | None = None  # the operation that was served, as the description names it

    @property
    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()

    @property
    def is_json(self) -> bool:
        return self.body is not None and not isinstance(self.body, bytes)


class RefusedError(Exception):
    """A status with GitHub's sentence."""

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] | None = None, errors: list[Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.headers, self.errors = dict(headers or {}), errors

    def answer(self) -> Answer:
        body: dict[str, Any] = {
            "message": self.message,
            "documentation_url": DOCUMENTATION,
            "status": str(self.status),
        }
        if self.errors is not None:
            body["errors"] = self.errors
        return Answer(self.status, body, dict(self.headers))


class ConnectionLostError(Exception):
    """The connection ends without an answer."""
