"""Forks itself for each line that it reads; the fork puts changes into the outbox and sends them until it is killed:

    python -m tests.durability.outbox_until_killed FOLDER DEFINITION

A line holds the number of the first change. Change n writes n to one of a few files. The fork tells its process id
first, then each change when it is acknowledged; every few of them what waits is sent. `ended` follows its end.
"""

import itertools
import json
import os
import sys
from functools import partial
from pathlib import Path

from tests.durability.outbox_process import ALIAS, PROJECT, in_child, prepare

FILES = 5
ROUND = 7


def name(number: int) -> str:
    return f"f/{number % FILES}"


def main(folder: Path, definition: dict[str, str]) -> None:
    prepare(folder, definition)
    for line in iter(sys.stdin.readline, ""):
        code = in_child(partial(_work, int(line)))
        _tell(f"ended {code}")


def _work(first: int) -> int:
    from storage_app.outbox import flushing, pending
    from storage_app.outbox.tables import OutboxLine
    from storage_app.providers import FileWrite

    _tell(str(os.getpid()))
    OutboxLine.objects.update(held_until=None)  # whoever held it is dead
    for number in itertools.count(first):
        pending.put(ALIAS, PROJECT, [FileWrite(name(number), b"%d" % number)], f"{number}")
        _tell(str(number))
        if number % ROUND == 0:
            flushing.flush(ALIAS, PROJECT)
    raise AssertionError("it ends by being killed")


def _tell(word: str) -> None:
    os.write(1, f"{word}\n".encode())  # at once, and whole


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
