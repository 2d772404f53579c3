"""What is the file store's own: where files lie, what they look like, which index answers, who waits for whom."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage_app.records import query
from storage_app.records.backend import Select
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from storage_app.records.errors import LockTimeoutError
from storage_app.records.file import names, project, recovery, selecting, settling
from storage_app.records.file.journal import SEGMENTS
from storage_app.records.file.layer import FileLayer
from storage_app.records.file.locks import ProjectLock
from storage_app.records.file.project import Project
from storage_app.records.file.store import FileRecordStore
from storage_app.records.file.tables import Table
from storage_app.records.operations import Durability

JOBS = Collection(
    "jobs",
    fields=(Field("status", Kind.TEXT), Field("priority", Kind.INTEGER), Field("worker", Kind.TEXT)),
    partition="status",
    orders=(Order(("-priority", "id"), within=("status",)),),
)
THINGS = Collection("things", ids=Ids.GIVEN)
NOTES = Collection("notes", ids=Ids.SEQUENCE)


@pytest.fixture
def store(tmp_path: Path) -> FileRecordStore:
    return FileRecordStore([JOBS, THINGS, NOTES], root=tmp_path / "records")


def files(tmp_path: Path) -> list[str]:
    root = tmp_path / "records"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.json*") if ".store" not in path.parts)


def test_a_record_is_a_readable_file_in_the_folder_of_its_partition(store: FileRecordStore, tmp_path: Path) -> None:
    with store:
        id = store.insert("p", "jobs", {"status": "pending", "text": "é"}).id
        assert files(tmp_path) == [f"p/jobs/pending/{id}.json"]
        store.append("p", "jobs", id, "log", [{"n": 1}])
        store.update("p", "jobs", id, {"status": "done"})
        assert files(tmp_path) == [f"p/jobs/done/{id}.json", f"p/jobs/done/{id}~log.jsonl"]
        envelope = json.loads((tmp_path / "records" / f"p/jobs/done/{id}.json").read_text())
        assert envelope == {
            "format": 1,
            "project": "p",
            "collection": "jobs",
            "id": id,
            "version": 2,
            "document": {"status": "done", "text": "é"},
        }
        store.delete("p", "jobs", id)
        assert files(tmp_path) == []


def test_the_files_of_claims_follow_when_the_store_closes(store: FileRecordStore, tmp_path: Path) -> None:
    with store:
        id = store.insert("p", "jobs", {"status": "pending"}).id
        store.claim_first("p", "jobs", {"status": "pending"}, {"status": "processing"})
    assert files(tmp_path) == [f"p/jobs/processing/{id}.json"]


def test_folders_are_divided_before_they_grow_too_large(store: FileRecordStore, tmp_path: Path) -> None:
    with store:
        for _ in range(5):
            store.insert_many("p", "notes", [{}] * 1000)
    folder = tmp_path / "records/p/notes"
    assert len(list(folder.glob("*.json"))) == 4000
    assert len(list((folder / "~0001").glob("*.json"))) == 1000


def test_a_missing_folder_is_an_empty_store_and_stays_missing(store: FileRecordStore, tmp_path: Path) -> None:
    with store:
        assert store.projects() == []
        assert store.query("p", "jobs").records == []
        assert store.check().problems == []
        assert store.claim_first("p", "jobs", {}, {}) == []
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "A",
        "é",
        "e\u0301",
        "../x",
        "con",
        "COM1.txt",
        "nul.",
        ".hidden",
        "dot.",
        "a b ",
        "",
        "~null",
        "%41",
        "x" * 512,
        "É" * 256,
    ],
)
def test_every_text_has_a_safe_name_of_its_own(text: str) -> None:
    name = names.to_name(text)
    assert name.isascii()
    assert name == name.lower()
    assert len(name) <= 200
    assert not set(name) & set('/\\:*?"<>| ')
    assert name.split(".")[0] not in ("con", "prn", "aux", "nul", "com1", "lpt1")
    assert not name.startswith(".")
    assert not name.endswith(".")
    assert names.from_name(name) in (text, None)
    assert len(text.encode()) > 50 or names.from_name(name) == text


def test_texts_that_some_file_systems_confuse_have_different_names() -> None:
    texts = ["a", "A", "é", "e\u0301", "É", "E\u0301", "ß", "ss", "a.", "a", "a ", "x" * 511, "x" * 512, "X" * 512]
    assert len({names.to_name(text) for text in texts}) == len(set(texts))


@pytest.mark.parametrize(
    ("conditions", "order"),
    [
        ({"status": "pending"}, ("-priority", "id")),
        ({"status": "pending"}, ("priority", "-id")),
        ({"status": "pending", "priority__gte": -1}, ("-priority", "id")),
        ({}, ("-priority",)),
        ({}, ("-id",)),
    ],
)
def test_an_order_comes_from_an_index_and_is_never_sorted(
    conditions: dict[str, object], order: tuple[str, ...], store: FileRecordStore
) -> None:
    with store:
        for _ in range(3):
            store.insert_many(
                "p",
                "jobs",
                [{"status": "pending", "priority": number % 3} for number in range(600)],
                durability=Durability.KILL_SAFE,
            )
        table = store._table(JOBS)
        request = Select(JOBS, query.compiled(JOBS, conditions), store._terms(JOBS, order), 10)
        plans: list[str] = []
        with store._project("p").index.reader() as connection:
            selecting.select(_Explaining(connection, plans), table, request)  # type: ignore[arg-type]  # stands in
        assert plans
        assert not [plan for plan in plans if "TEMP B-TREE" in plan]
        assert not [plan for plan in plans if plan.startswith("SCAN jobs") and "INDEX" not in plan]


class _Explaining:
    """A connection that asks for the plan of each statement before it is run."""

    def __init__(self, connection: sqlite3.Connection, plans: list[str]) -> None:
        self._connection, self._plans = connection, plans

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if 'FROM "jobs"' in statement:
            self._plans += [row[3] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
        return self._connection.execute(statement, values)


def test_a_lock_that_is_not_had_in_time_is_an_error_and_nothing_happened(tmp_path: Path) -> None:
    root = tmp_path / "records"
    held, free = threading.Event(), threading.Event()
    with FileRecordStore([JOBS], root=root) as store, FileRecordStore([JOBS], root=root, lock_timeout=0.05) as other:
        id = store.insert("p", "jobs", {"status": "a"}).id
        assert other.get("p", "jobs", id).version == 1

        def hold(record: object) -> None:
            held.set()
            assert free.wait(10)

        holder = threading.Thread(target=lambda: store.update("p", "jobs", id, hold))
        holder.start()
        assert held.wait(10)
        with pytest.raises(LockTimeoutError):
            other.update("p", "jobs", id, {"status": "b"})
        assert other.get("p", "jobs", id).document == {"status": "a"}  # reading waits for nobody
        free.set()
        holder.join()
        assert other.update("p", "jobs", id, {"status": "b"}).version == 2


def test_a_wait_for_the_lock_that_was_given_up_leaves_it_to_others(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    holder, patient, hasty = (ProjectLock(FileLayer(), path) for _ in range(3))
    holder.acquire(5)
    with pytest.raises(LockTimeoutError):
        hasty.acquire(0.05)
    had = threading.Event()

    def wait() -> None:
        patient.acquire(10)
        had.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert not had.wait(0.05)
    holder.release()
    assert had.wait(10)
    waiter.join()
    with pytest.raises(LockTimeoutError):
        hasty.acquire(0.01)  # what the one given up was given in the end is not taken for its own
    patient.release()
    hasty.acquire(10)
    hasty.release()
    for lock in (holder, patient, hasty):
        lock.close()


class _SlowDisk(FileLayer):
    """A sync of all takes an hour, by the clock that it moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hours = 0
        monotonic = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + 3600 * self.hours)

    def sync_everything(self, path: str) -> bool:
        self.hours += 1
        return super().sync_everything(path)


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileRecordStore]:
    """Every segment of the journal of p is full, and nobody settles it."""
    store = FileRecordStore([NOTES], root=tmp_path / "records", journal_bytes=20_000, layer=_SlowDisk(monkeypatch))
    with store:
        store._settler.stop()
        for _ in range(SEGMENTS):
            store.insert_many("p", "notes", [{"text": "x" * 200}] * 100)
        assert files(tmp_path) == []
        yield store


