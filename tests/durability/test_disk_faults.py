"""Disk full, quota, no permission, read-only, broken: at each call of each kind of write, once and ever after."""

import errno
import shutil
from pathlib import Path

import pytest

from storage_app.records.errors import (
    ReadOnlyError,
    RecordStoreError,
    StorageFullError,
    StoragePermissionError,
    UnavailableError,
)
from tests.durability.conftest import Tally
from tests.durability.layers import FAULTS, FailingLayer
from tests.durability.stores import PROJECT, assert_sound, contents, opened
from tests.durability.writes import WRITES, A, prepared

ERRORS: dict[int, type[RecordStoreError]] = {
    errno.ENOSPC: StorageFullError,
    errno.EDQUOT: StorageFullError,
    errno.EACCES: StoragePermissionError,
    errno.EROFS: ReadOnlyError,
    errno.EIO: UnavailableError,
}
MOST_CALLS = 60


@pytest.mark.parametrize("ever_after", [False, True], ids=["once", "ever after"])
@pytest.mark.parametrize("kind", WRITES)
def test_a_failed_write_changes_nothing_and_says_why(kind: str, ever_after: bool, tmp_path: Path, tally: Tally) -> None:
    template = tmp_path / "template"
    with opened(template) as store:
        prepared(store)
    failed = 0
    for calls in range(MOST_CALLS):
        fault = FAULTS[calls % len(FAULTS)]
        root = tmp_path / f"at {calls}"
        shutil.copytree(template, root)
        if not _fails(kind, root, calls, fault, ever_after):
            break
        failed += 1
        shutil.rmtree(root)
    assert failed > 2
    tally("disk faults", failed)


def _fails(kind: str, root: Path, calls: int, fault: int, ever_after: bool) -> bool:
    layer = FailingLayer(calls, fault, ever_after)
    store = opened(root, layer)
    before = contents(store)
    job = store.get(PROJECT, "jobs", A)
    layer.armed = True
    error: RecordStoreError | None = None
    try:
        WRITES[kind](store)
    except RecordStoreError as raised:
        error = raised
    if not layer.failed:
        layer.armed = False
        store.close()
        return False
    if error is not None:
        assert isinstance(error, (ERRORS[fault], UnavailableError)), error
        if kind != "rebuild":
            # Reads go on whatever the disk does.
            assert store.get(PROJECT, "jobs", A) == job
    layer.armed = False
    assert_sound(store)  # the first to get the lock settles what was left unknown
    held = contents(store)
    if error is not None and not isinstance(error, UnavailableError):
        assert held == before
    if error is None and kind not in ("settle", "rebuild", "update of what matches"):
        assert held != before
    store.close()
    with opened(root) as again:
        assert contents(again) == held
        assert_sound(again)
        assert int(again.insert(PROJECT, "notes", {"n": 1}).id) > again.count(PROJECT, "notes") - 1
    return True
