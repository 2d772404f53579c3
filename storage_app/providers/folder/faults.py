"""What the file system says, as the errors of a storage."""

import errno
from typing import Final

from storage_app.providers import errors
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.folder.locks import LockTimeoutError
from storage_app.providers.folder.places import LinkOutsideError


def translated(error: OSError | LockTimeoutError, path: str | None) -> StorageError:
    if isinstance(error, LockTimeoutError):
        message = "Others are writing to this storage and did not finish in time."
        return StorageError(StorageErrorCode.INTERNAL_ERROR, message, path, _because("lock_timeout"), retryable=True)
    if isinstance(error, LinkOutsideError):
        return StorageError(StorageErrorCode.INVALID_PATH, "A link on the way leads out of the storage.", path)
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return errors.not_found(path or "")
    if error.errno == errno.EROFS:
        return StorageError(
            StorageErrorCode.PERMISSION_DENIED, "The folder is read-only.", path, {"reason": "read_only"}
        )
    if isinstance(error, PermissionError):
        return StorageError(StorageErrorCode.PERMISSION_DENIED, "The file system does not permit it.", path)
    if error.errno in _FULL:
        return StorageError(StorageErrorCode.INTERNAL_ERROR, "There is no room left.", path, _because("storage_full"))
    if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
        return StorageError(StorageErrorCode.INVALID_PATH, "The file system does not take such a name.", path)
    message = f"The file system failed: {error.strerror or type(error).__name__}."
    return StorageError(StorageErrorCode.INTERNAL_ERROR, message, path, _because("io_error"))


def _because(reason: str) -> dict[str, str]:
    return {"reason": reason}


_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
