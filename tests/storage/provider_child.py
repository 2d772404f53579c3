"""A process of its own for tests of memory and of kills: python -m tests.storage.provider_child DEFINITION WHAT …"""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from storage_app.providers import StorageError, StorageProvider
from storage_app.providers.factory import Storages

PIECE = bytes(1024 * 1024)


async def zeros(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // len(PIECE)):
        yield PIECE


def memory(name: str) -> int:
    """In KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0])


async def there_and_back(provider: StorageProvider, size: str) -> None:
    await provider.write_file("small", b"", "Warm up.")
    idle = memory("VmRSS")
    await provider.write_stream("big", zeros(int(size)), "Write.")
    hasher = hashlib.sha256()
    async with await provider.open_stream("big") as stream:
        async for piece in stream:
            hasher.update(piece)
    print(idle, memory("VmHWM"), f"sha256:{hasher.hexdigest()}")


async def upload(provider: StorageProvider, key: str) -> None:
    await provider.write_stream(key, zeros(40 * len(PIECE)), "Write.")


async def fork(provider: StorageProvider) -> None:
    """Here, and from a process that already runs the client's threads."""
    await provider.write_file("small", b"", "Start them.")
    child = os.fork()
    if child == 0:
        try:
            await provider.read_file("small")
        except StorageError as error:
            print(error.reason, flush=True)
        os._exit(0)
    os.waitpid(child, 0)


DEEDS: Final[dict[str, Callable[..., Awaitable[None]]]] = {
    "there_and_back": there_and_back,
    "upload": upload,
    "fork": fork,
}


async def main(definition: str, what: str, *rest: str) -> None:
    """The definition is as in the settings, as JSON."""
    storages = Storages({"default": json.loads(definition)})
    await DEEDS[what](storages.get("default"), *rest)
    await storages.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
