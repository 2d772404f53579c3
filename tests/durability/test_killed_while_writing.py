"""Several processes of mixed load on one store, each killed at a random moment; what they were told stands outside."""

import json
import os
import random
import shutil
import signal
import time
import traceback
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from storage_app.records.errors import RecordNotFoundError, RecordStoreError
from storage_app.records.file import recovery
from storage_app.records.file.store import FileRecordStore
from storage_app.records.operations import Append, Durability, Entry, Record, Update
from tests.durability.conftest import Tally
from tests.durability.stores import PROJECT, assert_sound, opened, seeded

ROUNDS = 18
WORKERS = 3
DEADLINE = 90.0  # a loaded machine is slow, and waits end with what they wait for


class LostError(AssertionError):
    """Something acknowledged is gone, or happened twice."""


class Load:
    """What one process does until it is killed. Each line of its notes is written before or after an operation, into a
    file that outlives it.
    """

    def __init__(self, store: FileRecordStore, notes: int, dice: random.Random, name: str) -> None:
        self._store, self._notes, self._dice, self._name = store, notes, dice, name
        self._count = 0
        self._jobs: list[Any] = []
        self._claimed: list[Any] = []
        self._numbers: list[Any] = []
        self._sent: defaultdict[Any, int] = defaultdict(int)

    def run(self) -> None:
        acts = (
            self._create,
            self._create_many,
            self._claim,
            self._claim,
            self._finish,
            self._log,
            self._number,
            self._drop,
        )
        while True:
            self._dice.choice(acts)()

    def _create(self) -> None:
        token = self._token()
        record = self._store.insert(PROJECT, "jobs", {"status": "pending", "token": token, "task": token})
        self._jobs.append(record.id)
        self._note("made", record.id, token)

    def _create_many(self) -> None:
        if self._dice.random() > 0.05:
            return
        documents = [{"status": "pending", "token": self._token()} for _ in range(80)]
        for record in self._store.insert_many(PROJECT, "jobs", documents):
            self._note("made", record.id, record.document["token"])

    def _claim(self) -> None:
        token = self._token()
        change = {"status": "processing", "holder": token}
        for record in self._store.claim_first(PROJECT, "jobs", {"status": "pending"}, change, limit=2):
            self._claimed.append((record.id, token))
            self._note("claimed", record.id, token)

    def _finish(self) -> None:
        if not self._claimed:
            return
        id, token = self._claimed.pop()
        self._note("finishing", id, token)
        self._store.apply(
            PROJECT,
            [
                Update("jobs", id, {"status": "done"}, guard={"holder": token, "status": "processing"}),
                Append("jobs", id, "events", [{"to": "done"}]),
            ],
        )
        self._note("finished", id, token)

    def _log(self) -> None:
        if not self._jobs:
            return
        id = self._dice.choice(self._jobs)
        number = self._sent[id] = self._sent[id] + 1
        kind = self._dice.choice(list(Durability))
        self._store.append(PROJECT, "jobs", id, "log", [Entry({"n": number}, number)], source="w", durability=kind)
        self._note("logged", id, number)

    def _number(self) -> None:
        token = self._token()
        record = self._store.insert(PROJECT, "notes", {"token": token})
        self._numbers.append(record.id)
        self._note("numbered", record.id, token)

    def _drop(self) -> None:
        if self._numbers:
            id = self._numbers.pop()
            self._note("dropping", id, "")
            self._store.delete(PROJECT, "notes", id)
            self._note("dropped", id, "")

    def _token(self) -> str:
        self._count += 1
        return f"{self._name}.{self._count}"

    def _note(self, *what: Any) -> None:
        os.write(self._notes, json.dumps(what).encode() + b"\n")


@dataclass
class Oracle:
    """Everything that was noted, and what follows from it for the store."""

    made: dict[Any, str] = field(default_factory=dict)
    claimed: dict[Any, str] = field(default_factory=dict)
    finishing: set[Any] = field(default_factory=set)
    finished: set[Any] = field(default_factory=set)
    logged: defaultdict[Any, list[int]] = field(default_factory=lambda: defaultdict(list))
    numbered: dict[Any, str] = field(default_factory=dict)
    dropping: set[Any] = field(default_factory=set)
    dropped: set[Any] = field(default_factory=set)
    operations: int = 0

    def read(self, notes: Path) -> None:
        for line in notes.read_text().splitlines():
            what, id, detail = json.loads(line)
            self.operations += 1
            if what in ("made", "claimed", "numbered"):
                known = getattr(self, what)
                if id in known:
                    raise LostError(f"{id} was {what} twice: {known[id]} and {detail}")
                known[id] = detail
            elif what == "logged":
                self.logged[id].append(detail)
            else:
                getattr(self, what).add(id)

    def judge(self, store: FileRecordStore) -> None:
        for id, token in self.made.items():
            job = _found(store, "jobs", id)
            if job is None or job.document["token"] != token:
                raise LostError(f"job {id} is {job}")
            self._judge_claim(job)
        for id, numbers in self.logged.items():
            entries = store.read_stream(PROJECT, "jobs", id, "log", limit=1000).entries
            kept = [entry.data["n"] for entry in entries]
            if len(set(kept)) != len(kept) or not set(numbers) <= set(kept):
                raise LostError(f"the log of {id} has {kept}, acknowledged were {numbers}")
        for id, token in self.numbered.items():
            note = _found(store, "notes", id)
            if id in self.dropped and note is not None:
                raise LostError(f"note {id} came back")
            if id not in self.dropping and (note is None or note.document["token"] != token):
                raise LostError(f"note {id} is {note}")
        highest = max(self.numbered, default=0)
        fresh = int(store.insert(PROJECT, "notes", {"token": "oracle"}).id)
        if fresh <= highest:
            raise LostError(f"the number {fresh} was given out again")
        self.numbered[fresh] = "oracle"

    def _judge_claim(self, job: Record) -> None:
        id = job.id
        if id in self.finished and job.document["status"] != "done":
            raise LostError(f"job {id} was finished and is {job.document['status']}")
        if id in self.claimed and job.document.get("holder") != self.claimed[id]:
            raise LostError(f"job {id} was claimed by {self.claimed[id]} and is held by {job.document.get('holder')}")
        if id in self.claimed and id not in self.finishing and job.document["status"] != "processing":
            raise LostError(f"job {id} was claimed and is {job.document['status']}")


