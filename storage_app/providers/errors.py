"""The one error of storages: a stable code, a sentence, the path, and whether trying again can help."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final


class StorageErrorCode(StrEnum):
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    PERMISSION_DENIED = "permission_denied"
    RATE_LIMITED = "rate_limited"
    NETWORK_ERROR = "network_error"
    INVALID_PATH = "invalid_path"
    CONTENT_TOO_LARGE = "content_too_large"
    CONFLICT = "conflict"
    INTERNAL_ERROR = "internal_error"


class StorageError(Exception):
    """Everything a provider raises on purpose.

    `message` does not repeat the path, `str()` puts it in front. `details` holds JSON values that are safe to show,
    among them, where it applies: `reason` (a stable word that says more than the code, such as `storage_full`,
    `lock_timeout`, `closed`, `unsupported`), `expected` and `actual` (hashes, of a CONFLICT), `paths` (of a batch),
    `reset_at` (RFC 3339, of RATE_LIMITED).
    """

    def __init__(
        self,
        code: StorageErrorCode,
        message: str,
        path: str | None = None,
        details: Mapping[str, Any] | None = None,
        *,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.code = code
        self.message = message
        self.path = path
        self.details = dict(details or {})
        self.retryable = code in _RETRYABLE if retryable is None else retryable

    @property
    def reason(self) -> str | None:
        return self.details.get("reason")

    @property
    def is_absence(self) -> bool:
        """There is no such file. Not so where the repository, the root or the storage itself is missing: then nobody
        can tell, and to take it for an absent file would invite overwriting.
        """
        return self.code is StorageErrorCode.NOT_FOUND and self.reason is None


_RETRYABLE: Final = frozenset({StorageErrorCode.RATE_LIMITED, StorageErrorCode.NETWORK_ERROR})


def not_found(path: str) -> StorageError:
    return StorageError(StorageErrorCode.NOT_FOUND, "There is no such file.", path)


def already_exists(path: str) -> StorageError:
    return StorageError(StorageErrorCode.ALREADY_EXISTS, "There is such a file already.", path)


def conflict(path: str, expected: str | None, actual: str | None) -> StorageError:
    """The file is not the one the change was made for; None: no file."""
    what = "The file has changed." if actual else "The file is gone."
    return StorageError(StorageErrorCode.CONFLICT, what, path, {"expected": expected, "actual": actual})


def in_the_way(path: str, other: str) -> StorageError:
    """A name cannot be a file and a folder at once."""
    message = "A folder has this name." if other == path else "A file has the name of a folder that it lies in."
    return StorageError(StorageErrorCode.CONFLICT, message, path, {"reason": "in_the_way", "other": other})


def invalid_path(path: object, reason: str) -> StorageError:
    """The path is shown escaped and cut: it may be hostile to a terminal, or endless."""
    return StorageError(StorageErrorCode.INVALID_PATH, f"The path {reason}.", ascii(path)[1:-1][:200])


def root_missing() -> StorageError:
    """Not NOT_FOUND: a file cannot be said to be missing while all of them are. Says no place of the server's."""
    message = "The root folder of the storage is not there."
    return StorageError(StorageErrorCode.INTERNAL_ERROR, message, None, {"reason": "root_missing"}, retryable=True)


def unsupported(what: str) -> StorageError:
    return StorageError(StorageErrorCode.INTERNAL_ERROR, f"This storage {what}.", None, {"reason": "unsupported"})


def closed() -> StorageError:
    return StorageError(StorageErrorCode.INTERNAL_ERROR, "This storage is closed.", None, {"reason": "closed"})
