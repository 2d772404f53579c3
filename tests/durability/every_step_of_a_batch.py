"""Kills a process before each step of a batch in turn: `python -m tests.durability.every_step_of_a_batch FOLDER`.

A step is a call that changes the file system. Prints, for each, whether the batch was found whole (1) or absent (0);
ends when the batch gets through. Each part runs in a child, so that no thread is there when another forks.
"""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from storage_app.providers.folder.tree import Prepared
from storage_app.providers.local import LocalStorageProvider
from tests.durability.batches_until_killed import changes, names

FILES = 2
STEPS = ("replace", "unlink", "fsync", "rmdir", "mkdir")


def main(top: Path) -> None:
    for step in itertools.count():
        folder = top / str(step)
        if in_child(partial(write, folder, step)) == 0:
            print("through", flush=True)
            return
        found = in_child(partial(look, state, folder))
        assert found in (0, 1), found
        assert in_child(partial(look, tidy, folder)) == 0
        print(found, flush=True)


def in_child(work: Callable[[], int]) -> int:
    """What it returned, or -9."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def look(how: Callable[[Path], Coroutine[Any, Any, int]], folder: Path) -> int:
    return asyncio.run(how(folder))


def write(folder: Path, step: int) -> int:
    async def batches() -> None:
        provider = LocalStorageProvider(folder)
        await provider.apply_batch(changes(0, FILES), "Before.")
        original = provider._tree.commit

        def commit(changes: Sequence[Prepared]) -> list[str]:
            die_before(step)
            return original(changes)

        provider._tree.commit = commit  # type: ignore[method-assign] # from here on each step counts
        await provider.apply_batch(changes(1, FILES), "To be killed.")

    asyncio.run(batches())
    return 0


def die_before(step: int) -> None:
    left = itertools.count(step, -1)

    def watched(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        return call

    for name in STEPS:
        setattr(os, name, watched(getattr(os, name)))


async def state(folder: Path) -> int:
    """The one round that every file is of; 98 for half a batch."""
    async with LocalStorageProvider(folder) as provider:
        found = {info.path for info in await provider.list_files(recursive=True)}
        rounds = {int((await provider.read_file(path)).content) for path in found}
        round_ = rounds.pop()
        return 98 if rounds or found != names(round_, FILES) else round_


async def tidy(folder: Path) -> int:
    """A writer removes what the dead left, and finds nothing in its way."""
    async with LocalStorageProvider(folder) as provider:
        for info in await provider.list_files(recursive=True):
            await provider.delete_file(info.path, "m")
        await provider.write_files_batch([("odd", b""), ("even", b"")], "m")
        (temporaries,) = (folder / ".holdfast" / "tmp").iterdir()
        return 0 if [path.name for path in temporaries.iterdir()] == ["lock"] else 97


if __name__ == "__main__":
    main(Path(sys.argv[1]))
