"""What a storage's error means for whoever asked: code, sentence and further fields of the answer."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from storage_app.providers.errors import StorageError, StorageErrorCode

# Where the reason says more than the code; all are for now, but for what needs a person.
BY_REASON: Mapping[str, str] = {
    "storage_full": "storage_full",
    "outbox_full": "busy",
    "lock_timeout": "lock_timeout",
    "read_only": "read_only",
    "closed": "store_unavailable",
    "forked": "store_unavailable",
    "no_bucket": "store_unavailable",
    "root_missing": "store_unavailable",
    "repository_missing": "store_unavailable",
    "branch_missing": "store_unavailable",
    "not_opened": "store_unavailable",
    "unfinished": "store_unavailable",
    "io_error": "store_unavailable",
    "damaged": "store_damaged",
    "unsupported": "conflict",
}
LONGEST_WAIT = 3600


def of(error: StorageError) -> tuple[str, str, dict[str, Any]]:
    """The codes of a storage are words of the table of problems, but for those that a reason explains."""
    code = BY_REASON.get(error.reason or "", error.code.value)
    extra = {"path": error.path} if error.path else {}
    if error.code is StorageErrorCode.RATE_LIMITED:
        return code, str(error), {**extra, "retry_after": _wait(error)}
    return code, str(error), extra


def _wait(error: StorageError) -> int:
    """Seconds until the storage says that it takes requests again."""
    try:
        reset = datetime.fromisoformat(str(error.details.get("reset_at")))
        left = (reset - timezone.now()).total_seconds()
    except (ValueError, TypeError):  # no time, or one without a zone
        return 60
    return min(max(math.ceil(left), 1), LONGEST_WAIT)
