"""Many callers at once: every write is there, and of two with one condition one wins."""

import asyncio

import pytest

from storage_app.providers import FileWrite, StorageCommit, StorageError, StorageErrorCode, StorageProvider
from tests.contracts.providers import MESSAGE

pytestmark = pytest.mark.anyio

CALLERS = 12


async def test_writes_of_different_files_all_happen(provider: StorageProvider) -> None:
    writes = (provider.write_file(f"folder {n % 3}/{n}", b"%d" % n, MESSAGE) for n in range(CALLERS))
    commits = await asyncio.gather(*writes)
    assert len({commit.sha for commit in commits}) == CALLERS
    assert len(await provider.list_files(recursive=True)) == CALLERS


async def test_one_of_those_who_create_a_file_does(provider: StorageProvider) -> None:
    await one_wins(provider, None, [b"%d" % n for n in range(CALLERS)], StorageErrorCode.ALREADY_EXISTS)


async def test_one_of_those_who_expect_a_hash_wins(provider: StorageProvider) -> None:
    for round_ in range(3):
        current = b"round %d" % round_
        await provider.write_file("a", current, MESSAGE)
        contents = [b"%d by %d" % (round_, n) for n in range(CALLERS)]
        await one_wins(provider, provider.compute_hash(current), contents, StorageErrorCode.CONFLICT)


async def test_one_of_those_who_delete_does(provider: StorageProvider) -> None:
    await provider.write_file("a", b"", MESSAGE)
    results = await asyncio.gather(
        *(provider.delete_file("a", MESSAGE) for _ in range(CALLERS)), return_exceptions=True
    )
    assert sum(isinstance(result, StorageCommit) for result in results) == 1
    assert {result.code for result in results if isinstance(result, StorageError)} == {StorageErrorCode.NOT_FOUND}


async def test_batches_do_not_mix(provider: StorageProvider) -> None:
    names = ["a", "b/c", "b/d"]
    batches = ([(name, b"%d" % number) for name in names] for number in range(CALLERS))
    await asyncio.gather(*(provider.write_files_batch(batch, MESSAGE) for batch in batches))
    contents = {(await provider.read_file(name)).content for name in names}
    assert len(contents) == 1


async def test_readers_see_whole_files(provider: StorageProvider) -> None:
    contents = [b"%d" % number * 200_000 for number in range(5)]
    await provider.write_file("a", contents[0], MESSAGE)

    async def read() -> bytes:
        return (await provider.read_file("a")).content

    results = await asyncio.gather(
        *(provider.write_file("a", content, MESSAGE) for content in contents), *(read() for _ in range(CALLERS))
    )
    assert {result for result in results if isinstance(result, bytes)} <= set(contents)


async def one_wins(
    provider: StorageProvider, expected: str | None, contents: list[bytes], refusal: StorageErrorCode
) -> None:
    writes = (
        provider.apply_batch([FileWrite("a", content, overwrite=expected is not None, expected_sha=expected)], MESSAGE)
        for content in contents
    )
    results = await asyncio.gather(*writes, return_exceptions=True)
    (winner,) = [
        content for content, result in zip(contents, results, strict=True) if isinstance(result, StorageCommit)
    ]
    assert {result.code for result in results if isinstance(result, StorageError)} == {refusal}
    assert (await provider.read_file("a")).content == winner
