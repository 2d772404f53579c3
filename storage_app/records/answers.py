"""What a record store answers, beside the records themselves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from storage_app.records.declarations import Key
from storage_app.records.ids import RecordId
from storage_app.records.operations import Record
from storage_app.records.streams import StreamEntry

LARGEST_PAGE: Final = 1000

Progress: TypeAlias = Callable[[int, int | None], None]  # done so far, of how many if known


@dataclass(frozen=True)
class Capabilities:
    """What the suite asks before it runs a clause; callers never need to."""

    persistent: bool  # survives the process
    shared: bool  # several processes at once


@dataclass(frozen=True)
class Page:
    """Records in the order asked for, whichever way the page was reached.

    A cursor is None where nothing lies that way at the time of reading; towards where one came from it is always given.
    With a scan limit the page may hold fewer records than asked for, or none, and a next cursor: go on from there.
    `stopped_at` is then the place in the order that the search came to, and None where nothing ended it early.
    """

    records: list[Record]
    next_cursor: str | None
    previous_cursor: str | None
    stopped_at: tuple[Key, ...] | None = None


@dataclass(frozen=True)
class Batch:
    """The records as a batch left them (for deletes: as they were), and where the next begins; None: all was seen."""

    records: list[Record]
    cursor: str | None


@dataclass(frozen=True)
class Quarantined:
    """A record set aside: its text as it was found (perhaps no JSON at all) and why."""

    id: str
    collection: str
    record_id: RecordId | None
    reason: str
    at: datetime
    text: str


@dataclass(frozen=True)
class Problem:
    """`kind` is a stable word: `unreadable`, `index_missing`, `index_stale`, `duplicate`, `counter`, `leftover` …"""

    kind: str
    project: str
    collection: str
    record_id: RecordId | None
    detail: str


@dataclass(frozen=True)
class Report:
    """What was looked at, what was wrong, and (for a repair) what was put right; unrepaired problems are in
    quarantine.
    """

    records: int = 0
    entries: int = 0
    problems: list[Problem] = field(default_factory=list)
    repaired: int = 0


@dataclass(frozen=True)
class Upgrade:
    """A step from one form of what is stored to the next."""

    name: str
    title: str
    applied: bool


@dataclass(frozen=True)
class CollectionStatistics:
    records: int
    entries: int
    bytes: int


@dataclass(frozen=True)
class Digest:
    """Equal for two stores that hold the same, whatever the backend: ids, versions, documents, streams, sequence."""

    records: int
    entries: int
    hash: str


@dataclass(frozen=True)
class ExportedSequence:
    """The highest number a sequence collection ever gave out; comes first."""

    last: int


@dataclass(frozen=True)
class ExportedEntry:
    id: RecordId
    stream: str
    entry: StreamEntry


Exported: TypeAlias = ExportedSequence | Record | ExportedEntry
