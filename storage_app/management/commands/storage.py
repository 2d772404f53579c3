"""`manage.py storage …`: files of any storage, from the command line.

A file is named `ALIAS:PATH`, in the whole storage or, with `--project`, in what the project has there. Ends with 0 when
all is well, 1 when something was refused or is wrong, 2 when it was asked wrongly.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from django.core.management.base import BaseCommand, CommandError

from storage_app import copying, file_storages, paths
from storage_app.copying import Copied
from storage_app.management.progress import Reporter
from storage_app.outbox import flushing, pending
from storage_app.outbox.reading import PendingView
from storage_app.outbox.tables import PendingChange
from storage_app.providers import StorageError, StorageErrorCode, StorageFileInfo, StorageProvider
from storage_app.providers.factory import Storages
from storage_app.providers.streams import PIECE

PROBLEMS: Final = 1
USAGE: Final = 2

Options = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A path in a storage, or in a project's part of it."""

    alias: str
    path: str
    project: str | None

    def provider(self, storages: Storages) -> StorageProvider:
        return storages.for_project(self.alias, self.project) if self.project else storages.get(self.alias)

    def beneath(self, path: str) -> "Place":
        return Place(self.alias, f"{self.path}/{path}" if self.path else path, self.project)

    def __str__(self) -> str:
        return f"{self.alias}:{self.path}"


class Command(BaseCommand):
    help = "Files of any storage: ls, cat, put, rm, cp, sync, check, flush."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for name, (_, sentence, add) in _ACTIONS.items():
            action = actions.add_parser(name, help=sentence, description=sentence)
            action.add_argument("--json", action="store_true", help="JSON lines, on a terminal too")
            action.add_argument("--project", help="name what this project has in the storage, instead of all of it")
            add(action)

    def handle(self, *, action: str, **options: Any) -> None:
        reporter = Reporter(self.stdout, self.stderr, options["json"])
        try:
            _ACTIONS[action][0](reporter, options)
        except StorageError as error:
            wrongly = error.code is StorageErrorCode.INVALID_PATH or error.reason == "unknown_storage"
            raise CommandError(str(error), returncode=USAGE if wrongly else PROBLEMS) from error


def _ls(reporter: Reporter, options: Options) -> None:
    if options["place"] is None:
        for storage in file_storages.defined():
            of = f", of {storage.project}" if storage.project else ""
            values = {"alias": storage.alias, "provider": storage.provider, "project": storage.project}
            reporter.result(f"{storage.alias}: {storage.provider}{of}", **values)
        return
    place = _place(options["place"], options)
    for info in _listed(place, options["recursive"], options["glob"]):
        size = "folder" if info.is_directory else f"{info.size:,} bytes"
        told = {"path": info.path, "size": info.size, "sha": info.sha, "is_directory": info.is_directory}
        reporter.result(f"{info.path}  {size}", **told)


def _cat(reporter: Reporter, options: Options) -> None:
    place = _file(options["place"], options)
    if place.project:
        stream = PendingView(place.alias, place.project).open_stream(place.path)
    else:
        stream = file_storages.run(lambda storages: place.provider(storages).open_stream(place.path))
    for piece in file_storages.pieces_of(stream):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _put(reporter: Reporter, options: Options) -> None:
    place = _file(options["place"], options)
    _refuse_waiting(place)
    with _opened(options["file"]) as file:
        sending = file_storages.sent(_pieces(file))
        commit = file_storages.run(
            lambda storages: place.provider(storages).write_stream(
                place.path, sending, options["message"] or f"Write {place.path}", overwrite=not options["new"]
            )
        )
    sha = file_storages.run(lambda storages: place.provider(storages).get_file_hash(place.path))
    said = "Written" if commit.changed else "Nothing to do: it was there already"
    reporter.result(f"{said}: {place}  {sha}", path=place.path, sha=sha, commit=commit.sha, changed=commit.changed)


