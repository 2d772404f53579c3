"""What GitHub's refusals, and failures on the way to it, mean: the one place where they become StorageErrors."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Any, Final

import httpx

from storage_app.providers.errors import StorageError, StorageErrorCode


class Kind(Enum):
    """What a writer has to know beyond the code."""

    OTHER = auto()
    MOVED = auto()  # the branch is not where it was expected
    MISMATCH = auto()  # the file is not the one that was named
    EXISTS = auto()  # the file is there, and none was expected
    EMPTY = auto()  # the repository has no commit yet
    LAGGING = auto()  # a replica does not know yet what was just written
    TOO_MUCH = auto()  # the same in smaller pieces may pass
    SECONDARY = auto()  # a limit that no header announces
    UNKNOWN = auto()  # nobody knows whether it happened


class GitHubError(StorageError):
    def __init__(
        self,
        code: StorageErrorCode,
        message: str,
        path: str | None = None,
        details: Mapping[str, Any] | None = None,
        *,
        kind: Kind = Kind.OTHER,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(code, message, path, details, retryable=retryable)
        self.kind = kind


def of_exception(error: Exception, path: str | None = None) -> GitHubError:
    """Of whatever httpx raises. What may have reached GitHub has an unknown outcome."""
    details = {"error": type(error).__name__}
    if isinstance(error, httpx.TimeoutException):
        never_sent = isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
        kind = Kind.OTHER if never_sent else Kind.UNKNOWN
        return GitHubError(StorageErrorCode.NETWORK_ERROR, "GitHub did not answer in time.", path, details, kind=kind)
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.LocalProtocolError):
        message = "The request to GitHub could not be made."
        return GitHubError(StorageErrorCode.INTERNAL_ERROR, message, path, details)
    kind = Kind.OTHER if isinstance(error, httpx.ConnectError) else Kind.UNKNOWN
    message = "GitHub could not be reached." if kind is Kind.OTHER else "The connection to GitHub broke."
    return GitHubError(StorageErrorCode.NETWORK_ERROR, message, path, details, kind=kind)


def of_response(response: httpx.Response, now: float, path: str | None = None) -> GitHubError:
    """Of an answer that is none of 2xx and 304."""
    status, said = response.status_code, sentence_of(response)
    details: dict[str, Any] = {"status": status}
    if said:
        details["github"] = said
    if is_limit(response, said):
        return _limited(response, now, path, details, said)
    if status >= 500 or 300 <= status < 400 or status < 200:
        message = f"GitHub answered {status}."
        return GitHubError(StorageErrorCode.NETWORK_ERROR, message, path, details, kind=Kind.UNKNOWN)
    if status == 401:
        details["reason"] = "bad_credentials"
        return GitHubError(StorageErrorCode.PERMISSION_DENIED, "GitHub does not take the token.", path, details)
    if status == 403 and "too_large" in response.text:
        return GitHubError(StorageErrorCode.CONTENT_TOO_LARGE, "GitHub gives no file this large.", path, details)
    if status == 403:
        needed = response.headers.get("x-accepted-github-permissions")
        if needed:
            details["needed"] = needed
        return GitHubError(StorageErrorCode.PERMISSION_DENIED, "GitHub does not allow this.", path, details)
    return _by_sentence(status, said, path, details)


def of_graphql(errors: list[dict[str, Any]], path: str | None = None) -> GitHubError:
    """Of the errors of an answer with status 200. The limit is for whoever has the headers."""
    first = errors[0] if errors else {}
    said, kind = str(first.get("message", ""))[:_LONGEST], first.get("type")
    details = {"github": said, **({"type": kind} if kind else {})}
    if kind in _GRAPHQL:
        code, meaning, message = _GRAPHQL[kind]
        if kind == "BRANCH_PROTECTION_RULE_VIOLATION":
            details["reason"] = "protected_branch"
        return GitHubError(code, message, path, details, kind=meaning)
    if kind == "UNPROCESSABLE":
        return _by_sentence(422, said, path, details)
    if _WENT_WRONG.search(said):
        message = "GitHub could not finish the request."
        return GitHubError(StorageErrorCode.NETWORK_ERROR, message, path, details, kind=Kind.UNKNOWN)
    return GitHubError(StorageErrorCode.INTERNAL_ERROR, "GitHub refused the query.", path, details)


def not_understood(path: str | None = None) -> GitHubError:
    """A success with a body that is not what it should be: something between here and GitHub answered."""
    message = "The answer was not GitHub's."
    return GitHubError(StorageErrorCode.NETWORK_ERROR, message, path, kind=Kind.UNKNOWN)


def limited(until: float, path: str | None = None, details: Mapping[str, Any] | None = None) -> GitHubError:
    at = datetime.fromtimestamp(until, UTC).isoformat().replace("+00:00", "Z")
    message = f"GitHub's rate limit is used up until {at}."
    return GitHubError(StorageErrorCode.RATE_LIMITED, message, path, {**(details or {}), "reset_at": at})


def is_limit(response: httpx.Response, said: str) -> bool:
    if response.status_code == 429:
        return True
    if response.status_code != 403:
        return False
    used_up = response.headers.get("x-ratelimit-remaining") == "0"
    return used_up or "retry-after" in response.headers or _LIMIT.search(said) is not None


def retry_after(response: httpx.Response, now: float) -> float | None:
    """Seconds: the header holds a number of them, or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return None


