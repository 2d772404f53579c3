"""Where a command finds a project's jobs: here in this process, or on a server."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

Value = Mapping[str, Any]  # as the API shows it


class Desk(Protocol):
    """Jobs as JSON values, as the API has them. What is refused is a RefusedError, lost leases a LeaseLostError; what
    may go well a moment later is a TransientError.
    """

    def create(self, jobs: Sequence[Value]) -> list[Value]:
        """All or none, in the order given."""

    def find(self, filters: Value, order: str, most: int | None) -> Iterator[Value]: ...

    def get(self, id: str) -> Value: ...

    def attempts(self, id: str) -> list[Value]: ...

    def retry(self, id: str, reason: str) -> Value: ...

    def cancel(self, id: str, reason: str) -> Value: ...

    def log(self, id: str, level: str | None, words: str | None, tail: int | None) -> Iterator[Value]:
        """All lines, or the last ones."""

    def follow(self, id: str, level: str | None, words: str | None, after: int) -> Iterator[Value]:
        """The lines after that one, until the job has ended."""

    def claim(
        self, worker_id: str, content_types: Sequence[str] | None, lease_seconds: int, wait: float
    ) -> Value | None:
        """A job with its `lease_token`; None where nothing came in that time."""

    def heartbeat(self, id: str, token: str, percent: float | None, message: str | None) -> bool:
        """Whether the job is to be cancelled."""

    def append_log(self, id: str, token: str, entries: Sequence[Value]) -> None: ...

    def complete(self, id: str, token: str, result: Any) -> Value: ...

    def fail(self, id: str, token: str, message: str, traceback: str | None, retryable: bool) -> Value: ...

    def release(self, id: str, token: str) -> Value: ...

    def leave(self) -> None:
        """Gives back what the calling thread holds."""

    def close(self) -> None:
        """Gives back everything; no call comes after it."""


class TransientError(Exception):
    """A call that may go well when it is made again; all but the claim may simply be repeated."""
