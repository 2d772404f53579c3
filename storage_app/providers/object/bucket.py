"""One bucket through its client: what is there, and one object put or deleted. Errors come out as those of a storage.

An object carries the SHA-256 of its content and the name of the commit that wrote it as metadata: an ETag says that
content changed, and nothing of what it is. Content that others put there is hashed once for each ETag.
"""

import os
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import obstore

from storage_app.hashes import Hasher, HashKind
from storage_app.providers import errors
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.object import addresses
from storage_app.providers.object.bodies import LARGE, Body
from storage_app.providers.object.faults import RAISED, forked, translated, unusable_options, upload_gone
from storage_app.providers.streams import PIECE

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, ObjectMeta, PutMode
    from obstore.store import ObjectStore

T = TypeVar("T")

MOST_PARTS: Final = 9_000  # S3 allows 10,000
PART: Final = 5 * 1024 * 1024  # the least that S3 takes
PARTS_AT_ONCE: Final = 3  # all of them lie in memory
SLOWEST: Final = 256 * 1024  # bytes a second: while a large piece goes out the server is silent
JOINED: Final = 8 * 1024 * 1024  # bytes a second: so it is while it makes one of all parts
MOST_KNOWN: Final = 10_000


@dataclass(frozen=True)
class Found:
    """An object as it was looked at; `sha` where its metadata tells it."""

    path: str
    meta: "ObjectMeta"
    sha: str | None
    commit: str | None

    @property
    def size(self) -> int:
        return self.meta["size"]

    @property
    def state(self) -> dict[str, str]:
        """What a conditional write names; services differ in which of the two they have."""
        given = {"e_tag": self.meta["e_tag"], "version": self.meta["version"]}
        return {name: value for name, value in given.items() if value is not None}