def _rm(reporter: Reporter, options: Options) -> None:
    for text in options["places"]:
        place = _file(text, options)
        _refuse_waiting(place)
        message = options["message"] or f"Delete {place.path}"
        commit = file_storages.run(lambda it, at=place, said=message: at.provider(it).delete_file(at.path, said))  # type: ignore[misc]  # bound now
        reporter.result(f"Deleted: {place}", path=place.path, commit=commit.sha)


def _cp(reporter: Reporter, options: Options) -> None:
    source, target = _place(options["source"], options), _place(options["target"], options)
    _refuse_waiting(source)
    if options["recursive"]:
        pairs = [(source.beneath(path), target.beneath(path)) for path in _below(source)]
    else:
        pairs = [(_file(options["source"], options), _target(options["target"], source, options))]
    progress = reporter.progress("cp")
    for number, (one, other) in enumerate(pairs):
        progress(number, len(pairs))
        _refuse_waiting(other)
        _tell(reporter, _copied(one, other, options["message"]))


def _sync(reporter: Reporter, options: Options) -> None:
    """Afterwards the target has what the source has; what only the target has goes with `--delete`."""
    source, target = _place(options["source"], options), _place(options["target"], options)
    _refuse_waiting(source)
    wanted, there = _below(source), set(_below(target))
    progress = reporter.progress("sync")
    copied = 0
    for number, path in enumerate(wanted):
        progress(number, len(wanted))
        one, other = source.beneath(path), target.beneath(path)
        if path in there and _is_same(one, other):
            continue
        copied += 1
        _refuse_waiting(other)
        if options["dry_run"]:
            reporter.result(f"Would copy {one} to {other}", path=other.path, action="copy")
        else:
            _tell(reporter, _copied(one, other, options["message"]))
    gone = sorted(there - set(wanted)) if options["delete"] else []
    for path in gone:
        _delete(reporter, target.beneath(path), options)
    values = {"files": len(wanted), "copied": copied, "deleted": len(gone), "dry_run": options["dry_run"]}
    reporter.result(f"{len(wanted)} files: {copied} copied, {len(gone)} deleted.", **values)


def _check(reporter: Reporter, options: Options) -> None:
    wrong = 0
    aliases = [options["alias"]] if options["alias"] else [storage.alias for storage in file_storages.defined()]
    for alias in aliases:
        health = file_storages.run(lambda storages, alias=alias: file_storages.health_of(storages, alias, 30.0))  # type: ignore[misc]  # bound now
        wrong += not health
        said = "answers" if health else health.message
        if not health and (root := _root(alias)):
            said = f"{said} ({root})"
        reporter.result(f"{alias}: {said}", alias=alias, healthy=bool(health), message=said if not health else "")
        if health and options["files"]:
            wrong += _check_files(reporter, Place(alias, "", options["project"]))
    if wrong:
        raise CommandError(f"{wrong} problems.", returncode=PROBLEMS)


def _check_files(reporter: Reporter, place: Place) -> int:
    infos = file_storages.run(lambda storages: place.provider(storages).list_files(recursive=True))
    progress = reporter.progress(f"check {place.alias}")
    wrong = 0
    for number, info in enumerate(infos):
        progress(number, len(infos))
        if not _is_sound(place, info):
            wrong += 1
            reporter.result(f"{place.alias}:{info.path} is not what the storage says", path=info.path, sound=False)
    said = f"{place.alias}: {len(infos)} files read, {wrong} damaged"
    reporter.result(said, alias=place.alias, files=len(infos), damaged=wrong)
    return wrong


