"""From a request to its answer: who asks, what the limits say, what is served, and what was seen of it."""

import hashlib
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

from tests.github_double import descriptions, graphql_commits, routes
from tests.github_double.messages import JSON, Answer, Asked, ConnectionLostError, RefusedError
from tests.github_double.world import Token, World

API_VERSIONS: Final = {"2022-11-28", "2026-03-10"}


@dataclass(frozen=True)
class Served:
    """`counted` is what the primary limit took for it."""

    method: str
    path: str
    status: int
    counted: bool
    operation: str


def serve(world: World, asked: Asked, log: list[Served], violations: list[str]) -> Answer:
    fault = world.fault = world.faults.take(asked)
    if fault and fault.before:
        fault.before()
    if fault and fault.lose_request:
        raise ConnectionLostError
    try:
        answer = _answer(world, asked)
    except RefusedError as refused:
        answer = refused.answer()
        answer.template = _template(world, asked)
    if fault and fault.garbage is not None:
        answer.body, answer.headers = fault.garbage, {"content-type": "text/html"}
    else:
        violations.extend(descriptions.disagreements(asked.method, answer, asked.accept))
    _finish(world, asked, answer)
    log.append(_served(asked, answer))
    if fault and fault.lose_answer:
        raise ConnectionLostError
    return answer


def _answer(world: World, asked: Asked) -> Answer:
    if world.fault and world.fault.refusal:
        raise world.fault.refusal
    _check_headers(asked)
    kind = _kind(asked)
    name = asked.headers.get("authorization", "")
    if not asked.path.endswith(("/rate_limit", "/access_tokens")):
        try:
            world.limits.refuse_primary(name, kind)
        except RefusedError as refused:
            if kind != "graphql":
                raise
            answer = graphql_commits.primary_exceeded()
            answer.headers.update(refused.headers)
            return answer
    token = _token(world, asked)
    route, taken = routes.find(world, asked)
    if route.in_repository and token is None and (world.private or asked.method != "GET"):
        raise RefusedError(404, "Not Found")
    makes_content = route.makes_content or (kind == "graphql" and graphql_commits.is_mutation(asked))
    world.limits.refuse_secondary(makes_content)
    world.replica.begin(lagging=_may_lag(asked))
    answer = route.serve(world, asked, token, **taken)
    answer.template = route.template
    return answer


def _finish(world: World, asked: Asked, answer: Answer) -> None:
    """The headers every answer has, the ETag, and the 304 that it makes possible."""
    content_type = "application/vnd.github.raw+json; charset=utf-8" if asked.is_raw else "application/octet-stream"
    answer.headers.setdefault("content-type", JSON if answer.is_json else content_type)
    answer.headers["date"] = formatdate(world.clock(), usegmt=True)
    answer.headers["cache-control"] = "private, max-age=60, s-maxage=60"
    if asked.method == "GET" and answer.status == 200:
        _validate(asked, answer)
    _count(world, asked, answer)
    token = world.tokens.get(_token_name(asked))
    if token and token.expires_at and not token.installation:
        answer.headers["github-authentication-token-expiration"] = formatdate(token.expires_at)


def _validate(asked: Asked, answer: Answer) -> None:
    """The ETag holds the credentials too, so a new token voids it; only that of a bare sha does not."""
    hidden = ":".join(asked.headers.get(name, "") for name in ("accept", "authorization", "cookie")).encode()
    digest = hashlib.sha256(hidden + b":" + answer.content).hexdigest()
    etag = answer.headers.setdefault("etag", f'W/"{digest}"')
    known = [tag.strip().removeprefix("W/") for tag in asked.headers.get("if-none-match", "").split(",")]
    if etag.removeprefix("W/") in known:
        answer.status, answer.body = 304, None
        answer.headers.pop("content-type")


def _count(world: World, asked: Asked, answer: Answer) -> None:
    """A 304 is free to those who are authorised; looking at the limits is free to all."""
    name, kind = asked.headers.get("authorization", ""), _kind(asked)
    is_secondary = answer.status in {403, 429} and "secondary" in str(answer.body)
    if not world.limits.enabled or is_secondary or answer.status >= 500:
        return
    window = world.limits.window(name, kind)
    if _is_counted(asked, answer):
        window.used += 1
    for header, value in window.headers().items():
        answer.headers.setdefault(header, value)


def _is_counted(asked: Asked, answer: Answer) -> bool:
    is_free = answer.status == 304 and "authorization" in asked.headers
    return not is_free and not asked.path.endswith(("/rate_limit", "/access_tokens"))


def _served(asked: Asked, answer: Answer) -> Served:
    operation = f"{asked.method} {answer.template or asked.path}".replace("/repos/{owner}/{repo}", "")
    return Served(asked.method, asked.path, answer.status, _is_counted(asked, answer), operation)


def _check_headers(asked: Asked) -> None:
    if not asked.headers.get("user-agent"):
        raise RefusedError(
            403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent."
        )
    version = asked.headers.get("x-github-api-version")
    if version is not None and version not in API_VERSIONS:
        raise RefusedError(400, "The API version requested is not supported.")


def _kind(asked: Asked) -> str:
    if asked.is_graphql:
        return "graphql"
    return "read" if asked.method in {"GET", "HEAD"} else "write"


def _token_name(asked: Asked) -> str:
    return asked.headers.get("authorization", "").removeprefix("Bearer ").removeprefix("token ")


def _token(world: World, asked: Asked) -> Token | None:
    name = _token_name(asked)
    if not name or asked.path.endswith("/access_tokens"):
        return None
    token = world.tokens.get(name)
    if token is None or (token.expires_at is not None and token.expires_at <= world.clock()):
        raise RefusedError(401, "Bad credentials")
    return token


def _may_lag(asked: Asked) -> bool:
    """Branches are moved where they are kept; what only reads, or names objects, may meet a replica."""
    if asked.is_graphql:
        return not graphql_commits.is_mutation(asked)
    return asked.method == "GET" or asked.path.endswith(("/git/trees", "/git/commits"))


def _template(world: World, asked: Asked) -> str | None:
    try:
        return routes.find(world, asked)[0].template
    except RefusedError:
        return None
