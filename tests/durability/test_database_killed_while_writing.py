"""Processes killed with SIGKILL in the middle of their work: nothing acknowledged is lost, nothing happens twice."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from storage_app.records.operations import Record
from tests import databases
from tests.durability import database_load
from tests.durability.database_load import PROJECT, TASKS
from tests.processes import CONTEXT

PATIENCE = 300
ROUNDS = 10
PROCESSES = 2


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[databases.Settings]:
    with django_db_blocker.unblock():
        if request.param == "sqlite":
            chosen = databases.sqlite_settings(tmp_path / "records.sqlite3")
            databases.make(chosen, [TASKS])
            yield chosen
        else:
            with databases.postgresql_server() as socket_folder:
                chosen = databases.postgresql_settings(socket_folder)
                databases.make(chosen, [TASKS])
                yield chosen
                databases.forget(databases.use(chosen))
        if request.param == "sqlite":
            databases.forget(databases.use(chosen))


@pytest.mark.long
def test_killed_processes_lose_nothing_and_do_nothing_twice(database: databases.Settings) -> None:
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    said: list[list[Any]] = []
    kills = 0
    for round_number in range(ROUNDS):
        workers = [_Worker(database, round_number * PROCESSES + number, dice) for number in range(PROCESSES)]
        for worker in workers:
            worker.await_first_line()
        time.sleep(dice.random() * 0.3)  # a random moment is what is tested
        for worker in workers:
            worker.process.kill()
            kills += 1
        for worker in workers:
            said += worker.said()
    acknowledged = [words for words in said if words[0].endswith("!")]
    assert len(acknowledged) > ROUNDS, f"seed {seed}: hardly anything happened"
    _compare(database, said, f"seed {seed}, {kills} kills, {len(acknowledged)} acknowledged")
    print(f"{database['ENGINE']}: {kills} kills, {len(acknowledged)} acknowledged operations, none lost")


class _Worker:
    def __init__(self, settings: databases.Settings, number: int, dice: random.Random) -> None:
        self._ours, theirs = CONTEXT.Pipe(duplex=False)
        seed = dice.randrange(1 << 30)
        self.process = CONTEXT.Process(target=database_load.load, args=(settings, number, seed, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def await_first_line(self) -> None:
        assert self._ours.poll(PATIENCE), "it does not begin"

    def said(self) -> list[list[Any]]:
        """Once it is dead: all that it said, but for a line that it did not end."""
        self.process.join(PATIENCE)
        assert self.process.exitcode == -signal.SIGKILL
        with os.fdopen(os.dup(self._ours.fileno())) as lines:
            self._ours.close()
            return [json.loads(line) for line in lines if line.endswith("]\n")]


def _compare(settings: databases.Settings, said: list[list[Any]], story: str) -> None:
    by_kind: dict[str, list[list[Any]]] = {}
    for words in said:
        by_kind.setdefault(words[0], []).append(words[1:])
    with databases.open_store([TASKS], settings=settings) as store:
        report = store.check(PROJECT)
        assert report.problems == [], story
        held = {item.id: item for item in store.export(PROJECT, TASKS.name) if isinstance(item, Record)}
        maybe_deleted = {id for (id,) in by_kind.get("delete?", [])}
        deleted = {id for (id,) in by_kind.get("delete!", [])}
        inserted = {id: key for key, id in by_kind["insert!"]}
        lost = inserted.keys() - held.keys() - maybe_deleted
        assert not lost, story
        assert not deleted & held.keys(), story
        begun = {key for (key,) in by_kind["insert?"]}
        keys = [record.document["key"] for record in held.values()]
        assert len(keys) == len(set(keys)), story
        assert set(keys) <= begun, story
        claims = [id for _, ids in by_kind.get("claim!", []) for id in ids]
        assert len(claims) == len(set(claims)), f"{story}: claimed twice"
        for (id,) in by_kind.get("complete!", []):
            assert held[id].document["status"] == "completed", story
            events = [entry.data["to"] for entry in store.read_stream(PROJECT, TASKS.name, id, "events").entries]
            assert events == ["processing", "completed"], story
        for id in set(claims) & held.keys():
            assert held[id].document["status"] in ("processing", "completed"), story
        assert store.count(PROJECT, TASKS.name) == len(held)
        assert store.count(PROJECT, TASKS.name, {"tags__contains": "done"}) == sum(
            record.document["status"] == "completed" for record in held.values()
        )
