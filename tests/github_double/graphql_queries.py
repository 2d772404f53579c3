"""GraphQL: the look-ups. Types are resolved by what the git object is."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from dulwich.objects import Blob as BlobObject
from dulwich.objects import Commit as CommitObject
from dulwich.objects import Tree as TreeObject
from graphql import build_schema
from graphql.type import GraphQLInterfaceType, GraphQLSchema

from tests.github_double import shapes
from tests.github_double.commits import touches
from tests.github_double.repository import FOLDER, SUBMODULE, Entry
from tests.github_double.world import Token, World

_TEXT: Final = Path(__file__).with_name("schema.graphql")


def schema() -> GraphQLSchema:
    built = build_schema(_TEXT.read_text(encoding="utf-8"))
    git_object = built.type_map["GitObject"]
    assert isinstance(git_object, GraphQLInterfaceType)
    git_object.resolve_type = lambda value, info, kind: type(value).__name__
    return built


@dataclass
class Root:
    world: World
    token: Token | None
    name: str

    def repository(self, info: Any, owner: str, name: str, followRenames: bool = True) -> Any:  # noqa: N803
        known = {self.world.full_name, *(self.world.old_names if followRenames else ())}
        return Repository(self.world) if f"{owner}/{name}" in known else None

    def rateLimit(self, info: Any, dryRun: bool = False) -> dict[str, Any]:  # noqa: N802, N803
        window = self.world.limits.window(self.name, "graphql")
        return {
            "cost": 1,
            "limit": window.limit,
            "remaining": window.remaining,
            "used": window.used,
            "resetAt": shapes.time(window.reset),
        }


@dataclass
class Repository:
    world: World

    @property
    def isEmpty(self) -> bool:  # noqa: N802
        return self.world.is_empty

    @property
    def nameWithOwner(self) -> str:  # noqa: N802
        return self.world.full_name

    def ref(self, info: Any, qualifiedName: str) -> dict[str, Any] | None:  # noqa: N803
        branch = qualifiedName.removeprefix("refs/heads/")
        head = self.world.replica.head(branch)
        return {"name": branch, "target": Commit(self.world, head)} if head else None

    def object(self, info: Any, expression: str | None = None, oid: str | None = None) -> Any:
        rev, colon, path = (expression or oid or "").partition(":")
        sha = self.world.resolve(rev)
        if sha is None:
            known = len(rev) == 40 and self.world.replica.knows(rev)
            return git_object(self.world, rev) if known else None
        if not colon:
            return Commit(self.world, sha)
        entry = self.world.repository.entry(self.world.repository.tree_of(sha), path)
        return _object_of(self.world, entry) if entry else None


@dataclass
class Commit:
    world: World
    oid: str

    @property
    def message(self) -> str:
        return str(self.world.repository.commit(self.oid).message.decode())

    @property
    def author(self) -> dict[str, str]:
        name, _, email = self.world.repository.commit(self.oid).author.decode().rpartition(" <")
        return {"name": name, "email": email.rstrip(">")}

    @property
    def committedDate(self) -> str:  # noqa: N802
        return shapes.time(self.world.repository.commit(self.oid).commit_time)

    @property
    def tree(self) -> "Tree":
        return Tree(self.world, self.world.repository.tree_of(self.oid))

    def file(self, info: Any, path: str) -> "TreeEntry | None":
        entry = self.world.repository.entry(self.tree.oid, path)
        return TreeEntry(self.world, entry) if entry else None

    def history(self, info: Any, first: int = 10, after: str | None = None, path: str | None = None) -> dict[str, Any]:
        history = self.world.repository.history(self.oid)
        shas = (sha for sha in history if not path or touches(self.world, sha, path))
        if after:
            next(sha for sha in shas if sha == after)
        shown = list(islice(shas, first + 1))
        page = {"hasNextPage": len(shown) > first, "endCursor": shown[:first][-1] if shown else None}
        return {"nodes": [Commit(self.world, sha) for sha in shown[:first]], "pageInfo": page}


@dataclass
class Tree:
    world: World
    oid: str

    @property
    def entries(self) -> list["TreeEntry"]:
        return [TreeEntry(self.world, entry) for entry in self.world.repository.children(self.oid)]


@dataclass
class TreeEntry:
    world: World
    entry: Entry

    @property
    def name(self) -> str:
        return self.entry.path.rpartition("/")[2]

    @property
    def path(self) -> str:
        return self.entry.path

    @property
    def mode(self) -> int:
        return self.entry.mode

    @property
    def type(self) -> str:
        return self.entry.type

    @property
    def oid(self) -> str:
        return self.entry.sha

    @property
    def size(self) -> int:
        return self.world.repository.size(self.entry.sha) if self.entry.type == "blob" else 0

    @property
    def object(self) -> Any:
        return _object_of(self.world, self.entry)


@dataclass
class Blob:
    world: World
    oid: str

    @property
    def byteSize(self) -> int:  # noqa: N802
        return self.world.repository.size(self.oid)

    @property
    def isBinary(self) -> bool:  # noqa: N802
        return b"\0" in self.world.repository.blob(self.oid)[:8000]

    @property
    def isTruncated(self) -> bool:  # noqa: N802
        return self.byteSize > self.world.sizes.graphql_text

    @property
    def text(self) -> str | None:
        if self.isBinary:
            return None
        content = self.world.repository.blob(self.oid)[: self.world.sizes.graphql_text]
        return content.decode("utf-8", "replace")


def git_object(world: World, sha: str) -> Commit | Tree | Blob | None:
    kinds: list[tuple[Any, type[Commit | Tree | Blob]]] = [
        (CommitObject, Commit),
        (TreeObject, Tree),
        (BlobObject, Blob),
    ]
    return next((ours(world, sha) for kind, ours in kinds if world.repository.has(sha, kind)), None)


def _object_of(world: World, entry: Entry) -> Tree | Blob | None:
    if entry.mode == SUBMODULE:
        return None
    return Tree(world, entry.sha) if entry.mode == FOLDER else Blob(world, entry.sha)
