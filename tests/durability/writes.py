"""Each kind of write, on a store that `prepared` made."""

from collections.abc import Callable
from typing import Any

from storage_app.records.file.store import FileRecordStore
from storage_app.records.operations import Append, Delete, Durability, Insert, Update
from tests.durability.stores import PROJECT

A = "00000000-0000-7000-8000-00000000000a"
B = "00000000-0000-7000-8000-00000000000b"
C = "00000000-0000-7000-8000-00000000000c"


def prepared(store: FileRecordStore) -> None:
    for priority, id in enumerate((A, B, C)):
        store.insert(PROJECT, "jobs", {"status": "pending", "priority": priority, "text": "x" * 700}, id=id)
    store.append(PROJECT, "jobs", A, "log", [{"n": 1}, {"n": 2}])
    store.append(PROJECT, "jobs", B, "log", [{"n": 1}], durability=Durability.KILL_SAFE)
    store.insert_many(PROJECT, "notes", [{"n": number} for number in range(3)])
    for id in ("good", "bad"):
        store.insert(PROJECT, "things", {"rank": 1, "text": "é"}, id=id)
        store.append(PROJECT, "things", id, "log", [{"n": 1}])
    store.quarantine(PROJECT, "things", "bad", "makes no sense")


def several_together(store: FileRecordStore) -> None:
    store.apply(
        PROJECT,
        [
            Insert("notes", {"a": 1}),
            Update("jobs", A, {"status": "done"}),
            Append("jobs", A, "log", [{"n": 3}]),
            Delete("jobs", C),
            Insert("things", {"rank": 2}, "new"),
        ],
    )


def finish_a_claim(store: FileRecordStore) -> None:
    store.apply(
        PROJECT,
        [Update("jobs", B, {"status": "done"}, guard={"status": "pending"}), Append("jobs", B, "log", [{"n": 2}])],
    )


def claim(store: FileRecordStore) -> None:
    store.claim_first(PROJECT, "jobs", {"status": "pending"}, {"status": "processing"}, order=("-priority", "id"))


def restore(store: FileRecordStore) -> None:
    store.quarantine_restore(PROJECT, store.quarantined(PROJECT)[0].id)


def discard(store: FileRecordStore) -> None:
    store.quarantine_discard(PROJECT, store.quarantined(PROJECT)[0].id)


def fill_segments(store: FileRecordStore) -> None:
    """With a small journal this turns over several segments, and settles in between."""
    for number in range(6):
        store.insert(PROJECT, "things", {"rank": number, "text": "y" * 3000}, id=f"f{number}")


WRITES: dict[str, Callable[[FileRecordStore], Any]] = {
    "insert": lambda store: store.insert(PROJECT, "jobs", {"status": "new"}),
    "insert of a number": lambda store: store.insert(PROJECT, "notes", {"n": 9}),
    "insert of many": lambda store: store.insert_many(PROJECT, "notes", [{"n": number} for number in range(70)]),
    "update in its folder": lambda store: store.update(PROJECT, "jobs", A, {"text": "short"}),
    "update to another folder": lambda store: store.update(PROJECT, "jobs", A, {"status": "done"}),
    "replace": lambda store: store.replace(PROJECT, "things", "good", {"rank": None}),
    "delete with streams": lambda store: store.delete(PROJECT, "jobs", A),
    "append": lambda store: store.append(PROJECT, "jobs", A, "log", [{"n": 3}]),
    "append after a kill-safe one": lambda store: store.append(PROJECT, "jobs", B, "log", [{"n": 3}]),
    "claim": claim,
    "finish with an event": finish_a_claim,
    "several together": several_together,
    "update of what matches": lambda store: store.update_where(PROJECT, "jobs", {}, {"status": "x"}),
    "quarantine": lambda store: store.quarantine(PROJECT, "jobs", A, "reason"),
    "restore": restore,
    "discard": discard,
    "end of a project": lambda store: store.delete_project(PROJECT),
    "settle": lambda store: store.settle(),
    "rebuild": lambda store: store.rebuild_index(PROJECT),
}
