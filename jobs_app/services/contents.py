"""What documents and artifacts hold at this moment, and which contents are the same whatever their storages call them.

A storage's own hash is enough where it is SHA-256. Where it is another, the content is read and hashed once, and the
pair is remembered: a hash always stands for the same content.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jobs_app.domain.artifact import Artifact
from jobs_app.domain.document import Document
from jobs_app.stores.artifacts import known_contents, remember_content
from storage_app import file_storages
from storage_app.hashes import Hasher, HashKind, kind_of
from storage_app.outbox.reading import PendingView
from storage_app.providers import StorageError, StorageFileInfo
from storage_app.records.base import RecordStore


@dataclass(frozen=True, slots=True)
class Look:
    """A file as it is now. `content` is its sha256: hash; None where it could not be had, and `problem` says why.
    `passes` where asking again later can help.
    """

    hash: str = ""
    size: int = 0
    content: str | None = None
    missing: bool = False
    problem: str = ""
    passes: bool = False


class Contents:
    """Of one project, for one piece of work: what was looked up once is not looked up again."""

    def __init__(self, store: RecordStore, slug: str) -> None:
        self._store = store
        self._slug = slug
        self._views: dict[str, PendingView] = {}
        self._expected: dict[tuple[str, str], StorageFileInfo | StorageError] = {}

    def look_at(self, documents: Sequence[Document]) -> dict[str, Look]:
        """By document id; at most 1,000 at once."""
        self.expect((document.storage, document.path) for document in documents)
        looks = {document.id: self.seen(document.storage, document.path) for document in documents}
        known = self._known(look.hash for look in looks.values())
        found: dict[str, Look] = {}
        for document in documents:
            look = looks[document.id]
            if look.hash and look.hash not in known:
                look, content = self._hashed(document.storage, document.path, look)
                if content is not None:
                    known[look.hash] = content
            found[document.id] = replace(look, content=known.get(look.hash))
        fresh = {each: content for each, content in known.items() if kind_of(each) is not HashKind.SHA256}
        remember_content(self._store, self._slug, fresh)
        return found

    def content_of(self, storage: str, path: str, known: str) -> str | None:
        """The sha256: hash of what has this hash there; None where it cannot be had any more."""
        if content := self._known([known]).get(known):
            return content
        look, content = self._hashed(storage, path, Look(known))
        if content is None or look.hash != known:
            return None
        remember_content(self._store, self._slug, {known: content})
        return content

    def expect(self, places: Iterable[tuple[str, str]]) -> None:
        """These will be asked about: they are looked at together, and for once."""
        by_storage: dict[str, list[str]] = {}
        for storage, path in dict.fromkeys(places):
            by_storage.setdefault(storage, []).append(path)
        for storage, paths in by_storage.items():
            try:
                found = self._view(storage).get_file_infos(paths)
            except StorageError as error:  # the storage itself: it is not there, or not for now
                found = dict.fromkeys(paths, error)
            self._expected |= {(storage, path): each for path, each in found.items()}

    def seen(self, storage: str, path: str) -> Look:
        """Hash and size, without reading the file where the storage can tell."""
        try:
            info = self._expected.get((storage, path)) or self._view(storage).get_file_info(path)
        except StorageError as error:
            info = error
        if isinstance(info, StorageError):
            return Look(missing=info.is_absence, problem=info.message, passes=info.retryable)
        if info.is_directory or info.sha is None:
            return Look(missing=True, problem=f"{path} is a folder.")
        return Look(info.sha, info.size)

    def is_there(self, artifact: Artifact) -> bool:
        """Whether its file still is what it was when it was written."""
        return self.seen(artifact.storage, artifact.path).hash == artifact.content_hash

    def _known(self, wanted: Iterable[str]) -> dict[str, str]:
        hashes = {each for each in wanted if each}
        plain = {each for each in hashes if kind_of(each) is HashKind.SHA256}
        return {each: each for each in plain} | known_contents(self._store, self._slug, sorted(hashes - plain))

    def _hashed(self, storage: str, path: str, look: Look) -> tuple[Look, str | None]:
        """Read piece by piece; the stream says which state of the file it is of."""
        try:
            stream = self._view(storage).open_stream(path)
            hasher = Hasher(HashKind.SHA256)
            for piece in file_storages.pieces_of(stream):
                hasher.update(piece)
        except StorageError as error:
            return replace(look, missing=error.is_absence, problem=error.message, passes=error.retryable), None
        if stream.info.sha is None:
            return look, None
        return Look(stream.info.sha, stream.info.size), hasher.result()

    def _view(self, storage: str) -> PendingView:
        if storage not in self._views:
            self._views[storage] = PendingView(storage, self._slug)
        return self._views[storage]
