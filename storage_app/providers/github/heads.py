"""Where the branch is: what was last heard, how long ago, and what we know better than a replica that lags."""

from collections import deque
from typing import Final

from storage_app.providers.github.clock import Clock

OWN_COMMITS: Final = 20
LONGEST_LAG: Final = 60.0


class Head:
    """`commit` is None as long as nothing is known, and "" for a repository without commits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._checked_at = float("-inf")
        self._own: deque[tuple[str, str, float]] = deque(maxlen=OWN_COMMITS)  # commit, its parent, when
        self.commit: str | None = None

    def is_younger_than(self, seconds: float) -> bool:
        return self.commit is not None and self._clock.monotonic() - self._checked_at < seconds

    def is_own(self, commit: str) -> bool:
        """Whether we made it so recently that a replica may not know it."""
        limit = self._clock.monotonic() - LONGEST_LAG
        return any(own == commit and at > limit for own, _, at in self._own)

    def heard(self, commit: str, asked_at: float) -> bool:
        """What GitHub says; False where that is an older state than one of our own making, so ours stays."""
        lags = commit != self.commit and self._is_before_own(commit)
        if not lags:
            self.commit = commit
        self._checked_at = asked_at
        return not lags

    def made(self, commit: str, parent: str) -> None:
        now = self._clock.monotonic()
        self._own.append((commit, parent, now))
        self.commit, self._checked_at = commit, now

    def forget(self) -> None:
        """The age only: the commit is still good for asking whether anything moved."""
        self._checked_at = float("-inf")

    def _is_before_own(self, commit: str) -> bool:
        """One that is a parent of our own, or an own one that has a later one after it."""
        limit = self._clock.monotonic() - LONGEST_LAG
        recent = [(own, parent) for own, parent, at in self._own if at > limit]
        if not any(own == self.commit for own, _ in recent):
            return False
        return any(commit == parent for _, parent in recent) or any(commit == own for own, _ in recent)
