"""The contents endpoints: one file, or one folder cut at a thousand entries."""

import base64
import binascii
import posixpath
from typing import Any

from tests.github_double import paths, shapes
from tests.github_double.messages import Answer, Asked, RefusedError
from tests.github_double.repository import FILE, FOLDER, SUBMODULE, SYMLINK, Entry
from tests.github_double.world import Token, World


def get(world: World, asked: Asked, token: Token | None, path: str) -> Answer:
    ref = asked.query.get("ref", world.default_branch)
    commit = world.resolve(ref)
    if commit is None:
        raise RefusedError(
            404, f"No commit found for the ref {ref}" if not world.is_empty else "This repository is empty."
        )
    tree = world.repository.tree_of(commit)
    entry = world.repository.entry(tree, path)
    if entry is None:
        raise RefusedError(404, "Not Found")
    if entry.mode == FOLDER:
        return Answer(200, _folder(world, entry, ref))
    if entry.mode == SUBMODULE:
        return Answer(200, {**shapes.content(world, entry, ref), "submodule_git_url": "https://github.com/acme/other"})
    if entry.mode == SYMLINK:
        target = _target(world, tree, entry)
        if target is None:
            text = world.repository.blob(entry.sha).decode()
            return Answer(200, {**shapes.content(world, entry, ref), "target": text})
        entry = Entry(entry.path, target.mode, target.sha)
    return _file(world, asked, entry, ref)


def put(world: World, asked: Asked, token: Token | None, path: str) -> Answer:
    body = asked.json()
    paths.refuse_without_permission(token, [path])
    branch = body.get("branch", world.default_branch)
    content = _content(body)
    head = _head(world, branch, may_be_first=True)
    paths.refuse_malformed(path, "path")
    world.refuse_protected(branch, 409)
    tree = world.repository.tree_of(head) if head else None
    paths.refuse_below_file(world, tree, path, "path")
    found = world.repository.entry(tree, path) if tree else None
    # A sha for a path that is not there is ignored and the file created: measured, and a trap.
    if found is not None:
        _check_sha(path, body.get("sha"), found)
    world.happen()
    _refuse_moved(world, branch, head)
    sha = world.repository.write_blob(content)
    commit = _commit(world, token, branch, head, body, {path: (FILE, sha)})
    made = Entry(path, FILE, sha)
    answer = {"content": shapes.content(world, made, branch), "commit": shapes.git_commit(world, commit)}
    return Answer(200 if found else 201, answer)


def delete(world: World, asked: Asked, token: Token | None, path: str) -> Answer:
    body = asked.json() if asked.body else {}
    body = {**asked.query, **body}
    paths.refuse_without_permission(token, [path])
    branch = body.get("branch", world.default_branch)
    head = _head(world, branch)
    assert head is not None
    found = world.repository.entry(world.repository.tree_of(head), path)
    if found is None:
        raise RefusedError(404, "Not Found")
    world.refuse_protected(branch, 409)
    _check_sha(path, body.get("sha"), found)
    world.happen()
    _refuse_moved(world, branch, head)
    commit = _commit(world, token, branch, head, body, {path: None})
    return Answer(200, {"content": None, "commit": shapes.git_commit(world, commit)})


def _folder(world: World, entry: Entry, ref: str) -> list[dict[str, Any]]:
    prefix = f"{entry.path}/" if entry.path else ""
    listed = []
    for child in list(world.repository.children(entry.sha))[: world.sizes.folder]:
        shape = shapes.content(world, Entry(prefix + child.path, child.mode, child.sha), ref)
        if shape["type"] == "submodule":
            shape["type"] = "file"  # so in this version of the API
        listed.append(shape)
    return listed


def _file(world: World, asked: Asked, entry: Entry, ref: str) -> Answer:
    content = world.repository.blob(entry.sha)
    if len(content) > world.sizes.contents_raw:
        raise RefusedError(403, "This API returns blobs up to 100 MB in size.", errors=[{"code": "too_large"}])
    if asked.is_raw:
        return Answer(200, content)
    shape = shapes.content(world, entry, ref)
    is_large = len(content) > world.sizes.contents_inline
    shape["content"] = "" if is_large else base64.encodebytes(content).decode()
    shape["encoding"] = "none" if is_large else "base64"
    return Answer(200, shape)


def _target(world: World, tree: str, entry: Entry) -> Entry | None:
    """The file that a link within the repository leads to."""
    text = world.repository.blob(entry.sha).decode()
    if text.startswith("/"):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), text))
    found = None if path.startswith("..") else world.repository.entry(tree, path)
    return found if found and found.type == "blob" and found.mode != SYMLINK else None


def _content(body: dict[str, Any]) -> bytes:
    if "message" not in body or "content" not in body:
        raise RefusedError(422, 'Invalid request.\n\n"message" and "content" weren\'t supplied.')
    try:
        return base64.b64decode(body["content"], validate=True)
    except binascii.Error as error:
        raise RefusedError(422, "content is not valid Base64") from error


def _head(world: World, branch: str, may_be_first: bool = False) -> str | None:
    head = world.repository.head(branch)
    if head is None and not (may_be_first and world.is_empty):
        raise RefusedError(404, f"Branch {branch} not found")
    return head


def _check_sha(path: str, sha: str | None, found: Entry) -> None:
    if sha is None:
        raise RefusedError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if sha != found.sha:
        raise RefusedError(409, f"{path} does not match {sha}")


def _refuse_moved(world: World, branch: str, head: str | None) -> None:
    now = world.repository.head(branch)
    if now != head:
        raise RefusedError(409, f"is at {now} but expected {head}")


def _commit(
    world: World,
    token: Token | None,
    branch: str,
    head: str | None,
    body: dict[str, Any],
    changes: dict[str, tuple[int, str] | None],
) -> str:
    base = world.repository.tree_of(head) if head else None
    tree = world.repository.write_tree(base, changes)
    author = shapes.signature(body.get("author"), world.signature(token))
    committer = shapes.signature(body.get("committer"), world.web_flow())
    commit = world.repository.write_commit(tree, [head] if head else [], body["message"], author, committer)
    world.repository.move(branch, commit)
    return commit
