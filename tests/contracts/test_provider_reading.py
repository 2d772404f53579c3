"""Absence, and what reading gives."""

from datetime import UTC, datetime, timedelta

import pytest

from storage_app import hashes
from storage_app.providers import StorageError, StorageErrorCode, StorageProvider
from tests.contracts.providers import MESSAGE, refused

pytestmark = pytest.mark.anyio


async def test_a_missing_file_is_not_found_by_every_way_of_reading(provider: StorageProvider) -> None:
    await provider.write_file("there/is.txt", b"content", MESSAGE)
    for path in ("missing", "there/missing", "missing/is.txt", "there", "there/is.txt/below"):
        for call in (provider.read_file(path), provider.get_file_hash(path), provider.open_stream(path)):
            error = await refused(call, StorageErrorCode.NOT_FOUND)
            assert error.path == path
            assert path in str(error)
        assert await provider.read_file_if_exists(path) is None
        assert not await provider.file_exists(path)


async def test_info_of_what_is_missing_is_not_found(provider: StorageProvider) -> None:
    await refused(provider.get_file_info("missing"), StorageErrorCode.NOT_FOUND)


async def test_a_file_comes_back_as_it_was_written(provider: StorageProvider) -> None:
    await provider.write_file("docs/read me.txt", "Grüße\r\n\n".encode(), MESSAGE)
    file = await provider.read_file("docs/read me.txt")
    assert (file.path, file.content, file.size) == ("docs/read me.txt", "Grüße\r\n\n".encode(), 10)
    assert file.encoding == "utf-8"
    assert file.content_text == "Grüße\r\n\n"
    assert await provider.read_file_if_exists("docs/read me.txt") == file
    assert await provider.file_exists("docs/read me.txt")


async def test_what_is_no_text_is_told_in_base64(provider: StorageProvider) -> None:
    await provider.write_file("picture", b"\xff\x00\x01", MESSAGE)
    file = await provider.read_file("picture")
    assert (file.content, file.encoding, file.content_text) == (b"\xff\x00\x01", "base64", "/wAB")


async def test_an_empty_file_is_a_file(provider: StorageProvider) -> None:
    await provider.write_file("empty", b"", MESSAGE)
    assert (await provider.read_file("empty")).content == b""
    assert (await provider.get_file_info("empty")).size == 0
    assert [info.path for info in await provider.list_files()] == ["empty"]


async def test_info_tells_what_reading_would(provider: StorageProvider) -> None:
    await provider.write_file("a/b", b"12345", MESSAGE)
    file, info = await provider.read_file("a/b"), await provider.get_file_info("a/b")
    assert (info.path, info.size, info.sha, info.is_directory) == ("a/b", 5, file.sha, False)
    assert info.last_modified == file.last_modified
    if info.last_modified is not None:
        assert abs(datetime.now(UTC) - info.last_modified) < timedelta(minutes=5)


async def test_a_folder_has_info_and_is_no_file(provider: StorageProvider) -> None:
    await provider.write_file("a/b/c", b"12345", MESSAGE)
    for folder in ("a", "a/b"):
        info = await provider.get_file_info(folder)
        assert (info.path, info.size, info.sha, info.is_directory) == (folder, 0, None, True)
        assert not await provider.file_exists(folder)
        await refused(provider.delete_file(folder, MESSAGE), StorageErrorCode.NOT_FOUND)


async def test_a_hash_is_of_the_content(provider: StorageProvider) -> None:
    await provider.write_file("a", b"some content", MESSAGE)
    expected = hashes.compute(provider.hash_kind, b"some content")
    assert provider.compute_hash(b"some content") == expected
    assert await provider.get_file_hash("a") == expected
    assert (await provider.read_file("a")).sha == expected
    assert (await provider.get_file_info("a")).sha == expected


async def test_a_hash_follows_the_content(provider: StorageProvider) -> None:
    """Same size, as quickly as can be: what a cache by time and size would not see."""
    for round_ in range(20):
        content = b"content %02d" % round_
        await provider.write_file("a", content, MESSAGE)
        assert await provider.get_file_hash("a") == provider.compute_hash(content)
        assert (await provider.read_file("a")).content == content


async def test_a_closed_provider_refuses_every_call(provider: StorageProvider) -> None:
    await provider.write_file("a", b"", MESSAGE)
    await provider.close()
    await provider.close()
    for call in (
        provider.read_file("a"),
        provider.read_file_if_exists("a"),
        provider.file_exists("a"),
        provider.get_file_info("a"),
        provider.get_file_hash("a"),
        provider.open_stream("a"),
        provider.list_files(),
        provider.list_files_glob("*"),
        provider.write_file("a", b"", MESSAGE),
        provider.write_file_text("a", "", MESSAGE),
        provider.delete_file("a", MESSAGE),
        provider.write_files_batch([], MESSAGE),
        provider.delete_files_batch([], MESSAGE),
        provider.apply_batch([], MESSAGE),
        provider.list_versions("a"),
        provider.read_version("a", "1"),
    ):
        with pytest.raises(StorageError) as caught:
            await call
        assert caught.value.reason == "closed"
    health = await provider.health_check()
    assert not health
    assert "closed" in health.message


async def test_a_healthy_storage_says_so(provider: StorageProvider) -> None:
    health = await provider.health_check()
    assert health
    assert health.healthy
    assert health.details["latency_ms"] >= 0


async def test_a_provider_has_a_name(provider: StorageProvider) -> None:
    assert provider.provider_name in ("local", "memory", "github", "object", "sqlite")
