"""The intent of a batch: what is to be renamed and removed, durable before the first of it happens.

There is at most one, since batches happen under the storage's lock. From the moment its file is there the batch is
going to be; whoever comes next finishes what a dead process began. Doing it again changes nothing.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from storage_app import strict_json
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.folder.places import sync_folder

_PENDING: Final = "pending.json"
_BEING_WRITTEN: Final = "pending.new"
_GENERATION: Final = "generation"


@dataclass(frozen=True)
class Intent:
    """`writes` are pairs of temporary file (below the storage's own folder) and path."""

    id: str
    writes: list[tuple[str, str]]
    deletes: list[str]


class Journal:
    def __init__(self, own: Path) -> None:
        self._own = own
        self._pending = own / _PENDING

    def is_pending(self) -> bool:
        try:
            self._pending.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def generation(self) -> bytes:
        """Another one as soon as a batch begins: whoever reads it before and after has seen no half of one."""
        try:
            return (self._own / _GENERATION).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return b""

    def begin(self, intent: Intent) -> None:
        """When this returns, the batch will be, whatever happens."""
        text = json.dumps({"id": intent.id, "writes": intent.writes, "deletes": intent.deletes})
        new = self._own / _BEING_WRITTEN
        with new.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        (self._own / _GENERATION).write_text(intent.id)
        try:
            new.replace(self._pending)
            sync_folder(self._own)
        except OSError:
            # Not known to be durable counts as not written.
            self._pending.unlink(missing_ok=True)
            raise

    def pending(self) -> Intent | None:
        try:
            text = self._pending.read_bytes()
        except FileNotFoundError:
            return None
        try:
            found: dict[str, Any] = strict_json.loads_object(text)
            writes = [(str(temporary), str(path)) for temporary, path in found["writes"]]
            return Intent(str(found["id"]), writes, [str(path) for path in found["deletes"]])
        except (strict_json.StrictJSONError, KeyError, TypeError, ValueError) as error:
            message = "The storage's journal is damaged; look at pending.json in its own folder."
            raise StorageError(StorageErrorCode.INTERNAL_ERROR, message, None, {"reason": "damaged"}) from error

    def end(self) -> None:
        """Durable before anything else is written: the intent must not come back after a later change."""
        self._pending.unlink()
        sync_folder(self._own)
