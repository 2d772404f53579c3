"""A page out of what a backend found: of records, or of a stream's entries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from storage_app.records import cursors, query
from storage_app.records.answers import Page
from storage_app.records.backend import BEYOND, Selection
from storage_app.records.cursors import Seek, Terms
from storage_app.records.declarations import Collection, Key
from storage_app.records.ids import RecordId
from storage_app.records.query import Where
from storage_app.records.streams import StreamEntry, StreamPage

_STREAM_CHUNK: Final = 1000

ReadEntries: TypeAlias = Callable[[int, int, int], tuple[list[StreamEntry], int]]  # after, before, how many at most


@dataclass(frozen=True)
class Span:
    after: int
    before: int | None
    backwards: bool
    limit: int
    scan_limit: int


def record_page(
    project: str, collection: Collection, terms: Terms, seek: Seek | None, limit: int, selection: Selection
) -> Page:
    backwards = seek is not None and seek.backwards
    records = selection.records[:limit]
    places = [
        cursors.order_keys(terms, collection.keys(record.document), record.id) for record in records[:1] + records[-1:]
    ]
    onward = Seek(places[-1], backwards) if len(selection.records) > limit else None
    if onward is None and selection.stopped_at is not None:
        onward = Seek(selection.stopped_at, backwards)
    back = None
    if seek is not None:
        # An empty page turns back to where it was asked to start, that row included.
        back = Seek(places[0], not backwards) if places else Seek(seek.keys, not backwards, not seek.inclusive)
    onward_cursor, back_cursor = (
        cursors.encode(project, collection, terms, turn) if turn else None for turn in (onward, back)
    )
    stopped_at = selection.stopped_at if len(selection.records) <= limit else None
    if backwards:
        return Page(records[::-1], back_cursor, onward_cursor, stopped_at)
    return Page(records, onward_cursor, back_cursor, stopped_at)


def stream_page(read: ReadEntries, where: Where, span: Span) -> StreamPage:
    """Reads on, in the direction of the span, until it has entries enough or has looked at enough."""
    low, high = span.after, span.before if span.before is not None else BEYOND
    found: list[StreamEntry] = []
    looked_at = 0
    while True:
        chunk = min(span.limit if not where else _STREAM_CHUNK, span.scan_limit - looked_at)
        entries, end = read(low, high, chunk)
        high = min(high, end + 1)
        for entry in reversed(entries) if span.backwards else entries:
            looked_at += 1
            low, high = (low, entry.position) if span.backwards else (entry.position, high)
            if query.matches(where, _EntryRow(entry)):
                found.append(entry)
                if len(found) == span.limit:
                    break
        if len(found) == span.limit or looked_at >= span.scan_limit or len(entries) < chunk:
            return _page_of_entries(found, low, high, end, span)


def _page_of_entries(found: list[StreamEntry], low: int, high: int, end: int, span: Span) -> StreamPage:
    """`low` and `high` are the positions between which nothing has been looked at yet."""
    if span.backwards:
        after = None if span.before is None or span.before > end else span.before - 1
        return StreamPage(found[::-1], after, high if high > 1 else None, end)
    return StreamPage(found, low if low < end else None, span.after + 1 if span.after > 0 else None, end)


@dataclass(frozen=True)
class _EntryRow:
    """An entry as conditions see it: its position is its id, its fields are those of its data."""

    entry: StreamEntry

    @property
    def id(self) -> RecordId:
        return self.entry.position

    @property
    def version(self) -> int:
        return 1

    @property
    def keys(self) -> Mapping[str, Key]:
        return {}

    @property
    def document(self) -> Mapping[str, Any]:
        return self.entry.data
