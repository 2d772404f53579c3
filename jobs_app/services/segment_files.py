"""Segments out into files and in again; a broken file gives what is whole in it, and says where it is broken."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from typing import Final

from jobs_app.domain import segment as rules
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import By
from jobs_app.domain.new_segment import fingerprint
from jobs_app.domain.segment import STATE, Segment
from jobs_app.errors import InvalidError
from jobs_app.services import audit
from jobs_app.services.project_segments import segments_of
from jobs_app.stores import segment_files
from jobs_app.stores.segment_files import Contents, Fault, Found
from jobs_app.stores.segment_records import TIERS, SegmentRecords
from storage_app.records import errors as store_errors

BATCH: Final = 200
MOST_FAULTS: Final = 1000


class FileForm(StrEnum):
    SINGLE = "single"
    LINES = "lines"
    MEMORY = "memory"


class OnConflict(StrEnum):
    """What becomes of a segment that is there and different."""

    KEEP = "keep"
    REPLACE = "replace"


@dataclass(slots=True)
class Imported:
    """What came of an import. `project` is the entry of the file that was taken."""

    project: str | None = None
    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    kept: int = 0
    duplicates: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.faults


def export(actor: Actor, slug: str, form: FileForm = FileForm.SINGLE) -> Iterator[bytes]:
    """All segments that are not in the trash, oldest first, piece by piece; the same for the same segments."""
    project, records = segments_of(actor, slug, Scope.READ)
    if form is FileForm.MEMORY:
        raise InvalidError.at("form", "memory files can be read only")
    write = segment_files.write_single if form is FileForm.SINGLE else segment_files.write_lines
    pieces = write(project.slug, records.walk({"tier__in": list(TIERS)}, "created_at"))
    return (piece.encode() for piece in _together(pieces))


def read(data: bytes, form: FileForm) -> Contents:
    return _READERS[form](data)


def form_of(name: str, data: bytes) -> FileForm:
    """By the name, or else by how it begins."""
    if name.endswith(".jsonl"):
        head = data[:2000].split(b"\n", 1)[0]
        is_memory = b'"entityType"' in head or b'"relationType"' in head
        return FileForm.MEMORY if is_memory else FileForm.LINES
    return FileForm.SINGLE


def import_(
    actor: Actor,
    slug: str,
    contents: Contents,
    *,
    entry: str | None = None,
    on_conflict: OnConflict = OnConflict.KEEP,
    progress: Callable[[int], None] = lambda done: None,
) -> Imported:
    """Into the project: of several entries the one of its name, else the only one; `entry` names another. Ids,
    versions and times come along. Running it again changes nothing.
    """
    project, records = segments_of(actor, slug, Scope.WRITE)
    taken = _entry(project.slug, contents, entry)
    imported = Imported(taken, faults=contents.faults[:MOST_FAULTS])
    by = By.actor(actor)
    found = [one for one in contents.found if one.project == taken]
    for start in range(0, len(found), BATCH):
        _take_in(records, by, found[start : start + BATCH], on_conflict, imported)
        progress(min(start + BATCH, len(found)))
    detail = {"created": imported.created, "replaced": imported.replaced, "faults": len(imported.faults)}
    audit.record(actor, "segment.import", project=project, detail=detail)
    return imported


_READERS: Final[Mapping[FileForm, Callable[[bytes], Contents]]] = {
    FileForm.SINGLE: segment_files.read_single,
    FileForm.LINES: segment_files.read_lines,
    FileForm.MEMORY: segment_files.read_memory,
}
_PIECE: Final = 64 * 1024


def _entry(slug: str, contents: Contents, entry: str | None) -> str | None:
    names = contents.projects
    if entry is not None:
        if entry not in names:
            raise InvalidError.at("from", f"there is no project {entry[:80]!r} in the file")
        return entry
    if slug in names:
        return slug
    if len(names) > 1:
        shown = ", ".join(repr(name[:40]) for name in names[:20])
        raise InvalidError.at("from", f"the file has several projects, so name one: {shown}")
    return names[0] if names else None


def _take_in(
    records: SegmentRecords, by: By, found: Iterable[Found], on_conflict: OnConflict, imported: Imported
) -> None:
    read: dict[str, Segment] = {}
    for one in found:
        try:
            segment = segment_files.segment_from(one.value, records.now(), by)
        except ValueError as error:
            _note(imported, one, str(error))
            continue
        if segment.id in read:
            _note(imported, one, f"the id {segment.id!r} stands twice in the file")
            continue
        read[segment.id] = segment
    there = {one.id: one for one in chain(records.get_many(list(read)), records.get_many(list(read), in_trash=True))}
    new = [segment for id, segment in read.items() if id not in there]
    for segment in _created(records, new):
        imported.created += 1
        imported.duplicates += segment.duplicate
    for id in read.keys() & there.keys():
        _settle(records, by, there[id], read[id], on_conflict, imported)


def _created(records: SegmentRecords, new: list[Segment]) -> list[Segment]:
    """Together; where a text is another's already, or somebody stores at the same moment, one by one."""
    seen: set[str] = set()
    marked = []
    for segment in new:
        mark = fingerprint(segment.text, segment.type)
        marked.append(replace(segment, duplicate=mark in seen))
        seen.add(mark)
    try:
        return records.create(marked) if marked else []
    except store_errors.AlreadyExistsError:
        return [one for segment in marked for one in _created_alone(records, segment)]


def _created_alone(records: SegmentRecords, segment: Segment) -> list[Segment]:
    try:
        return records.create([segment])
    except store_errors.AlreadyExistsError as error:
        if error.details["existing_id"] == segment.id:
            return []  # somebody else made it at this moment
        return records.create([replace(segment, duplicate=True)])


def _settle(
    records: SegmentRecords, by: By, there: Segment, segment: Segment, on_conflict: OnConflict, imported: Imported
) -> None:
    if there.trashed is None and all(getattr(there, name) == getattr(segment, name) for name in _COMPARED):
        imported.unchanged += 1
    elif on_conflict is OnConflict.KEEP or there.trashed is not None:
        imported.kept += 1
    else:
        records.change(there.id, lambda one, now: rules.put(one, now, by, segment))
        imported.replaced += 1


_COMPARED: Final = tuple(name for name in STATE if name != "tokens_given")


def _note(imported: Imported, one: Found, reason: str) -> None:
    if len(imported.faults) < MOST_FAULTS:
        imported.faults.append(Fault(reason, one.position, one.line))


def _together(pieces: Iterator[str]) -> Iterator[str]:
    """In pieces that are worth sending."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)