def test_who_finds_the_journal_full_settles_it_however_long_that_takes(full: FileRecordStore, tmp_path: Path) -> None:
    for _ in range(3 * SEGMENTS):
        full.insert_many("p", "notes", [{"text": "x" * 200}] * 100)
    assert full.count("p", "notes") == 1600
    assert len(files(tmp_path)) >= 1200
    assert full.check().problems == []


def test_a_project_goes_though_its_journal_is_full(full: FileRecordStore, tmp_path: Path) -> None:
    assert full.delete_project("p") == 400
    assert full.count("p", "notes") == 0
    assert files(tmp_path) == []


def test_a_file_is_set_aside_though_the_journal_is_full(full: FileRecordStore, tmp_path: Path) -> None:
    folder = tmp_path / "records/p/notes"
    folder.mkdir()
    (folder / "1000.json").write_text("{")
    assert [problem.kind for problem in full.repair("p").problems] == ["unreadable"]
    assert len(full.quarantined("p")) == 1
    assert full.check().problems == []


def test_who_never_finds_room_in_the_journal_is_told_that_others_were_quicker(
    full: FileRecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as others_fill_it:
        others_fill_it.setattr(Project, "settle", lambda project: True)
        with pytest.raises(LockTimeoutError):
            full.insert("p", "notes", {"text": "x"})
    assert full.count("p", "notes") == 400
    assert full.insert("p", "notes", {"text": "x"}).id == 401


def test_who_writes_many_writes_their_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "_MANY_WAITING", 150)
    with FileRecordStore([NOTES], root=tmp_path / "records") as store:
        store._settler.stop()
        for _ in range(10):
            store.insert_many("p", "notes", [{}] * 100)
        assert len(files(tmp_path)) >= 800
        assert store.check().problems == []
    assert len(files(tmp_path)) == 1000