@pytest.mark.parametrize("part", range(4))
def test_what_was_acknowledged_survives_any_kill(part: int, tmp_path: Path, tally: Tally) -> None:
    dice, _ = seeded()
    kills, operations = _kill_and_judge(tmp_path, dice, ROUNDS)
    assert operations > ROUNDS * 5
    tally("kills of a process", kills)
    tally("operations noted outside", operations)


def test_the_oracle_sees_a_store_that_forgets_its_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the index gone after each round the journal alone has the claims; a replay that skips them must show."""
    dice, _ = seeded()
    monkeypatch.setattr(recovery, "_TAKERS", dict.fromkeys(recovery._TAKERS, _take_nothing))
    with pytest.raises((LostError, AssertionError, RecordStoreError)):
        _kill_and_judge(tmp_path, dice, ROUNDS, lose_index=True)


def test_processes_go_on_while_the_index_is_deleted_again_and_again(tmp_path: Path, tally: Tally) -> None:
    dice, _ = seeded()
    oracle = Oracle()
    children = [_started(tmp_path, dice.random(), f"i{number}") for number in range(WORKERS)]
    index = tmp_path / "store" / PROJECT / ".index"
    deleted = 0
    deadline = time.monotonic() + DEADLINE
    while deleted < 25 and time.monotonic() < deadline:
        _wait_until((index / "index.sqlite").exists, deadline)
        for name in dice.choice(
            [["index.sqlite"], ["index.sqlite-wal"], ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"]]
        ):
            (index / name).unlink(missing_ok=True)
        deleted += 1
        size = sum(child.notes.stat().st_size for child in children)
        _wait_until(lambda size=size: sum(child.notes.stat().st_size for child in children) > size + 500, deadline)
    for child in children:
        os.kill(child.pid, 0)  # none gave up
    _end(children, oracle)
    with opened(tmp_path / "store") as store:
        oracle.judge(store)
        assert_sound(store)
    tally("deletions of the index under load", deleted)


@dataclass(frozen=True)
class _Child:
    pid: int
    notes: Path


def _kill_and_judge(folder: Path, dice: random.Random, rounds: int, lose_index: bool = False) -> tuple[int, int]:
    oracle, kills = Oracle(), 0
    for number in range(rounds):
        children = [_started(folder, dice.random(), f"{number}-{worker}") for worker in range(WORKERS)]
        _wait_until(lambda children=children: all(child.notes.stat().st_size for child in children))
        for child in dice.sample(children, len(children)):
            _pause(dice.random() * 0.03)
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        _end(children, oracle)
        if lose_index:
            shutil.rmtree(folder / "store" / PROJECT / ".index")
        with opened(folder / "store") as store:
            oracle.judge(store)
            if number % 3 == 2:
                assert_sound(store)
    return kills, oracle.operations


def _started(folder: Path, seed: float, name: str) -> _Child:
    notes = folder / f"{name}.notes"
    notes.touch()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(60)
            store = opened(folder / "store", lock_timeout=20)
            Load(store, os.open(notes, os.O_WRONLY | os.O_APPEND), random.Random(seed), name).run()
        except BaseException:  # noqa: BLE001 - a child of a fork must never return into pytest
            traceback.print_exc()
        finally:
            os._exit(1)
    return _Child(pid, notes)


def _end(children: list[_Child], oracle: Oracle) -> None:
    for child in children:
        try:
            os.kill(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for child in children:
        _, status = os.waitpid(child.pid, 0)
        assert os.WIFSIGNALED(status), "a process ended by itself"
        oracle.read(child.notes)


def _found(store: FileRecordStore, collection: str, id: Any) -> Record | None:
    try:
        return store.get(PROJECT, collection, id)
    except RecordNotFoundError:
        return None


def _take_nothing(replay: recovery.Replay, effect: object) -> None: ...


def _wait_until(condition: Any, deadline: float | None = None) -> None:
    deadline = deadline or time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        _pause(0.001)


def _pause(seconds: float) -> None:
    time.sleep(seconds)
