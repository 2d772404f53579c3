"""Insert, get, update, replace, delete: what comes back, what is refused, what a version is."""

from collections.abc import Callable
from typing import Any

import pytest

from storage_app.records.base import RecordStore
from storage_app.records.errors import (
    AlreadyExistsError,
    GuardFailedError,
    InvalidError,
    RecordNotFoundError,
    VersionConflictError,
)
from storage_app.records.operations import REMOVE, Insert, Outcome, Record

MISSING = "01890000-0000-7000-8000-000000000000"


def test_what_was_inserted_is_there_at_version_one(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"name": "a", "status": "pending"})
    assert record.version == 1
    assert record_store.get(project, "jobs", record.id) == record
    assert record.document == {"name": "a", "status": "pending"}


def test_what_is_returned_is_a_copy(record_store: RecordStore, project: str) -> None:
    given: dict[str, Any] = {"options": {"pages": [1]}}
    record = record_store.insert(project, "jobs", given)
    given["options"]["pages"].append(2)
    record.document["options"]["pages"].append(3)
    record_store.get(project, "jobs", record.id).document["options"]["pages"].append(4)
    record_store.query(project, "jobs").records[0].document["options"]["pages"].append(5)
    assert record_store.get(project, "jobs", record.id).document == {"options": {"pages": [1]}}


def test_a_missing_record_is_an_error_with_its_id_everywhere(record_store: RecordStore, project: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: record_store.get(project, "jobs", MISSING),
        lambda: record_store.update(project, "jobs", MISSING, {"a": 1}),
        lambda: record_store.update(project, "jobs", MISSING, {"a": 1}, expected_version=1, guard={"a": 1}),
        lambda: record_store.replace(project, "jobs", MISSING, {"a": 1}),
        lambda: record_store.delete(project, "jobs", MISSING),
        lambda: record_store.append(project, "jobs", MISSING, "logs", [{"a": 1}]),
        lambda: record_store.append(project, "jobs", MISSING, "logs", []),
        lambda: record_store.read_stream(project, "jobs", MISSING, "logs"),
        lambda: record_store.quarantine(project, "jobs", MISSING, "reason"),
    ]
    for call in calls:
        with pytest.raises(RecordNotFoundError, match=MISSING) as refusal:
            call()
        assert refusal.value.details == {"collection": "jobs", "id": MISSING}
    assert record_store.count(project, "jobs") == 0


def test_many_are_got_in_the_order_asked_without_the_missing(record_store: RecordStore, project: str) -> None:
    a, b, c = record_store.insert_many(project, "jobs", [{"n": 1}, {"n": 2}, {"n": 3}])
    record_store.delete(project, "jobs", b.id)
    assert record_store.get_many(project, "jobs", [c.id, MISSING, b.id, a.id]) == [c, a]
    assert record_store.get_many(project, "jobs", []) == []


def test_update_sets_some_fields_and_keeps_the_rest_in_place(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"a": 1, "b": {"c": 2, "d": 3}, "e": 4})
    updated = record_store.update(project, "jobs", record.id, {"b": {"c": 5}, "f": None, "e": REMOVE, "g": REMOVE})
    assert updated == record_store.get(project, "jobs", record.id)
    assert updated.version == 2
    assert list(updated.document.items()) == [("a", 1), ("b", {"c": 5}), ("f", None)]


def test_replace_leaves_nothing_of_the_old_document(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"a": 1, "status": "pending"})
    assert record_store.replace(project, "jobs", record.id, {"b": 2}).document == {"b": 2}
    assert record_store.get(project, "jobs", record.id).version == 2
    assert record_store.query(project, "jobs", {"status": "pending"}).records == []


def test_an_empty_change_makes_a_version_and_none_does_not(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"a": 1})
    assert record_store.update(project, "jobs", record.id, {}).version == 2
    assert record_store.update(project, "jobs", record.id, lambda record: None).version == 2
    assert record_store.update(project, "jobs", record.id, Outcome(None)).version == 2
    assert record_store.get(project, "jobs", record.id).version == 2


def test_a_change_may_be_computed_from_the_record(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"n": 1, "list": [1]})

    def change(record: Record) -> dict[str, Any]:
        record.document["list"].append("not stored")
        return {"n": record.document["n"] + record.version}

    updated = record_store.update(project, "jobs", record.id, change)
    assert updated.document == {"n": 2, "list": [1]}


