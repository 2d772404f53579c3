"""What a record store can refuse or fail at, each with a stable code; `retryable`: trying again can help."""

from typing import Any, ClassVar


class RecordStoreError(Exception):
    """Everything a record store raises on purpose; `details` is safe to show and made of JSON values."""

    code: ClassVar[str] = "storage_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class RecordNotFoundError(RecordStoreError):
    """No record has this id; the id is in the message and in `details`."""

    code = "not_found"

    def __init__(self, collection: str, id: str | int) -> None:
        super().__init__(f"{collection} has no record {id!r}", collection=collection, id=id)


class QuarantinedError(RecordStoreError):
    """The record exists but cannot be used; it is in quarantine until someone restores or discards it."""

    code = "quarantined"

    def __init__(self, collection: str, id: str | int, reason: str) -> None:
        super().__init__(f"record {id!r} of {collection} is in quarantine: {reason}", collection=collection, id=id)


class AlreadyExistsError(RecordStoreError):
    """The id, or the value of a unique field, is taken; `details["existing_id"]` is the record that has it."""

    code = "already_exists"

    def __init__(self, collection: str, field: str, value: Any, existing_id: str | int | None) -> None:
        super().__init__(
            f"{collection} already has a record whose {field} is {value!r}",
            collection=collection,
            field=field,
            value=value,
            existing_id=existing_id,
        )


class VersionConflictError(RecordStoreError):
    """The record moved on; `details["version"]` is the current version."""

    code = "version_conflict"

    def __init__(self, collection: str, id: str | int, expected: int, version: int) -> None:
        super().__init__(
            f"record {id!r} of {collection} is at version {version}, not {expected}",
            collection=collection,
            id=id,
            expected=expected,
            version=version,
        )


class GuardFailedError(RecordStoreError):
    """The guard did not hold when the write was about to happen: somebody else was first. Nothing was changed."""

    code = "guard_failed"

    def __init__(self, collection: str, id: str | int, version: int) -> None:
        super().__init__(
            f"record {id!r} of {collection} is no longer as the change requires",
            collection=collection,
            id=id,
            version=version,
        )


class InvalidError(RecordStoreError):
    """What was asked, or the document given, is not valid; `details["place"]` names the field or argument."""

    code = "validation_error"

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message, place=place)


class LockTimeoutError(RecordStoreError):
    """Others held the store for too long; nothing was changed."""

    code = "lock_timeout"
    retryable = True


class UnavailableError(RecordStoreError):
    """The store cannot be reached for now; whether a write that was under way happened is unknown."""

    code = "store_unavailable"
    retryable = True


class StorageFullError(RecordStoreError):
    """No space, or a quota reached; what was there is untouched."""

    code = "storage_full"


class StoragePermissionError(RecordStoreError):
    """The operating system or database does not let us; what was there is untouched."""

    code = "permission_denied"


class ReadOnlyError(RecordStoreError):
    """The file system or database takes no writes; reads go on."""

    code = "read_only"


class DamagedError(RecordStoreError):
    """The store as a whole, not one record, cannot be read; `check` says more."""

    code = "store_damaged"


class UnknownBackendError(RecordStoreError):
    """No such backend, or an option it does not know."""

    code = "unknown_backend"
