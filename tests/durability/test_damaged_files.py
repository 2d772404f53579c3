"""What people, programs and disks do to files: told by `check`, taken in or set aside by `repair`, the rest served."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage_app.records.errors import QuarantinedError
from storage_app.records.file import envelope
from storage_app.records.file.store import FileRecordStore
from tests.durability.stores import PROJECT, assert_sound, opened

Damage = Callable[[Path], object]


def edit(path: Path, **changes: Any) -> None:
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | changes, indent=4))


DAMAGES: dict[str, Damage] = {
    "corrupt": lambda path: path.write_bytes(b'{"format": 1, \xff'),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "wrong version": lambda path: edit(path, format=99),
    "wrong project": lambda path: edit(path, project="other"),
    "wrong collection": lambda path: edit(path, collection="notes"),
    "not valid": lambda path: edit(path, document={"rank": "x"}),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "records"
    with opened(root) as store:
        for number in range(5):
            store.insert(PROJECT, "things", {"rank": number}, id=f"t{number}")
        store.append(PROJECT, "things", "t1", "log", [{"n": 1}, {"n": 2}])
    return root


def thing(root: Path, id: str) -> Path:
    return root / PROJECT / "things" / f"{id}.json"


@pytest.mark.parametrize("rebuilt", [False, True], ids=["repair", "index deleted"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_read_goes_to_quarantine(damage: str, rebuilt: bool, root: Path) -> None:
    DAMAGES[damage](thing(root, "t1"))
    broken = thing(root, "t1").read_bytes()
    if rebuilt:
        shutil.rmtree(root / PROJECT / ".index")
    with opened(root) as store:
        if not rebuilt:
            assert [problem.kind for problem in store.check().problems] == ["unreadable"]
            assert store.repair().repaired == 1
        assert_sound(store)
        (aside,) = store.quarantined(PROJECT)
        assert (aside.collection, aside.record_id) == ("things", "t1")
        assert aside.text == broken.decode(errors="backslashreplace").replace("\0", "\\x00")
        with pytest.raises(QuarantinedError):
            store.get(PROJECT, "things", "t1")
        assert [record.id for record in store.query(PROJECT, "things").records] == ["t0", "t2", "t3", "t4"]
        restored = store.quarantine_restore(PROJECT, aside.id, '{"rank": 10}')
        assert restored.document == {"rank": 10}
        assert store.read_stream(PROJECT, "things", "t1", "log").end == 2
        assert_sound(store)


def test_what_the_index_still_had_comes_back_by_itself(root: Path) -> None:
    thing(root, "t1").write_bytes(b"")
    with opened(root) as store:
        store.repair()
        (aside,) = store.quarantined(PROJECT)
        assert store.quarantine_restore(PROJECT, aside.id).document == {"rank": 1}


def test_an_edit_by_hand_is_noticed_and_taken_in_as_a_new_version(root: Path) -> None:
    edit(thing(root, "t2"), document={"rank": 20, "note": "by hand"})
    with opened(root) as store:
        assert store.get(PROJECT, "things", "t2").document == {"rank": 2}
        assert [problem.kind for problem in store.check().problems] == ["edited"]
        assert store.repair().repaired == 1
        record = store.get(PROJECT, "things", "t2")
        assert (record.version, record.document) == (2, {"rank": 20, "note": "by hand"})
        assert store.count(PROJECT, "things", {"rank": 20}) == 1
        assert_sound(store)


def test_a_partition_edited_by_hand_moves_the_file(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        id = store.insert(PROJECT, "jobs", {"status": "a"}).id
        path = tmp_path / PROJECT / "jobs" / "a" / f"{id}.json"
        edit(path, document={"status": "b"})
        store.repair()
        assert store.count(PROJECT, "jobs", {"status": "b"}) == 1
        assert_sound(store)
        assert not path.exists()
        assert (tmp_path / PROJECT / "jobs" / "b" / f"{id}.json").exists()


def test_a_file_put_there_by_hand_is_taken_in(root: Path) -> None:
    path = thing(root, "mine")
    shutil.copy(thing(root, "t1"), path)
    edit(path, id="mine", document={"rank": 9})
    with opened(root) as store:
        assert [problem.kind for problem in store.check().problems] == ["index_missing"]
        store.repair()
        assert store.get(PROJECT, "things", "mine").document == {"rank": 9}
        assert_sound(store)


def test_a_file_removed_by_hand_is_written_again(root: Path) -> None:
    thing(root, "t3").unlink()
    (root / PROJECT / "things" / "t1~log.jsonl").unlink()
    with opened(root) as store:
        assert [problem.kind for problem in store.check().problems] == ["file_missing"] * 2
        store.repair()
        assert_sound(store)
    assert thing(root, "t3").exists()
    assert (root / PROJECT / "things" / "t1~log.jsonl").read_text().count("\n") == 2


@pytest.mark.parametrize("rebuilt", [False, True], ids=["repair", "index deleted"])
def test_of_two_files_the_higher_version_wins(rebuilt: bool, tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        id = store.insert(PROJECT, "jobs", {"status": "a"}).id
        old = tmp_path / PROJECT / "jobs" / "a" / f"{id}.json"
        kept = old.read_bytes()
        store.update(PROJECT, "jobs", id, {"status": "b"})
    old.write_bytes(kept)
    if rebuilt:
        shutil.rmtree(tmp_path / PROJECT / ".index")
    with opened(tmp_path) as store:
        if not rebuilt:
            assert [problem.kind for problem in store.check().problems] == ["duplicate"]
            store.repair()
        assert store.query(PROJECT, "jobs").records[0].document == {"status": "b"}
        assert_sound(store)
    assert not old.exists()


def test_a_copy_with_another_name_is_set_aside(root: Path) -> None:
    copy = thing(root, "t1").with_name("copy%20of%20t1.json")
    shutil.copy(thing(root, "t1"), copy)
    edit(copy, document={"rank": 100})
    with opened(root) as store:
        assert [problem.kind for problem in store.check().problems] == ["duplicate"]
        store.repair()
        assert store.get(PROJECT, "things", "t1").document == {"rank": 1}
        assert len(store.quarantined(PROJECT)) == 1
        assert_sound(store)


def test_an_edited_stream_is_taken_in_and_a_broken_one_written_again(root: Path) -> None:
    path = root / PROJECT / "things" / "t1~log.jsonl"
    path.write_text(path.read_text() + '{"position": 3, "data": {"n": 3}}\n')
    with opened(root) as store:
        assert [problem.kind for problem in store.check().problems] == ["edited"]
        store.repair()
        assert store.read_stream(PROJECT, "things", "t1", "log").end == 3
        path.write_text("not a line of ours\n")
        store.repair()
        assert store.read_stream(PROJECT, "things", "t1", "log").end == 3
        assert_sound(store)
    assert path.read_text().count("\n") == 3


def test_the_index_may_be_deleted_or_garbage(root: Path) -> None:
    with opened(root) as store:
        before = store.digest(PROJECT, "things")
        for harm in ("unlink", "garbage", "folder"):
            _harm(root, harm)
            assert store.digest(PROJECT, "things") == before
            assert store.count(PROJECT, "things", {"rank": 3}) == 1
            _harm(root, harm)
            store.update(
                PROJECT, "things", "t0", {"rank": 0}, expected_version=store.get(PROJECT, "things", "t0").version
            )
            before = store.digest(PROJECT, "things")
        assert_sound(store)


def test_claims_survive_the_index(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.insert_many(PROJECT, "jobs", [{"status": "pending"} for _ in range(4)])
        first = _claimed(store)
        shutil.rmtree(tmp_path / PROJECT / ".index")
        assert {first, _claimed(store), _claimed(store), _claimed(store)} == {
            record.id for record in store.query(PROJECT, "jobs").records
        }
        assert store.claim_first(PROJECT, "jobs", {"status": "pending"}, {"status": "processing"}) == []


def test_numbers_are_not_given_again_after_the_index_is_gone(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        last = store.insert_many(PROJECT, "notes", [{}, {}, {}])[-1].id
        store.delete(PROJECT, "notes", last)
    for again in range(3):
        shutil.rmtree(tmp_path / PROJECT / ".index")
        with opened(tmp_path) as store:
            record = store.insert(PROJECT, "notes", {})
            assert record.id == int(last) + 1 + again
            store.delete(PROJECT, "notes", record.id)


def test_an_older_format_is_brought_up_when_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"format": 2, "document": fields["document"] | {"upgraded": True}}

    monkeypatch.setattr(envelope, "FORMAT", 2)
    monkeypatch.setitem(envelope.UPGRADES, 1, envelope.Upgrade("a mark", rename))
    shutil.rmtree(root / PROJECT / ".index")
    with opened(root) as store:
        assert store.get(PROJECT, "things", "t0").document == {"rank": 0, "upgraded": True}


def _claimed(store: FileRecordStore) -> object:
    (record,) = store.claim_first(PROJECT, "jobs", {"status": "pending"}, {"status": "processing"})
    return record.id


def _harm(root: Path, harm: str) -> None:
    index = root / PROJECT / ".index"
    if harm == "folder":
        shutil.rmtree(index)
    elif harm == "unlink":
        (index / "index.sqlite").unlink()
    else:
        for file in index.iterdir():
            file.unlink()
        (index / "index.sqlite").write_bytes(b"garbage" * 1000)