def test_a_stale_version_is_a_conflict_that_carries_the_current_one(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"a": 1})
    record_store.update(project, "jobs", record.id, {"a": 2}, expected_version=1)
    calls: list[Callable[[], Any]] = [
        lambda: record_store.update(project, "jobs", record.id, {"a": 3}, expected_version=1),
        lambda: record_store.replace(project, "jobs", record.id, {"a": 3}, expected_version=3),
        lambda: record_store.delete(project, "jobs", record.id, expected_version=1, guard={"a": 99}),
    ]
    for call in calls:
        with pytest.raises(VersionConflictError) as refusal:
            call()
        assert refusal.value.details["version"] == 2
    assert record_store.get(project, "jobs", record.id).document == {"a": 2}


def test_a_guard_that_does_not_hold_refuses_and_changes_nothing(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"status": "completed", "token": "t1"})
    guards: list[dict[str, Any]] = [{"status": "pending"}, {"token": "t2"}, {"status__ne": "completed"}]
    for guard in guards:
        with pytest.raises(GuardFailedError) as refusal:
            record_store.update(project, "jobs", record.id, {"status": "timeout"}, guard=guard)
        assert refusal.value.details["version"] == 1
        with pytest.raises(GuardFailedError):
            record_store.delete(project, "jobs", record.id, guard=guard)
    guard = {"status": "completed", "token": "t1"}
    assert record_store.update(project, "jobs", record.id, {"a": 1}, guard=guard).version == 2


def test_delete_returns_the_record_and_happens_once(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"status": "pending"})
    record_store.append(project, "jobs", record.id, "logs", [{"m": 1}])
    assert record_store.delete(project, "jobs", record.id, expected_version=1) == record
    for _ in range(2):
        with pytest.raises(RecordNotFoundError):
            record_store.delete(project, "jobs", record.id)
    assert record_store.count(project, "jobs") == record_store.count(project, "jobs", {"status": "pending"}) == 0


def test_many_are_inserted_all_or_none_in_the_order_given(record_store: RecordStore, project: str) -> None:
    records = record_store.insert_many(project, "jobs", [{"n": n} for n in range(1000)])
    assert [record.document["n"] for record in records] == list(range(1000))
    assert [record.id for record in records] == sorted(record.id for record in records)
    assert record_store.insert_many(project, "jobs", []) == []
    with pytest.raises(InvalidError):
        record_store.insert_many(project, "jobs", [{"n": 1}, {"n": float("nan")}])
    with pytest.raises(AlreadyExistsError):
        record_store.insert_many(project, "jobs", [{"task": "a"}, {"task": "b"}, {"task": "a"}])
    assert record_store.count(project, "jobs") == 1000
    assert record_store.query(project, "jobs", {"task__in": ["a", "b"]}).records == []


def test_a_unique_value_is_taken_once_and_free_again_later(record_store: RecordStore, project: str) -> None:
    first = record_store.insert(project, "jobs", {"task": "t"})
    second = record_store.insert(project, "jobs", {"task": None})
    record_store.insert(project, "jobs", {})
    calls: list[Callable[[], Any]] = [
        lambda: record_store.insert(project, "jobs", {"task": "t"}),
        lambda: record_store.update(project, "jobs", second.id, {"task": "t"}),
        lambda: record_store.replace(project, "jobs", second.id, {"task": "t"}),
    ]
    for call in calls:
        with pytest.raises(AlreadyExistsError) as refusal:
            call()
        assert refusal.value.details["existing_id"] == first.id
        assert refusal.value.details["field"] == "task"
    assert record_store.update(project, "jobs", first.id, {"task": "t", "a": 1}).version == 2
    record_store.update(project, "jobs", first.id, {"task": "T"})
    record_store.update(project, "jobs", second.id, {"task": "t"})
    record_store.delete(project, "jobs", second.id)
    record_store.insert(project, "jobs", {"task": "t"})
    assert record_store.count(project, "jobs") == 3


def test_a_record_may_come_back_with_its_id_and_go_on_from_its_version(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"a": 1})
    record_store.delete(project, "jobs", record.id)
    (back,) = record_store.apply(project, [Insert("jobs", {"a": 1}, id=record.id, version=7)])
    assert back == Record(record.id, 7, {"a": 1})
    assert record_store.update(project, "jobs", record.id, {"a": 2}, expected_version=7).version == 8
