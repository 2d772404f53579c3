"""GraphQL: the endpoint, and `createCommitOnBranch`: any number of files, one commit, compare and swap."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLError, GraphQLSchema, graphql_sync

from tests.github_double import paths
from tests.github_double.graphql_queries import Commit, Root, schema
from tests.github_double.messages import Answer, Asked, RefusedError
from tests.github_double.repository import FILE, FOLDER
from tests.github_double.world import Token, World

_SCHEMA: Final[GraphQLSchema] = schema()


def post(world: World, asked: Asked, token: Token | None) -> Answer:
    if token is None:
        raise RefusedError(401, "This endpoint requires you to be authenticated.")
    body = asked.json()
    root = RootWithMutations(world, token, asked.headers.get("authorization", ""))
    done = graphql_sync(_SCHEMA, body["query"], root, variable_values=body.get("variables"))
    answer: dict[str, Any] = {"data": done.data}
    if done.errors:
        answer["errors"] = [_error(error) for error in done.errors]
        if done.data is None:
            del answer["data"]
    return Answer(200, answer)


def is_mutation(asked: Asked) -> bool:
    return str(asked.json().get("query", "")).lstrip().startswith("mutation")


def primary_exceeded() -> Answer:
    """GraphQL tells of its primary limit with a 200."""
    return Answer(200, {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}]})


@dataclass
class RootWithMutations(Root):
    def createCommitOnBranch(self, info: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: N802, A002
        return create_commit(self.world, self.token, input)


def create_commit(world: World, token: Token | None, asked: dict[str, Any]) -> dict[str, Any]:
    branch = asked["branch"]["branchName"].removeprefix("refs/heads/")
    if asked["branch"]["repositoryNameWithOwner"] not in {world.full_name, *world.old_names}:
        raise _refusal("NOT_FOUND", "Could not resolve to a Repository with the name given.")
    additions = {item["path"]: item["contents"] for item in asked.get("fileChanges", {}).get("additions", [])}
    deletions = [item["path"] for item in asked.get("fileChanges", {}).get("deletions", [])]
    _check_permission(token, [*additions, *deletions])
    head = world.repository.head(branch)
    if head is None:
        raise _refusal("NOT_FOUND", f"No ref named {branch!r} found.")
    changes = _changes(world, head, additions, deletions)
    if branch in world.protected:
        raise _refusal("BRANCH_PROTECTION_RULE_VIOLATION", "Changes must be made through a pull request.")
    world.happen()
    expected = asked["expectedHeadOid"]
    if world.repository.head(branch) != expected:
        sentence = f'Expected branch to point to "{expected}" but it did not.  Pull and try again.'
        raise _refusal("STALE_DATA", sentence)
    tree = world.repository.write_tree(world.repository.tree_of(head), changes)
    body = asked["message"].get("body") or ""
    message = asked["message"]["headline"] + (f"\n\n{body}" if body else "")
    sha = world.repository.write_commit(tree, [head], message, world.signature(token), world.web_flow())
    world.repository.move(branch, sha)
    return {"commit": Commit(world, sha), "ref": {"name": branch, "target": Commit(world, sha)}}


def _changes(
    world: World, head: str, additions: dict[str, str], deletions: list[str]
) -> dict[str, tuple[int, str] | None]:
    contents = {path: _decoded(text) for path, text in additions.items()}
    # GitHub weighs the request, so the base64 text counts and not what it stands for.
    if sum(len(text) for text in additions.values()) > world.sizes.graphql_bytes:
        raise _refusal("UNPROCESSABLE", "The request is too large.")
    if set(additions) & set(deletions):
        raise _refusal("UNPROCESSABLE", "A path was given both as an addition and as a deletion.")
    tree = world.repository.tree_of(head)
    changes: dict[str, tuple[int, str] | None] = {}
    for path in deletions:
        found = world.repository.entry(tree, path)
        if found is None or found.mode == FOLDER:
            sentence = f"A path was requested for deletion which does not exist as of commit oid `{head}`"
            raise _refusal("UNPROCESSABLE", sentence)
        changes[path] = None
    for path, content in contents.items():
        try:
            paths.refuse_malformed(path, "path")
            paths.refuse_below_file(world, world.repository.write_tree(tree, changes), path, "path")
        except RefusedError as refused:
            raise _refusal("UNPROCESSABLE", refused.message) from refused
        changes[path] = (FILE, world.repository.write_blob(content))  # whatever the mode was before
    return changes


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _refusal("UNPROCESSABLE", "contents is not valid Base64") from error


def _check_permission(token: Token | None, touched: list[str]) -> None:
    try:
        paths.refuse_without_permission(token, touched)
    except RefusedError as refused:
        raise _refusal("FORBIDDEN", refused.message) from refused


def _refusal(kind: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": kind})


def _error(error: GraphQLError) -> dict[str, Any]:
    """GitHub puts the type beside the message, not into `extensions`."""
    shown: dict[str, Any] = {"message": error.message}
    if error.extensions and "type" in error.extensions:
        shown["type"] = error.extensions["type"]
    if error.path:
        shown["path"] = list(error.path)
    original = error.original_error
    if original is not None and not isinstance(original, GraphQLError):
        raise original  # a fault of the double, never to be taken for an answer of GitHub
    return shown
