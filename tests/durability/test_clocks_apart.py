"""Two nodes whose clocks differ: ids stay apart and leases go by the store that reckons them."""

from datetime import timedelta
from pathlib import Path

from storage_app.records import times
from storage_app.records.operations import Record
from tests.durability.stores import PROJECT, assert_sound, opened

HOUR = timedelta(hours=1)


def test_ids_of_two_clocks_never_meet_and_each_clock_keeps_its_order(tmp_path: Path) -> None:
    with opened(tmp_path) as ahead, opened(tmp_path, clock=lambda: times.now() - HOUR) as behind:
        mine: list[str] = []
        others: list[str] = []
        for _ in range(50):
            mine.append(str(ahead.insert(PROJECT, "jobs", {"status": "a"}).id))
            others.append(str(behind.insert(PROJECT, "jobs", {"status": "a"}).id))
        assert mine == sorted(mine)
        assert others == sorted(others)
        assert len({*mine, *others}) == 100
        assert max(others) < min(mine)
        listed = [record.id for record in ahead.query(PROJECT, "jobs", limit=200).records]
        assert listed == sorted([*mine, *others])
        assert ahead.digest(PROJECT, "jobs") == behind.digest(PROJECT, "jobs")
        assert_sound(ahead)


def test_a_clock_that_steps_back_gives_no_id_twice_and_none_out_of_order(tmp_path: Path) -> None:
    offset = [timedelta()]
    with opened(tmp_path, clock=lambda: times.now() + offset[0]) as store:
        ids: list[str] = []
        for step in range(20):
            offset[0] = -step * HOUR
            ids += [str(record.id) for record in store.insert_many(PROJECT, "jobs", [{"status": "a"}] * 5)]
        assert ids == sorted(set(ids))


def test_a_lease_that_one_node_gave_is_fenced_by_its_token_on_the_other(tmp_path: Path) -> None:
    """The node behind takes the lease for running, the node ahead for lost; only the present token may finish."""
    with opened(tmp_path) as ahead, opened(tmp_path, clock=lambda: times.now() - HOUR) as behind:
        id = ahead.insert(PROJECT, "jobs", {"status": "pending", "token": None, "lease": 0}).id

        def lease(token: str, now: float) -> dict[str, object]:
            return {"status": "processing", "token": token, "lease": now + 60}

        (first,) = behind.claim_first(PROJECT, "jobs", {"status": "pending"}, lease("first", behind.now().timestamp()))
        assert first.id == id

        def taken_over(record: Record) -> dict[str, object] | None:
            lost = record.document["lease"] < ahead.now().timestamp()
            return lease("second", ahead.now().timestamp()) if lost else None

        assert (
            ahead.update(PROJECT, "jobs", id, taken_over, guard={"status": "processing"}).document["token"] == "second"
        )
        results = behind.update_where(PROJECT, "jobs", {"token": "first"}, {"status": "done"}).records
        assert results == []
        done = ahead.update(PROJECT, "jobs", id, {"status": "done"}, guard={"token": "second"})
        assert behind.get(PROJECT, "jobs", id) == done
