"""Streams: in order, without gaps, without doubles, and quick to open at the end."""

import threading
import time
from typing import Any

import pytest

from storage_app.records.base import RecordStore
from storage_app.records.errors import InvalidError
from storage_app.records.ids import RecordId
from storage_app.records.operations import Appended, Entry
from storage_app.records.streams import StreamEntry, StreamPage


@pytest.fixture
def job(record_store: RecordStore, project: str) -> RecordId:
    return record_store.insert(project, "jobs", {"status": "processing"}).id


def numbered(*numbers: int) -> list[Entry]:
    return [Entry({"n": number}, number) for number in numbers]


def data(page: StreamPage) -> list[Any]:
    return [entry.data["n"] for entry in page.entries]


def test_entries_are_numbered_from_one_without_a_gap(record_store: RecordStore, project: str, job: RecordId) -> None:
    assert record_store.read_stream(project, "jobs", job, "logs") == StreamPage([], None, None, 0)
    assert record_store.append(project, "jobs", job, "logs", [{"n": 1}, {"n": 2}]) == Appended(2, 2)
    assert record_store.append(project, "jobs", job, "logs", []) == Appended(0, 2)
    assert record_store.append(project, "jobs", job, "logs", [{"n": 3, "big": 10**40, "f": 1.0}]) == Appended(1, 3)
    page = record_store.read_stream(project, "jobs", job, "logs")
    assert [entry.position for entry in page.entries] == [1, 2, 3]
    assert repr(page.entries[2].data) == repr({"n": 3, "big": 10**40, "f": 1.0})
    assert (page.after, page.before, page.end) == (None, None, 3)
    assert record_store.get(project, "jobs", job).version == 1


def test_a_resent_batch_adds_nothing(record_store: RecordStore, project: str, job: RecordId) -> None:
    assert record_store.append(project, "jobs", job, "logs", numbered(1, 2, 3), source="a") == Appended(3, 3)
    assert record_store.append(project, "jobs", job, "logs", numbered(1, 2, 3), source="a") == Appended(0, 3)
    assert record_store.append(project, "jobs", job, "logs", numbered(3, 4, 4, 9), source="a") == Appended(2, 5)
    assert record_store.append(project, "jobs", job, "logs", numbered(6, 5, 1), source="a") == Appended(2, 7)
    assert record_store.append(project, "jobs", job, "logs", numbered(1), source="b") == Appended(1, 8)
    assert record_store.append(project, "jobs", job, "logs", [{"n": 0}, {"n": 0}], source="a") == Appended(2, 10)
    assert record_store.append(project, "jobs", job, "events", numbered(1), source="a") == Appended(1, 1)
    page = record_store.read_stream(project, "jobs", job, "logs")
    assert data(page) == [1, 2, 3, 4, 9, 6, 5, 1, 0, 0]
    assert page.entries[7] == StreamEntry(8, {"n": 1}, "b", 1)


