"""The git database endpoints: blobs, trees, commits and refs."""

import base64
import binascii
from typing import Any

from dulwich.objects import Blob, Commit, Tree

from tests.github_double import paths, shapes
from tests.github_double.messages import Answer, Asked, RefusedError
from tests.github_double.repository import FILE, FOLDER, SUBMODULE
from tests.github_double.world import Token, World


def get_blob(world: World, asked: Asked, token: Token | None, file_sha: str) -> Answer:
    world.refuse_empty()
    sha = file_sha
    if not (world.repository.has(sha, Blob) and world.replica.knows(sha)):
        raise RefusedError(404, "Not Found")
    content = world.repository.blob(sha)
    if len(content) > world.sizes.blob:
        too_large = [{"resource": "Blob", "field": "data", "code": "too_large"}]
        raise RefusedError(403, "This API returns blobs up to 100 MB in size.", errors=too_large)
    return Answer(200, content if asked.is_raw else shapes.blob(world, sha, content))


def post_blob(world: World, asked: Asked, token: Token | None) -> Answer:
    paths.refuse_without_permission(token, [])
    world.refuse_empty()
    body = asked.json()
    try:
        is_base64 = body.get("encoding") == "base64"
        content = base64.b64decode(body["content"], validate=True) if is_base64 else body["content"].encode()
    except binascii.Error as error:
        raise RefusedError(422, "content is not valid Base64") from error
    sha = world.repository.write_blob(content)
    url = f"{world.url}/git/blobs/{sha}"
    return Answer(201, {"url": url, "sha": sha}, {"location": url})


def get_tree(world: World, asked: Asked, token: Token | None, rev: str) -> Answer:
    world.refuse_empty()
    name, sha = _tree(world, rev)
    recursive = "recursive" in asked.query
    entries = list(world.repository.walk(sha) if recursive else world.repository.children(sha))
    truncated = recursive and len(entries) > world.sizes.tree_entries
    shown = entries[: world.sizes.tree_entries] if truncated else entries
    body = {
        "sha": name,
        "url": f"{world.url}/git/trees/{name}",
        "tree": [shapes.tree_item(world, entry) for entry in shown],
        "truncated": truncated,
    }
    return Answer(200, body)


def post_tree(world: World, asked: Asked, token: Token | None) -> Answer:
    body = asked.json()
    items = body.get("tree", [])
    paths.refuse_without_permission(token, [item["path"] for item in items])
    world.refuse_empty()
    if len(items) > world.sizes.tree_post_entries or len(asked.body) > world.sizes.tree_post_bytes:
        raise RefusedError(
            422,
            "Sorry, your request timed out. It's likely that your input was too large to process. Consider building "
            "the tree incrementally, or building the commits you need in a local clone of the repository and then "
            "pushing them to GitHub.",
        )
    base = _base(world, body.get("base_tree"))
    changes = {item["path"]: _change(world, base, item) for item in items}
    tree = world.repository.write_tree(base, changes)
    entries = [shapes.tree_item(world, entry) for entry in world.repository.children(tree)]
    url = f"{world.url}/git/trees/{tree}"
    return Answer(201, {"sha": tree, "url": url, "tree": entries, "truncated": False}, {"location": url})


def get_commit(world: World, asked: Asked, token: Token | None, commit_sha: str) -> Answer:
    world.refuse_empty()
    sha = commit_sha
    if not (world.repository.has(sha, Commit) and world.replica.knows(sha)):
        raise RefusedError(404, "Not Found")
    return Answer(200, shapes.git_commit(world, sha))


def post_commit(world: World, asked: Asked, token: Token | None) -> Answer:
    body = asked.json()
    paths.refuse_without_permission(token, [])
    world.refuse_empty()
    tree = body["tree"]
    if not (world.repository.has(tree, Tree) and world.replica.knows(tree)):
        raise RefusedError(422, "Tree SHA does not exist")
    for parent in body.get("parents", []):
        if not (world.repository.has(parent, Commit) and world.replica.knows(parent)):
            raise RefusedError(422, "Parent SHA does not exist or is not a commit object")
    author = shapes.signature(body.get("author"), world.signature(token))
    committer = shapes.signature(body.get("committer"), author)
    sha = world.repository.write_commit(tree, body.get("parents", []), body["message"], author, committer)
    return Answer(201, shapes.git_commit(world, sha), {"location": f"{world.url}/git/commits/{sha}"})


