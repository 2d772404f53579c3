"""Any configured storage as a Django storage, for `FileField`s, `collectstatic` and whatever else speaks to one.

    STORAGES = {"archive": {"BACKEND": "storage_app.django_storage.ProviderStorage", "OPTIONS": {"alias": "archive"}}}

Callable from sync code and, with an `a` before the name, from async code; both end on the one loop of the storages, so
neither waits for itself and no call opens a connection of its own.
"""

import errno
import unicodedata
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import urljoin

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import Storage
from django.utils import timezone
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri

from storage_app import file_storages, paths
from storage_app.provider_files import AnyFile, StoredFile, UnsentFile
from storage_app.providers import StorageError, StorageErrorCode, StorageFileInfo, StorageProvider

P = ParamSpec("P")
T = TypeVar("T")

_TRIES: Final = 50


class ProviderStorageError(OSError):
    """What a storage failed at, as Django's callers expect it; `__cause__` is the StorageError."""


class _TakenError(Exception):
    """Somebody else took the name between the look and the write."""


@deconstructible
class ProviderStorage(Storage):
    """`base_path` is the folder all names lie in; with `base_url` files have addresses."""

    def __init__(self, alias: str = "default", base_path: str = "", base_url: str | None = None) -> None:
        self.alias = alias
        self.base_path = base_path.strip("/")
        self.base_url = base_url if base_url is None or base_url.endswith("/") else f"{base_url}/"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProviderStorage):
            return NotImplemented
        return (self.alias, self.base_path, self.base_url) == (other.alias, other.base_path, other.base_url)

    def __hash__(self) -> int:
        return hash((self.alias, self.base_path, self.base_url))

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """The name it has; one that is taken gets another, also when somebody takes it at this moment."""
        for _ in range(_TRIES):
            try:
                return super().save(name, content, max_length)
            except _TakenError:
                continue
        raise ProviderStorageError(f"no free name was found for {name!r}")

    def delete(self, name: str) -> None:
        """Deleting what is not there is no error, as in Django's own."""
        if not name:
            raise ValueError("The name must be given to delete().")
        try:
            path = self._path(name)
            self._run(lambda provider: provider.delete_file(path, f"Delete {path}."))
        except FileNotFoundError:
            return

    def exists(self, name: str) -> bool:
        """Whether the name is taken, by a file or a folder; the root always is."""
        if not name:
            return True
        try:
            self._info(name)
        except FileNotFoundError:
            return False
        return True

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Names of folders and of files; a folder that is not there is empty."""
        folder = self._path(path.strip("/")) if path.strip("/") else self.base_path
        infos = self._run(lambda provider: provider.list_files(folder))
        start = len(folder) + 1 if folder else 0
        folders = [info.path[start:] for info in infos if info.is_directory]
        return folders, [info.path[start:] for info in infos if not info.is_directory]

    def size(self, name: str) -> int:
        return self._info(name, file=True).size

    def url(self, name: str | None) -> str:
        if self.base_url is None:
            raise ValueError("This file is not accessible via a URL.")
        return urljoin(self.base_url, (filepath_to_uri(name) or "").lstrip("/"))

    def get_modified_time(self, name: str) -> datetime:
        modified = self._info(name, file=True).last_modified
        if modified is None:
            raise NotImplementedError(f"The storage {self.alias!r} does not tell when files were changed.")
        return modified if settings.USE_TZ else timezone.make_naive(modified)

    def get_valid_name(self, name: str) -> str:
        return unicodedata.normalize("NFC", super().get_valid_name(name))

    async def aopen(self, name: str, mode: str = "rb") -> AnyFile:
        return await _in_a_thread(self.open, name, mode)

    async def asave(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        return await _in_a_thread(self.save, name, content, max_length)

    async def adelete(self, name: str) -> None:
        await _in_a_thread(self.delete, name)

    async def aexists(self, name: str) -> bool:
        return await _in_a_thread(self.exists, name)

    def _open(self, name: str, mode: str = "rb") -> AnyFile:
        path = self._path(name)
        if "r" in mode and "+" not in mode:
            return StoredFile(name, mode, lambda start: self._run(lambda it: it.open_stream(path, start=start)))
        existing = None if "w" in mode or "x" in mode else self._open(name) if self.exists(name) else None
        if existing is None and "r" in mode:
            raise FileNotFoundError(errno.ENOENT, "There is no such file.", name)
        overwrite = "x" not in mode
        return UnsentFile(name, mode, existing, lambda content: self._write(path, content, overwrite=overwrite))

    def _save(self, name: str, content: AnyFile) -> str:
        path = self._path(name)
        try:
            self._write(path, content, overwrite=False)
        except FileExistsError as error:
            raise _TakenError from error
        return self._name(path)

    def _write(self, path: str, content: AnyFile, *, overwrite: bool) -> None:
        pieces = (piece if isinstance(piece, bytes) else piece.encode() for piece in content.chunks())
        self._run(
            lambda provider: provider.write_stream(
                path, file_storages.sent(pieces), f"Write {path}.", overwrite=overwrite
            )
        )

    def _info(self, name: str, *, file: bool = False) -> StorageFileInfo:
        path = self._path(name)
        info = self._run(lambda provider: provider.get_file_info(path))
        if file and info.is_directory:
            raise FileNotFoundError(errno.ENOENT, "There is no such file.", name)
        return info

    def _path(self, name: str) -> str:
        try:
            path = paths.normalised(str(name))
        except paths.InvalidPathError as error:
            raise SuspiciousFileOperation(f"The name {ascii(name)[:200]} {error}.") from error
        return f"{self.base_path}/{path}" if self.base_path else path

    def _name(self, path: str) -> str:
        return path[len(self.base_path) + 1 :] if self.base_path else path

    def _run(self, call: Callable[[StorageProvider], Awaitable[T]]) -> T:
        try:
            return file_storages.run(lambda storages: call(storages.get(self.alias)))
        except StorageError as error:
            raise _as_django_expects(error) from error


def _as_django_expects(error: StorageError) -> Exception:
    match error.code:
        case StorageErrorCode.NOT_FOUND if error.is_absence:
            return FileNotFoundError(errno.ENOENT, error.message, error.path)
        case StorageErrorCode.ALREADY_EXISTS:
            return FileExistsError(errno.EEXIST, error.message, error.path)
        case StorageErrorCode.PERMISSION_DENIED:
            return PermissionError(errno.EACCES, error.message, error.path)
        case StorageErrorCode.INVALID_PATH:
            return SuspiciousFileOperation(str(error))
        case _:
            return ProviderStorageError(str(error))


async def _in_a_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await sync_to_async(function, thread_sensitive=False)(*args, **kwargs)
