"""A bucket of ours beside obstore and boto3 alone, against one S3 endpoint in a process of its own.

That endpoint takes some milliseconds for anything: what is compared is the number of requests, not a cloud.
"""

import asyncio
import os
from collections.abc import Iterator
from typing import Any, Final

import boto3
import obstore
from obstore.store import S3Store

from storage_app.providers.object.provider import ObjectStorageProvider
from tests.benchmarks.storages.turns import Pair, compared
from tests.storage.s3_keys import KEYS
from tests.storage.s3_process import s3_process

CONTENT: Final = os.urandom(10_000)
LARGE: Final = os.urandom(32 * 1024 * 1024)


def lines(rounds: int) -> Iterator[str]:
    yield "Object, files of 10 kB"
    with s3_process() as address:
        yield from asyncio.run(_lines(address, rounds))


async def _lines(address: str, rounds: int) -> list[str]:
    amazon: Any = boto3.client(
        "s3",
        endpoint_url=address,
        region_name=KEYS["region"],
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
    )
    amazon.create_bucket(Bucket="bench")
    alone = S3Store(
        "bench",
        endpoint=address,
        region=KEYS["region"],
        access_key_id=KEYS["access_key"],
        secret_access_key=KEYS["secret_key"],
        client_options={"allow_http": True},
    )
    async with ObjectStorageProvider("bench", endpoint=address, **KEYS) as ours:
        await ours.write_file("read", CONTENT, "m")
        await ours.write_files_batch([(f"many/{number}", b"") for number in range(300)], "m")

        async def create(number: int) -> None:
            await ours.write_file(f"new/{number}", CONTENT, "m")

        async def change(number: int) -> None:
            await ours.write_file("changed", b"%d" % number, "m")

        async def batch(number: int) -> None:
            await ours.write_files_batch([(f"batch {number}/{each}", CONTENT) for each in range(50)], "m")

        async def read(number: int) -> None:
            await ours.read_file("read")

        async def listing(number: int) -> None:
            assert len(await ours.list_files("many")) == 300

        async def large(number: int) -> None:
            await ours.write_file("large", LARGE[number % 1000 :], "m")

        async def put_alone(number: int) -> None:
            await obstore.put_async(alone, f"alone/{number}", CONTENT)

        async def puts_alone(number: int) -> None:
            await asyncio.gather(*(obstore.put_async(alone, f"alone {number}/{each}", CONTENT) for each in range(50)))

        async def get_alone(number: int) -> None:
            await (await obstore.get_async(alone, "read")).bytes_async()

        async def list_alone(number: int) -> None:
            assert len((await obstore.list_with_delimiter_async(alone, "many"))["objects"]) == 300

        async def large_alone(number: int) -> None:
            await obstore.put_async(alone, "large alone", LARGE[number % 1000 :])

        async def put_boto3(number: int) -> None:
            amazon.put_object(Bucket="bench", Key=f"boto3/{number}", Body=CONTENT)

        async def get_boto3(number: int) -> None:
            amazon.get_object(Bucket="bench", Key="read")["Body"].read()

        pairs = [
            Pair("create a file (4 requests, 2 turns)", create, "obstore's put", put_alone),
            Pair("create a file (4 requests, 2 turns)", create, "boto3's put_object", put_boto3),
            Pair("change a file (2 requests, 2 turns)", change, "obstore's put", put_alone),
            Pair("create 50 files in a batch", batch, "obstore's put, 50 at once", puts_alone, 1),
            Pair("read a file, with its hash", read, "obstore's get", get_alone),
            Pair("read a file, with its hash", read, "boto3's get_object", get_boto3),
            Pair("list 300 files", listing, "obstore's list", list_alone, 5),
            Pair("write 32 MiB", large, "obstore's put", large_alone, 1),
        ]
        return await compared(pairs, rounds)
