"""Where a GitHub has its addresses: github.com, a GHE.com subdomain, or a GitHub Enterprise server."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

DEFAULT: Final = "https://api.github.com"


@dataclass(frozen=True)
class Endpoints:
    """`rest` and `graphql` are whole addresses; `repository` is a path below the first."""

    rest: str
    graphql: str
    owner: str
    name: str

    @classmethod
    def of(cls, api_url: str | None, repository: str) -> "Endpoints":
        match = _REPOSITORY.fullmatch(repository)
        if not match:
            raise ValueError("the repository of a GitHub storage is owner/name")
        rest = (api_url or DEFAULT).rstrip("/")
        if urlsplit(rest).scheme not in {"http", "https"} or not urlsplit(rest).hostname:
            raise ValueError("the address of GitHub's API begins with https:// or http://")
        return cls(rest, _graphql(rest), match[1], match[2])

    @property
    def repository(self) -> str:
        return f"/repos/{quoted(self.owner)}/{quoted(self.name)}"


def quoted(path: str) -> str:
    """Each part percent-encoded, the slashes kept: a space is %20 and never a plus."""
    return quote(path, safe="/")


def _graphql(rest: str) -> str:
    """An Enterprise server has REST below /api/v3 and GraphQL beside it."""
    return f"{rest.removesuffix('/v3')}/graphql" if rest.endswith("/api/v3") else f"{rest}/graphql"


_REPOSITORY: Final = re.compile(r"([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+)")
