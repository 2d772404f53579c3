"""A process of its own for tests of memory and of kills: python -m tests.storage.object_child ADDRESS BUCKET WHAT …"""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from storage_app.providers.object.provider import ObjectStorageProvider
from tests.storage.s3_keys import KEYS

PIECE = bytes(1024 * 1024)


async def zeros(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // len(PIECE)):
        yield PIECE


def memory(name: str) -> int:
    """In KiB. What is mapped from files is left out: the system drops that when it likes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0])


async def there_and_back(provider: ObjectStorageProvider, size: str) -> None:
    await provider.write_file("small", b"", "Warm up.")
    idle, peak = memory("VmRSS"), 0
    await provider.write_stream("big", zeros(int(size)), "Write.")
    hasher = hashlib.sha256()
    async with await provider.open_stream("big") as stream:
        async for piece in stream:
            hasher.update(piece)
    peak = memory("VmHWM")
    print(idle, peak, f"sha256:{hasher.hexdigest()}")


async def upload(provider: ObjectStorageProvider, key: str) -> None:
    await provider.write_stream(key, zeros(40 * len(PIECE)), "Write.")


async def main(address: str, bucket: str, what: str, *rest: str) -> None:
    async with ObjectStorageProvider(bucket, endpoint=address, **KEYS) as provider:
        await {"there_and_back": there_and_back, "upload": upload}[what](provider, *rest)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
