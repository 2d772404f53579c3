"""The contract of a storage provider.

A provider keeps files under paths. Each public method below says what a missing file gives, what is atomic, what order
a list has and which error comes; `tests/contracts/` holds every provider to it. A provider fills in the methods that
begin with one underscore, which get checked and normalised paths; what is shared stands here.

**Paths** follow `storage_app.paths`; a path that breaks the rule is INVALID_PATH, before anything is looked at. A
file that others put there under a name that breaks the rule is neither listed nor reachable.

**Folders** come and go with the files in them: there are no empty ones. A name is a file or a folder, never both: to
write `a/b` while `a` is a file, or `a` while `a/b` is, is CONFLICT with the reason `in_the_way`. A folder is no file:
reading, deleting and `file_exists` treat it as missing; `get_file_info` and listings show it.

**Hashes** are of the kind the provider names (`hash_kind`). An expected hash may be of another kind; the content is
then hashed anew in that kind. Text that is no hash matches nothing.

**Writes** are durable when the call returns. Each call is atomic where the provider has ATOMIC_BATCH_WRITE: readers
and crashes find all of it or nothing. Elsewhere each file is, and an error names in `details["paths"]` what was
already changed. Conditions (`overwrite=False`, `expected_sha`) are checked and acted on as one step: of two callers
with the same condition one wins. Writing what is there already changes nothing and makes no commit, but a condition
that does not hold is refused all the same.

**Reads** see every write that was acknowledged before they began, by this process; another process's at once on local
and object storage, within `cache_ttl` on GitHub.

**Errors** are StorageErrors, and nothing else but TypeError and ValueError for arguments that are no path, bytes or
range. After a NETWORK_ERROR of a write it is unknown whether it happened, and so it is after an INTERNAL_ERROR with the
reason `io_error`: a disk may fail after the new file has taken its place and before that is durable. Otherwise an error
means that nothing was changed. CancelledError leaves the outcome of a write unknown too.

**Loops.** A provider is used from one event loop, its own; `storage_app.django_storage` brings other threads there.
No method blocks the loop. `close` gives back connections and threads; afterwards every call is refused.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from storage_app import globs, hashes, paths
from storage_app.hashes import HashKind
from storage_app.paths import InvalidPathError
from storage_app.providers import errors
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.streams import BytesStream, StorageStream, span
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

LARGEST_BUFFERED: Final = 100 * 1024 * 1024
MOST_VERSIONS: Final = 1000


class StorageProvider(ABC):
    provider_name: str
    hash_kind: HashKind = HashKind.SHA256
    remembers_batches: bool = False  # `apply_batch_once`

    def __init__(self) -> None:
        self._closed = False

    @property
    @abstractmethod
    def capabilities(self) -> StorageCapability:
        """In what this provider differs."""

    # Reading

    async def read_file(self, path: str) -> StorageFile:
        """The file, whole; NOT_FOUND. For large ones there is `open_stream`."""
        return await self._read(self._path(path))

    async def read_file_if_exists(self, path: str) -> StorageFile | None:
        """As `read_file`, None where there is none. Any other error is raised."""
        try:
            return await self.read_file(path)
        except StorageError as error:
            if error.is_absence:
                return None
            raise

    async def file_exists(self, path: str) -> bool:
        """Whether a file (not a folder) is there. Not being able to tell is an error, not False."""
        try:
            return not (await self._info(self._path(path))).is_directory
        except StorageError as error:
            if error.is_absence:
                return False
            raise

    async def get_file_info(self, path: str) -> StorageFileInfo:
        """Of a file with its hash, or of a folder; NOT_FOUND."""
        return await self._info(self._path(path))

    async def get_file_hash(self, path: str) -> str:
        """Of the kind `hash_kind`; NOT_FOUND."""
        path = self._path(path)
        sha = (await self._info(path)).sha
        if sha is None:
            raise errors.not_found(path)
        return sha

    async def open_stream(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> StorageStream:
        """One state of the file in pieces, from `start`, at most `length` bytes; what lies past the end is not there.

        `stream.info` is of the whole file. NOT_FOUND. Memory stays flat on local and object storage.
        """
        span(0, start, length)
        return await self._open(self._path(path), start, length, version)

    # Listing

    async def list_files(self, path_prefix: str = "", *, recursive: bool = False) -> list[StorageFileInfo]:
        """What lies in the folder, by path in the order of code points; a folder that is not there is empty.

        The prefix is a folder: `docs` lists `docs/a`, not `docs2/a`. Without `recursive` the files and folders directly
        in it, with it all files below and no folders. Complete, however many there are.
        """
        infos = await self._list(self._folder(path_prefix), recursive)
        return sorted((info for info in infos if paths.is_valid(info.path)), key=lambda info: info.path)

    async def list_files_glob(self, pattern: str) -> list[StorageFileInfo]:
        """The files whose whole path matches, ordered as in `list_files`; no match is an empty list.

        `*` and `?` stay within a part, `**` as a part stands for any number of folders, `[a-z]` and `[!a-z]` for one
        character. A pattern that can match no path, or is too long, is INVALID_PATH. Takes linear time.
        """
        self._check_open()
        try:
            matcher = globs.Glob(pattern)
        except InvalidPathError as error:
            raise errors.invalid_path(pattern, str(error)) from error
        infos = await self._list(matcher.folder, matcher.recursive)
        found = (info for info in infos if not info.is_directory and matcher.matches(info.path))
        return sorted((info for info in found if paths.is_valid(info.path)), key=lambda info: info.path)

    # Writing

    async def write_file(
        self, path: str, content: bytes, message: str, *, overwrite: bool = True, expected_sha: str | None = None
    ) -> StorageCommit:
        """ALREADY_EXISTS where the file is there and may not be overwritten; CONFLICT where its hash is another than
        expected, or a hash is expected and there is no file.
        """
        return await self.apply_batch([FileWrite(path, content, overwrite, expected_sha)], message)

    async def write_file_text(
        self, path: str, content: str, message: str, *, encoding: str = "utf-8", overwrite: bool = True
    ) -> StorageCommit:
        """As `write_file`; line ends stay as they are."""
        return await self.write_file(path, content.encode(encoding), message, overwrite=overwrite)

    async def delete_file(self, path: str, message: str, *, expected_sha: str | None = None) -> StorageCommit:
        """NOT_FOUND where there is none, the second time too; CONFLICT as in `write_file`."""
        return await self.apply_batch([FileDelete(path, expected_sha)], message)

    async def write_files_batch(self, files: Sequence[tuple[str, bytes]], message: str) -> StorageCommit:
        """All of them as one commit; of a path named twice the last one counts."""
        self._check_open()
        last = {self._path(path): content for path, content in files}
        return await self.apply_batch([FileWrite(path, content) for path, content in last.items()], message)

    async def delete_files_batch(self, paths: Sequence[str], message: str) -> StorageCommit:
        """All of them as one commit; one that is missing is NOT_FOUND, and then none is deleted."""
        self._check_open()
        once = dict.fromkeys(self._path(path) for path in paths)
        return await self.apply_batch([FileDelete(path) for path in once], message)

    async def apply_batch(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        """Writes and deletes, each with its own conditions, as one commit. All conditions are of the state before.

        The first change that cannot be is the error, with its path. Without changes there is no commit. A path named
        twice is INVALID_PATH: which of the two was meant?
        """
        self._check_open()
        checked = [self._change(change) for change in changes]
        _refuse_doubles(checked)
        if not checked:
            return self._no_commit(message)
        return await self._apply(checked, message)

    async def apply_batch_once(
        self, changes: Sequence[FileChange], message: str, *, batch_id: str, since: datetime
    ) -> StorageCommit:
        """As `apply_batch`, said again as often as need be and done once, where `remembers_batches`; elsewhere it is
        refused (`unsupported`).

        `batch_id` (1 to 64 letters, digits and dashes) goes into the commit; `since` is when the batch was first begun:
        no earlier commit is looked at.
        """
        self._check_open()
        raise errors.unsupported("does not remember batches")

    async def write_stream(
        self,
        path: str,
        pieces: AsyncIterable[bytes],
        message: str,
        *,
        overwrite: bool = True,
        expected_sha: str | None = None,
    ) -> StorageCommit:
        """As `write_file` for content in pieces; an error while they come leaves nothing behind.

        Memory stays flat on local and object storage; elsewhere more than 100 MiB is CONTENT_TOO_LARGE.
        """
        return await self._write_stream(self._path(path), pieces, message, overwrite, expected_sha)

    # Versions

    async def list_versions(self, path: str, *, limit: int = 100) -> list[StorageVersion]:
        """The states the file had, newest first, deletions among them; one that never was gives an empty list.

        Where there is no VERSIONING this is refused (`unsupported`).
        """
        path = self._path(path)
        self._check_versioning()
        return await self._versions(path, max(1, min(limit, MOST_VERSIONS)))

    async def read_version(self, path: str, version: str) -> StorageFile:
        """The file as it was at the version; NOT_FOUND where it was not, or there is no such version."""
        path = self._path(path)
        self._check_versioning()
        return await self._read_version(path, version)

    # The whole

    def refresh(self) -> None:  # noqa: B027 - where nothing is kept, nothing gets old
        """Somebody else wrote: the next read asks the storage, however young what is known may be."""

    def statistics(self) -> dict[str, Any]:
        """Requests, cache hits and limits since the provider was opened, for people and metrics; JSON values."""
        return {}

    def compute_hash(self, content: bytes) -> str:
        """What the hash of a file with this content is here."""
        return hashes.compute(self.hash_kind, content)

    async def health_check(self) -> StorageHealth:
        """Whether the storage answers and takes writes, as far as that can be told without writing. Never raises a
        StorageError. `details["latency_ms"]` is how long it took.
        """
        if self._closed:
            return StorageHealth(False, errors.closed().message)
        started = time.perf_counter()
        try:
            health = await self._health()
        except StorageError as error:
            health = StorageHealth(False, error.message, {"code": str(error.code), **error.details})
        latency = round((time.perf_counter() - started) * 1000, 3)
        return StorageHealth(health.healthy, health.message, {**health.details, "latency_ms": latency})

    async def close(self) -> None:
        """Gives back what is held; more than once is harmless. Afterwards every call is refused (`closed`)."""
        if not self._closed:
            self._closed = True
            await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # What a provider fills in; paths are normalised, the root folder is ""

    @abstractmethod
    async def _read(self, path: str) -> StorageFile:
        """NOT_FOUND for what is no file."""

    @abstractmethod
    async def _info(self, path: str) -> StorageFileInfo:
        """A file with its hash, or a folder; else NOT_FOUND."""

    @abstractmethod
    async def _list(self, folder: str, recursive: bool) -> list[StorageFileInfo]:
        """As `list_files`, in any order; names that break the rule may be among them."""

    @abstractmethod
    async def _apply(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        """As `apply_batch`; no path is named twice. `checks.settle` decides about each change."""

    async def _open(self, path: str, start: int, length: int | None, version: str | None) -> StorageStream:
        if version is not None:
            self._check_versioning()
        file = await (self._read(path) if version is None else self._read_version(path, version))
        info = StorageFileInfo(path, file.sha, file.size, False, file.last_modified)
        return BytesStream(info, file.content, *span(file.size, start, length))

    async def _write_stream(
        self, path: str, pieces: AsyncIterable[bytes], message: str, overwrite: bool, expected_sha: str | None
    ) -> StorageCommit:
        content = await buffered(path, pieces)
        return await self._apply([FileWrite(path, content, overwrite, expected_sha)], message)

    async def _versions(self, path: str, limit: int) -> list[StorageVersion]:
        raise NotImplementedError  # asked only where VERSIONING is claimed

    async def _read_version(self, path: str, version: str) -> StorageFile:
        raise NotImplementedError

    @abstractmethod
    async def _health(self) -> StorageHealth:
        """May raise a StorageError, which then is the message."""

    async def _close(self) -> None:  # noqa: B027 - not every provider holds anything
        """Called once."""

    @abstractmethod
    def _no_commit(self, message: str) -> StorageCommit:
        """What a call that changed nothing returns: no hash, no files."""

    # What is shared

    def _path(self, path: str) -> str:
        self._check_open()
        try:
            return paths.normalised(path)
        except InvalidPathError as error:
            raise errors.invalid_path(path, str(error)) from error

    def _folder(self, path: str) -> str:
        self._check_open()
        try:
            return paths.normalised_folder(path)
        except InvalidPathError as error:
            raise errors.invalid_path(path, str(error)) from error

    def _change(self, change: FileChange) -> FileChange:
        path = self._path(change.path)
        if isinstance(change, FileDelete):
            return FileDelete(path, change.expected_sha)
        if not isinstance(change.content, bytes):
            raise TypeError(f"content is bytes, not {type(change.content).__name__}")
        return FileWrite(path, change.content, change.overwrite, change.expected_sha)

    def _check_open(self) -> None:
        if self._closed:
            raise errors.closed()

    def _check_versioning(self) -> None:
        if StorageCapability.VERSIONING not in self.capabilities:
            raise errors.unsupported("keeps no versions")


async def buffered(path: str, pieces: AsyncIterable[bytes]) -> bytes:
    """The pieces as one; CONTENT_TOO_LARGE beyond LARGEST_BUFFERED."""
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) > LARGEST_BUFFERED:
            message = f"The file is larger than {LARGEST_BUFFERED} bytes, the most this storage takes."
            raise StorageError(StorageErrorCode.CONTENT_TOO_LARGE, message, path, {"limit": LARGEST_BUFFERED})
    return bytes(content)


def _refuse_doubles(changes: Sequence[FileChange]) -> None:
    seen: set[str] = set()
    for change in changes:
        if change.path in seen:
            raise errors.invalid_path(change.path, "is named twice in one batch")
        seen.add(change.path)
