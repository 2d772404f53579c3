"""The client's errors as those of a storage, in one place. Its texts name addresses and keys, so none is passed on."""

import re
from typing import Final

from obstore import exceptions

from storage_app.providers import errors
from storage_app.providers.errors import StorageError, StorageErrorCode

# What a call of the client may raise, apart from cancellation.
RAISED: Final = (exceptions.BaseError, FileNotFoundError, NotImplementedError, OSError, TimeoutError, ValueError)


def translated(error: Exception, path: str | None) -> StorageError:
    """The error of a storage that this one means."""
    if _BAD_KEYS.search(str(error)):
        return bad_credentials(path)
    match error:
        case FileNotFoundError():
            return no_bucket() if _NO_BUCKET.search(str(error)) or path is None else errors.not_found(path)
        case exceptions.AlreadyExistsError():
            return _fault(StorageErrorCode.ALREADY_EXISTS, "There is such a file already.", path)
        case exceptions.PreconditionError() | exceptions.NotModifiedError():
            return _fault(StorageErrorCode.CONFLICT, "The file has changed.", path)
        case exceptions.PermissionDeniedError():
            return _fault(StorageErrorCode.PERMISSION_DENIED, "The object store does not allow that.", path)
        case exceptions.UnauthenticatedError():
            return bad_credentials(path)
        case exceptions.InvalidPathError():
            return _fault(
                StorageErrorCode.INTERNAL_ERROR,
                "Something lies here under a name that is no path, such as one with two slashes in a row. "
                "The folder cannot be listed while it does.",
                path,
                "unreadable_name",
            )
        case exceptions.NotSupportedError() | NotImplementedError():
            return errors.unsupported("cannot do that")
        case exceptions.JoinError() | exceptions.UnknownConfigurationKeyError():
            return _fault(StorageErrorCode.INTERNAL_ERROR, "The client of the object store failed.", path)
        case exceptions.GenericError() | OSError():  # a TimeoutError is an OSError
            return _by_status(str(error), path)
        case _:
            return _fault(StorageErrorCode.INTERNAL_ERROR, "The client of the object store failed.", path)


def no_bucket() -> StorageError:
    """Not NOT_FOUND: a file cannot be said to be missing while the bucket is."""
    return _fault(StorageErrorCode.INTERNAL_ERROR, "There is no such bucket.", None, "no_bucket")


def bad_credentials(path: str | None) -> StorageError:
    """No file is to blame: nothing is taken with these keys."""
    message = "The object store does not know these keys."
    return _fault(StorageErrorCode.PERMISSION_DENIED, message, path, "bad_credentials")


def upload_gone(path: str) -> StorageError:
    """No missing file: one is being written."""
    message = "The upload was gone before it was known to be complete."
    return _fault(StorageErrorCode.NETWORK_ERROR, message, path)


def forked() -> StorageError:
    message = "An object store cannot be used in a process that was forked from one that uses it."
    return _fault(StorageErrorCode.INTERNAL_ERROR, message, None, "forked")


def unusable_options() -> StorageError:
    """Said before anything is asked, such as of a service account's key that is no JSON."""
    message = "The client of the object store takes neither these keys nor those of the machine."
    return _fault(StorageErrorCode.PERMISSION_DENIED, message, None, "bad_credentials")


def _by_status(text: str, path: str | None) -> StorageError:
    """The client has one class for what it knows no better, and tells the status in its text alone."""
    if _NO_BUCKET.search(text):
        return no_bucket()
    found = _STATUS.search(text)
    status = int(found[1]) if found else 0
    if status == 413 or "<Code>EntityTooLarge" in text:
        return _fault(StorageErrorCode.CONTENT_TOO_LARGE, "The object store takes no file of this size.", path)
    if status == 429 or "<Code>SlowDown" in text:
        return _fault(StorageErrorCode.RATE_LIMITED, "The object store asks for fewer requests.", path)
    if 400 <= status < 500:
        return _fault(StorageErrorCode.INTERNAL_ERROR, f"The object store refused the request ({status}).", path)
    what = f"The object store failed ({status})." if status else "The object store could not be reached."
    return _fault(StorageErrorCode.NETWORK_ERROR, what, path)


def _fault(code: StorageErrorCode, message: str, path: str | None, reason: str | None = None) -> StorageError:
    return StorageError(code, message, path, {"reason": reason} if reason else None)


_STATUS: Final = re.compile(r"status code: ([0-9]{3})")
_NO_BUCKET: Final = re.compile("<Code>(?:NoSuchBucket|ContainerNotFound)")
# Said with 400 or 403, as any other refusal.
_BAD_KEYS: Final = re.compile(
    "<Code>(?:InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|TokenRefreshRequired"
    "|AuthenticationFailed)"
)
