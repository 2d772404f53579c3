"""What can be refused, each with its stable code. `project/problems.py` gives each code its status and title."""

from datetime import datetime
from typing import Any, ClassVar


class RefusedError(Exception):
    """A request that is not granted: `code` is for programs, the text is the sentence that people read."""

    code: ClassVar[str] = "refused"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class NotFoundError(RefusedError):
    """Absent, or not yours: the two look the same from outside."""

    code = "not_found"


class GoneError(NotFoundError):
    """Absent, and it is known what it was: a `kind` of thing called `name`, taken away `at` that time by somebody."""

    def __init__(self, kind: str, name: str, at: datetime, by: str) -> None:
        super().__init__(f"The {kind} {name!r} was deleted on {at:%Y-%m-%d %H:%M} UTC by {by}.")
        self.kind = kind
        self.name = name
        self.at = at
        self.by = by


class PermissionDeniedError(RefusedError):
    code = "permission_denied"


class UnauthenticatedError(RefusedError):
    code = "unauthenticated"


class AlreadyExistsError(RefusedError):
    code = "already_exists"


class ConflictError(RefusedError):
    """The request makes sense, but not against what is there now."""

    code = "conflict"


class InvalidTransitionError(RefusedError):
    """A job is not in a state that this can follow; both states are in the sentence."""

    code = "invalid_transition"


class LeaseLostError(RefusedError):
    """The token is not the current one of this job: it was given back, ended or taken by another."""

    code = "lease_lost"


class PreconditionFailedError(RefusedError):
    """`If-Match` named another version than the current one."""

    code = "precondition_failed"


class InvalidError(RefusedError):
    """A value is wrong; `errors` lists place and reason of each."""

    code = "validation_error"

    def __init__(self, detail: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(detail, errors=errors or [])

    @classmethod
    def at(cls, place: str, reason: str) -> "InvalidError":
        return cls(f"{place}: {reason}", [{"place": place, "reason": reason}])


class InvalidQueryError(RefusedError):
    """A query that cannot be read: `position` and `length` name the part that is wrong, `suggestion` is the whole
    query as it was probably meant."""

    code = "invalid_query"

    def __init__(self, detail: str, position: int, length: int, suggestion: str | None = None) -> None:
        errors = [{"place": "q", "reason": detail}]
        super().__init__(detail, position=position, length=length, suggestion=suggestion, errors=errors)


class ContentTooLargeError(RefusedError):
    """More than there is room for; a smaller one would be taken."""

    code = "content_too_large"


class RangeNotSatisfiableError(RefusedError):
    """The file ends before the range begins."""

    code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size} bytes.", size=size)


class RateLimitedError(RefusedError):
    code = "rate_limited"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail, retry_after=retry_after)


class BusyError(RefusedError):
    """Not now: the same call can succeed later."""

    code = "busy"

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)


class IdempotencyKeyReusedError(RefusedError):
    """The key was used before, with another request."""

    code = "idempotency_key_reused"
