"""The text of a record's file: a small envelope, readable by people, around the document as it is stored.

The format has a number. A file of an older one is brought up step by step when it is read; one of a newer one is not
touched by a program that does not know it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from json.encoder import encode_basestring as _plain
from typing import Any

from storage_app import strict_json
from storage_app.records.declarations import Collection
from storage_app.records.errors import InvalidError
from storage_app.records.ids import LARGEST_SEQUENCE, RecordId
from storage_app.records.operations import Prepared, prepare

FORMAT: int = 1


class UnreadableError(Exception):
    """Why a file is no record of this collection. Never leaves the package."""


@dataclass(frozen=True)
class Enclosed:
    """A record as its file has it."""

    id: RecordId
    version: int
    prepared: Prepared
    format: int = FORMAT


def enclose(project: str, collection: str, id: RecordId, version: int, text: str) -> bytes:
    return (
        f'{{\n  "format": {FORMAT},\n  "project": "{project}",\n  "collection": {_plain(collection)},\n'
        f'  "id": {id if isinstance(id, int) else _plain(id)},\n  "version": {version},\n  "document": {text}\n}}\n'
    ).encode()


def opened(data: bytes, project: str, collection: Collection) -> Enclosed:
    """The record in a file; UnreadableError says in one sentence why there is none."""
    try:
        fields: dict[str, Any] = strict_json.loads_object(data)
    except strict_json.StrictJSONError as error:
        raise UnreadableError(f"The file is not the JSON of a record: {error}") from error
    found = fields.get("format")
    fields = upgraded(fields)
    for name, owner in (("project", project), ("collection", collection.name)):
        if fields.get(name) != owner:
            raise UnreadableError(f"The file belongs to the {name} {str(fields.get(name))[:80]!r}, not {owner!r}")
    version = fields.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= LARGEST_SEQUENCE:
        raise UnreadableError("The file has no version")
    try:
        id = collection.check_id(fields.get("id"))
        return Enclosed(id, version, prepare(collection, fields.get("document") or {}), int(found or 0))
    except InvalidError as error:
        raise UnreadableError(f"The record does not validate: {error.message}") from error


def upgraded(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an envelope in today's format."""
    version = fields.get("format")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise UnreadableError("The file does not say which format it has")
    if version > FORMAT:
        raise UnreadableError(f"The file has format {version}; this program knows formats up to {FORMAT}")
    for step in range(version, FORMAT):
        fields = UPGRADES[step].apply(fields)
    return fields


@dataclass(frozen=True)
class Upgrade:
    """From one format to the next."""

    title: str
    apply: Callable[[dict[str, Any]], dict[str, Any]]


# By the format they start from; none yet, since the first format is today's.
UPGRADES: dict[int, Upgrade] = {}
