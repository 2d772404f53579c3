"""The library: prompts and exercises as files of a storage, `<kind>/<name>.md`, read and written as any other file.

They lie in the storage `library` where the project has one, else in the folder `library` of `default`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from django.core.signals import setting_changed

from jobs_app.domain import library
from jobs_app.domain.access import SYSTEM, Actor, Scope
from jobs_app.domain.front_matter import FrontMatterError
from jobs_app.domain.library import Kind, Text
from jobs_app.errors import (
    AlreadyExistsError,
    ContentTooLargeError,
    InvalidError,
    NotFoundError,
    PreconditionFailedError,
)
from jobs_app.services import access, files, outbox
from jobs_app.services.files import Written
from storage_app import file_storages, hashes, paths
from storage_app.providers import (
    FileDelete,
    FileWrite,
    StorageCapability,
    StorageCommit,
    StorageError,
    StorageErrorCode,
    StorageFile,
    StorageVersion,
)

ALIAS: Final = "library"
FOLDER: Final = "library/"
SUFFIX: Final = ".md"
USED: Final = "used"  # beside the kinds: contents that jobs refer to and that no version keeps; see library_copies
MOST_VERSIONS: Final = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a project's library is."""

    storage: str
    folder: str

    def path(self, kind: Kind, name: str) -> str:
        return f"{self.folder}{kind.value}/{name}{SUFFIX}"

    def used_path(self, kind: Kind, name: str, content_hash: str) -> str:
        return f"{self.folder}{USED}/{kind.value}/{name}/{content_hash.replace(':', '-')}{SUFFIX}"

    def used_path_before(self, content_hash: str) -> str:
        """Where copies lay that do not tell whose they are; those are still read, and kept."""
        return f"{self.folder}{USED}/{content_hash.replace(':', '-')}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Listed:
    """`hash` is None where only reading the content would tell."""

    kind: Kind
    name: str
    hash: str | None
    size: int
    last_modified: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A text as it is, or was. One that came past us may have a `fault`, and then no job can use it."""

    kind: Kind
    name: str
    content: str
    hash: str
    last_modified: datetime | None
    text: Text
    fault: str = ""


def place_of(slug: str) -> Place:
    """Of any project; what is there takes rights to be told."""
    named = {each.alias for each in file_storages.defined(slug)}
    return Place(ALIAS, "") if ALIAS in named else Place("default", FOLDER)


def listed(actor: Actor, slug: str, kind: Kind) -> list[Listed]:
    """By name. A file whose name could not be given here is no part of it."""
    place = place_of(slug)
    found = files.listed(actor, slug, place.storage, prefix=f"{place.folder}{kind.value}")
    entries = []
    for info in found:
        name = info.path.rpartition("/")[2]
        if not info.is_directory and name.endswith(SUFFIX) and not _name_fault(name.removesuffix(SUFFIX)):
            entries.append(Listed(kind, name.removesuffix(SUFFIX), info.sha, info.size, info.last_modified))
    return sorted(entries, key=lambda entry: entry.name)


def read(actor: Actor, slug: str, kind: Kind, name: str, *, version: str | None = None) -> Entry:
    """As it is, or as it was at a version that `versions` names."""
    place = place_of(slug)
    with _in_words(kind, name):
        return _entry(kind, name, files.read(actor, slug, place.storage, _path(place, kind, name), version=version))


def read_content(actor: Actor, slug: str, kind: Kind, name: str, content_hash: str) -> Entry:
    """Exactly the content with this hash, whatever became of the text: what a job that used it asks for."""
    place = place_of(slug)
    path = _path(place, kind, name)
    if hashes.kind_of(content_hash) is None:
        raise InvalidError.at("hash", "is no hash of a content")
    copies = (place.used_path(kind, name, content_hash), place.used_path_before(content_hash))
    for candidate in (path, *copies):
        try:
            file = files.read(actor, slug, place.storage, candidate)
        except StorageError as error:
            if not error.is_absence:
                raise
        else:
            if hashes.same_content(content_hash, file.sha, file.content):
                return _entry(kind, name, file, content_hash)
    if keeps_versions(actor, slug):
        for state in files.versions(actor, slug, place.storage, path, limit=MOST_VERSIONS):
            if state.sha == content_hash:
                return _entry(kind, name, files.read(actor, slug, place.storage, path, version=state.version))
    raise NotFoundError(f"There is no {kind.singular} {name!r} with that content any more.")


def write(
    actor: Actor,
    slug: str,
    kind: Kind,
    name: str,
    content: str,
    message: str = "",
    *,
    overwrite: bool = True,
    expected_hash: str | None = None,
    deferred: bool = False,
) -> tuple[Entry, Written]:
    """With `expected_hash` only while the text is that one; the refusal holds what it is by now (`current`) for who may
    read it. Deferred, it goes out with the next batch, and is what everybody reads until then.
    """
    access.project_for(actor, slug, Scope.WRITE)
    place = place_of(slug)
    path, body = _path(place, kind, name), _checked(content)
    said = message.strip() or f"Write the {kind.singular} {name}"
    with _in_words(kind, name), _own_condition(actor, slug, kind, name, expected_hash):
        written = files.write(
            actor,
            slug,
            place.storage,
            path,
            body,
            said,
            overwrite=overwrite,
            expected_sha=expected_hash,
            deferred=deferred,
        )
    entry = _entry(kind, name, StorageFile.of(path, body, written.sha or ""))
    return entry, written


def rename(
    actor: Actor,
    slug: str,
    kind: Kind,
    name: str,
    to: str,
    *,
    expected_hash: str | None = None,
) -> tuple[Entry, StorageCommit]:
    """One commit of its own, never deferred: in the outbox either half could be parked while the other goes, and the
    text would be twice or nowhere. Jobs that used it know it by the old name, and by its content.
    """
    access.project_for(actor, slug, Scope.WRITE)
    place = place_of(slug)
    old, new = _path(place, kind, name), _path(place, kind, to)
    if to == name:
        raise InvalidError.at("name", "is the name it has")
    with _in_words(kind, name), _own_condition(actor, slug, kind, name, expected_hash):
        file = files.read(SYSTEM, slug, place.storage, old)  # whoever may write may give it another name
        gone = FileDelete(old, expected_hash or file.sha)
    there = FileWrite(new, file.content, overwrite=False)
    said = f"Rename the {kind.singular} {name} to {to}"
    with _in_words(kind, to), _own_condition(actor, slug, kind, name, expected_hash or file.sha):
        commit = files.batch(actor, slug, place.storage, [there, gone], said).commit
    assert commit is not None, "what is not deferred is committed"
    return _entry(kind, to, file), commit


def delete(
    actor: Actor,
    slug: str,
    kind: Kind,
    name: str,
    message: str = "",
    *,
    expected_hash: str | None = None,
    deferred: bool = False,
) -> Written:
    """What jobs use of it can still be read by version or hash."""
    access.project_for(actor, slug, Scope.WRITE)
    place = place_of(slug)
    said = message.strip() or f"Delete the {kind.singular} {name}"
    with _in_words(kind, name), _own_condition(actor, slug, kind, name, expected_hash):
        path = _path(place, kind, name)
        return files.delete(actor, slug, place.storage, path, said, expected_sha=expected_hash, deferred=deferred)


def keeps_versions(actor: Actor, slug: str) -> bool:
    return files.can(actor, slug, place_of(slug).storage, StorageCapability.VERSIONING)


def is_rate_limited(actor: Actor, slug: str) -> bool:
    """Whether an edit had better wait for the next batch."""
    return files.can(actor, slug, place_of(slug).storage, StorageCapability.RATE_LIMITED)


def waits(actor: Actor, slug: str, kind: Kind, name: str) -> bool:
    """Whether what is read of it is still to be sent to the storage."""
    place = place_of(slug)
    return outbox.pending(actor, slug, place.storage).filter(path=_path(place, kind, name)).exists()


def versions(actor: Actor, slug: str, kind: Kind, name: str, *, limit: int = 100) -> list[StorageVersion]:
    """Newest first; refused where the storage keeps none."""
    place = place_of(slug)
    return files.versions(actor, slug, place.storage, _path(place, kind, name), limit=limit)


def pin(slug: str, entry: Entry) -> str | None:
    """Sees to it that this content can be read as long as a job uses it: gives the version that has it, or keeps a copy
    and gives None where there is none, be it that the storage keeps no versions or that the text waits in the outbox.
    """
    place = place_of(slug)
    path = place.path(entry.kind, entry.name)
    versioned = keeps_versions(SYSTEM, slug)
    if versioned:
        try:
            return _version_with(slug, place.storage, path, entry.hash)
        except _NoVersion:
            pass
    used = place.used_path(entry.kind, entry.name, entry.hash)
    if not files.exists(SYSTEM, slug, place.storage, used):
        said = f"Keep the {entry.kind.singular} {entry.name} as jobs use it"
        files.write(SYSTEM, slug, place.storage, used, entry.content.encode(), said, deferred=versioned)
    return None


class _NoVersion(Exception):  # noqa: N818 - no error: an answer, and one that is not remembered
    pass


@lru_cache(maxsize=1000)
def _version_with(slug: str, storage: str, path: str, content_hash: str) -> str:
    """A version that was found has this content for ever, so it is asked for once a process."""
    newest = files.versions(SYSTEM, slug, storage, path, limit=1)
    if newest and newest[0].sha == content_hash:
        return newest[0].version
    raise _NoVersion


def _path(place: Place, kind: Kind, name: str) -> str:
    if reason := _name_fault(name):
        raise InvalidError.at("name", reason)
    return place.path(kind, name)


def _name_fault(name: str) -> str:
    if reason := library.name_fault(name):
        return reason
    return "" if paths.is_valid(f"{name}{SUFFIX}") else "is a name that not every storage can keep"


def _checked(content: str) -> bytes:
    if reason := library.content_fault(content):
        raise InvalidError.at("content", reason)
    body = content.encode()
    if len(body) > library.LARGEST_TEXT:
        raise ContentTooLargeError(f"The text has {len(body)} bytes; {library.LARGEST_TEXT} is the most.")
    return body


def _entry(kind: Kind, name: str, file: StorageFile, content_hash: str | None = None) -> Entry:
    content = file.content.decode(errors="replace")
    fault = "" if file.encoding == "utf-8" else "is not UTF-8"
    if not fault and len(file.content) > library.LARGEST_TEXT:
        fault = f"has more than {library.LARGEST_TEXT} bytes"
    text = Text(content)
    if not fault:
        try:
            text = library.read(content)
        except FrontMatterError as error:
            fault = str(error)
    return Entry(kind, name, content, content_hash or file.sha, file.last_modified, text, fault)


@contextmanager
def _in_words(kind: Kind, name: str) -> Iterator[None]:
    """What a storage says of a path, said of the text."""
    try:
        yield
    except StorageError as error:
        if error.is_absence:
            raise NotFoundError(f"There is no {kind.singular} {name!r} here.") from error
        if error.code is StorageErrorCode.ALREADY_EXISTS:
            raise AlreadyExistsError(f"There is a {kind.singular} {name!r} already.") from error
        raise


@contextmanager
def _own_condition(actor: Actor, slug: str, kind: Kind, name: str, expected: str | None) -> Iterator[None]:
    """A refusal of the caller's own condition, with the text that is there by now, so that both can be shown."""
    try:
        yield
    except StorageError as error:
        if expected is None or not (error.is_absence or "actual" in error.details):
            raise
        try:
            now = read(SYSTEM, slug, kind, name)
        except NotFoundError:
            raise PreconditionFailedError(f"The {kind.singular} {name} is gone.", current=None) from error
        sentence = f"Somebody else changed the {kind.singular} {name} meanwhile."
        if Scope.READ not in actor.scopes_in(access.project_for(actor, slug, Scope.WRITE).pk):
            raise PreconditionFailedError(sentence) from error
        raise PreconditionFailedError(sentence, current={"hash": now.hash, "content": now.content}) from error


def _when_settings_change(*, setting: str, **rest: Any) -> None:
    if setting == file_storages.SETTING:
        _version_with.cache_clear()  # the versions of another storage


setting_changed.connect(_when_settings_change)