def _flush(reporter: Reporter, options: Options) -> None:
    rows = PendingChange.objects.all()
    if options["alias"]:
        rows = rows.filter(alias=options["alias"])
    if options["project"]:
        rows = rows.filter(project=options["project"])
    left = 0
    for alias, project in rows.values_list("alias", "project").distinct().order_by("alias", "project"):
        flushed = flushing.flush(alias, project)
        for batch in flushed.sent:
            said = f"{alias} of {project}: {len(batch.files)} files sent as {batch.commit or 'no commit'}"
            reporter.result(said, alias=alias, project=project, files=len(batch.files), commit=batch.commit)
        queue = flushing.queue(alias, project)
        waiting = queue.waiting + queue.sending
        left += waiting + queue.parked
        if waiting or queue.parked:
            why = queue.reason.get("message", "")
            said = f"{alias} of {project}: {waiting} wait, {queue.parked} are parked. {why}"
            reporter.result(said, alias=alias, project=project, waiting=waiting, parked=queue.parked, reason=why)
    if left:
        raise CommandError(f"{left} changes are not sent.", returncode=PROBLEMS)
    reporter.result("Nothing waits.", waiting=0)


def _add_ls(parser: ArgumentParser) -> None:
    parser.add_argument("place", nargs="?", metavar="ALIAS:FOLDER", help="left out: the storages themselves")
    parser.add_argument("--recursive", action="store_true", help="all files below, without the folders")
    parser.add_argument("--glob", help="the files of the storage whose path matches: *, ?, [...] and **")


def _add_cat(parser: ArgumentParser) -> None:
    parser.add_argument("place", metavar="ALIAS:PATH")


def _add_put(parser: ArgumentParser) -> None:
    parser.add_argument("file", help="a file of this machine, or - for standard input")
    parser.add_argument("place", metavar="ALIAS:PATH")
    parser.add_argument("--message", help="what is said of it in the history")
    parser.add_argument("--new", action="store_true", help="only where there is no such file yet")


def _add_rm(parser: ArgumentParser) -> None:
    parser.add_argument("places", nargs="+", metavar="ALIAS:PATH")
    parser.add_argument("--message", help="what is said of it in the history")


def _add_cp(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="ALIAS:PATH")
    parser.add_argument("target", metavar="ALIAS:PATH", help="one that ends in / is a folder, the name stays")
    parser.add_argument("--recursive", action="store_true", help="all files below a folder")
    parser.add_argument("--message", help="what is said of it in the history")


def _add_sync(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="ALIAS:FOLDER")
    parser.add_argument("target", metavar="ALIAS:FOLDER")
    parser.add_argument("--delete", action="store_true", help="delete what only the target has")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--message", help="what is said of it in the history")


def _add_check(parser: ArgumentParser) -> None:
    parser.add_argument("alias", nargs="?", help="one storage only")
    parser.add_argument("--files", action="store_true", help="read every file and compare its hash")


def _add_flush(parser: ArgumentParser) -> None:
    parser.add_argument("alias", nargs="?", help="one storage only")


_Action = tuple[Callable[[Reporter, Options], None], str, Callable[[ArgumentParser], None]]
_ACTIONS: Final[dict[str, _Action]] = {
    "ls": (_ls, "Lists storages, or the files of one.", _add_ls),
    "cat": (_cat, "Writes a file to standard output.", _add_cat),
    "put": (_put, "Writes a file of this machine into a storage.", _add_put),
    "rm": (_rm, "Deletes files.", _add_rm),
    "cp": (_cp, "Copies files between any two storages, in pieces, and verifies their hashes.", _add_cp),
    "sync": (_sync, "Copies what differs between two folders of any storages.", _add_sync),
    "check": (_check, "Asks storages how they are, and reads their files with --files.", _add_check),
    "flush": (_flush, "Sends the changes that wait in the outbox.", _add_flush),
}


def _place(text: str, options: Options) -> Place:
    """A folder or file; the root is `ALIAS:`."""
    alias, colon, path = text.partition(":")
    if not colon:
        raise CommandError(f"{text} is no ALIAS:PATH; `storage ls` names the storages.", returncode=USAGE)
    try:
        return Place(alias, paths.normalised_folder(path), options["project"])
    except paths.InvalidPathError as error:
        raise CommandError(f"The path {error}.", returncode=USAGE) from error