def get_ref(world: World, asked: Asked, token: Token | None, ref: str) -> Answer:
    world.refuse_empty()
    head = world.replica.head(ref.removeprefix("heads/")) if ref.startswith("heads/") else None
    if head is None:
        raise RefusedError(404, "Not Found")
    return Answer(200, _ref(world, ref, head))


def post_ref(world: World, asked: Asked, token: Token | None) -> Answer:
    body = asked.json()
    paths.refuse_without_permission(token, [])
    world.refuse_empty()
    branch = body["ref"].removeprefix("refs/heads/")
    if world.repository.head(branch):
        raise RefusedError(422, "Reference already exists")
    if not world.repository.has(body["sha"], Commit):
        raise RefusedError(422, "Object does not exist")
    world.repository.move(branch, body["sha"])
    return Answer(
        201, _ref(world, f"heads/{branch}", body["sha"]), {"location": f"{world.url}/git/refs/heads/{branch}"}
    )


def patch_ref(world: World, asked: Asked, token: Token | None, ref: str) -> Answer:
    body = asked.json()
    paths.refuse_without_permission(token, [])
    branch = ref.removeprefix("heads/")
    head = world.repository.head(branch)
    world.refuse_empty()
    if head is None:
        raise RefusedError(422, "Reference does not exist")
    world.refuse_protected(branch, 422)
    if not (world.repository.has(body["sha"], Commit) and world.replica.knows(body["sha"])):
        raise RefusedError(422, "Object does not exist")
    world.happen()
    head = world.repository.head(branch) or head
    if not body.get("force") and not world.repository.is_ancestor(head, body["sha"]):
        raise RefusedError(422, "Update is not a fast forward")
    world.repository.move(branch, body["sha"])
    return Answer(200, _ref(world, ref, body["sha"]))


def _tree(world: World, rev: str) -> tuple[str, str]:
    """The sha that is echoed, and the tree that is meant: a tree, a commit, a branch, or `rev:path`."""
    rev, colon, path = rev.partition(":")
    if len(rev) == 40 and world.repository.has(rev, Tree) and world.replica.knows(rev):
        named, tree = rev, rev
    else:
        commit = world.resolve(rev)
        if commit is None:
            raise RefusedError(404, "Not Found")
        tree = world.repository.tree_of(commit)
        echoed = rev == commit or world.branch_tree_echoes_commit
        named = commit if echoed else tree
    if not colon:
        return named, tree
    entry = world.repository.entry(tree, path)
    if entry is None or entry.mode != FOLDER:
        raise RefusedError(404, "Not Found")
    return entry.sha, entry.sha


def _base(world: World, sha: str | None) -> str | None:
    if sha is None:
        return None
    if world.replica.knows(sha):
        if world.repository.has(sha, Commit):
            return world.repository.tree_of(sha)
        if world.repository.has(sha, Tree):
            return sha
    raise RefusedError(422, "base_tree is not a valid tree oid")


def _change(world: World, base: str | None, item: dict[str, Any]) -> tuple[int, str] | None:
    path, mode = item["path"], int(item["mode"], 8)
    paths.refuse_malformed(path, "tree.path")
    if "content" in item and "sha" in item:
        raise RefusedError(422, "Must supply either tree.sha or tree.content, not both")
    if "content" in item:
        return mode, world.repository.write_blob(item["content"].encode())
    sha = item["sha"]
    if sha is None:
        if base is None or world.repository.entry(base, path) is None:
            raise RefusedError(422, "GitRPC::BadObjectState")
        return None
    wanted = {FOLDER: Tree, SUBMODULE: None}.get(mode, Blob)
    if wanted is not None and not (world.repository.has(sha, wanted) and world.replica.knows(sha)):
        raise RefusedError(422, f"tree.sha {sha} is not a valid {'tree' if wanted is Tree else 'blob'}")
    return mode or FILE, sha


def _ref(world: World, ref: str, sha: str) -> dict[str, Any]:
    target = {"type": "commit", "sha": sha, "url": f"{world.url}/git/commits/{sha}"}
    return {"ref": f"refs/{ref}", "node_id": "REF_1", "url": f"{world.url}/git/refs/{ref}", "object": target}
