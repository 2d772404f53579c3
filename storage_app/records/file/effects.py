"""What a frame of the journal holds: the state that each touched record has afterwards, one line each.

States, not steps, so that taking a frame in twice is the same as once. A line is a JSON array, and for records and
entries a tab and their JSON text as it is stored (which has neither tabs nor line ends in it).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring as _plain
from typing import Any, Final, TypeAlias

from storage_app import strict_json
from storage_app.records.ids import RecordId


@dataclass(frozen=True, slots=True)
class Put:
    """A record; `folder` is where its file is afterwards, None where the file follows later. `left`: folders that the
    file was in before.
    """

    collection: str
    id: RecordId
    version: int
    text: str
    folder: str | None
    left: str | None


@dataclass(frozen=True, slots=True)
class Gone:
    collection: str
    id: RecordId
    folder: str | None


@dataclass(frozen=True, slots=True)
class Added:
    """Entries of a stream from a position on, each as the line it has in the file."""

    collection: str
    id: RecordId
    stream: str
    first: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A sequence gave out all numbers up to this one."""

    collection: str
    last: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record went to quarantine; `text` is the file that quarantine keeps of it."""

    collection: str
    id: RecordId
    quarantine_id: str
    folder: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Released:
    """Something left quarantine: back among the records (another line has the record), or for good."""

    quarantine_id: str


@dataclass(frozen=True, slots=True)
class Wiped:
    """Nothing of the project is left."""


Effect: TypeAlias = Put | Gone | Added | Numbered | SetAside | Released | Wiped


def to_bytes(effects: Iterable[Effect]) -> bytes:
    return "\n".join([_WRITERS[type(effect)](effect) for effect in effects]).encode()


def from_bytes(payload: bytes) -> Iterator[Effect]:
    for line in payload.decode().split("\n"):
        head, _, text = line.partition("\t")
        kind, *fields = json_array(head)
        yield _READERS[kind](fields, text)


def json_array(text: str) -> list[Any]:
    value = strict_json.loads(text)
    assert isinstance(value, list)
    return value


_text = strict_json.dumps


def _write_put(put: Any) -> str:
    """By hand, since each write passes here: names and ids are plain texts, and a number is a number."""
    id = put.id if isinstance(put.id, int) else _plain(put.id)
    folder = "null" if put.folder is None else _plain(put.folder)
    left = "null" if put.left is None else _plain(put.left)
    return f'["put",{_plain(put.collection)},{id},{put.version},{folder},{left}]\t{put.text}'


def _write_added(added: Any) -> str:
    lines = ",".join(added.lines)
    return f"{_text(['add', added.collection, added.id, added.stream, added.first])}\t[{lines}]"


_WRITERS: Final[dict[type, Any]] = {
    Put: _write_put,
    Added: _write_added,
    Gone: lambda gone: _text(["gone", gone.collection, gone.id, gone.folder]),
    Numbered: lambda numbered: _text(["numbered", numbered.collection, numbered.last]),
    SetAside: lambda aside: (
        f"{_text(['aside', aside.collection, aside.id, aside.quarantine_id, aside.folder])}\t{aside.text}"
    ),
    Released: lambda released: _text(["released", released.quarantine_id]),
    Wiped: lambda wiped: '["wiped"]',
}
_READERS: Final[dict[str, Any]] = {
    "put": lambda fields, text: Put(fields[0], fields[1], fields[2], text, fields[3], fields[4]),
    "add": lambda fields, text: Added(fields[0], fields[1], fields[2], fields[3], tuple(map(_text, json_array(text)))),
    "gone": lambda fields, text: Gone(*fields),
    "numbered": lambda fields, text: Numbered(*fields),
    "aside": lambda fields, text: SetAside(fields[0], fields[1], fields[2], fields[3], text),
    "released": lambda fields, text: Released(*fields),
    "wiped": lambda fields, text: Wiped(),
}