def _file(text: str, options: Options) -> Place:
    place = _place(text, options)
    if not place.path:
        raise CommandError(f"{text} names no file.", returncode=USAGE)
    return place


def _target(text: str, source: Place, options: Options) -> Place:
    place = _place(text, options)
    return place.beneath(source.path.rpartition("/")[2]) if text.endswith(("/", ":")) else place


def _listed(place: Place, recursive: bool, glob: str | None) -> list[StorageFileInfo]:
    if place.project:
        view = PendingView(place.alias, place.project)
        return view.list_files_glob(glob) if glob else view.list_files(place.path, recursive=recursive)

    async def look(storages: Storages) -> list[StorageFileInfo]:
        provider = place.provider(storages)
        return await (provider.list_files_glob(glob) if glob else provider.list_files(place.path, recursive=recursive))

    return file_storages.run(look)


def _below(place: Place) -> list[str]:
    """The files of a folder, by their paths within it, as the storage has them."""
    infos = file_storages.run(lambda storages: place.provider(storages).list_files(place.path, recursive=True))
    start = len(place.path) + 1 if place.path else 0
    return [info.path[start:] for info in infos]


def _copied(source: Place, target: Place, message: str | None) -> Copied:
    said = message or f"Copy {source}"
    return file_storages.run(
        lambda it: copying.copy(source.provider(it), source.path, target.provider(it), target.path, said)
    )


def _is_same(source: Place, target: Place) -> bool:
    async def look(storages: Storages) -> bool:
        one = source.provider(storages)
        return await copying.is_same(one, await one.get_file_info(source.path), target.provider(storages), target.path)

    return file_storages.run(look)


def _is_sound(place: Place, info: StorageFileInfo) -> bool:
    async def look(storages: Storages) -> bool:
        try:
            return await copying.is_sound(place.provider(storages), info)
        except StorageError as error:
            if error.is_absence:
                return True  # deleted since it was listed
            raise

    return file_storages.run(look)


def _root(alias: str) -> str | None:
    """Whoever types commands here may know where it lies."""
    return next((storage.root for storage in file_storages.defined() if storage.alias == alias), None)


def _delete(reporter: Reporter, place: Place, options: Options) -> None:
    if options["dry_run"]:
        reporter.result(f"Would delete {place}", path=place.path, action="delete")
        return
    message = options["message"] or f"Delete {place.path}"
    file_storages.run(lambda storages: place.provider(storages).delete_file(place.path, message))
    reporter.result(f"Deleted: {place}", path=place.path, action="delete")


def _refuse_waiting(place: Place) -> None:
    """What waits of a file, or below a folder, is not there to be copied yet, and would later be written over what is
    written here.
    """
    below = f"{place.path}/" if place.path else ""
    if any(name == place.path or name.startswith(below) for name in _waiting(place)):
        raise CommandError(f"A change of {place} waits; `storage flush` sends it first.", returncode=PROBLEMS)


def _waiting(place: Place) -> list[str]:
    """What is to be sent to the storage, as the place names it: in the project's part, or in the whole of it."""
    rows = PendingChange.objects.filter(alias=place.alias, state__in=pending.VISIBLE)
    if place.project:
        return list(rows.filter(project=place.project).values_list("path", flat=True))
    found = list(rows.values_list("project", "path"))

    async def bases(storages: Storages) -> dict[str, str]:
        return {project: storages.base_path(place.alias, project) for project, _ in found}

    known = file_storages.run(bases) if found else {}
    return [f"{known[project]}/{path}" if known[project] else path for project, path in found]


def _tell(reporter: Reporter, copied: Copied) -> None:
    said = "Copied" if copied.changed else "There already"
    values = {"path": copied.path, "size": copied.size, "sha": copied.sha, "changed": copied.changed}
    reporter.result(f"{said}: {copied.path}  {copied.size:,} bytes  {copied.sha}", **values)


def _opened(name: str) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=USAGE) from error


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
