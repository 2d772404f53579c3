"""Claims and work on what matches: each record once, in order, guarded in the same step."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storage_app.records.base import RecordStore
from storage_app.records.errors import AlreadyExistsError, GuardFailedError, VersionConflictError
from storage_app.records.operations import Append, Durability, Insert, Outcome, Record

ORDER = ("-priority", "id")


def in_threads(count: int, work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(count) as pool:
        assert len(list(pool.map(work, range(count), timeout=120))) == count


def jobs(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"status": "pending", "kind": "pdf", "priority": n % 3, "n": n, **fields} for n in range(count)]


def test_a_claim_takes_the_first_in_order_and_changes_them(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "jobs", jobs(6))
    claimed = record_store.claim_first(
        project, "jobs", {"status": "pending"}, {"status": "processing", "worker": "w"}, order=ORDER, limit=3
    )
    assert [record.document["n"] for record in claimed] == [2, 5, 1]
    assert all(record.version == 2 and record.document["worker"] == "w" for record in claimed)
    assert [record_store.get(project, "jobs", record.id) for record in claimed] == claimed
    rest = record_store.claim_first(
        project, "jobs", {"status": "pending"}, {"status": "processing"}, order=ORDER, limit=10
    )
    assert [record.document["n"] for record in rest] == [4, 0, 3]
    assert record_store.claim_first(project, "jobs", {"status": "pending"}, {"status": "processing"}) == []
    assert record_store.count_by(project, "jobs", ["status"]) == {("processing",): 6}


@pytest.mark.parametrize("durability", list(Durability))
def test_a_claim_over_several_values_keeps_the_order_among_all(
    record_store: RecordStore, project: str, durability: Durability
) -> None:
    kinds = ["pdf", "txt", "png", None]
    record_store.insert_many(project, "jobs", [{**job, "kind": kinds[job["n"] % 4]} for job in jobs(24)])
    conditions = {"status": "pending", "kind__in": ["pdf", "png", None]}
    claimed = [
        record.document["n"]
        for _ in range(9)
        for record in record_store.claim_first(
            project, "jobs", conditions, {"status": "x"}, order=ORDER, limit=2, durability=durability
        )
    ]
    expected = sorted((n for n in range(24) if n % 4 != 1), key=lambda n: (-(n % 3), n))
    assert claimed == expected


def test_a_claim_computes_each_change_and_writes_what_belongs_to_it(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "jobs", jobs(3))

    def take(record: Record) -> Outcome:
        events = Append("jobs", record.id, "events", [{"to": "processing"}])
        attempt = Insert("notes", {"topic": str(record.id)})
        return Outcome({"status": "processing", "token": f"t{record.document['n']}"}, [events, attempt])

    claimed = record_store.claim_first(project, "jobs", {"status": "pending"}, take, limit=2)
    assert [record.document["token"] for record in claimed] == ["t0", "t1"]
    for record in claimed:
        assert record_store.read_stream(project, "jobs", record.id, "events").entries[0].data == {"to": "processing"}
    topics = [record.document["topic"] for record in record_store.query(project, "notes").records]
    assert topics == [record.id for record in claimed]


def test_a_claim_that_fails_in_the_middle_takes_nothing(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "jobs", jobs(3))
    with pytest.raises(AlreadyExistsError):
        record_store.claim_first(project, "jobs", {}, {"status": "x", "task": "same"}, limit=3)

    def stumble(record: Record) -> dict[str, Any]:
        if record.document["n"] == 2:
            raise ZeroDivisionError
        return {"status": "x"}

    with pytest.raises(ZeroDivisionError):
        record_store.claim_first(project, "jobs", {}, stumble, limit=3)
    assert record_store.count(project, "jobs", {"status": "pending", "version": 1}) == 3


def test_a_record_whose_change_is_none_is_left(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "jobs", jobs(4))
    claimed = record_store.claim_first(
        project, "jobs", {}, lambda record: {"a": 1} if record.document["n"] % 2 else None, limit=3
    )
    assert [record.document["n"] for record in claimed] == [1]
    assert record_store.count(project, "jobs", {"version": 1}) == 3


def test_no_job_is_claimed_twice_by_many_threads(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "jobs", jobs(300))
    taken: list[tuple[Any, int]] = []

    def work(number: int) -> None:
        while claimed := record_store.claim_first(
            project, "jobs", {"status": "pending"}, {"status": "processing"}, order=ORDER, limit=1 + number % 3
        ):
            taken.extend((record.id, number) for record in claimed)

    in_threads(8, work)
    assert len(taken) == len({id for id, _ in taken}) == 300
    assert record_store.count(project, "jobs", {"status": "processing", "version": 2}) == 300


def test_expected_versions_lose_no_update_of_many_threads(record_store: RecordStore, project: str) -> None:
    id = record_store.insert(project, "jobs", {"n": 0}).id
    conflicts: list[int] = []

    def work(number: int) -> None:
        done = 0
        while done < 10:
            record = record_store.get(project, "jobs", id)
            try:
                record_store.update(
                    project, "jobs", id, {"n": record.document["n"] + 1}, expected_version=record.version
                )
                done += 1
            except VersionConflictError:
                conflicts.append(number)

    in_threads(8, work)
    assert record_store.get(project, "jobs", id) == Record(id, 81, {"n": 80})


def test_computed_changes_of_many_threads_all_count(record_store: RecordStore, project: str) -> None:
    id = record_store.insert(project, "jobs", {"n": 0}).id

    def work(number: int) -> None:
        for _ in range(10):
            record_store.update(project, "jobs", id, lambda record: {"n": record.document["n"] + 1})

    in_threads(8, work)
    assert record_store.get(project, "jobs", id).document == {"n": 80}


def test_one_unique_value_goes_to_one_of_many_threads(record_store: RecordStore, project: str) -> None:
    outcomes: list[str] = []

    def work(number: int) -> None:
        for task in range(10):
            try:
                record_store.insert(project, "jobs", {"task": f"t{task}"})
                outcomes.append("made")
            except AlreadyExistsError:
                outcomes.append("taken")

    in_threads(6, work)
    assert outcomes.count("made") == record_store.count(project, "jobs") == 10
    assert outcomes.count("taken") == 50


def test_a_sweep_racing_completions_never_overwrites_one(record_store: RecordStore, project: str) -> None:
    ids = [r.id for r in record_store.insert_many(project, "jobs", jobs(60, status="processing", token="t"))]
    completed: set[Any] = set()

    def work(number: int) -> None:
        if number == 0:
            for id in ids:
                try:
                    record_store.update(
                        project, "jobs", id, {"status": "completed"}, guard={"status": "processing", "token": "t"}
                    )
                    completed.add(id)
                except GuardFailedError:
                    pass
        while (
            number
            and record_store.update_where(
                project, "jobs", {"status": "processing"}, {"status": "timeout"}, order="-id", limit=3
            ).records
        ):
            pass

    in_threads(3, work)
    found = {r.id: r for r in record_store.query(project, "jobs", limit=100).records}
    assert {id for id, record in found.items() if record.document["status"] == "completed"} == completed
    assert {record.version for record in found.values()} == {2}


def test_update_where_goes_in_batches_and_can_be_resumed(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "jobs", jobs(25) + jobs(5, status="done"))
    cursor, changed, batches = None, [], 0
    while True:
        batch = record_store.update_where(
            project, "jobs", {"status": "pending"}, {"seen": True}, limit=10, cursor=cursor
        )
        changed += [record.document["n"] for record in batch.records]
        batches += 1
        if (cursor := batch.cursor) is None:
            break
    assert changed == list(range(25))
    assert batches == 3
    assert record_store.count(project, "jobs", {"seen": True, "version": 2}) == 25


def test_delete_where_goes_in_batches_and_returns_what_went(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "jobs", jobs(25) + jobs(5, status="done"))
    first = record_store.delete_where(project, "jobs", {"status": "pending"}, limit=20)
    assert [record.document["n"] for record in first.records] == list(range(20))
    assert first.cursor is not None
    second = record_store.delete_where(project, "jobs", {"status": "pending"}, limit=20, cursor=first.cursor)
    assert (len(second.records), second.cursor) == (5, None)
    assert record_store.delete_where(project, "jobs", {"status": "pending"}).records == []
    assert record_store.count(project, "jobs") == 5


def test_a_batch_that_fails_in_the_middle_changes_nothing(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "jobs", jobs(3))
    with pytest.raises(AlreadyExistsError):
        record_store.update_where(project, "jobs", {}, {"task": "same"})
    assert record_store.count(project, "jobs", {"version": 1}) == 3