class Bucket:
    def __init__(self, options: dict[str, Any], timeout: float) -> None:
        self._options, self._timeout = options, timeout
        try:
            self._store: ObjectStore | None = addresses.opened(options, timeout)
        except RAISED as error:
            raise unusable_options() from error
        self._known: OrderedDict[str, tuple[str | None, str]] = OrderedDict()  # by path: its ETag then, and its hash
        self._seen = False

    def close(self) -> None:
        """The client ends with the last reference to it."""
        self._store = None

    async def look(self) -> None:
        """That the bucket is there; a look at one object does not tell that from a missing object."""
        async for _ in self.below(_NOBODYS):
            break
        self._seen = True

    async def be_sure(self) -> None:
        """As `look`, unless it was seen before."""
        if not self._seen:
            await self.look()

    # Reading

    async def find(self, path: str) -> Found | None:
        await self.be_sure()
        try:
            result = await _called(path, obstore.get_async(self._open, path, options={"head": True}))
        except StorageError as error:
            if error.code is StorageErrorCode.NOT_FOUND:
                return None
            raise
        return _found(path, result)

    async def existing(self, path: str) -> Found:
        found = await self.find(path)
        if found is None:
            raise errors.not_found(path)
        return found

    async def get(self, path: str, options: "GetOptions | None" = None) -> tuple[Found, AsyncIterator[bytes]]:
        """The object, and its content in pieces."""
        await self.be_sure()
        result = await _called(path, obstore.get_async(self._open, path, options=options))
        return _found(path, result), _pieces(path, result)

    async def range_of(self, found: Found, start: int, end: int) -> AsyncIterator[bytes]:
        """Of the state that was found; CONFLICT where that is gone."""
        return (await self.get(found.path, {"range": (start, end), **_if_match(found)}))[1]

    async def hash_of(self, found: Found, kind: HashKind = HashKind.SHA256) -> str:
        """Read from the content where nobody wrote it down."""
        if kind is HashKind.SHA256 and (known := found.sha or self.known_hash(found.meta)):
            return known
        hasher = Hasher(kind, found.size)
        _, pieces = await self.get(found.path, _if_match(found))
        async for piece in pieces:
            hasher.update(piece)
        if kind is HashKind.SHA256:
            self.remember(found.path, found.meta["e_tag"], hasher.result())
        return hasher.result()

    def remember(self, path: str, tag: str | None, sha: str) -> None:
        self._known[path] = (tag, sha)
        self._known.move_to_end(path)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def known_hash(self, meta: "ObjectMeta") -> str | None:
        """Of what has that ETag; None where another process has written since."""
        tag, sha = self._known.get(meta["path"], (None, None))
        return sha if sha is not None and tag == meta["e_tag"] else None

    def knows(self, path: str) -> bool:
        """Whether this process has read or written such a file; it may be gone."""
        return path in self._known

    # Listing

    async def listed(self, folder: str) -> tuple[list["ObjectMeta"], list[str]]:
        """The objects directly in the folder, and the folders."""
        result = await _called(folder or None, obstore.list_with_delimiter_async(self._open, folder or None))
        return _without_marker(result["objects"], folder), list(result["common_prefixes"])

    async def below(self, folder: str) -> AsyncIterator["ObjectMeta"]:
        """Every object below the folder, page by page."""
        try:
            async for page in obstore.list(self._open, folder or None):
                for meta in _without_marker(page, folder):
                    yield meta
        except RAISED as error:
            raise translated(error, folder or None) from error

    # Changing

    async def put(self, path: str, body: Body, commit: str, mode: "PutMode") -> None:
        """Large content goes in parts, each asked for again where it fails, unless a condition forbids parts."""
        # Never the sender's type: a bucket may be served to browsers.
        attributes = {"Content-Type": "application/octet-stream", "sha256": body.sha[7:], "commit": commit}
        if body.size > LARGE and mode == "overwrite":
            store = self._patient(body.size / JOINED)
            put = await _sent(path, obstore.put_async(
                store, path, body.source, attributes=attributes, use_multipart=True,
                chunk_size=max(PART, body.size // MOST_PARTS), max_concurrency=PARTS_AT_ONCE,
            ))  # fmt: skip
            self.remember(path, put["e_tag"], body.sha)
            return
        store = self._open if body.size <= LARGE else self._patient(body.size / SLOWEST)
        with body.buffer() as content:
            put = await _sent(path, obstore.put_async(
                store, path, content, attributes=attributes, mode=mode, use_multipart=False
            ))  # fmt: skip
        self.remember(path, put["e_tag"], body.sha)

    async def delete(self, paths: Sequence[str]) -> None:
        """One request for many of them; what is missing is no error, or NOT_FOUND, as the service has it."""
        await _called(paths[0] if len(paths) == 1 else None, obstore.delete_async(self._open, list(paths)))
        for path in paths:
            self._known.pop(path, None)

    @property
    def _open(self) -> "ObjectStore":
        if self._store is None:
            raise errors.closed()
        refuse_in_a_child()
        return self._store

    def _patient(self, seconds: float) -> "ObjectStore":
        """A client that takes so much more silence."""
        return addresses.opened(self._options, self._timeout + seconds)


def refuse_in_a_child() -> None:
    """The client's threads belong to the process that used it first; in a child made by fork a call would never end."""
    global _used_by
    if _used_by is None:
        _used_by = os.getpid()
    if _used_by != os.getpid():
        raise forked()


async def _called(path: str | None, call: Awaitable[T]) -> T:
    try:
        return await call
    except RAISED as error:
        raise translated(error, path) from error


async def _sent(path: str, call: Awaitable[T]) -> T:
    """A write that finds its upload gone may have been completed by an earlier try whose answer was lost."""
    try:
        return await _called(path, call)
    except StorageError as error:
        if error.is_absence:
            raise upload_gone(path) from error
        raise


async def _pieces(path: str, result: "GetResult") -> AsyncIterator[bytes]:
    try:
        async for piece in result.stream(min_chunk_size=PIECE):
            yield bytes(piece)
    except RAISED as error:
        raise translated(error, path) from error


def _found(path: str, result: "GetResult") -> Found:
    attributes = result.attributes
    digest, commit = str(attributes.get("sha256", "")), attributes.get("commit")
    return Found(
        path, result.meta, f"sha256:{digest}" if _DIGEST.fullmatch(digest) else None, str(commit) if commit else None
    )


def _if_match(found: Found) -> "GetOptions":
    tag = found.meta["e_tag"]
    return {"if_match": tag} if tag else {}


def _without_marker(objects: Sequence["ObjectMeta"], folder: str) -> list["ObjectMeta"]:
    """Some tools put an empty object `folder/` where they make a folder; the client gives it the folder's own name."""
    return [meta for meta in objects if meta["path"] != folder]


# What no path names, so that the look costs least and stumbles over nothing.
_NOBODYS: Final = ".holdfast"
_used_by: int | None = None
_DIGEST: Final = re.compile("[0-9a-f]{64}")
