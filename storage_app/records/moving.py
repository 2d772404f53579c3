"""From one store to another, and to JSON Lines and back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from storage_app import strict_json
from storage_app.records.answers import Digest, Exported, ExportedEntry, ExportedSequence, Progress
from storage_app.records.base import RecordStore
from storage_app.records.errors import InvalidError
from storage_app.records.operations import Record
from storage_app.records.streams import StreamEntry


@dataclass(frozen=True)
class Moved:
    """One collection after it was copied. `same`: both stores hold the same, by number and digest."""

    project: str
    collection: str
    source: Digest
    target: Digest
    copied: int

    @property
    def same(self) -> bool:
        return self.source == self.target


def places(store: RecordStore, project: str | None = None, collection: str | None = None) -> list[tuple[str, str]]:
    """Projects with their collections, as far as they are asked for."""
    return [
        (owner, name)
        for owner in ([project] if project else store.projects())
        for name in store.collections(owner)
        if collection in (None, name)
    ]


def move(source: RecordStore, target: RecordStore, project: str, collection: str, progress: Progress) -> Moved:
    """Copies a collection; what is there already and equal is passed over, so it may be begun again at any time."""
    before, there = source.digest(project, collection), target.digest(project, collection)
    copied = 0
    if before != there:
        items = _counted(source.export(project, collection), progress, before.records)
        copied = target.import_(project, collection, items)
    return Moved(project, collection, source.digest(project, collection), target.digest(project, collection), copied)


def lines(store: RecordStore, project: str, collection: str) -> Iterator[str]:
    """A collection as JSON Lines, each complete in itself."""
    for item in store.export(project, collection):
        yield strict_json.dumps({"project": project, "collection": collection, **_written(item)})


def take_in(store: RecordStore, source: Iterable[str], progress: Progress) -> int:
    """What `lines` gave, for any number of projects and collections; how many records were new.

    InvalidError names the line that is none; what came before it stays.
    """
    added = 0
    pending: list[Exported] = []
    place: tuple[str, str] | None = None
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        owner, item = _read(line, number)
        if owner != place or len(pending) >= _AT_ONCE:
            added += _flushed(store, place, pending)
            pending, place = [], owner
            progress(number, None)
        pending.append(item)
    return added + _flushed(store, place, pending)


_AT_ONCE = 1000


def _flushed(store: RecordStore, place: tuple[str, str] | None, pending: list[Exported]) -> int:
    return store.import_(*place, pending) if place is not None and pending else 0


def _counted(items: Iterator[Exported], progress: Progress, total: int) -> Iterator[Exported]:
    done = 0
    for item in items:
        yield item
        if isinstance(item, Record):
            done += 1
            progress(done, total)


def _written(item: Exported) -> dict[str, Any]:
    if isinstance(item, ExportedSequence):
        return {"kind": "sequence", "last": item.last}
    if isinstance(item, Record):
        return {"kind": "record", "id": item.id, "version": item.version, "document": item.document}
    entry = item.entry
    return {
        "kind": "entry",
        "id": item.id,
        "stream": item.stream,
        "position": entry.position,
        "source": entry.source,
        "number": entry.number,
        "data": entry.data,
    }


def _read(line: str, number: int) -> tuple[tuple[str, str], Exported]:
    try:
        fields: dict[str, Any] = strict_json.loads_object(line)
        place = (fields["project"], fields["collection"])
        item = _KINDS[fields["kind"]](fields)
    except strict_json.StrictJSONError as error:
        raise InvalidError(f"is not JSON: {error.reason}", f"line {number}") from error
    except (KeyError, TypeError) as error:
        raise InvalidError(f"is not a line of an export: {error}", f"line {number}") from error
    if not all(isinstance(name, str) for name in place):
        raise InvalidError("names no project and collection", f"line {number}")
    return place, item


def _record(fields: dict[str, Any]) -> Exported:
    return Record(fields["id"], fields["version"], fields["document"])


def _sequence(fields: dict[str, Any]) -> Exported:
    return ExportedSequence(fields["last"])


def _entry(fields: dict[str, Any]) -> Exported:
    entry = StreamEntry(fields["position"], fields["data"], fields["source"], fields["number"])
    return ExportedEntry(fields["id"], fields["stream"], entry)


_KINDS = {"record": _record, "sequence": _sequence, "entry": _entry}
