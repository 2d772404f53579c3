"""Which paths GitHub takes, and what a rule about a branch says to a change of it."""

from tests.github_double.messages import RefusedError
from tests.github_double.repository import FOLDER
from tests.github_double.world import Token, World

WORKFLOWS = ".github/workflows/"


def refuse_malformed(path: str, field: str) -> None:
    parts = path.split("/")
    bad = any(part in {"", ".", ".."} or part.lower() == ".git" or "\0" in part for part in parts)
    if bad:
        raise RefusedError(422, f"{field} contains a malformed path component")


def refuse_below_file(world: World, tree: str | None, path: str, field: str) -> None:
    """A file cannot be a folder too, nor a folder a file."""
    if tree is None:
        return
    parts = path.split("/")
    for depth in range(1, len(parts)):
        parent = world.repository.entry(tree, "/".join(parts[:depth]))
        if parent is not None and parent.mode != FOLDER:
            raise RefusedError(422, f"{field} is below a file")
    found = world.repository.entry(tree, path)
    if found is not None and found.mode == FOLDER:
        raise RefusedError(422, f"{field} is a directory")


def refuse_without_permission(token: Token | None, paths: list[str]) -> None:
    if token is None:
        raise RefusedError(404, "Not Found")
    who = "integration" if token.installation else "personal access token"
    if token.contents != "write":
        needed = {"x-accepted-github-permissions": "contents=write"}
        raise RefusedError(403, f"Resource not accessible by {who}", headers=needed)
    if not token.workflows and any(path.startswith(WORKFLOWS) for path in paths):
        needed = {"x-accepted-github-permissions": "contents=write; contents=write,workflows=write"}
        raise RefusedError(403, f"Resource not accessible by {who}", headers=needed)
