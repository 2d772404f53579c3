"""Which address is served by what."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.github_double import commits, contents, git_data, graphql_commits
from tests.github_double.messages import Answer, Asked, RefusedError
from tests.github_double.world import World

_REPO: Final = "/repos/{owner}/{repo}"


@dataclass(frozen=True)
class Route:
    method: str
    template: str
    serve: Callable[..., Answer]
    pattern: re.Pattern[str]
    makes_content: bool = False
    in_repository: bool = True


def find(world: World, asked: Asked) -> tuple[Route, dict[str, str]]:
    """The route and what its template takes, or a redirect for a repository under an old name."""
    path = _without_prefix(asked.path)
    path = re.sub(rf"^/repositories/{world.number}(?=/|$)", f"/repos/{world.full_name}", path)
    for route in _ROUTES:
        match = route.pattern.fullmatch(path)
        if match and route.method == asked.method:
            taken = match.groupdict()
            if route.in_repository:
                _check_name(world, asked, f"{taken.pop('owner')}/{taken.pop('repo')}", path)
            return route, taken
    raise RefusedError(404, "Not Found")


def _check_name(world: World, asked: Asked, name: str, path: str) -> None:
    if name in world.old_names:
        rest = path.removeprefix(f"/repos/{name}")
        query = "&".join(f"{key}={value}" for key, value in asked.query.items())
        url = f"{world.base_url}/repositories/{world.number}{rest}" + (f"?{query}" if query else "")
        # A GET moves for good, everything else keeps its method.
        status = 301 if asked.method in {"GET", "HEAD"} else 307
        message = "Moved Permanently" if status == 301 else "Temporary Redirect"
        raise RefusedError(status, message, headers={"location": url})
    if name != world.full_name:
        raise RefusedError(404, "Not Found")


def _without_prefix(path: str) -> str:
    """A GitHub Enterprise server has its API below /api."""
    return path.removeprefix("/api/v3") if path.startswith("/api/v3") else path.replace("/api/graphql", "/graphql")


def _route(method: str, template: str, serve: Callable[..., Any], **more: Any) -> Route:
    wide = re.sub(r"\{(path|ref|rev|branch)\}", r"(?P<\1>.+?)", template)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", wide)
    described = template.replace("{rev}", "{tree_sha}")
    return Route(method, described, serve, re.compile(pattern, re.DOTALL), **more)


_ROUTES: Final = [
    _route("POST", "/graphql", graphql_commits.post, in_repository=False),
    _route("GET", "/rate_limit", commits.get_rate_limit, in_repository=False),
    _route("POST", "/app/installations/{installation}/access_tokens", commits.post_access_token, in_repository=False),
    _route("GET", _REPO, commits.get_repository),
    _route("GET", f"{_REPO}/contents/{{path}}", contents.get),
    _route("PUT", f"{_REPO}/contents/{{path}}", contents.put, makes_content=True),
    _route("DELETE", f"{_REPO}/contents/{{path}}", contents.delete, makes_content=True),
    _route("GET", f"{_REPO}/git/ref/{{ref}}", git_data.get_ref),
    _route("POST", f"{_REPO}/git/refs", git_data.post_ref, makes_content=True),
    _route("PATCH", f"{_REPO}/git/refs/{{ref}}", git_data.patch_ref, makes_content=True),
    _route("POST", f"{_REPO}/git/blobs", git_data.post_blob, makes_content=True),
    _route("GET", f"{_REPO}/git/blobs/{{file_sha}}", git_data.get_blob),
    _route("POST", f"{_REPO}/git/trees", git_data.post_tree, makes_content=True),
    _route("GET", f"{_REPO}/git/trees/{{rev}}", git_data.get_tree),
    _route("POST", f"{_REPO}/git/commits", git_data.post_commit, makes_content=True),
    _route("GET", f"{_REPO}/git/commits/{{commit_sha}}", git_data.get_commit),
    _route("GET", f"{_REPO}/commits", commits.list_commits),
    _route("GET", f"{_REPO}/commits/{{ref}}", commits.get_commit),
    _route("GET", f"{_REPO}/branches/{{branch}}", commits.get_branch),
]
