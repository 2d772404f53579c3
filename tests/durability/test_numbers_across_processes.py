"""Several processes count at once, and some are killed while they do: each end is counted once."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs_app.domain.job_numbers import Fact, Outcome, Tally
from jobs_app.domain.number_spans import DAY, Tier, sheet_of
from jobs_app.stores.collections import COLLECTIONS
from jobs_app.stores.job_numbers import FACTS, TYPES, WHOLE, NumberRecords, fact_out
from storage_app.records import registry
from storage_app.records.base import RecordStore
from tests.contracts.backends import BACKENDS, SHARED
from tests.processes import CONTEXT

PROJECT = "counted"
ENDS, PROCESSES, KILLED = 400, 3, 2
PATIENCE = 300.0


@dataclass(frozen=True)
class Place:
    """Where the store is, in plain values that another process can be given."""

    name: str
    options: dict[str, Any]

    def open(self) -> RecordStore:
        return registry.open_store(self.name, COLLECTIONS, **self.options)


@pytest.fixture(params=SHARED)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    backend = BACKENDS[request.param]
    place = Place(backend.name, backend.prepare(request, tmp_path))
    with place.open() as store:
        store.delete_project(PROJECT)
    return place


def count(place: Place, killed_by_half: bool) -> None:
    """Counts a few at a time until nothing is left; or dies over it, somewhere past a quarter of the way."""
    with place.open() as store:
        records = NumberRecords(store, PROJECT)
        if killed_by_half:
            _die_in_a_moment(store)
        while facts := records.uncounted(7):
            records.count(facts)
        if killed_by_half:
            signal.pause()  # it began so late that the others were done; it dies all the same


def _die_in_a_moment(store: RecordStore) -> None:
    """The signal comes from a thread, so it may strike at any instruction of a write."""

    def die() -> None:
        while store.count(PROJECT, FACTS.name) > ENDS * 3 // 4:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=die, daemon=True).start()


def test_each_end_is_counted_once_though_those_who_count_are_killed(place: Place) -> None:
    with place.open() as store:
        now = store.now()
        facts = [
            Fact(now - timedelta(seconds=number), Outcome.COMPLETED, f"t{number % 5}", "w1", number, 2 * number)
            for number in range(ENDS)
        ]
        store.insert_many(PROJECT, FACTS.name, [fact_out(fact) for fact in facts])
        counters = [CONTEXT.Process(target=count, args=(place, number < KILLED)) for number in range(PROCESSES)]
        for counter in counters:
            counter.start()
        for counter in counters:
            counter.join(PATIENCE)
        assert [counter.exitcode for counter in counters] == [-signal.SIGKILL] * KILLED + [0] * (PROCESSES - KILLED)
        assert store.count(PROJECT, FACTS.name) == 0
        records = NumberRecords(store, PROJECT)
        for tier in Tier:
            whole = sum(records.cells(WHOLE, tier, sheet_of(tier, now - DAY), now).values(), Tally())
            assert whole.outcomes == {Outcome.COMPLETED: ENDS}
            assert whole.waited.total_microseconds == sum(range(ENDS))
        types = records.cells(TYPES, Tier.HOUR, now - DAY, now).values()
        assert sum(named.named["t0"].ended for named in types) == ENDS // 5
