"""What lives longer than its process, and what several processes do at once."""

from collections.abc import Callable
from typing import Any

from storage_app.records.base import RecordStore
from tests.contracts.backends import Opening
from tests.processes import CONTEXT

PROCESSES = 3
PATIENCE = 300


def in_processes(work: Callable[..., Any], *arguments: Any, count: int = PROCESSES) -> list[Any]:
    with CONTEXT.Pool(count) as pool:
        return pool.starmap_async(work, [(number, *arguments) for number in range(count)]).get(timeout=PATIENCE)


def claim_all(number: int, opening: Opening, project: str) -> list[Any]:
    with opening.open() as store:
        taken: list[Any] = []
        while claimed := store.claim_first(
            project, "jobs", {"status": "pending"}, {"status": "processing"}, order=("-priority", "id"), limit=2
        ):
            taken += [record.id for record in claimed]
        return taken


def insert_notes(number: int, opening: Opening, project: str) -> list[Any]:
    with opening.open() as store:
        return [store.insert(project, "notes", {"topic": f"t{number}"}).id for _ in range(40)]


def count_up(number: int, opening: Opening, project: str, id: str) -> None:
    with opening.open() as store:
        for _ in range(30):
            store.update(project, "jobs", id, lambda record: {"n": record.document["n"] + 1})
            store.append(project, "jobs", id, "logs", [{"by": number}])


def insert_one(number: int, opening: Opening, project: str) -> None:
    with opening.open() as store:
        store.insert(project, "jobs", {"status": "late"})


def test_a_store_opened_again_has_everything(persistent_opening: Opening, project: str) -> None:
    with persistent_opening.open() as store:
        records = store.insert_many(project, "jobs", [{"n": n, "status": "a"} for n in range(30)])
        store.append(project, "jobs", records[0].id, "logs", [{"n": 1}])
        store.insert_many(project, "notes", [{}] * 5)
        store.delete(project, "notes", 5)
        store.claim_first(project, "jobs", {"status": "a"}, {"status": "b"}, limit=10)
        quarantined = store.quarantine(project, "jobs", records[20].id, "reason")
        cursor = store.query(project, "jobs", limit=10).next_cursor
        before = [store.digest(project, name) for name in ("jobs", "notes")]
    with persistent_opening.open() as store:
        assert [store.digest(project, name) for name in ("jobs", "notes")] == before
        assert store.count_by(project, "jobs", ["status"]) == {("a",): 19, ("b",): 10}
        assert store.insert(project, "notes", {}).id == 6
        assert store.quarantined(project) == [quarantined]
        assert store.query(project, "jobs", cursor=cursor, limit=1).records[0].document["n"] == 10
        assert store.check(project).problems == []


def test_no_job_is_claimed_twice_by_several_processes(shared_opening: Opening, project: str) -> None:
    with shared_opening.open() as store:
        store.insert_many(project, "jobs", [{"status": "pending", "priority": n % 5} for n in range(300)])
        taken = [id for ids in in_processes(claim_all, shared_opening, project) for id in ids]
        assert len(taken) == len(set(taken)) == 300
        assert store.count(project, "jobs", {"status": "processing", "version": 2}) == 300


def test_a_sequence_is_unique_over_several_processes(shared_opening: Opening, project: str) -> None:
    with shared_opening.open() as store:
        ids = [id for ids in in_processes(insert_notes, shared_opening, project) for id in ids]
        assert sorted(ids) == list(range(1, 40 * PROCESSES + 1))
        assert store.count_by(project, "notes", ["topic"]) == {(f"t{n}",): 40 for n in range(PROCESSES)}


def test_several_processes_lose_no_update(shared_opening: Opening, project: str) -> None:
    with shared_opening.open() as store:
        id = store.insert(project, "jobs", {"n": 0}).id
        in_processes(count_up, shared_opening, project, id)
        record = store.get(project, "jobs", id)
        assert (record.document["n"], record.version) == (30 * PROCESSES, 30 * PROCESSES + 1)
        entries = store.read_stream(project, "jobs", id, "logs", limit=1000).entries
        assert [entry.position for entry in entries] == list(range(1, 30 * PROCESSES + 1))


def test_a_change_of_another_process_is_seen_while_waiting(shared_opening: Opening, project: str) -> None:
    with shared_opening.open() as store:
        seen = store.change_counter(project, "jobs")
        with CONTEXT.Pool(1) as pool:
            pending = pool.starmap_async(insert_one, [(0, shared_opening, project)])
            assert _waited(store, project, seen)
            pending.get(timeout=PATIENCE)
        assert store.count(project, "jobs", {"status": "late"}) == 1


def _waited(store: RecordStore, project: str, seen: int) -> bool:
    return store.wait_for_change(project, "jobs", seen, PATIENCE) != seen
