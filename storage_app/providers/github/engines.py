"""Three ways to make a commit: one file by the contents endpoint, many by one GraphQL mutation, and everything else
out of blobs, trees and a moved branch.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from storage_app.providers.errors import StorageErrorCode
from storage_app.providers.github import api as github
from storage_app.providers.github import queries, refusals, tree
from storage_app.providers.github.api import GitHubApi
from storage_app.providers.github.endpoints import quoted
from storage_app.providers.github.plans import Plan, Step
from storage_app.providers.github.refusals import GitHubError, Kind
from storage_app.providers.github.trees import LAG_DELAYS

MUTATION_BYTES: Final = 30_000_000  # of base64; about 40 MB was the most that passed
LAYER_ENTRIES: Final = 300
LAYER_BYTES: Final = 2_000_000
BLOBS_AT_ONCE: Final = 4


@dataclass(frozen=True)
class Made:
    """`tree` and `parent` are "" where they are not known."""

    commit: str
    tree: str
    parent: str
    author: str
    timestamp: datetime


def fits_contents(plan: Plan) -> bool:
    """One ordinary file whose own hash is condition enough."""
    if len(plan.steps) != 1 or plan.steps[0].change.expected_sha is not None:
        return False
    return _is_ordinary(plan.steps[0]) and _weight(plan) <= MUTATION_BYTES


def fits_mutation(plan: Plan) -> bool:
    """The mutation makes every file an ordinary one, so none may be or become anything else."""
    ordinary = all(step.new is None or _is_ordinary(step) for step in plan.steps)
    return bool(plan.base.commit) and ordinary and _weight(plan) <= MUTATION_BYTES


async def by_contents(api: GitHubApi, branch: str, plan: Plan) -> Made:
    (step,) = plan.steps
    body: dict[str, Any] = {"message": plan.job.full_message, "branch": branch}
    if step.old:
        # Never for a path that is not there: GitHub would ignore it.
        body["sha"] = step.old.sha
    if step.content is not None:
        body["content"] = base64.b64encode(step.content).decode()
    method = "DELETE" if step.content is None else "PUT"
    response = await api.rest(method, f"/contents/{quoted(step.path)}", body=body, path=plan.path)
    answer = github.decoded(response, plan.path)
    try:
        return _made(answer["commit"])
    except (KeyError, TypeError, ValueError) as error:
        raise refusals.not_understood(plan.path) from error


async def by_mutation(api: GitHubApi, branch: str, plan: Plan) -> Made:
    """One request, whatever the number of files, refused as a whole where the branch is not at the base."""
    headline, _, body = plan.job.full_message.partition("\n")
    repository = f"{api.endpoints.owner}/{api.endpoints.name}"
    asked = {
        "branch": {"repositoryNameWithOwner": repository, "branchName": branch},
        "expectedHeadOid": plan.base.commit,
        "message": {"headline": headline, "body": body.strip("\n")},
        "fileChanges": {
            "additions": [
                {"path": step.path, "contents": base64.b64encode(step.content).decode()}
                for step in plan.steps
                if step.content is not None
            ],
            "deletions": [{"path": step.path} for step in plan.steps if step.content is None],
        },
    }
    data = await api.graphql(queries.COMMIT, {"i": asked}, path=plan.path)
    try:
        commit = data["createCommitOnBranch"]["commit"]
        when = datetime.fromisoformat(commit["committedDate"])
        author = (commit.get("author") or {}).get("name") or ""
        return Made(commit["oid"], commit["tree"]["oid"], plan.base.commit, author, when)
    except (KeyError, TypeError, ValueError) as error:
        raise refusals.not_understood(plan.path) from error


async def by_git_data(api: GitHubApi, branch: str, plan: Plan) -> Made:
    """Nothing is seen of it before the branch moves, and that it does only forward from the base."""
    blobs = await _blobs(api, plan)
    items = [_tree_item(step, step.path in blobs) for step in plan.steps]
    root = plan.base.commit
    for layer in _layers(items):
        root = await _tree(api, root, layer, plan.path)
    body = {"message": plan.job.full_message, "tree": root, "parents": [plan.base.commit]}
    answer = await _post(api, "/git/commits", body, plan.path)
    try:
        made = _made(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise refusals.not_understood(plan.path) from error
    move = {"sha": made.commit, "force": False}
    await api.rest("PATCH", f"/git/refs/heads/{quoted(branch)}", body=move, path=plan.path)
    return made


def _made(commit: Mapping[str, Any]) -> Made:
    parents = commit.get("parents") or []
    when = datetime.fromisoformat(commit["committer"]["date"]).astimezone(UTC)
    parent = parents[0]["sha"] if len(parents) == 1 else ""
    return Made(commit["sha"], commit["tree"]["sha"], parent, commit["author"]["name"], when)


def _is_ordinary(step: Step) -> bool:
    return step.old is None or step.old.mode == tree.FILE


def _weight(plan: Plan) -> int:
    return sum(4 * (len(step.content) // 3 + 1) for step in plan.steps if step.content is not None)


async def _blobs(api: GitHubApi, plan: Plan) -> set[str]:
    """Uploads what cannot stand in a tree as text; known by its content, so twice does no harm. What went up before a
    limit ended it is not sent again: more than an hour allows goes up in several.
    """
    few = asyncio.Semaphore(BLOBS_AT_ONCE)

    async def upload(step: Step) -> None:
        assert step.content is not None
        assert step.new is not None
        if step.new.sha in api.uploaded:
            return
        async with few:
            body = {"content": base64.b64encode(step.content).decode(), "encoding": "base64"}
            await api.rest("POST", "/git/blobs", body=body, repeatable=True, path=step.change.path)
            api.uploaded.add(step.new.sha)

    wanted = [step for step in plan.steps if step.content is not None and not _is_inline(step.content)]
    try:
        async with asyncio.TaskGroup() as group:
            for step in wanted:
                group.create_task(upload(step))
    except* GitHubError as failed:
        raise _first(failed) from None
    return {step.path for step in wanted}


def _first(failed: BaseExceptionGroup[GitHubError]) -> GitHubError:
    found: BaseException = failed
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, GitHubError)
    return found


def _is_inline(content: bytes) -> bool:
    if len(content) > LAYER_BYTES // 4:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _tree_item(step: Step, is_uploaded: bool) -> dict[str, Any]:
    if step.new is None:
        mode = step.old.mode if step.old else tree.FILE
        return {"path": step.path, "mode": mode, "type": "blob", "sha": None}
    item: dict[str, Any] = {"path": step.path, "mode": step.new.mode, "type": "blob"}
    if is_uploaded:
        return {**item, "sha": step.new.sha}
    assert step.content is not None
    return {**item, "content": step.content.decode()}


def _layers(items: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    layers: list[list[dict[str, Any]]] = [[]]
    size = 0
    for item in items:
        more = len(item["path"]) + len(item.get("content") or "") + 100
        if len(layers[-1]) >= LAYER_ENTRIES or (layers[-1] and size + more > LAYER_BYTES):
            layers.append([])
            size = 0
        layers[-1].append(item)
        size += more
    return layers


async def _tree(api: GitHubApi, base: str, items: Sequence[dict[str, Any]], path: str | None) -> str:
    """Made on another; in halves, where GitHub finds it too much."""
    try:
        answer = await _post(api, "/git/trees", {"base_tree": base, "tree": items}, path)
    except GitHubError as error:
        if len(items) == 1 or not (error.kind is Kind.TOO_MUCH or error.details.get("status") == 502):
            raise
        half = len(items) // 2
        return await _tree(api, await _tree(api, base, items[:half], path), items[half:], path)
    return str(answer["sha"])


async def _post(api: GitHubApi, where: str, body: Mapping[str, Any], path: str | None) -> dict[str, Any]:
    """An object, which may be made twice; a replica that does not know the one before yet is given time."""
    delays = list(LAG_DELAYS)
    while True:
        try:
            response = await api.rest("POST", where, body=body, repeatable=True, path=path)
            break
        except GitHubError as error:
            if error.kind is Kind.UNKNOWN:
                # Nothing has moved, so what is unknown here does no harm.
                error.kind = Kind.OTHER
            if error.kind is not Kind.LAGGING or not delays:
                raise
            await api.clock.sleep(delays.pop(0) * (0.8 + 0.4 * api.clock.chance()))
    answer = github.decoded(response, path)
    if not isinstance(answer, dict) or "sha" not in answer:
        raise GitHubError(StorageErrorCode.NETWORK_ERROR, "The answer was not GitHub's.", path)
    return answer