def test_a_busy_writer_finds_files_made_beforehand_and_leaves_none(store: FileRecordStore, tmp_path: Path) -> None:
    own = tmp_path / "records/p/.store"
    with store:
        deadline = time.monotonic() + 30
        while not [path for path in own.glob(f"{os.getpid()}-*.tmp") if path.stat().st_size == 0]:
            store.insert("p", "jobs", {"status": "a"})
            assert time.monotonic() < deadline
        for path in own.glob("*.tmp"):
            path.unlink()  # as another process does that loads the project
        ids = [store.insert("p", "jobs", {"status": "b"}).id for _ in range(100)]
        assert len(list((tmp_path / "records/p/jobs/b").glob("*.json"))) == len(ids)
        assert store.check().problems == []
    assert list(own.glob("*.tmp")) == []


def test_the_log_of_the_index_is_folded_beside_the_writes(
    store: FileRecordStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "_FOLDED_AFTER", 10)
    index = tmp_path / "records/p/.index/index.sqlite"
    with store:
        store.insert("p", "jobs", {"status": "a"})
        before, deadline = index.stat().st_size, time.monotonic() + 30
        while index.stat().st_size <= before:
            store.insert("p", "jobs", {"status": "a", "text": "x" * 5000})
            assert time.monotonic() < deadline


def test_an_index_that_another_process_made_anew_is_used_as_it_is(
    store: FileRecordStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store, FileRecordStore([JOBS, THINGS, NOTES], root=tmp_path / "records") as other:
        store.insert("p", "jobs", {"status": "a"})
        other.insert("p", "jobs", {"status": "a"})
        store.rebuild_index("p")
        monkeypatch.setattr(recovery, "build", None)
        other.insert("p", "jobs", {"status": "a"})
        assert other.count("p", "jobs") == store.count("p", "jobs") == 3


def test_a_reindex_looks_ids_and_unique_values_up() -> None:
    keyed = Collection("keyed", fields=(Field("key", Kind.TEXT, unique=True), Field("status", Kind.TEXT)))
    table = Table(keyed)
    with sqlite3.connect(":memory:") as connection:
        for statement in [*table.creation(), *table.first_indexes()]:
            connection.execute(statement)
        for column in ("id", table.columns["key"]):
            asked = f"EXPLAIN QUERY PLAN SELECT id FROM {table.name} WHERE {column} = ? LIMIT 1"
            ((*_, plan),) = connection.execute(asked, ("x",)).fetchall()
            assert "SEARCH" in plan
        assert set(table.first_indexes()) < set(table.index_creation())
    connection.close()


def test_counters_are_true_whatever_was_written(store: FileRecordStore) -> None:
    with store:
        ids = [store.insert("p", "jobs", {"status": f"s{number % 3}", "priority": number}).id for number in range(9)]
        store.update("p", "jobs", ids[0], {"status": None})
        store.update("p", "jobs", ids[1], {"priority": None, "worker": "w"})
        store.replace("p", "jobs", ids[2], {})
        store.delete("p", "jobs", ids[3])
        store.claim_first("p", "jobs", {"status": "s1"}, {"status": "s2"}, limit=2)
        kept = store.count_by("p", "jobs", ["status"])
        assert kept == {(None,): 2, ("s0",): 1, ("s1",): 1, ("s2",): 4}
        assert store.check().problems == []
        store.rebuild_index()
        assert store.count_by("p", "jobs", ["status"]) == kept
