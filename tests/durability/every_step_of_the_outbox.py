"""Kills a process before each step of putting changes into the outbox and sending them, in turn:

    python -m tests.durability.every_step_of_the_outbox FOLDER '{"provider": "local"}' FIRST STRIDE

FOLDER holds a database with all tables, `holdfast.sqlite3`.
A step is a statement or commit of the database, a call that changes the file system, or a request to GitHub or S3,
before it goes out and after its answer came. After each kill somebody else writes one of the files, if it has been
sent; then the next process takes over, and everything that was acknowledged must be there, sent once. Prints how many
changes had been acknowledged at each kill, and whether they had been sent; ends when the work gets through.
"""

import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.durability.outbox_process import ALIAS, PROJECT, finish, in_child, prepare, use

CALLS = ("replace", "unlink", "fsync")
REQUESTS = ("get_async", "put_async", "delete_async")
THEIRS = b"theirs, written after ours"


def main(top: Path, definition: dict[str, Any], first: int = 0, stride: int = 1) -> None:
    prepare(top, definition)
    for step in itertools.count(first, stride):
        folder = top / str(step)
        folder.mkdir()
        database = folder / "outbox.sqlite3"
        shutil.copy(top / "holdfast.sqlite3", database)
        storage = _own(definition, folder, step)
        acknowledged = folder / "acknowledged"
        acknowledged.touch()
        ended = in_child(partial(_work, database, storage, acknowledged, step))
        assert ended in (0, -signal.SIGKILL), ended
        known = acknowledged.read_text().split()
        was_sent = in_child(partial(_go_on, database, storage, known))
        assert was_sent in (0, 1), step
        print(len(known), was_sent, flush=True)
        if ended == 0:
            print("through", flush=True)
            return


def _own(definition: dict[str, Any], folder: Path, step: int) -> dict[str, Any]:
    """Each step has a storage that nobody has written to."""
    if definition["provider"] == "local":
        return {"provider": "local", "root_path": str(folder / "files")}
    base = "prefix" if definition["provider"] == "object" else "base_path"
    return {**definition, base: f"steps/{step}"}


def _work(database: Path, storage: dict[str, Any], acknowledged: Path, step: int) -> int:
    from storage_app import file_storages
    from storage_app.outbox import flushing, pending
    from storage_app.providers import FileChange, FileDelete, FileWrite

    use(database, storage)
    _write("gone", b"0")
    _die_before(step)
    rounds: list[list[FileChange]] = [
        [FileWrite("a", b"1"), FileWrite("b", b"1")],
        [FileWrite("a", b"2"), FileDelete("gone")],
    ]
    for number, changes in enumerate(rounds):
        pending.put(ALIAS, PROJECT, changes, f"Round {number}")
        with acknowledged.open("a") as file:
            file.write(f"{number} ")
    flushing.flush(ALIAS, PROJECT)
    file_storages.close()
    return 0


def _die_before(step: int) -> None:
    """From here on each step counts; the one of this number is never made."""
    import obstore
    from django.db import connection
    from httpx import AsyncHTTPTransport

    left = itertools.count(step, -1)

    def count() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            count()
            return original(*args, **kwargs)

        return call

    def statement(execute: Callable[..., Any], *args: Any) -> Any:
        count()
        return execute(*args)

    connection.execute_wrappers.append(statement)
    connection._commit = watched(connection._commit)  # type: ignore[attr-defined] # what ends a transaction
    for name in CALLS:
        setattr(os, name, watched(getattr(os, name)))
    send = AsyncHTTPTransport.handle_async_request

    async def sent(self: AsyncHTTPTransport, request: Any) -> Any:
        count()
        answer = await send(self, request)
        await answer.aread()
        count()
        return answer

    AsyncHTTPTransport.handle_async_request = sent  # type: ignore[method-assign] # before and after each request

    def asked(original: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            count()
            answer = await original(*args, **kwargs)
            count()
            return answer

        return call

    for name in REQUESTS:
        setattr(obstore, name, asked(getattr(obstore, name)))


def _go_on(database: Path, storage: dict[str, Any], known: list[str]) -> int:
    """Somebody else, and then the next process; 1 if all was sent before."""
    from storage_app import file_storages

    use(database, storage)
    was_sent = _write_after()
    file_storages.close()  # the next one knows nothing of what this one has seen
    _judge(storage, known, was_sent)
    return int(was_sent)


def _write_after() -> bool:
    """Somebody else writes over what was sent, if it was."""
    was_sent = _read("a") == b"2"
    if was_sent:
        _write("a", THEIRS)
    return was_sent


def _judge(storage: dict[str, Any], known: list[str], was_sent: bool) -> None:
    # A bucket takes no batch whole and keeps no history: of a file that went out alone, and that somebody wrote over
    # since, nobody can tell that it did.
    finish(parked=["a"] if was_sent and storage["provider"] == "object" else [])
    a, b, gone = _read("a"), _read("b"), _read("gone")
    if was_sent:
        assert (a, b, gone) == (THEIRS, b"1", None), "sent before, and not written once more"
    elif "1" in known:
        assert (a, b, gone) == (b"2", b"1", None)
    elif "0" in known:
        # The second call may have been kept, and its acknowledgement lost with the process.
        assert (a, b, gone) in ((b"1", b"1", b"0"), (b"2", b"1", None))
    else:
        assert (a, b, gone) in ((None, None, b"0"), (b"1", b"1", b"0"))
    if storage["provider"] == "github":
        _judge_history(was_sent, a)


def _judge_history(was_sent: bool, a: bytes | None) -> None:
    expected = {"a": (a is not None) + was_sent, "b": int(a is not None)}
    found = {path: len(_versions(path)) for path in expected}
    assert found == expected, found


def _read(path: str) -> bytes | None:
    from storage_app import file_storages

    file = file_storages.run(lambda storages: storages.for_project(ALIAS, PROJECT).read_file_if_exists(path))
    return None if file is None else file.content


def _write(path: str, content: bytes) -> None:
    from storage_app import file_storages

    file_storages.run(lambda storages: storages.for_project(ALIAS, PROJECT).write_file(path, content, "Theirs"))


def _versions(path: str) -> list[Any]:
    from storage_app import file_storages

    found: list[Any] = file_storages.run(lambda it: it.for_project(ALIAS, PROJECT).list_versions(path))
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), *map(int, sys.argv[3:]))
