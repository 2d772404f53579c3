"""Puts changes into the outbox and sends them until it is killed:

    python -m tests.durability.outbox_until_killed FOLDER DEFINITION FIRST

Change n writes n to one of a few files. Each change is told on standard output when it is acknowledged; every few of
them what waits is sent.
"""

import itertools
import json
import sys
from pathlib import Path

from tests.durability.outbox_process import ALIAS, PROJECT, prepare

FILES = 5
ROUND = 7


def name(number: int) -> str:
    return f"f/{number % FILES}"


def main(folder: Path, definition: dict[str, str], first: int) -> None:
    prepare(folder, definition)
    from storage_app.outbox import flushing, pending
    from storage_app.outbox.tables import OutboxLine
    from storage_app.providers import FileWrite

    OutboxLine.objects.update(held_until=None)  # whoever held it is dead
    for number in itertools.count(first):
        pending.put(ALIAS, PROJECT, [FileWrite(name(number), b"%d" % number)], f"{number}")
        print(number, flush=True)
        if number % ROUND == 0:
            flushing.flush(ALIAS, PROJECT)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]))
