"""What goes wrong on demand: failures, lost connections, delays, and things that happen in between."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.github_double.messages import Asked, RefusedError


@dataclass
class Fault:
    """Concerns the next `times` requests that fit."""

    pattern: re.Pattern[str]
    times: int = 1
    refusal: RefusedError | None = None
    garbage: bytes | None = None
    lose_request: bool = False
    lose_answer: bool = False
    delay: float = 0.0
    before: Callable[[], Any] | None = None
    during: Callable[[], Any] | None = None
    hits: int = 0

    def fits(self, asked: Asked) -> bool:
        return self.hits < self.times and self.pattern.search(_described(asked)) is not None


@dataclass
class Faults:
    """A pattern is searched in `METHOD /path`, with `mutation` or `query` after that of GraphQL; the first fault that
    fits is taken.
    """

    planned: list[Fault] = field(default_factory=list)

    def fail(
        self, pattern: str, status: int, message: str = "", times: int = 1, headers: dict[str, str] | None = None
    ) -> Fault:
        return self._plan(pattern, times, refusal=RefusedError(status, message or "Server Error", headers=headers))

    def garble(self, pattern: str, body: bytes = b"<html>not JSON", times: int = 1) -> Fault:
        """A 200 whose body is not what it should be."""
        return self._plan(pattern, times, garbage=body)

    def lose_request(self, pattern: str, times: int = 1) -> Fault:
        """The connection breaks before anything was done."""
        return self._plan(pattern, times, lose_request=True)

    def lose_answer(self, pattern: str, times: int = 1) -> Fault:
        """Everything is done, and nobody hears of it."""
        return self._plan(pattern, times, lose_answer=True)

    def delay(self, pattern: str, seconds: float, times: int = 1) -> Fault:
        return self._plan(pattern, times, delay=seconds)

    def before(self, pattern: str, happens: Callable[[], Any], times: int = 1) -> Fault:
        return self._plan(pattern, times, before=happens)

    def during(self, pattern: str, happens: Callable[[], Any], times: int = 1) -> Fault:
        """Happens after a write has read the branch and before it moves it."""
        return self._plan(pattern, times, during=happens)

    def take(self, asked: Asked) -> Fault | None:
        fault = next((fault for fault in self.planned if fault.fits(asked)), None)
        if fault:
            fault.hits += 1
        return fault

    def unused(self) -> list[str]:
        """Patterns that never hit: a test with one of these proved nothing."""
        return [fault.pattern.pattern for fault in self.planned if fault.hits == 0]

    def _plan(self, pattern: str, times: int, **what: Any) -> Fault:
        fault = Fault(re.compile(pattern), times, **what)
        self.planned.append(fault)
        return fault


def _described(asked: Asked) -> str:
    kind = "" if not asked.is_graphql else " mutation" if b'"mutation(' in asked.body else " query"
    return f"{asked.method} {asked.path}{kind}"
