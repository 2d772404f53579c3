"""What is left of GitHub's rate limits, and until when nothing more is sent."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from storage_app.providers.github import refusals
from storage_app.providers.github.budgets import ContentBudget
from storage_app.providers.github.clock import Clock
from storage_app.providers.github.refusals import GitHubError, Kind

LONGEST_SECONDARY: Final = 3600.0


@dataclass
class Window:
    resource: str
    limit: int
    remaining: int
    reset: int


class RateLimits:
    """Reads and writes may have counters of their own under one name, told apart only by when they reset: so windows
    are kept by resource and reset, and each kind of request knows in which it was last seen.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, int], Window] = {}
        self._seen: dict[tuple[str, bool], tuple[str, int]] = {}
        self._blocked_until = 0.0
        self._refused_in_a_row = 0
        self.skew = 0.0
        self.content = ContentBudget(clock)

    def check(self, resource: str, is_write: bool) -> None:
        """RATE_LIMITED for a request that cannot succeed: it is not sent."""
        now = self._clock.now()
        if self._blocked_until > now:
            raise refusals.limited(self._blocked_until)
        window = self._windows.get(self._seen.get((resource, is_write), ("", 0)))
        if window and window.remaining <= 0 and window.reset > now + self.skew:
            raise refusals.limited(window.reset - self.skew + 1)

    @property
    def content_free_at(self) -> float:
        """When content may be made again; the past, if now. An Enterprise server without limits has none for this."""
        return self.content.free_at() if self._seen else 0.0

    def note(self, response: httpx.Response, resource: str, is_write: bool) -> None:
        """From the headers. Without them (an Enterprise server) there is no limit."""
        headers, now = response.headers, self._clock.now()
        self._note_skew(headers.get("date", ""), now)
        if response.status_code < 400:
            self._refused_in_a_row = 0
        try:
            remaining, reset = int(headers["x-ratelimit-remaining"]), int(headers["x-ratelimit-reset"])
            limit = int(headers.get("x-ratelimit-limit", 0))
        except (KeyError, ValueError):
            return
        key = (headers.get("x-ratelimit-resource", resource), reset)
        window = self._windows.setdefault(key, Window(key[0], limit, remaining, reset))
        # Answers overtake one another: the least that was seen is the truth.
        window.remaining = min(window.remaining, remaining)
        self._seen[resource, is_write] = key
        self._windows = {each: kept for each, kept in self._windows.items() if kept.reset > now + self.skew - 60}

    def refused(self, error: GitHubError, response: httpx.Response) -> GitHubError:
        """After a secondary limit nothing is sent for a while, twice as long each time that GitHub names no time."""
        if error.kind is not Kind.SECONDARY:
            return error
        now = self._clock.now()
        wait = refusals.retry_after(response, now + self.skew)
        if wait is None:
            wait = min(60.0 * 2**self._refused_in_a_row, LONGEST_SECONDARY)
        self._refused_in_a_row += 1
        self._blocked_until = max(self._blocked_until, now + wait)
        limited = refusals.limited(self._blocked_until, error.path, error.details)
        limited.kind = Kind.SECONDARY
        return limited

    def renew(self) -> None:
        """For another token other limits hold."""
        self._windows.clear()
        self._seen.clear()

    def state(self) -> dict[str, Any]:
        """For people and metrics."""
        now = self._clock.now()
        shown = [
            {"resource": window.resource, "limit": window.limit, "remaining": window.remaining, "reset": window.reset}
            for window in self._windows.values()
            if window.reset > now + self.skew
        ]
        blocked = self._blocked_until if self._blocked_until > now else None
        windows = sorted(shown, key=lambda each: (each["resource"], each["reset"]))
        return {"windows": windows, "blocked_until": blocked, "content": self.content.state() if self._seen else []}

    def _note_skew(self, date: str, now: float) -> None:
        try:
            skew = parsedate_to_datetime(date).timestamp() - now
        except ValueError:
            return
        # The header has whole seconds only: less than two says nothing.
        self.skew = skew if abs(skew) >= 2 else 0.0
