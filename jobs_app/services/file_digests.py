"""Whether the file that a segment came from still is what it was when somebody saw it."""

from typing import Final

from jobs_app.domain.segment import Source
from jobs_app.services.contents import Contents
from storage_app import file_storages
from storage_app.hashes import Hasher, HashKind, comparable, kind_of
from storage_app.outbox.reading import PendingView
from storage_app.providers import StorageError
from storage_app.records.configured import record_store

DEFAULT: Final = "default"
LARGEST_READ: Final = 16 * 1024 * 1024  # where only the content tells


def is_stale(slug: str, source: Source) -> bool | None:
    """Whether the file is another now, or gone. None: there is none, or nobody can tell at this moment."""
    storage = source.storage or DEFAULT
    if source.path is None or source.digest is None or (kind := kind_of(source.digest)) is None:
        return None
    if storage not in {each.alias for each in file_storages.defined(slug)}:
        return None
    contents = Contents(record_store(), slug)
    look = contents.seen(storage, source.path)
    if look.missing:
        return True
    if not look.hash:
        return None
    if comparable(look.hash, source.digest):
        return look.hash != source.digest
    if look.size > LARGEST_READ:
        return None
    if kind is HashKind.SHA256:
        content = contents.content_of(storage, source.path, look.hash)
    else:
        content = _hashed(slug, storage, source.path, kind)
    return None if content is None else content != source.digest


def _hashed(slug: str, storage: str, path: str, kind: HashKind) -> str | None:
    try:
        stream = PendingView(storage, slug).open_stream(path)
        hasher = Hasher(kind, stream.info.size)
        for piece in file_storages.pieces_of(stream):
            hasher.update(piece)
    except StorageError:
        return None  # away, or gone since it was looked at: the next look tells
    return hasher.result()
