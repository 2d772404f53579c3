"""Content in pieces: ranges, one state, nothing left behind."""

from collections.abc import AsyncIterator

import pytest

from storage_app import hashes
from storage_app.providers import StorageErrorCode, StorageProvider
from tests.contracts.providers import MESSAGE, Backend, refused

pytestmark = pytest.mark.anyio


async def pieces(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


async def test_a_large_file_goes_in_and_out_in_pieces(provider: StorageProvider, storage: Backend) -> None:
    piece = bytes(range(256)) * 1024
    count, rest = divmod(storage.big, len(piece))
    commit = await provider.write_stream("big", pieces(*[piece] * count, piece[:rest]), MESSAGE)
    assert commit.files == ["big"]
    assert (await provider.get_file_info("big")).size == storage.big
    async with await provider.open_stream("big") as stream:
        assert stream.info.path == "big"
        assert stream.info.size == storage.big
        hasher = hashes.Hasher(provider.hash_kind, storage.big)
        read = 0
        async for part in stream:
            assert 0 < len(part) <= 4 * 1024 * 1024
            hasher.update(part)
            read += len(part)
    assert read == storage.big
    assert hasher.result() == stream.info.sha == await provider.get_file_hash("big")
    assert len((await provider.read_file("big")).content) == storage.big


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (0, 0, b""),
        (9, 1, b"9"),
        (8, 100, b"89"),
        (10, None, b""),
        (100, 5, b""),
    ],
)
async def test_a_range_is_what_lies_in_it(
    provider: StorageProvider, start: int, length: int | None, expected: bytes
) -> None:
    await provider.write_file("a", b"0123456789", MESSAGE)
    async with await provider.open_stream("a", start=start, length=length) as stream:
        assert await stream.read() == expected
        assert stream.info.size == 10


async def test_a_range_below_zero_is_a_value_error(provider: StorageProvider) -> None:
    await provider.write_file("a", b"0123456789", MESSAGE)
    for start, length in ((-1, None), (0, -1)):
        with pytest.raises(ValueError, match="range"):
            await provider.open_stream("a", start=start, length=length)


async def test_a_stream_shows_one_state(provider: StorageProvider) -> None:
    old, new = b"old!" * 700_000, b"new!" * 700_000
    await provider.write_file("a", old, MESSAGE)
    async with await provider.open_stream("a") as stream:
        first = await anext(stream)
        await provider.write_file("a", new, MESSAGE)
        assert first + await stream.read() == old
    assert (await provider.read_file("a")).content == new


async def test_a_stream_goes_on_after_the_file_was_deleted(provider: StorageProvider) -> None:
    await provider.write_file("a", b"x" * 3_000_000, MESSAGE)
    async with await provider.open_stream("a") as stream:
        await provider.delete_file("a", MESSAGE)
        assert await stream.read() == b"x" * 3_000_000


async def test_a_stream_may_be_closed_early_and_twice(provider: StorageProvider) -> None:
    await provider.write_file("a", b"x" * 3_000_000, MESSAGE)
    stream = await provider.open_stream("a")
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    assert (await provider.read_file("a")).content == b"x" * 3_000_000


async def test_what_breaks_off_leaves_nothing(provider: StorageProvider) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionError("the sender is gone")

    await provider.write_file("a", b"before", MESSAGE)
    for path in ("a", "new"):
        with pytest.raises(ConnectionError):
            await provider.write_stream(path, broken(), MESSAGE)
    assert (await provider.read_file("a")).content == b"before"
    assert [info.path for info in await provider.list_files(recursive=True)] == ["a"]


async def test_a_stream_is_written_under_the_same_conditions(provider: StorageProvider) -> None:
    await provider.write_stream("a", pieces(b"fir", b"st"), MESSAGE, overwrite=False)
    sha = provider.compute_hash(b"first")
    await refused(
        provider.write_stream("a", pieces(b"second"), MESSAGE, overwrite=False), StorageErrorCode.ALREADY_EXISTS
    )
    stale = provider.compute_hash(b"older")
    await refused(provider.write_stream("a", pieces(b"second"), MESSAGE, expected_sha=stale), StorageErrorCode.CONFLICT)
    await refused(provider.write_stream("a/b", pieces(b""), MESSAGE), StorageErrorCode.CONFLICT)
    await refused(provider.write_stream("../b", pieces(b""), MESSAGE), StorageErrorCode.INVALID_PATH)
    assert (await provider.write_stream("a", pieces(b"first"), MESSAGE)).files == []
    assert (await provider.write_stream("a", pieces(b"second"), MESSAGE, expected_sha=sha)).files == ["a"]
    assert (await provider.read_file("a")).content == b"second"


async def test_a_stream_of_nothing_is_an_empty_file(provider: StorageProvider) -> None:
    await provider.write_stream("a", pieces(), MESSAGE)
    assert (await provider.read_file("a")).content == b""
    async with await provider.open_stream("a") as stream:
        assert await stream.read() == b""
