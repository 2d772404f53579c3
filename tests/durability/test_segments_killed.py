"""Processes that store segments are killed over it: what was acknowledged is there, once, and is found by its words."""

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Final

import pytest

from jobs_app.domain import new_segment
from jobs_app.domain.job import By
from jobs_app.domain.new_segment import NewSegment
from jobs_app.stores.segment_records import SegmentRecords
from jobs_app.stores.segments import SEGMENTS
from storage_app.records import registry
from storage_app.records.base import RecordStore
from tests.contracts.backends import BACKENDS, SHARED, Opening
from tests.processes import CONTEXT

PROJECT: Final = "written"
WRITERS: Final = int(os.environ.get("SEGMENT_WRITERS", "3"))
SEGMENTS_EACH: Final = 200
PATIENCE: Final = 300.0
BY: Final = By("command", "a writer")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills with a signal")


def opened(place: Opening) -> RecordStore:
    return registry.open_store(place.name, [SEGMENTS], **{"lock_timeout": 60.0, **place.options})


def write(place: Opening, acknowledged: Path, number: int, last: int) -> None:
    """Stores one after the other and notes each that was acknowledged; dies some time after `last` of them."""
    noted = 0

    def die() -> None:
        while noted < last:
            time.sleep(0.0005)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=die, daemon=True).start()
    with opened(place) as store, acknowledged.open("ab", buffering=0) as notes:
        records = SegmentRecords(store, PROJECT)
        for count in range(SEGMENTS_EACH):
            new = NewSegment(f"writer{number} says line{count} in src/w{number}/l{count}.py", tags=[f"w{number}"])
            made = new_segment.make(new, records.new_id(), records.now(), BY)
            records.create([made])
            notes.write(f"{made.id} {count}\n".encode())
            noted += 1
        signal.pause()


@pytest.mark.parametrize("name", SHARED)
def test_what_was_acknowledged_before_the_kill_is_there_once(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    # not above: the writers import this module, and have no Django
    from jobs_app.services.segment_search import search_in
    from jobs_app.services.segments import SegmentFilter

    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    place = Opening(BACKENDS[name].name, BACKENDS[name].prepare(request, tmp_path))
    with opened(place) as store:
        store.delete_project(PROJECT)
    notes = [tmp_path / f"acknowledged-{number}" for number in range(WRITERS)]
    lasts = [dice.randint(SEGMENTS_EACH // 4, SEGMENTS_EACH) for _ in notes]
    writers = [
        CONTEXT.Process(target=write, args=(place, path, number, last))
        for number, (path, last) in enumerate(zip(notes, lasts, strict=True))
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(PATIENCE)
    assert [writer.exitcode for writer in writers] == [-signal.SIGKILL] * WRITERS
    told = [[line.split() for line in path.read_text().splitlines()] for path in notes]
    assert all(len(lines) >= last for lines, last in zip(told, lasts, strict=True))
    with opened(place) as store:
        store.repair(PROJECT)  # files that a killed process had no time to put in place
        assert store.check(PROJECT).problems == []
        records = SegmentRecords(store, PROJECT)
        stored = [one.id for one in records.walk({"tier": "active"}, "touched_at")]
        acknowledged = [id for lines in told for id, _ in lines]
        assert len(set(acknowledged)) == len(acknowledged)
        assert len(set(stored)) == len(stored)
        assert set(acknowledged) <= set(stored)
        assert len(stored) - len(acknowledged) <= WRITERS  # each may have died between the write and the note
        for number, lines in enumerate(told):
            id, count = dice.choice(lines)
            found = search_in(records, f'"src/w{number}/l{count}.py"', SegmentFilter())
            assert [match.segment.id for match in found.items] == [id]
