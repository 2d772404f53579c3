"""Writes batches into a folder until it is killed: `python -m tests.durability.batches_until_killed FOLDER`.

Round n makes every file of the round's set hold n, and deletes what the next set has not. Each round that was
acknowledged is told on standard output.
"""

import asyncio
import itertools
import sys

from storage_app.providers import FileChange, FileDelete, FileWrite
from storage_app.providers.local import LocalStorageProvider

FILES = 12


def names(round_: int, files: int = FILES) -> set[str]:
    """Another set in odd rounds, in which files become folders and back."""
    if round_ % 2:
        return {f"odd/{n % 3}/{n}" for n in range(files)} | {"turn/into/a folder"}
    return {f"even/{n}" for n in range(files)} | {"turn"}


def changes(round_: int, files: int = FILES) -> list[FileChange]:
    writes: list[FileChange] = [FileWrite(name, b"%d" % round_) for name in sorted(names(round_, files))]
    deletes: list[FileChange] = [FileDelete(name) for name in sorted(names(round_ - 1, files))] if round_ else []
    return [*writes, *deletes]


async def main(folder: str, first: int) -> None:
    async with LocalStorageProvider(folder) as provider:
        for round_ in itertools.count(first):
            await provider.apply_batch(changes(round_), f"Round {round_}.")
            print(round_, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
