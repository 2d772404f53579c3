"""The changes that `apply` makes together, and what a change of a record may be."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final, TypeAlias

from storage_app import strict_json
from storage_app.records.declarations import Collection, Key
from storage_app.records.errors import InvalidError
from storage_app.records.ids import RecordId
from storage_app.records.query import Conditions

LARGEST_DOCUMENT: Final = 16 * 1024 * 1024
RESERVED: Final = ("id", "version")


class Durability(StrEnum):
    """What an acknowledged write has survived."""

    DURABLE = "durable"  # kill -9 and loss of power
    KILL_SAFE = "kill-safe"  # kill -9; after a loss of power it may be undone, as a whole, together with its version


class _Remove(Enum):
    REMOVE = "remove"


REMOVE: Final = _Remove.REMOVE  # as a value among changes: the field is taken out of the document


@dataclass(frozen=True)
class Record:
    """A record as it is stored. `document` is the receiver's own copy: changing it changes nothing in the store."""

    id: RecordId
    version: int
    document: dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One entry for a stream. With a `number`, the same number from the same source is stored once, however often
    sent.
    """

    data: Mapping[str, Any]
    number: int | None = None


@dataclass(frozen=True)
class Insert:
    """A new record. `version` above 1 is for one that comes back (from a trash), so that it goes on from where it
    was.
    """

    collection: str
    document: Mapping[str, Any]
    id: RecordId | None = None
    version: int = 1


@dataclass(frozen=True)
class Update:
    """Changes some fields of one record, if it has the expected version and the guard holds at that very moment.

    `optional`: if the record is missing or the guard does not hold, the result is None and the others go on.
    """

    collection: str
    id: RecordId
    change: "Change"
    expected_version: int | None = None
    guard: Conditions = ()
    optional: bool = False


@dataclass(frozen=True)
class Replace:
    """As Update, with a whole new document."""

    collection: str
    id: RecordId
    document: Mapping[str, Any]
    expected_version: int | None = None
    guard: Conditions = ()
    optional: bool = False


@dataclass(frozen=True)
class Delete:
    """Removes a record and its streams; conditions as in Update."""

    collection: str
    id: RecordId
    expected_version: int | None = None
    guard: Conditions = ()
    optional: bool = False


@dataclass(frozen=True)
class Append:
    """Adds entries to a stream of a record, which must exist. `source` is who numbered them (an attempt, say)."""

    collection: str
    id: RecordId
    stream: str
    entries: Sequence[Entry | Mapping[str, Any]]
    source: str = ""


Operation: TypeAlias = Insert | Update | Replace | Delete | Append


@dataclass(frozen=True)
class Outcome:
    """What a change comes to: the fields it sets, and what is to happen with it in the same atomic write.

    `changes` None leaves the record and its version as they are; an empty mapping still makes a new version.
    """

    changes: Mapping[str, Any] | None
    then: Sequence[Operation] = ()


Changes: TypeAlias = Mapping[str, Any]
# Computed from the record under the store's lock or in its transaction, so: quick, without I/O, without touching the
# store, and free of effects, since a backend may call it again after a conflict with another transaction.
Change: TypeAlias = Outcome | Changes | Callable[[Record], Outcome | Changes | None]


@dataclass(frozen=True)
class Appended:
    """How many entries were new, and the position of the stream's last entry."""

    added: int
    end: int


Result: TypeAlias = Record | Appended | None


@dataclass(frozen=True)
class Prepared:
    """A document that may be stored: its text, and its index keys. The only way into a backend."""

    text: str
    keys: dict[str, Key] = field(repr=False)


def prepare(collection: Collection, document: Mapping[str, Any]) -> Prepared:
    """InvalidError for what is not a strict JSON object, is too large, or holds a wrong value in an indexed field."""
    if not isinstance(document, dict):
        raise InvalidError(f"must be an object, not {strict_json.type_name(document)}", "document")
    for name in RESERVED:
        if name in document:
            raise InvalidError("belongs to the store and cannot stand in a document", name)
    try:
        text = strict_json.dumps(document)
    except strict_json.StrictJSONError as error:
        raise InvalidError(error.reason, "document") from error
    if len(text) > LARGEST_DOCUMENT // 4 and len(text.encode()) > LARGEST_DOCUMENT:
        raise InvalidError(f"is larger than {LARGEST_DOCUMENT} bytes", "document")
    return Prepared(text, collection.keys(document))


def outcome(change: Change, record: Record) -> Outcome:
    """The change as it applies to this record."""
    result = change(record) if callable(change) else change
    return result if isinstance(result, Outcome) else Outcome(result)


def merged(document: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """The document with the fields set; known fields keep their place, new ones come last in the order given."""
    result = {**document, **changes}
    return {name: value for name, value in result.items() if value is not REMOVE}


class ChangeObserver:
    """Remembers which changes came to None, since their records are returned like the others."""

    def __init__(self) -> None:
        self._left: set[RecordId] = set()

    def __call__(self, change: Change) -> Callable[[Record], Outcome]:
        def observed(record: Record) -> Outcome:
            result = outcome(change, record)
            (self._left.add if result.changes is None else self._left.discard)(record.id)
            return result

        return observed

    def changed(self, results: Iterable[Result]) -> list[Record]:
        return [result for result in results if isinstance(result, Record) and result.id not in self._left]
