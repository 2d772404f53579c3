"""Some paths of the branch, asked for by name with the head they belong to: one request instead of a whole tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from storage_app import hashes
from storage_app.providers.errors import StorageErrorCode
from storage_app.providers.github import queries, refusals
from storage_app.providers.github.api import GitHubApi
from storage_app.providers.github.refusals import GitHubError
from storage_app.providers.github.tree import Entry

# What a look at a path can tell without its tree: a file, a folder, or nothing.
Found = Entry | Literal["folder"] | None


@dataclass(frozen=True)
class State:
    """`commit` is "" for a repository without commits. `texts` are by the hash of the blob, and verified against it."""

    commit: str
    tree: str
    found: Mapping[str, Found]
    messages: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, bytes] = field(default_factory=dict)


async def state(api: GitHubApi, branch: str, paths: Sequence[str], *, with_text: bool = False) -> State:
    """Of the branch's head. Many paths take several requests, the later ones at the commit that the first one found."""
    most = queries.MOST_TEXTS if with_text else queries.MOST_FIELDS
    first, rest = paths[:most], paths[most:]
    variables = {"b": f"refs/heads/{branch}", **_repository(api), **_variables(first)}
    data = await api.graphql(queries.state(first, with_text), variables)
    repository = data.get("repository") or {}
    if repository.get("isEmpty"):
        return State("", "", dict.fromkeys(paths))
    target = (repository.get("ref") or {}).get("target")
    if not target:
        raise branch_missing(branch)
    commit = target["oid"]
    found, texts = _read(target, first)
    while rest:
        some, rest = rest[:most], rest[most:]
        variables = {"c": commit, **_repository(api), **_variables(some)}
        data = await api.graphql(queries.at_commit(some, with_text), variables)
        more, more_texts = _read((data.get("repository") or {}).get("object") or {}, some)
        found.update(more)
        texts.update(more_texts)
    messages = {node["oid"]: node["message"] for node in target["history"]["nodes"]}
    return State(commit, target["tree"]["oid"], found, messages, texts)


async def at_commit(api: GitHubApi, commit: str, path: str) -> Found:
    """What is at a path in any commit; None too where there is no such commit."""
    variables = {"c": commit, **_repository(api), **_variables([path])}
    data = await api.graphql(queries.at_commit([path]), variables, path=path)
    return _read((data.get("repository") or {}).get("object") or {}, [path])[0][path]


def branch_missing(branch: str) -> GitHubError:
    details = {"reason": "branch_missing", "branch": branch}
    return GitHubError(StorageErrorCode.NOT_FOUND, "There is no such branch.", None, details)


def _read(target: Mapping[str, Any], paths: Sequence[str]) -> tuple[dict[str, Found], dict[str, bytes]]:
    found: dict[str, Found] = {}
    texts: dict[str, bytes] = {}
    try:
        for index, path in enumerate(paths):
            item = target.get(f"f{index}")
            found[path] = _found(item) if item else None
            text = _text(item) if item else None
            if item and text is not None:
                texts[item["oid"]] = text
    except (KeyError, TypeError, ValueError) as error:
        raise refusals.not_understood() from error
    return found, texts


def _found(item: Mapping[str, Any]) -> Found:
    if item["type"] == "tree":
        return "folder"
    return Entry(f"{item['mode']:o}", item["oid"], item["size"])


def _text(item: Mapping[str, Any]) -> bytes | None:
    """The content, where what GitHub shows as text is the whole of it, byte for byte."""
    text = (item.get("object") or {}).get("text")
    if text is None:
        return None
    content = text.encode("utf-8", "surrogatepass")
    return content if hashes.git_hash(content) == f"git:{item['oid']}" else None


def _repository(api: GitHubApi) -> dict[str, str]:
    return {"o": api.endpoints.owner, "n": api.endpoints.name}


def _variables(paths: Sequence[str]) -> dict[str, str]:
    return {f"p{index}": path for index, path in enumerate(paths)}
