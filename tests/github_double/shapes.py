"""The bodies of answers, with every property that the description requires."""

import base64
from datetime import UTC, datetime
from typing import Any, Final

from dulwich.objects import Commit

from tests.github_double.repository import FOLDER, SUBMODULE, SYMLINK, Entry, Signature
from tests.github_double.world import World

_PLAIN_URLS: Final = (
    "assignees branches collaborators comments commits compare contents contributors deployments downloads events "
    "forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges "
    "milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees archive "
    "blobs"
)
_COUNTS: Final = (
    "forks forks_count open_issues open_issues_count stargazers_count watchers watchers_count network_count "
    "subscribers_count size"
)


def time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(world: World, login: str) -> dict[str, Any]:
    url = f"{world.base_url}/users/{login}"
    parts = "followers following gists starred subscriptions organizations repos events received_events".split()
    return {
        "login": login,
        "id": 1,
        "node_id": "U_1",
        "avatar_url": f"https://avatars.githubusercontent.com/{login}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"https://github.com/{login}",
        "type": "User",
        "site_admin": False,
        **{f"{part}_url": f"{url}/{part}" for part in parts},
    }


def repository(world: World, can_push: bool) -> dict[str, Any]:
    html = f"https://github.com/{world.full_name}"
    now = time(world.clock())
    return {
        "id": world.number,
        "node_id": "R_1",
        "name": world.name,
        "full_name": world.full_name,
        "private": world.private,
        "owner": user(world, world.owner),
        "html_url": html,
        "description": None,
        "fork": False,
        "url": world.url,
        **{f"{part}_url": f"{world.url}/{part}" for part in _PLAIN_URLS.split()},
        **dict.fromkeys(_COUNTS.split(), 0),
        "clone_url": f"{html}.git",
        "git_url": f"git:{html[6:]}.git",
        "ssh_url": f"git@github.com:{world.full_name}.git",
        "svn_url": html,
        "homepage": None,
        "language": None,
        "mirror_url": None,
        "license": None,
        "has_issues": True,
        "has_projects": True,
        "has_wiki": True,
        "has_pages": False,
        "has_discussions": False,
        "archived": False,
        "disabled": False,
        "default_branch": world.default_branch,
        "pushed_at": now,
        "created_at": now,
        "updated_at": now,
        "permissions": {"admin": False, "maintain": False, "push": can_push, "triage": can_push, "pull": True},
    }


def tree_item(world: World, entry: Entry) -> dict[str, Any]:
    item: dict[str, Any] = {"path": entry.path, "mode": f"{entry.mode:06o}", "type": entry.type, "sha": entry.sha}
    if entry.mode != SUBMODULE:
        item["url"] = f"{world.url}/git/{'trees' if entry.mode == FOLDER else 'blobs'}/{entry.sha}"
    if entry.type == "blob":
        item["size"] = world.repository.size(entry.sha)
    return item


def blob(world: World, sha: str, content: bytes) -> dict[str, Any]:
    return {
        "sha": sha,
        "node_id": "B_1",
        "size": len(content),
        "url": f"{world.url}/git/blobs/{sha}",
        "content": base64.encodebytes(content).decode(),
        "encoding": "base64",
    }


def git_commit(world: World, sha: str) -> dict[str, Any]:
    commit = world.repository.commit(sha)
    return {
        "sha": sha,
        "node_id": "C_1",
        "url": f"{world.url}/git/commits/{sha}",
        "html_url": f"https://github.com/{world.full_name}/commit/{sha}",
        "author": _person(commit.author, commit.author_time),
        "committer": _person(commit.committer, commit.commit_time),
        "message": commit.message.decode(),
        "tree": {"sha": commit.tree.decode(), "url": f"{world.url}/git/trees/{commit.tree.decode()}"},
        "parents": _parents(world, commit),
        "verification": _unsigned(),
    }


def commit(world: World, sha: str) -> dict[str, Any]:
    inner = git_commit(world, sha)
    return {
        "sha": sha,
        "node_id": "C_1",
        "url": f"{world.url}/commits/{sha}",
        "html_url": inner["html_url"],
        "comments_url": f"{world.url}/commits/{sha}/comments",
        "commit": {
            **{key: inner[key] for key in ("author", "committer", "message", "tree", "url", "verification")},
            "comment_count": 0,
        },
        "author": user(world, inner["author"]["name"]),
        "committer": user(world, inner["committer"]["name"]),
        "parents": inner["parents"],
    }


def content(world: World, entry: Entry, ref: str) -> dict[str, Any]:
    """What every kind of content has; the caller adds what its kind has beside it."""
    where = f"{world.url}/contents/{entry.path}?ref={ref}"
    kind = "trees" if entry.mode == FOLDER else "blobs"
    git = None if entry.mode == SUBMODULE else f"{world.url}/git/{kind}/{entry.sha}"
    html = f"https://github.com/{world.full_name}/blob/{ref}/{entry.path}"
    is_file = entry.type == "blob"
    return {
        "name": entry.path.rpartition("/")[2],
        "path": entry.path,
        "sha": entry.sha,
        "size": world.repository.size(entry.sha) if is_file else 0,
        "url": where,
        "html_url": html,
        "git_url": git,
        "download_url": f"https://raw.githubusercontent.com/{world.full_name}/{ref}/{entry.path}" if is_file else None,
        "type": {FOLDER: "dir", SYMLINK: "symlink", SUBMODULE: "submodule"}.get(entry.mode, "file"),
        "_links": {"self": where, "git": git, "html": html},
    }


def signature(body: dict[str, Any] | None, otherwise: Signature) -> Signature:
    """An author or committer that a caller may give, field by field."""
    if not body:
        return otherwise
    when = body.get("date")
    seconds = int(datetime.fromisoformat(when).timestamp()) if when else otherwise.time
    return Signature(body["name"], body["email"], seconds)


def _person(line: bytes, seconds: float) -> dict[str, Any]:
    name, _, email = line.decode().rpartition(" <")
    return {"name": name, "email": email.rstrip(">"), "date": time(seconds)}


def _parents(world: World, commit: Commit) -> list[dict[str, str]]:
    return [
        {
            "sha": parent.decode(),
            "url": f"{world.url}/git/commits/{parent.decode()}",
            "html_url": f"https://github.com/{world.full_name}/commit/{parent.decode()}",
        }
        for parent in commit.parents
    ]


def _unsigned() -> dict[str, Any]:
    return {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
