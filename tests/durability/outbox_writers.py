"""Two processes that write to one branch: `python -m tests.durability.outbox_writers FOLDER DEFINITION COUNT WAY`.

`deferred` puts files of its own into the outbox and sends them; `direct` writes them at once; `same` writes one file
that both write, each time on condition that it still is what was read. Each goes on until it wrote so many; what they
wrote is told at the end, as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from storage_app.providers import StorageProvider
from storage_app.providers.factory import Storages
from tests.durability.outbox_process import ALIAS, PROJECT, ended, prepare, started

WRITERS = ("one", "two")
PATIENCE = 300.0


def main(folder: Path, definition: dict[str, object], count: int, way: str) -> None:
    prepare(folder, definition)
    notes = [folder / f"wrote-{who}" for who in WRITERS]
    children = [started(partial(_write, who, count, way, note)) for who, note in zip(WRITERS, notes, strict=True)]
    assert [ended(child) for child in children] == [0, 0]
    print(json.dumps([json.loads(note.read_text()) for note in notes]))


def _write(who: str, count: int, way: str, note: Path) -> int:
    wrote: list[str] = []
    ends_at = time.monotonic() + PATIENCE
    while len(wrote) < count:
        assert time.monotonic() < ends_at, f"{who} wrote {len(wrote)} only"
        WAYS[way](who, len(wrote), wrote)
    if way == "deferred":
        _send_all()
    note.write_text(json.dumps(wrote))
    return 0


def _deferred(who: str, number: int, wrote: list[str]) -> None:
    from storage_app.outbox import flushing, pending
    from storage_app.providers import FileWrite

    path = f"{who}/{number}"
    pending.put(ALIAS, PROJECT, [FileWrite(path, who.encode())], path)
    wrote.append(path)
    if number % 5 == 4:
        flushing.flush(ALIAS, PROJECT)


def _direct(who: str, number: int, wrote: list[str]) -> None:
    from storage_app import file_storages

    path = f"{who}/{number}"
    batch = [(path, who.encode()), (f"{who}/last", path.encode())]
    file_storages.run(lambda it: it.for_project(ALIAS, PROJECT).write_files_batch(batch, path))
    wrote.append(path)


def _same(who: str, number: int, wrote: list[str]) -> None:
    """What it wrote is kept only when it won; a loser is told of the path."""
    from storage_app import file_storages
    from storage_app.providers import StorageError, StorageErrorCode

    def provider(storages: Storages) -> StorageProvider:
        return storages.for_project(ALIAS, PROJECT)

    content = f"{who} {number} {time.monotonic_ns()}"
    file_storages.run(lambda it: _refreshed(provider(it)))
    expected = file_storages.run(lambda it: provider(it).get_file_hash("same"))
    try:
        file_storages.run(lambda it: provider(it).write_file("same", content.encode(), content, expected_sha=expected))
    except StorageError as error:
        if error.code is not StorageErrorCode.CONFLICT or error.path != "same":
            raise
        return
    wrote.append(content)


async def _refreshed(provider: StorageProvider) -> None:
    provider.refresh()


def _send_all() -> None:
    """Until nothing of anybody's waits."""
    from storage_app.outbox import flushing
    from storage_app.outbox.tables import PendingChange

    ends_at = time.monotonic() + PATIENCE
    while PendingChange.objects.exists() and time.monotonic() < ends_at:
        if flushing.flush(ALIAS, PROJECT).busy:
            time.sleep(0.05)  # the other one sends; this is a process of its own, not the test


WAYS: dict[str, Callable[[str, int, list[str]], None]] = {"deferred": _deferred, "direct": _direct, "same": _same}

if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
