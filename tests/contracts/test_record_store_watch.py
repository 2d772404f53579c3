"""Watching: a change is seen by whoever waits, and only in its place."""

import asyncio
import threading
import time

import pytest

from storage_app.records.aio import AsyncRecords
from storage_app.records.base import RecordStore
from storage_app.records.errors import RecordNotFoundError
from tests.contracts.backends import Opening


def test_every_acknowledged_change_changes_the_counter(record_store: RecordStore, project: str) -> None:
    seen = [record_store.change_counter(project, "jobs")]

    def moved() -> bool:
        seen.append(record_store.change_counter(project, "jobs"))
        return seen[-1] not in seen[:-1]

    first, second = record_store.insert_many(project, "jobs", [{"a": 1}, {"a": 2}])
    assert moved()
    record_store.update(project, "jobs", first.id, {"a": 3})
    assert moved()
    record_store.claim_first(project, "jobs", {}, {"a": 4})
    assert moved()
    record_store.update_where(project, "jobs", {}, {"a": 5})
    assert moved()
    record_store.delete(project, "jobs", first.id)
    assert moved()
    quarantined = record_store.quarantine(project, "jobs", second.id, "reason")
    assert moved()
    record_store.quarantine_restore(project, quarantined.id)
    assert moved()
    record_store.delete_project(project)
    assert moved()


def test_the_counter_never_falls_back(record_store: RecordStore, project: str) -> None:
    seen = [_counters(record_store, project)]
    for rebuilt in (False, True, False):
        seen += _counters_of_a_life(record_store, project, rebuilt)
    assert all(list(one) == sorted(one) for one in zip(*seen, strict=True))
    assert len({counters[0] for counters in seen}) > 4
    assert len({counters[1] for counters in seen}) > 2


def test_the_counter_never_falls_back_when_the_store_is_opened_anew(persistent_opening: Opening, project: str) -> None:
    seen: list[tuple[int, ...]] = []
    for rebuilt in (False, True, False):
        with persistent_opening.open() as store:
            seen += [_counters(store, project), *_counters_of_a_life(store, project, rebuilt)]
    assert all(list(one) == sorted(one) for one in zip(*seen, strict=True))
    assert len({counters[0] for counters in seen}) > 6


def _counters_of_a_life(store: RecordStore, project: str, rebuilt: bool) -> list[tuple[int, ...]]:
    """Of a project that is written to and deleted."""
    seen = []
    id = store.insert(project, "jobs", {"status": "a"}).id
    store.append(project, "jobs", id, "logs", [{"n": 1}])
    for number in range(5):
        store.update(project, "jobs", id, {"n": number})
    seen.append(_counters(store, project))
    if rebuilt:
        store.rebuild_index(project)
        seen.append(_counters(store, project))
    assert store.delete_project(project) == 1
    seen.append(_counters(store, project))
    return seen


def _counters(store: RecordStore, project: str) -> tuple[int, ...]:
    return tuple(store.change_counter(project, "jobs", stream) for stream in (None, "logs", "other"))


def test_appends_are_watched_by_the_name_of_the_stream(record_store: RecordStore, project: str) -> None:
    id = record_store.insert(project, "jobs", {}).id
    logs = record_store.change_counter(project, "jobs", "logs")
    record_store.append(project, "jobs", id, "logs", [{"a": 1}])
    assert record_store.change_counter(project, "jobs", "logs") != logs


def test_a_wait_ends_with_a_change_of_another_thread(record_store: RecordStore, project: str) -> None:
    seen = record_store.change_counter(project, "jobs")
    writer = threading.Timer(0.05, record_store.insert, (project, "jobs", {}))
    began = time.monotonic()
    writer.start()
    assert record_store.wait_for_change(project, "jobs", seen, 20) != seen
    assert time.monotonic() - began < 5
    writer.join()


def test_a_wait_ends_at_its_time_and_at_once_where_it_is_late(record_store: RecordStore, project: str) -> None:
    seen = record_store.change_counter(project, "jobs")
    began = time.monotonic()
    record_store.wait_for_change(project, "jobs", seen, 0.05)
    assert 0.04 < time.monotonic() - began < 5
    record_store.insert(project, "jobs", {})
    assert record_store.wait_for_change(project, "jobs", seen, 60) != seen
    assert time.monotonic() - began < 5


def test_async_callers_wait_without_a_thread_each(record_store: RecordStore, project: str) -> None:
    async def scenario() -> None:
        records = AsyncRecords(record_store, threads=2)
        seen = await records.run(record_store.change_counter, project, "jobs")
        waiting = [asyncio.create_task(records.wait_for_change(project, "jobs", seen, 20)) for _ in range(100)]
        elsewhere = asyncio.create_task(records.wait_for_change(project, "things", 0, 0.2))
        await asyncio.sleep(0)
        record = await records.run(record_store.insert, project, "jobs", {"a": 1})
        assert await records.run(record_store.get, project, "jobs", record.id) == record
        done, late = await asyncio.wait(waiting, timeout=10)
        assert not late
        assert seen not in {task.result() for task in done}
        await elsewhere
        with pytest.raises(RecordNotFoundError):
            await records.run(record_store.get, project, "things", "missing")
        await records.close()

    asyncio.run(scenario())
