"""Quarantine, check, repair, statistics."""

import pytest

from storage_app.records.answers import CollectionStatistics
from storage_app.records.base import RecordStore
from storage_app.records.errors import (
    AlreadyExistsError,
    InvalidError,
    QuarantinedError,
    RecordNotFoundError,
)
from tests.contracts.backends import BACKENDS


def test_a_record_in_quarantine_is_out_of_the_way(record_store: RecordStore, project: str) -> None:
    bad = record_store.insert(project, "things", {"rank": 1, "text": "é"}, id="bad")
    good = record_store.insert(project, "things", {"rank": 1}, id="good")
    record_store.append(project, "things", "bad", "logs", [{"n": 1}])
    quarantined = record_store.quarantine(project, "things", "bad", "makes no sense")
    assert record_store.quarantined(project) == [quarantined]
    assert (quarantined.collection, quarantined.record_id, quarantined.reason) == ("things", "bad", "makes no sense")
    assert quarantined.text == '{"rank":1,"text":"é"}'
    assert quarantined.at.tzinfo is not None
    assert record_store.query(project, "things").records == [good]
    assert record_store.count(project, "things") == record_store.count(project, "things", {"rank": 1}) == 1
    assert record_store.get_many(project, "things", ["bad", "good"]) == [good]
    for call in (
        lambda: record_store.get(project, "things", "bad"),
        lambda: record_store.update(project, "things", "bad", {}),
        lambda: record_store.delete(project, "things", "bad"),
        lambda: record_store.append(project, "things", "bad", "logs", [{}]),
    ):
        with pytest.raises(QuarantinedError, match="makes no sense"):
            call()
    with pytest.raises(AlreadyExistsError):
        record_store.insert(project, "things", {}, id="bad")
    restored = record_store.quarantine_restore(project, quarantined.id)
    assert (restored.id, restored.version, restored.document) == ("bad", 2, bad.document)
    assert record_store.get(project, "things", "bad") == restored
    assert record_store.read_stream(project, "things", "bad", "logs").end == 1
    assert record_store.quarantined(project) == []


def test_a_record_is_restored_mended_or_not_at_all(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"status": "a", "task": "t"})
    quarantined = record_store.quarantine(project, "jobs", record.id, "reason")
    record_store.insert(project, "jobs", {"task": "t"})
    for text in ("{", '{"a": NaN}', "[1]", '{"status": 1}', '{"id": 1}', '{"a": 1, "a": 2}'):
        with pytest.raises(InvalidError):
            record_store.quarantine_restore(project, quarantined.id, text)
    with pytest.raises(AlreadyExistsError):
        record_store.quarantine_restore(project, quarantined.id)
    assert record_store.quarantined(project) == [quarantined]
    assert record_store.quarantine_restore(project, quarantined.id, '{"status": "b"}').document == {"status": "b"}
    assert record_store.count(project, "jobs", {"status": "b"}) == 1


def test_a_discarded_record_is_gone(record_store: RecordStore, project: str) -> None:
    record_store.insert(project, "things", {}, id="bad")
    record_store.append(project, "things", "bad", "logs", [{"n": 1}])
    quarantined = record_store.quarantine(project, "things", "bad", "reason")
    assert record_store.quarantine_discard(project, quarantined.id) == quarantined
    for call in (record_store.quarantine_discard, record_store.quarantine_restore):
        with pytest.raises(RecordNotFoundError):
            call(project, quarantined.id)
    with pytest.raises(RecordNotFoundError):
        record_store.get(project, "things", "bad")
    record_store.insert(project, "things", {}, id="bad")
    assert record_store.read_stream(project, "things", "bad", "logs").end == 0


def test_quarantine_lists_the_oldest_first(record_store: RecordStore, project: str) -> None:
    for id in ("c", "a", "b"):
        record_store.insert(project, "things", {}, id=id)
        record_store.quarantine(project, "things", id, "reason")
    assert [item.record_id for item in record_store.quarantined(project)] == ["c", "a", "b"]


def test_a_sound_store_checks_clean_before_and_after_repair(record_store: RecordStore, project: str) -> None:
    records = record_store.insert_many(project, "jobs", [{"status": "a", "tags": ["x", "x"]} for _ in range(20)])
    record_store.append(project, "jobs", records[0].id, "logs", [{"n": 1}, {"n": 2}])
    record_store.update_where(project, "jobs", {}, {"status": "b"}, limit=10)
    record_store.delete(project, "jobs", records[5].id)
    before = record_store.digest(project, "jobs")
    for act in (record_store.check, record_store.repair, record_store.check):
        seen: list[int] = []
        report = act(project, progress=lambda done, total, seen=seen: seen.append(done))  # type: ignore[misc]  # default
        assert (report.records, report.entries, report.problems) == (19, 2, [])
        assert seen
    assert record_store.rebuild_index(project) == 19
    assert record_store.digest(project, "jobs") == before
    assert record_store.count_by(project, "jobs", ["status"]) == {("a",): 10, ("b",): 9}


def test_statistics_follow_the_records(record_store: RecordStore, project: str) -> None:
    assert record_store.statistics(project) == {}
    id = record_store.insert(project, "jobs", {"a": "é"}).id
    record_store.append(project, "jobs", id, "logs", [{"n": 1}, {"n": 2}])
    record_store.insert(project, "notes", {})
    assert record_store.statistics(project) == {
        "jobs": CollectionStatistics(1, 2, len('{"a":"é"}'.encode())),
        "notes": CollectionStatistics(1, 0, 2),
    }
    record_store.delete(project, "jobs", id)
    assert list(record_store.statistics(project)) == ["notes"]


def test_the_store_keeps_what_it_says_of_itself(record_store: RecordStore, request: pytest.FixtureRequest) -> None:
    backend = BACKENDS[request.node.callspec.params["opening"]]
    assert (record_store.capabilities.persistent, record_store.capabilities.shared) == (
        backend.persistent,
        backend.shared,
    )