def sentence_of(response: httpx.Response) -> str:
    """What GitHub says, cut: a proxy in between may say anything."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return ""
    said = body.get("message") if isinstance(body, dict) else None
    return str(said)[:_LONGEST] if said else ""


def _limited(response: httpx.Response, now: float, path: str | None, details: dict[str, Any], said: str) -> GitHubError:
    remaining, reset = response.headers.get("x-ratelimit-remaining"), response.headers.get("x-ratelimit-reset", "")
    if remaining == "0" and reset.isascii() and reset.isdigit() and float(reset) >= now:
        return limited(float(reset) + 1, path, details)
    wait = retry_after(response, now)
    error = limited(now + (60.0 if wait is None else wait), path, details)
    error.kind = Kind.SECONDARY
    return error


def _by_sentence(status: int, said: str, path: str | None, details: dict[str, Any]) -> GitHubError:
    """GitHub has one status for many things and no code beside it, so what it says has to decide."""
    for pattern, code, kind, message, reason in _SENTENCES:
        if pattern.search(said):
            if reason:
                details["reason"] = reason
            return GitHubError(code, message, path, details, kind=kind)
    code, message = _STATUSES.get(status, (StorageErrorCode.INTERNAL_ERROR, f"GitHub answered {status}."))
    return GitHubError(code, message, path, details)


_LONGEST: Final = 300
_C = StorageErrorCode
_LIMIT: Final = re.compile("rate limit|abuse detection", re.IGNORECASE)
_WENT_WRONG: Final = re.compile("something went wrong|timeout|timed out", re.IGNORECASE)
_STATUSES: Final = {
    404: (_C.NOT_FOUND, "GitHub knows nothing there, or does not show it."),
    409: (_C.CONFLICT, "Somebody else changed the branch."),
    413: (_C.CONTENT_TOO_LARGE, "GitHub takes no content this large."),
    422: (_C.INVALID_PATH, "GitHub does not take this."),
}
_GRAPHQL: Final = {
    "STALE_DATA": (_C.CONFLICT, Kind.MOVED, "The branch moved meanwhile."),
    "BRANCH_PROTECTION_RULE_VIOLATION": (_C.PERMISSION_DENIED, Kind.OTHER, "The branch is protected."),
    "FORBIDDEN": (_C.PERMISSION_DENIED, Kind.OTHER, "GitHub does not allow this."),
    "INSUFFICIENT_SCOPES": (_C.PERMISSION_DENIED, Kind.OTHER, "The token may not do this."),
    "NOT_FOUND": (_C.NOT_FOUND, Kind.OTHER, "GitHub knows nothing there, or does not show it."),
}
_SENTENCES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), code, kind, message, reason)
    for pattern, code, kind, message, reason in (
        ("repository is empty", _C.NOT_FOUND, Kind.EMPTY, "The repository is empty.", None),
        ("rule violations? found|protected branch|through a pull request", _C.PERMISSION_DENIED, Kind.OTHER,
         "The branch is protected.", "protected_branch"),
        (r"\bis at \w+ but expected\b|not a fast.?forward", _C.CONFLICT, Kind.MOVED, "The branch moved meanwhile.",
         None),
        (r"\bdoes not match\b", _C.CONFLICT, Kind.MISMATCH, "The file has changed.", None),
        ('"?sha"? wasn\'t supplied', _C.ALREADY_EXISTS, Kind.EXISTS, "There is such a file already.", None),
        ("deletion which does not exist|BadObjectState", _C.CONFLICT, Kind.MOVED, "A file to delete is gone.", None),
        ("Tree SHA does not exist|Object does not exist|not a valid tree oid|Parent SHA does not exist", _C.CONFLICT,
         Kind.LAGGING, "GitHub does not know yet what was just written.", "replica_lag"),
        ("timed out|too large to process", _C.CONTENT_TOO_LARGE, Kind.TOO_MUCH, "That is too much for one request.",
         None),
        ("request is too large|too_large|exceeds", _C.CONTENT_TOO_LARGE, Kind.OTHER,
         "GitHub takes no content this large.", None),
        ("^Branch .* not found|No ref named", _C.NOT_FOUND, Kind.OTHER, "There is no such branch.", "branch_missing"),
        ("already exists|Reference does not exist", _C.CONFLICT, Kind.OTHER, "Somebody else changed the branch.", None),
        ("malformed|below a file|is a directory|invalid path", _C.INVALID_PATH, Kind.OTHER,
         "GitHub does not take this path.", None),
    )
)  # fmt: skip
