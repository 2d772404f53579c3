"""A replica that lags: it knows the branches and objects of a moment ago."""

from dataclasses import dataclass, field

from tests.github_double.repository import GitRepository


@dataclass
class Replica:
    """While `answers` are left, reads and object look-ups see the state of the freeze; branches move all the same."""

    repository: GitRepository
    answers: int = 0
    heads: dict[str, str] = field(default_factory=dict)
    in_use: bool = False

    def freeze(self, answers: int) -> None:
        """From now on writes are not seen by the next so many requests that read."""
        self.answers = answers
        self.heads = self.repository.branches()
        self.repository.written.clear()

    def begin(self, lagging: bool) -> None:
        self.in_use = lagging and self.answers > 0 and bool(self.repository.written)
        if self.in_use:
            self.answers -= 1

    def head(self, branch: str) -> str | None:
        return self.heads.get(branch) if self.in_use else self.repository.head(branch)

    def knows(self, sha: str) -> bool:
        return not (self.in_use and sha in self.repository.written)
