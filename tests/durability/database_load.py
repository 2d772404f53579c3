"""What a process does until it is killed, and what it says of it: a line into a pipe before and after each step.

The oracle reads the lines, and an operation that was begun but not acknowledged may have happened or not.
"""

import json
import os
import random
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Kind, Order
from storage_app.records.operations import Append, Outcome, Update
from tests import databases

PROJECT = "crash"
TASKS = Collection(
    "crash_tasks",
    fields=(Field("status", Kind.TEXT), Field("key", Kind.TEXT, unique=True), Field("tags", Kind.TEXT_LIST)),
    partition="status",
    orders=(Order(("id",), within=("status",)),),
)


def load(settings: databases.Settings, number: int, seed: int, told: Connection) -> None:
    def say(*words: Any) -> None:
        os.write(told.fileno(), f"{json.dumps(words)}\n".encode())

    work(databases.open_store([TASKS], settings=settings), number, random.Random(seed), say)


def work(store: RecordStore, number: int, dice: random.Random, say: Callable[..., None]) -> None:
    counter = 0
    while True:
        counter += 1
        key = f"{number}-{counter}-{dice.random()}"
        say("insert?", key)
        record = store.insert(PROJECT, TASKS.name, {"status": "pending", "key": key, "tags": ["a", key]})
        say("insert!", key, record.id)
        token = f"{number}-{counter}"
        say("claim?", token)
        claimed = store.claim_first(PROJECT, TASKS.name, {"status": "pending"}, _taking(token), limit=2)
        say("claim!", token, [record.id for record in claimed])
        for record in claimed:
            if dice.random() < 0.2:
                say("delete?", record.id)
                store.delete(PROJECT, TASKS.name, record.id, guard={"token": token})
                say("delete!", record.id)
                continue
            say("complete?", record.id)
            store.apply(PROJECT, [_completion(record.id, token), _event(record.id, token)])
            say("complete!", record.id)


def _taking(token: str) -> Any:
    def change(record: Any) -> Outcome:
        event = Append(TASKS.name, record.id, "events", [{"to": "processing", "token": token}])
        return Outcome({"status": "processing", "token": token}, [event])

    return change


def _completion(id: Any, token: str) -> Update:
    return Update(TASKS.name, id, {"status": "completed", "tags": ["done"]}, guard={"token": token})


def _event(id: Any, token: str) -> Append:
    return Append(TASKS.name, id, "events", [{"to": "completed", "token": token}])
