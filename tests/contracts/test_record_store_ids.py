"""How ids come about, which may be given, and that none comes twice."""

import re
import threading
import unicodedata

import pytest

from storage_app.records.base import RecordStore
from storage_app.records.declarations import free_collection
from storage_app.records.errors import AlreadyExistsError, InvalidError, RecordNotFoundError
from storage_app.records.ids import LARGEST_SEQUENCE

ODD_IDS = [
    "../x",
    "..",
    ".",
    "/etc/passwd",
    "a/b\\c",
    "C:\\x",
    "CON",
    "con.json",
    "nul",
    "COM¹",
    "a.",
    "a ",
    " a",
    "a:b",
    "%2e%2e",
    "~",
    "A",
    "a",
    "É",
    unicodedata.normalize("NFD", "É"),
    "ß",
    "ss",
    "日本語",
    "😀",
    "\u202e",
    "\ufeff",
    "-rf",
    "*?[]",
    "'; DROP TABLE x; --",
    "1",
    "01",
    "x" * 512,
    "é" * 256,
    "a.json",
    "a.jsonl",
    "a.tmp",
    "<img src=x>",
]


def test_time_ordered_ids_are_uuid7_and_grow(record_store: RecordStore, project: str) -> None:
    ids = [record_store.insert(project, "jobs", {}).id for _ in range(50)]
    ids += [record.id for record in record_store.insert_many(project, "jobs", [{}] * 50)]
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", str(id)) for id in ids
    )
    assert ids == sorted(set(ids))


def test_an_id_can_be_had_before_the_record(record_store: RecordStore, project: str) -> None:
    id = record_store.new_id("jobs")
    assert record_store.insert(project, "jobs", {}, id=id).id == id
    with pytest.raises(AlreadyExistsError) as refusal:
        record_store.insert(project, "jobs", {"a": 1}, id=id)
    assert refusal.value.details["existing_id"] == id
    with pytest.raises(InvalidError):
        record_store.new_id("notes")


def test_a_sequence_counts_from_one_and_gives_no_number_twice(record_store: RecordStore, project: str) -> None:
    assert [record_store.insert(project, "notes", {}).id for _ in range(3)] == [1, 2, 3]
    record_store.delete(project, "notes", 3)
    assert record_store.insert(project, "notes", {}).id == 4
    with pytest.raises(InvalidError):
        record_store.insert(project, "notes", {"topic": 5})
    assert [record.id for record in record_store.insert_many(project, "notes", [{}, {}])] == [5, 6]
    assert record_store.insert(project, "notes", {}, id=10).id == 10
    assert record_store.insert(project, "notes", {}).id == 11
    for taken in (3, 7, 10, 11):
        with pytest.raises(AlreadyExistsError):
            record_store.insert(project, "notes", {}, id=taken)
    record_store.delete_where(project, "notes", {})
    assert record_store.insert(project, "notes", {}).id == 12


def test_each_collection_and_project_counts_for_itself(
    record_store: RecordStore, project: str, other_project: str
) -> None:
    record_store.insert_many(project, "notes", [{}, {}])
    assert record_store.insert(other_project, "notes", {}).id == 1
    assert record_store.insert(project, free_collection("tasks").name, {}).id == 1
    assert record_store.insert(project, "notes", {}).id == 3


def test_a_sequence_is_unique_under_many_threads(record_store: RecordStore, project: str) -> None:
    ids: list[int | str] = []

    def insert_some() -> None:
        for _ in range(25):
            ids.append(record_store.insert(project, "notes", {}).id)

    threads = [threading.Thread(target=insert_some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ids, key=int) == list(range(1, 201))


@pytest.mark.parametrize("id", [0, -1, 1.0, True, "1", "²", LARGEST_SEQUENCE + 1, None])
def test_what_is_no_number_is_refused_by_a_sequence(record_store: RecordStore, project: str, id: object) -> None:
    record_store.insert(project, "notes", {})
    with pytest.raises(InvalidError):
        record_store.get(project, "notes", id)  # type: ignore[arg-type]  # hostile
    with pytest.raises(InvalidError):
        record_store.query(project, "notes", {"id__gt": "x"})


@pytest.mark.parametrize("id", ["", "x", 5, "../x", "0189ABCD-0000-7000-8000-000000000000", "{}", " " * 36])
def test_what_is_no_uuid_is_refused_by_a_time_ordered_collection(
    record_store: RecordStore, project: str, id: str
) -> None:
    for call in (record_store.get, record_store.delete):
        with pytest.raises(InvalidError):
            call(project, "jobs", id)
    with pytest.raises(InvalidError):
        record_store.insert(project, "jobs", {}, id=id)


def test_odd_ids_are_ids_like_any_other(record_store: RecordStore, project: str) -> None:
    for number, id in enumerate(ODD_IDS):
        record_store.insert(project, "things", {"rank": number}, id=id)
        record_store.append(project, "things", id, "logs", [{"id": id}])
    assert [record_store.get(project, "things", id).document["rank"] for id in ODD_IDS] == list(range(len(ODD_IDS)))
    assert [record.id for record in record_store.query(project, "things", limit=500).records] == sorted(ODD_IDS)
    for id in ODD_IDS:
        assert record_store.read_stream(project, "things", id, "logs").entries[0].data == {"id": id}
        assert record_store.query(project, "things", {"id": id}).records[0].id == id
        record_store.update(project, "things", id, {"seen": True})
    for id in ODD_IDS[::2]:
        record_store.delete(project, "things", id)
    assert record_store.count(project, "things") == len(ODD_IDS[1::2])
    assert [record_store.get(project, "things", id).version for id in ODD_IDS[1::2]] == [2] * len(ODD_IDS[1::2])


@pytest.mark.parametrize("id", ["", "a\nb", "\0", "\x7f", "\ud800", "x" * 513, 1, None, b"x"])
def test_an_id_that_no_backend_could_hold_is_refused(record_store: RecordStore, project: str, id: str) -> None:
    with pytest.raises(InvalidError):
        record_store.insert(project, "things", {}, id=id)
    assert record_store.count(project, "things") == 0


def test_a_given_id_may_be_used_again_by_its_giver(record_store: RecordStore, project: str) -> None:
    record_store.insert(project, "things", {"rank": 1}, id="a")
    record_store.delete(project, "things", "a")
    with pytest.raises(RecordNotFoundError):
        record_store.get(project, "things", "a")
    assert record_store.insert(project, "things", {"rank": 2}, id="a").version == 1


@pytest.mark.parametrize("name", ["", "Jobs", "unknown", "free.", "free.a\nb", "free." + "x" * 129, "../jobs", "jobs/"])
def test_a_collection_that_is_not_declared_is_refused(record_store: RecordStore, project: str, name: str) -> None:
    with pytest.raises(InvalidError):
        record_store.insert(project, name, {})


@pytest.mark.parametrize("name", ["tasks", "jobs", "../x", "CON", "日本語", "a b", "A", "x" * 128, "."])
def test_a_free_collection_may_have_any_name(record_store: RecordStore, project: str, name: str) -> None:
    collection = free_collection(name).name
    assert record_store.insert(project, collection, {"name": name}).id == 1
    assert record_store.query(project, collection, {"name": name}).records[0].document == {"name": name}
    assert record_store.collections(project) == [collection]
    assert record_store.count(project, "jobs") == 0
