"""What quarantine keeps of a record: a folder for each, with what was found and why, and the record's streams."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from storage_app import strict_json
from storage_app.records import times
from storage_app.records.answers import Quarantined
from storage_app.records.file.layer import FileLayer
from storage_app.records.ids import RecordId

FOLDER: Final = ".quarantine"
FORMAT: Final = 1


@dataclass(frozen=True)
class Aside:
    """`version` is the last one known; `text` what was found, or the document where a whole record was set aside."""

    quarantine_id: str
    collection: str
    id: RecordId | None
    version: int
    reason: str
    at: datetime
    text: str
    good: str | None = None  # the document as the index still had it, where the file was damaged

    def quarantined(self) -> Quarantined:
        return Quarantined(self.quarantine_id, self.collection, self.id, self.reason, self.at, self.text)

    def row(self) -> tuple[Any, ...]:
        return (
            self.quarantine_id,
            self.collection,
            self.id,
            self.version,
            self.reason,
            times.to_instant(self.at),
            storable(self.text),
            self.good,
        )


def folder(quarantine_id: str) -> str:
    return f"{FOLDER}/{quarantine_id}"


def from_row(row: tuple[Any, ...]) -> Aside:
    identity, collection, id, version, reason, at, text, good = row
    return Aside(identity, collection, id, version, reason, times.from_instant(at), text, good)


def to_text(aside: Aside, raw: bytes | None = None) -> str:
    """One line of JSON; bytes that are no text are kept beside it, exactly."""
    fields: dict[str, Any] = {
        "format": FORMAT,
        "quarantine_id": aside.quarantine_id,
        "collection": aside.collection,
        "id": aside.id,
        "version": aside.version,
        "reason": storable(aside.reason),
        "at": times.to_text(aside.at),
        "text": storable(aside.text),
    }
    if aside.good is not None:
        fields["good"] = aside.good
    if raw is not None and raw != aside.text.encode():
        fields["bytes"] = base64.b64encode(raw).decode()
    return strict_json.dumps(fields)


def from_text(text: str | bytes) -> Aside:
    fields: dict[str, Any] = strict_json.loads_object(text)
    return Aside(
        fields["quarantine_id"],
        fields["collection"],
        fields["id"],
        fields["version"],
        fields["reason"],
        times.from_instant(times.to_instant(fields["at"])),
        fields["text"],
        fields.get("good"),
    )


def load(layer: FileLayer, project_folder: str) -> list[Aside]:
    """All of a project. A folder without a readable description holds what an interruption left, and is none."""
    found = []
    for entry in layer.entries(f"{project_folder}/{FOLDER}"):
        data = layer.read(f"{entry.path}/record.json")
        if data is not None:
            try:
                found.append(from_text(data))
            except (strict_json.StrictJSONError, KeyError, ValueError):
                continue
    return found


def decoded(raw: bytes) -> str:
    return storable(raw.decode(errors="backslashreplace"))


def storable(text: str) -> str:
    """What a strict JSON text may hold; the rest is shown as an escape."""
    shown = text.replace("\x00", "\\x00")
    return shown.encode(errors="backslashreplace").decode()
