"""Commits, branches, the repository itself, the limits, and tokens of an App's installation."""

from datetime import datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

import jwt

from tests.github_double import shapes
from tests.github_double.messages import Answer, Asked, RefusedError
from tests.github_double.repository import Entry
from tests.github_double.world import Token, World

HOUR: Final = 3600


def get_repository(world: World, asked: Asked, token: Token | None) -> Answer:
    return Answer(200, shapes.repository(world, can_push=token is not None and token.contents == "write"))


def get_commit(world: World, asked: Asked, token: Token | None, ref: str) -> Answer:
    world.refuse_empty()
    sha = world.resolve(ref)
    if sha is None:
        raise RefusedError(422, f"No commit found for SHA: {ref}")
    if "sha" in asked.accept:
        return Answer(
            200, sha.encode(), {"content-type": "application/vnd.github.sha; charset=utf-8", "etag": f'"{sha}"'}
        )
    return Answer(200, shapes.commit(world, sha))


def list_commits(world: World, asked: Asked, token: Token | None) -> Answer:
    world.refuse_empty()
    start = world.resolve(asked.query.get("sha", world.default_branch))
    if start is None:
        raise RefusedError(404, "Not Found")
    path = asked.query.get("path", "")
    size, page = min(100, int(asked.query.get("per_page", "30"))), int(asked.query.get("page", "1"))
    since = datetime.fromisoformat(asked.query["since"]).timestamp() if "since" in asked.query else 0.0
    recent = (sha for sha in world.repository.history(start) if world.repository.commit(sha).commit_time >= since)
    wanted = (sha for sha in recent if not path or touches(world, sha, path))
    shown = list(islice(wanted, (page - 1) * size, page * size + 1))
    headers = {}
    if len(shown) > size:
        more = "".join(f"&{key}={quote(value)}" for key, value in asked.query.items() if key != "page")
        url = f"{world.base_url}/repositories/{world.number}/commits?page={page + 1}{more}"
        headers["link"] = f'<{url}>; rel="next"'
    return Answer(200, [shapes.commit(world, sha) for sha in shown[:size]], headers)


def get_branch(world: World, asked: Asked, token: Token | None, branch: str) -> Answer:
    head = world.replica.head(branch)
    if head is None:
        raise RefusedError(404, "Branch not found")
    url = f"{world.url}/branches/{branch}"
    body: dict[str, Any] = {
        "name": branch,
        "commit": shapes.commit(world, head),
        "_links": {"self": url, "html": f"https://github.com/{world.full_name}/tree/{branch}"},
        "protected": branch in world.protected,
        "protection": {"enabled": branch in world.protected},
        "protection_url": f"{url}/protection",
    }
    return Answer(200, body)


def get_rate_limit(world: World, asked: Asked, token: Token | None) -> Answer:
    name = asked.headers.get("authorization", "")
    core, graphql = world.limits.window(name, "read"), world.limits.window(name, "graphql")
    other = {"limit": 30, "remaining": 30, "reset": core.reset, "used": 0}
    shown = {
        "core": {"limit": core.limit, "remaining": core.remaining, "reset": core.reset, "used": core.used},
        "graphql": {
            "limit": graphql.limit,
            "remaining": graphql.remaining,
            "reset": graphql.reset,
            "used": graphql.used,
        },
        "search": other,
    }
    return Answer(200, {"resources": shown, "rate": shown["core"]}, core.headers())


def post_access_token(world: World, asked: Asked, token: Token | None, installation: str) -> Answer:
    """A token of one hour for an installation, against a JWT that the App's key has signed."""
    _check_jwt(world, asked)
    name = f"ghs_{len(world.tokens):036d}"
    body = asked.json() if asked.body else {}
    contents = body.get("permissions", {}).get("contents", "write")
    expires = world.clock() + HOUR
    world.tokens[name] = Token("app[bot]", contents=contents, expires_at=expires, installation=True)
    answer = {"token": name, "expires_at": shapes.time(expires), "permissions": {"contents": contents}}
    return Answer(201, {**answer, "repository_selection": "selected"})


def _check_jwt(world: World, asked: Asked) -> None:
    encoded = asked.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        claims = jwt.decode(encoded, options={"verify_signature": False, "verify_exp": False, "verify_iat": False})
        key = world.apps[str(claims["iss"])]
        checks: Any = {"verify_exp": False, "verify_iat": False, "require": ["iat", "exp", "iss"]}
        claims = jwt.decode(encoded, key, algorithms=["RS256"], options=checks)
    except (jwt.InvalidTokenError, KeyError) as error:
        raise RefusedError(401, "A JSON web token could not be decoded") from error
    now = world.clock()
    if claims["iat"] > now or not now < claims["exp"] <= now + 600:
        raise RefusedError(401, "'Expiration time' claim ('exp') must be a numeric value representing the future time")


def touches(world: World, sha: str, path: str) -> bool:
    commit = world.repository.commit(sha)
    after = _entry(world, sha, path)
    parents = [parent.decode() for parent in commit.parents]
    return all(_entry(world, parent, path) != after for parent in parents) if parents else after is not None


def _entry(world: World, sha: str, path: str) -> Entry | None:
    return world.repository.entry(world.repository.tree_of(sha), path)
