"""Storage providers: files in a folder, in memory, in a GitHub repository, in an object store, behind one contract."""

from storage_app.providers.base import StorageProvider
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.streams import StorageStream
from storage_app.providers.types import (
    FileChange,
    FileDelete,
    FileWrite,
    StorageCapability,
    StorageCommit,
    StorageFile,
    StorageFileInfo,
    StorageHealth,
    StorageVersion,
)

__all__ = [
    "FileChange",
    "FileDelete",
    "FileWrite",
    "StorageCapability",
    "StorageCommit",
    "StorageError",
    "StorageErrorCode",
    "StorageFile",
    "StorageFileInfo",
    "StorageHealth",
    "StorageProvider",
    "StorageStream",
    "StorageVersion",
]
