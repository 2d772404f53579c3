"""The whole tree of a commit, in as few requests as its size allows."""

from typing import Any, Final

from storage_app.providers.errors import StorageErrorCode
from storage_app.providers.github import api as github
from storage_app.providers.github import refusals, tree
from storage_app.providers.github.api import GitHubApi
from storage_app.providers.github.endpoints import quoted
from storage_app.providers.github.refusals import GitHubError
from storage_app.providers.github.tree import Entry, Folder

LAG_DELAYS: Final = (1.0, 2.0, 4.0)
_RECURSIVE: Final = {"recursive": "1"}


async def of_branch(api: GitHubApi, branch: str) -> tuple[str | None, Folder | None]:
    """The head and its tree in one request, as far as one tells both.

    What is asked for by a branch is answered under a hash: that of the commit, or that of the tree, which we can tell
    apart since we know the tree's own. Of a tree too large for one answer neither is told.
    """
    body = await _tree(api, branch, recursive=True)
    if body["truncated"]:
        return None, None
    root = _listing(body)
    return (body["sha"] if body["sha"] != root.sha else None), root


async def of_commit(api: GitHubApi, commit: str, *, may_lag: bool) -> Folder:
    """`may_lag`: we have just made it, so that a 404 says only that a replica does not know it yet."""
    delays = list(LAG_DELAYS) if may_lag else []
    while True:
        try:
            body = await _tree(api, commit, recursive=True)
            break
        except GitHubError as error:
            if error.code is not StorageErrorCode.NOT_FOUND or not delays:
                raise
            await api.clock.sleep(delays.pop(0))
    return _listing(body) if not body["truncated"] else await _piecewise(api, commit)


async def head(api: GitHubApi, branch: str, known: str | None) -> str:
    """The commit the branch is at: a free request as long as it is the known one."""
    etag = f'"{known}"' if known else None
    try:
        response = await api.rest("GET", f"/commits/{quoted(branch)}", accept=github.SHA, etag=etag)
    except GitHubError as error:
        if error.details.get("status") == 422:
            raise _missing(error) from error
        raise
    if response.status_code == 304 and known:
        return known
    sha = response.text.strip()
    if len(sha) != 40:
        raise refusals.not_understood()
    return sha


async def _piecewise(api: GitHubApi, sha: str) -> Folder:
    """Folder by folder, each whole if it can be."""
    body = await _tree(api, sha, recursive=False)
    entries: dict[str, Entry] = {}
    folders: dict[str, Folder] = {}
    for item in body["tree"]:
        if item["type"] != "tree":
            entries[item["path"]] = tree.entry_of(item)
            continue
        inner = await _tree(api, item["sha"], recursive=True)
        folders[item["path"]] = await _piecewise(api, item["sha"]) if inner["truncated"] else _listing(inner)
    return Folder(entries, folders)


async def _tree(api: GitHubApi, rev: str, *, recursive: bool) -> dict[str, Any]:
    response = await api.rest("GET", f"/git/trees/{quoted(rev)}", params=_RECURSIVE if recursive else None)
    body = github.decoded(response)
    if not isinstance(body, dict) or not {"sha", "tree", "truncated"} <= body.keys():
        raise refusals.not_understood()
    return body


def _listing(body: dict[str, Any]) -> Folder:
    try:
        return tree.of_listing(body["tree"])
    except (KeyError, TypeError) as error:
        raise refusals.not_understood() from error


def _missing(error: GitHubError) -> GitHubError:
    details = {**error.details, "reason": "branch_missing"}
    return GitHubError(StorageErrorCode.NOT_FOUND, "There is no such branch.", None, details)
