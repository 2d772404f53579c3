"""The history of one file: one request for a hundred states."""

from datetime import datetime
from typing import Any, Final

from storage_app.providers.errors import StorageErrorCode
from storage_app.providers.github import queries, refusals
from storage_app.providers.github.mirror import Mirror
from storage_app.providers.github.refusals import GitHubError
from storage_app.providers.github.trees import LAG_DELAYS
from storage_app.providers.github.writing import without_trailer
from storage_app.providers.types import StorageVersion

PAGE: Final = 100


async def of_file(mirror: Mirror, commit: str, full_path: str, path: str, limit: int) -> list[StorageVersion]:
    """Up to the commit, the newest first."""
    found: list[StorageVersion] = []
    after: str | None = None
    while len(found) < limit:
        history = await _page(mirror, commit, full_path, min(PAGE, limit - len(found)), after)
        try:
            found += [_version(node, path) for node in history["nodes"]]
            after = history["pageInfo"]["endCursor"] if history["pageInfo"]["hasNextPage"] else None
        except (KeyError, TypeError, ValueError) as error:
            raise refusals.not_understood(path) from error
        if after is None:
            break
    return found


async def _page(mirror: Mirror, commit: str, full_path: str, size: int, after: str | None) -> dict[str, Any]:
    endpoints = mirror.api.endpoints
    variables = {"o": endpoints.owner, "n": endpoints.name, "c": commit, "p": full_path, "k": size, "a": after}
    delays = list(LAG_DELAYS) if mirror.head.is_own(commit) else []
    while True:
        data = await mirror.api.graphql(queries.VERSIONS, variables)
        target = (data.get("repository") or {}).get("object")
        if target:
            history: dict[str, Any] = target.get("history") or {}
            return history
        if not delays:
            raise GitHubError(StorageErrorCode.NETWORK_ERROR, "GitHub does not know its own commit.", None)
        await mirror.api.clock.sleep(delays.pop(0))


def _version(node: dict[str, Any], path: str) -> StorageVersion:
    there = node.get("file")
    sha = f"git:{there['oid']}" if there else None
    author = (node.get("author") or {}).get("name") or ""
    when = datetime.fromisoformat(node["committedDate"])
    return StorageVersion(node["oid"], path, sha, without_trailer(node["message"]), author, when)