def test_batches_resent_by_many_threads_are_stored_once(record_store: RecordStore, project: str, job: RecordId) -> None:
    def send(first: int) -> None:
        for start in range(first, 60, 4):
            record_store.append(project, "jobs", job, "logs", numbered(start, start + 1, start + 2), source="a")

    threads = [threading.Thread(target=send, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    page = record_store.read_stream(project, "jobs", job, "logs", limit=1000)
    assert sorted(data(page)) == list(range(62))
    assert [entry.position for entry in page.entries] == list(range(1, 63))


def test_reading_goes_on_both_ways_from_anywhere(record_store: RecordStore, project: str, job: RecordId) -> None:
    record_store.append(project, "jobs", job, "logs", numbered(*range(1, 26)))

    def read(**span: Any) -> StreamPage:
        return record_store.read_stream(project, "jobs", job, "logs", limit=10, **span)

    assert data(read()) == list(range(1, 11))
    assert read().after == 10
    assert data(read(after=20)) == [21, 22, 23, 24, 25]
    assert read(after=20).after is None
    end = read(backwards=True)
    assert (data(end), end.after, end.before) == (list(range(16, 26)), None, 16)
    middle = read(backwards=True, before=end.before)
    assert (data(middle), middle.after, middle.before) == (list(range(6, 16)), 15, 6)
    start = read(backwards=True, before=middle.before)
    assert (data(start), start.before) == ([1, 2, 3, 4, 5], None)
    assert data(read(after=middle.after)) == data(end)
    assert data(read(after=3, before=6)) == [4, 5]
    assert data(read(after=25)) == data(read(after=1000)) == data(read(before=1, backwards=True)) == []


def test_entries_can_be_filtered_and_none_is_hidden(record_store: RecordStore, project: str, job: RecordId) -> None:
    entries = [Entry({"n": n, "level": "error" if n % 50 == 0 else "info", "message": f"Line {n}"}) for n in range(300)]
    record_store.append(project, "jobs", job, "logs", entries)

    def read(**more: Any) -> StreamPage:
        return record_store.read_stream(project, "jobs", job, "logs", conditions={"level": "error"}, **more)

    assert data(read()) == [0, 50, 100, 150, 200, 250]
    assert data(read(limit=2, backwards=True)) == [200, 250]
    found: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = read(limit=2, after=after, scan_limit=70)
        found += data(page)
        after = page.after
    assert found == [0, 50, 100, 150, 200, 250]
    matching = record_store.read_stream(project, "jobs", job, "logs", conditions={"message__search": "LINE 29"})
    assert data(matching) == [29, 129, 229, *range(290, 300)]


def test_a_long_stream_opens_at_its_end_at_once(record_store: RecordStore, project: str, job: RecordId) -> None:
    for start in range(0, 20_000, 5000):
        record_store.append(project, "jobs", job, "logs", [{"n": n} for n in range(start, start + 5000)])

    def seconds(**span: Any) -> float:
        began = time.perf_counter()
        page = record_store.read_stream(project, "jobs", job, "logs", limit=50, **span)
        assert len(page.entries) == 50
        return time.perf_counter() - began

    at_the_start = min(seconds() for _ in range(5))
    assert min(seconds(backwards=True) for _ in range(5)) < 10 * at_the_start + 0.005


def test_a_stream_goes_with_its_record(record_store: RecordStore, project: str, job: RecordId) -> None:
    record_store.append(project, "jobs", job, "logs", numbered(1), source="a")
    record_store.update(project, "jobs", job, {"status": "completed"})
    record_store.replace(project, "jobs", job, {"status": "failed"})
    assert record_store.read_stream(project, "jobs", job, "logs").end == 1
    record_store.delete(project, "jobs", job)
    record_store.insert(project, "jobs", {}, id=job)
    assert record_store.read_stream(project, "jobs", job, "logs").end == 0
    assert record_store.append(project, "jobs", job, "logs", numbered(1), source="a") == Appended(1, 1)


@pytest.mark.parametrize(
    ("stream", "entries", "source"),
    [
        ("", [{}], ""),
        ("../x", [{}], ""),
        ("Logs", [{}], ""),
        ("logs", [{}], "a\n"),
        ("logs", [{}], "x" * 129),
        ("logs", [{"a": float("inf")}], ""),
        ("logs", [{"a": 1}, "text"], ""),
        ("logs", [Entry({}, -1)], ""),
        ("logs", [Entry({}, True)], ""),
        ("logs", [Entry({}, 2**53)], ""),
        ("logs", [{"a": "x" * 1024 * 1024}], ""),
        ("logs", [{}] * 10_001, ""),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_cannot_be_appended_is_refused_whole(
    record_store: RecordStore, project: str, job: RecordId, stream: str, entries: list[Any], source: str
) -> None:
    with pytest.raises(InvalidError):
        record_store.append(project, "jobs", job, stream, entries, source=source)
    assert record_store.read_stream(project, "jobs", job, "logs").end == 0
