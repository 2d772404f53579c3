"""Several operations as one: all of them, in order, or none."""

import pytest

from storage_app.records.base import RecordStore
from storage_app.records.errors import (
    AlreadyExistsError,
    GuardFailedError,
    InvalidError,
    RecordNotFoundError,
    RecordStoreError,
    VersionConflictError,
)
from storage_app.records.operations import (
    Append,
    Appended,
    Delete,
    Insert,
    Operation,
    Outcome,
    Record,
    Replace,
    Update,
)

MISSING = "01890000-0000-7000-8000-000000000000"


def test_results_come_in_the_order_of_the_operations(record_store: RecordStore, project: str) -> None:
    old = record_store.insert(project, "jobs", {"a": 1})
    new = record_store.new_id("jobs")
    results = record_store.apply(
        project,
        [
            Insert("jobs", {"b": 1}, id=new),
            Append("jobs", new, "events", [{"to": "pending"}, {"to": "x"}]),
            Update("jobs", new, {"b": 2}, expected_version=1),
            Update("jobs", new, lambda record: {"b": record.document["b"] + 1}, guard={"b": 2}),
            Replace("things", "gone", {}, optional=True),
            Insert("notes", {"topic": "n"}),
            Delete("jobs", old.id, expected_version=1),
        ],
    )
    assert results == [
        Record(new, 1, {"b": 1}),
        Appended(2, 2),
        Record(new, 2, {"b": 2}),
        Record(new, 3, {"b": 3}),
        None,
        Record(1, 1, {"topic": "n"}),
        old,
    ]
    assert record_store.query(project, "jobs").records == [Record(new, 3, {"b": 3})]
    assert record_store.apply(project, []) == []


@pytest.mark.parametrize(
    ("last", "error"),
    [
        (Update("jobs", MISSING, {}), RecordNotFoundError),
        (Delete("jobs", MISSING), RecordNotFoundError),
        (Append("jobs", MISSING, "logs", [{}]), RecordNotFoundError),
        (Append("jobs", "ID", "No Stream", [{}]), InvalidError),
        (Append("jobs", "ID", "logs", [{"a": "\0"}]), InvalidError),
        (Insert("things", {}, id="there"), AlreadyExistsError),
        (Insert("things", {}), InvalidError),
        (Insert("jobs", {"task": "moved"}), AlreadyExistsError),
        (Insert("jobs", {"priority": "x"}), InvalidError),
        (Insert("jobs", {}, version=0), InvalidError),
        (Insert("nowhere", {}), InvalidError),
        (Update("things", "there", {}, expected_version=9), VersionConflictError),
        (Update("things", "there", {}, guard={"rank": 9}), GuardFailedError),
        (Update("things", "there", {}, guard={"rank": "x"}), InvalidError),
        (Update("things", "there", lambda r: Outcome({}, [Update("jobs", MISSING, {})])), RecordNotFoundError),
        (Replace("things", "there", {"rank": None, "id": 1}), InvalidError),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, type) else value.__name__,
)
def test_the_last_one_failing_undoes_all(
    record_store: RecordStore, project: str, last: Operation, error: type[RecordStoreError]
) -> None:
    job = record_store.insert(project, "jobs", {"task": "taken", "status": "a", "tags": ["t"]})
    record_store.append(project, "jobs", job.id, "logs", [{"n": 1}], source="s")
    record_store.insert(project, "things", {"rank": 1}, id="there")
    doomed = record_store.insert(project, "things", {"rank": 2}, id="doomed")
    before = [record_store.digest(project, name) for name in ("jobs", "things", "notes")]
    if isinstance(last, Append) and last.id == "ID":
        last = Append("jobs", job.id, last.stream, last.entries)
    operations: list[Operation] = [
        Insert("notes", {"topic": "x"}),
        Insert("jobs", {"status": "b", "task": "other"}),
        Update("jobs", job.id, {"status": "c", "task": "moved", "tags": ["u"]}),
        Append("jobs", job.id, "logs", [{"n": 2}], "s"),
        Append("jobs", job.id, "events", [{"n": 1}]),
        Delete("things", doomed.id),
        last,
    ]
    with pytest.raises(error):
        record_store.apply(project, operations)
    assert [record_store.digest(project, name) for name in ("jobs", "things", "notes")] == before
    assert record_store.count_by(project, "jobs", ["status"]) == {("a",): 1}
    assert record_store.count(project, "jobs", {"tags__contains": "t"}) == 1
    assert record_store.insert(project, "notes", {}).id == 1
    assert record_store.insert(project, "jobs", {"task": "moved"}).version == 1
    assert record_store.append(project, "jobs", job.id, "logs", [{"n": 2}], source="s") == Appended(1, 2)


def test_an_optional_operation_gives_none_and_lets_the_others_go_on(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "things", {"rank": 1}, id="a")
    operations: list[Operation] = [
        Update("things", "missing", {"x": 1}, optional=True),
        Update("things", "a", {"x": 1}, expected_version=2, optional=True),
        Update("things", "a", {"x": 1}, guard={"rank": 2}, optional=True),
        Delete("things", "a", guard={"rank": 2}, optional=True),
        Insert("things", {}, id="b"),
    ]
    assert record_store.apply(project, operations) == [None, None, None, None, Record("b", 1, {})]
    assert record_store.get(project, "things", "a") == record


def test_what_a_change_brings_with_it_happens_right_after_it(record_store: RecordStore, project: str) -> None:
    record_store.insert(project, "things", {"rank": 1}, id="a")

    def change(record: Record) -> Outcome:
        return Outcome({"rank": 2}, [Update("things", "a", {"rank": 3}), Insert("things", {"from": "a"}, id="b")])

    results = record_store.apply(project, [Update("things", "a", change), Update("things", "b", {"seen": True})])
    assert results == [Record("a", 2, {"rank": 2}), Record("b", 2, {"from": "a", "seen": True})]
    assert record_store.get(project, "things", "a") == Record("a", 3, {"rank": 3})
    left = Outcome(None, [Append("things", "a", "events", [{"left": True}])])
    assert record_store.update(project, "things", "a", left).version == 3
    assert record_store.read_stream(project, "things", "a", "events").end == 1
