"""The other design of the file store: no journal to rely on, so each file is durable before its write returns."""

import os
from collections.abc import Iterable
from pathlib import Path

from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection
from storage_app.records.file.layer import FileLayer
from storage_app.records.file.store import FileRecordStore


class SyncEachFile(FileLayer):
    def create(self, path: str, data: bytes) -> None:
        super().create(path, data)
        self.sync_file(path)

    def rename(self, old: str, new: str) -> None:
        super().rename(old, new)
        self.sync_folder(os.path.dirname(new))  # noqa: PTH120 - text paths, as the layer has them

    def sync(self, fd: int, path: str) -> None:
        if "/journal." not in path:
            super().sync(fd, path)


def open_store(collections: Iterable[Collection], *, root: Path) -> RecordStore:
    return FileRecordStore(collections, root=root, layer=SyncEachFile())
