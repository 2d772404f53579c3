"""One of several writers of one branch: `python -m tests.durability.outbox_writers FOLDER DEFINITION WHO SECONDS WAY`.

`deferred` puts files of its own into the outbox and sends them; `direct` writes them at once; `same` writes one file
that all write, each time on condition that it still is what was read. Tells at the end what it wrote, as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from storage_app.providers import StorageProvider
from storage_app.providers.factory import Storages
from tests.durability.outbox_process import ALIAS, PROJECT, prepare


def main(folder: Path, definition: dict[str, object], who: str, seconds: float, way: str) -> None:
    prepare(folder, definition)
    wrote: list[str] = []
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        WAYS[way](who, len(wrote), wrote)
    if way == "deferred":
        _send_all()
    print(json.dumps(wrote))


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

    ends_at = time.monotonic() + 60
    while PendingChange.objects.exists() and time.monotonic() < ends_at:
        if flushing.flush(ALIAS, PROJECT).busy:
            time.sleep(0.05)  # the other one sends; this is a process of its own, not the test


WAYS: dict[str, Callable[[str, int, list[str]], None]] = {"deferred": _deferred, "direct": _direct, "same": _same}

if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3], float(sys.argv[4]), sys.argv[5])
