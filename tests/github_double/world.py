"""Everything the endpoints stand on: the repository and the circumstances a test sets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from dulwich.objects import Commit

from tests.github_double.faults import Fault, Faults
from tests.github_double.limits import Limits
from tests.github_double.messages import RefusedError
from tests.github_double.replica import Replica
from tests.github_double.repository import GitRepository, Signature

WEB_FLOW: Final = ("GitHub", "noreply@github.com")


@dataclass
class Sizes:
    """The documented ceilings; tests make them small where a real one would only take time."""

    contents_inline: int = 1024 * 1024
    contents_raw: int = 100 * 1024 * 1024
    blob: int = 100 * 1024 * 1024
    folder: int = 1000
    tree_entries: int = 100_000
    tree_post_entries: int = 1000
    tree_post_bytes: int = 10 * 1024 * 1024
    graphql_bytes: int = 40_000_000
    graphql_text: int = 512_000


@dataclass
class Token:
    login: str = "octo"
    contents: str = "write"
    workflows: bool = True
    expires_at: float | None = None
    installation: bool = False


@dataclass
class World:
    repository: GitRepository
    clock: Callable[[], float]
    limits: Limits
    faults: Faults = field(default_factory=Faults)
    sizes: Sizes = field(default_factory=Sizes)
    owner: str = "acme"
    name: str = "files"
    old_names: set[str] = field(default_factory=set)
    number: int = 1296269
    default_branch: str = "main"
    protected: set[str] = field(default_factory=set)
    tokens: dict[str, Token] = field(default_factory=dict)
    apps: dict[str, str] = field(default_factory=dict)  # the id of an App -> its public key
    private: bool = True
    # A tree asked for by a commit's sha echoes it (recorded). That one asked for by a branch does too is inferred:
    # both can be.
    branch_tree_echoes_commit: bool = True
    base_url: str = "https://api.github.com"
    fault: Fault | None = None

    def __post_init__(self) -> None:
        self.replica = Replica(self.repository)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def url(self) -> str:
        return f"{self.base_url}/repos/{self.full_name}"

    @property
    def is_empty(self) -> bool:
        return not self.repository.branches()

    def refuse_empty(self) -> None:
        if self.is_empty:
            raise RefusedError(409, "Git Repository is empty.")

    def refuse_protected(self, branch: str, status: int) -> None:
        if branch in self.protected:
            raise RefusedError(
                status, "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"
            )

    def resolve(self, rev: str) -> str | None:
        """A branch, a full sha of a commit, or `refs/heads/…`, to a commit's sha."""
        name = rev.removeprefix("refs/").removeprefix("heads/")
        head = self.replica.head(name)
        if head:
            return head
        known = len(rev) == 40 and self.repository.has(rev, Commit) and self.replica.knows(rev)
        return rev if known else None

    def happen(self) -> None:
        """What a test lets happen between a write's look at the branch and its move."""
        if self.fault and self.fault.during:
            self.fault.during()

    def signature(self, token: Token | None = None) -> Signature:
        login = token.login if token else "octo"
        return Signature(login, f"{login}@users.noreply.github.com", int(self.clock()))

    def web_flow(self) -> Signature:
        return Signature(*WEB_FLOW, int(self.clock()))
