"""A process ends before, or in the middle of, every single call of every kind of write; the next one finds all of it
or nothing.
"""

import os
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from storage_app.records.file.store import FileRecordStore
from tests.durability.conftest import Tally
from tests.durability.layers import STOPPED, StoppingLayer
from tests.durability.stores import Contents, assert_sound, contents, opened
from tests.durability.writes import WRITES, prepared

MOST_CALLS = 3000


@pytest.mark.parametrize("by_half", [False, True], ids=["before", "by half"])
@pytest.mark.parametrize("kind", WRITES)
def test_all_or_nothing_wherever_it_stops(kind: str, by_half: bool, tmp_path: Path, tally: Tally) -> None:
    write = WRITES[kind]
    template = tmp_path / "template"
    with opened(template) as store:
        prepared(store)
    before = _contents(template, tmp_path)
    stopped, calls, stride = 0, 0, 1
    while calls < MOST_CALLS:
        root = tmp_path / f"at {calls}"
        shutil.copytree(template, root)
        if not _stopped(root, write, calls, by_half):
            break
        stopped += 1
        with opened(root) as store:
            held = contents(store)
            assert_sound(store)
            _assert_before_or_after(kind, before, held, store)
        shutil.rmtree(root)
        calls += stride
        stride = 1 if calls < 40 else 7  # what comes later is the same again, for the next record
    assert calls < MOST_CALLS, "the write never came to its end"
    assert stopped > (0 if by_half else 2)
    tally("stops at a single call", stopped)


def _contents(template: Path, folder: Path) -> Contents:
    copy = folder / "before"
    shutil.copytree(template, copy)
    with opened(copy) as store:
        return contents(store)


def _stopped(root: Path, write: Callable[[FileRecordStore], object], calls: int, by_half: bool) -> bool:
    """Whether the child ended at that call; otherwise it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            layer = StoppingLayer(calls, by_half)
            store = opened(root, layer)
            store.count("p", "jobs")
            layer.armed = True
            write(store)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a child of a fork must never return into pytest
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, STOPPED)
    return code == STOPPED


def _assert_before_or_after(kind: str, before: Contents, held: Contents, store: FileRecordStore) -> None:
    if held == before:
        return
    if kind in ("settle", "rebuild"):
        raise AssertionError("what changes nothing changed something")
    # All of it: doing it once more to an unharmed copy would show the same; ids differ, so the sizes are compared.
    sizes = {name: len(items) for name, items in held.items()}
    assert sizes == _sizes_after(kind, before)


def _sizes_after(kind: str, before: Contents) -> dict[str, int]:
    sizes = {name: len(items) for name, items in before.items()}
    changes: dict[str, dict[str, int]] = {
        "insert": {"jobs": 1},
        "insert of a number": {"notes": 1},
        "insert of many": {"notes": 70},
        "delete with streams": {"jobs": -3},
        "append": {"jobs": 1},
        "append after a kill-safe one": {"jobs": 1},
        "finish with an event": {"jobs": 1},
        "several together": {"notes": 1, "jobs": 0, "things": 1},
        "quarantine": {"jobs": -3, "quarantine": 1},
        "restore": {"things": 2, "quarantine": -1},
        "discard": {"quarantine": -1},
        "end of a project": {name: -size for name, size in sizes.items()},
    }
    return {name: size + changes.get(kind, {}).get(name, 0) for name, size in sizes.items()}
