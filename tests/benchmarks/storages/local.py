"""A folder of ours beside plain `pathlib` on the same disk: durable, and not."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from storage_app.providers.local import LocalStorageProvider
from tests.benchmarks.storages.turns import Pair, compared

CONTENT: Final = os.urandom(10_000)


def lines(rounds: int) -> Iterator[str]:
    yield "Local, files of 10 kB"
    with tempfile.TemporaryDirectory() as folder:
        yield from asyncio.run(_lines(Path(folder), rounds))


async def _lines(folder: Path, rounds: int) -> list[str]:
    plain = folder / "plain"
    plain.mkdir()
    for number in range(1000):
        (plain / f"many {number}").write_bytes(CONTENT)
    async with LocalStorageProvider(folder / "ours") as ours:
        await ours.write_files_batch([(f"many/{number}", CONTENT) for number in range(1000)], "m")
        await ours.write_file("read", CONTENT, "m")
        (plain / "read").write_bytes(CONTENT)

        async def write(number: int) -> None:
            await ours.write_file(f"new/{number}", CONTENT, "m")

        async def batch(number: int) -> None:
            await ours.write_files_batch([(f"batch {number}/{each}", CONTENT) for each in range(100)], "m")

        async def read(number: int) -> None:
            await ours.read_file("read")

        async def listing(number: int) -> None:
            assert len(await ours.list_files("many")) == 1000

        async def plain_write(number: int) -> None:
            (plain / f"new {number}").write_bytes(CONTENT)

        async def durable_write(number: int) -> None:
            _durable(plain, f"durable {number}")

        async def durable_batch(number: int) -> None:
            for each in range(100):
                _durable(plain, f"batch {number} {each}")

        async def plain_read(number: int) -> None:
            (plain / "read").read_bytes()

        async def plain_list(number: int) -> None:
            assert len(sorted((path, path.stat().st_size) for path in plain.glob("many *"))) == 1000

        pairs = [
            Pair("write a file", write, "write_bytes, not durable", plain_write),
            Pair("write a file", write, "write beside, fsync, rename", durable_write),
            Pair("write 100 files in a batch", batch, "the same 100 times", durable_batch, 2),
            Pair("read a file, with its hash", read, "read_bytes", plain_read),
            Pair("list 1,000 files", listing, "glob and stat", plain_list, 5),
        ]
        return await compared(pairs, rounds)


def _durable(folder: Path, name: str) -> None:
    beside = folder / f".{name}"
    with beside.open("wb") as file:
        file.write(CONTENT)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / name)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
