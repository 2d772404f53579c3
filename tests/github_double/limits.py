"""Both kinds of rate limit. Reads and writes of `core` have counters of their own, each with its own reset."""

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final

from tests.github_double.messages import RefusedError

HOUR: Final = 3600
SECONDARY: Final = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID."
)


@dataclass
class Window:
    resource: str
    limit: int
    reset: int
    used: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-reset": str(self.reset),
            "x-ratelimit-resource": self.resource,
        }


@dataclass
class Limits:
    """`enabled=False` is a GitHub Enterprise server: no limit and no header."""

    clock: Callable[[], float]
    enabled: bool = True
    read_limit: int = 5000
    write_limit: int = 5000
    graphql_limit: int = 5000
    content_per_minute: int = 80
    content_per_hour: int = 500
    secondary_enabled: bool = False
    secondary_status: int = 403
    retry_after: str | None = "60"  # "date" sends an HTTP date
    _windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    _content: list[float] = field(default_factory=list)

    def window(self, token: str, kind: str) -> Window:
        now = self.clock()
        found = self._windows.get((token, kind))
        if found is None or found.reset <= now:
            limit = {"read": self.read_limit, "write": self.write_limit, "graphql": self.graphql_limit}[kind]
            resource = "graphql" if kind == "graphql" else "core"
            shift = 97 if kind == "write" else 0
            found = Window(resource, limit if token else 60, int(now) + HOUR + shift)
            self._windows[token, kind] = found
        return found

    def exhaust(self, token: str, kind: str, left: int = 0) -> Window:
        window = self.window(token, kind)
        window.used = window.limit - left
        return window

    def refuse_secondary(self, makes_content: bool) -> None:
        """GitHub tells of this limit only by refusing: no counter is in any header."""
        if not makes_content or not self.secondary_enabled:
            return
        now = self.clock()
        self._content = [at for at in self._content if at > now - HOUR]
        in_the_last_minute = sum(at > now - 60 for at in self._content)
        if in_the_last_minute >= self.content_per_minute or len(self._content) >= self.content_per_hour:
            raise RefusedError(self.secondary_status, SECONDARY, headers=self._retry_after(now))
        self._content.append(now)

    def refuse_primary(self, token: str, kind: str) -> None:
        window = self.window(token, kind)
        if self.enabled and window.remaining == 0:
            who = "user ID 1" if token else "127.0.0.1"
            raise RefusedError(403, f"API rate limit exceeded for {who}.", headers=window.headers())

    def _retry_after(self, now: float) -> dict[str, str]:
        if self.retry_after is None:
            return {}
        value = formatdate(now + 60, usegmt=True) if self.retry_after == "date" else self.retry_after
        return {"retry-after": value}
