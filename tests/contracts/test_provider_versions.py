"""The history of a file, where the provider keeps one."""

import pytest

from storage_app.providers import (
    FileDelete,
    FileWrite,
    StorageCapability,
    StorageError,
    StorageErrorCode,
    StorageProvider,
)
from tests.contracts.providers import MESSAGE, refused

pytestmark = pytest.mark.anyio


@pytest.fixture
async def versioned(provider: StorageProvider) -> StorageProvider:
    if StorageCapability.VERSIONING not in provider.capabilities:
        pytest.skip("keeps no versions")
    return provider


async def test_without_versions_asking_for_them_is_refused(provider: StorageProvider) -> None:
    if StorageCapability.VERSIONING in provider.capabilities:
        pytest.skip("keeps versions")
    await provider.write_file("a", b"", MESSAGE)
    for call in (
        provider.list_versions("a"),
        provider.read_version("a", "1"),
        provider.open_stream("a", version="1"),
    ):
        with pytest.raises(StorageError) as caught:
            await call
        assert caught.value.reason == "unsupported"


async def test_every_state_is_listed_newest_first_and_can_be_read(versioned: StorageProvider) -> None:
    for content in (b"one", b"two", b"three"):
        await versioned.write_file("a", content, f"Write {content.decode()}.")
    await versioned.write_file("other", b"", MESSAGE)
    versions = await versioned.list_versions("a")
    assert [version.message for version in versions] == ["Write three.", "Write two.", "Write one."]
    for version, content in zip(versions, (b"three", b"two", b"one"), strict=True):
        assert version.sha == versioned.compute_hash(content)
        assert (version.path, version.deleted) == ("a", False)
        file = await versioned.read_version("a", version.version)
        assert (file.content, file.sha) == (content, version.sha)
        async with await versioned.open_stream("a", version=version.version) as stream:
            assert await stream.read() == content


async def test_a_deletion_is_a_state_without_content(versioned: StorageProvider) -> None:
    await versioned.write_file("a", b"one", MESSAGE)
    await versioned.delete_file("a", "Away with it.")
    await versioned.write_file("a", b"two", MESSAGE)
    versions = await versioned.list_versions("a")
    assert [version.deleted for version in versions] == [False, True, False]
    await refused(versioned.read_version("a", versions[1].version), StorageErrorCode.NOT_FOUND)
    assert (await versioned.read_version("a", versions[2].version)).content == b"one"


async def test_one_commit_of_several_files_is_one_version(versioned: StorageProvider) -> None:
    await versioned.write_file("b", b"1", MESSAGE)
    commit = await versioned.apply_batch([FileWrite("a", b"1"), FileDelete("b")], MESSAGE)
    (a,), (b, _) = await versioned.list_versions("a"), await versioned.list_versions("b")
    assert a.version == b.version == commit.sha


async def test_what_never_was_has_no_versions(versioned: StorageProvider) -> None:
    await versioned.write_file("a", b"1", MESSAGE)
    (version,) = await versioned.list_versions("a")
    assert await versioned.list_versions("missing") == []
    await refused(versioned.read_version("missing", version.version), StorageErrorCode.NOT_FOUND)
    for unknown in ("", "missing", "0" * 40, "../a", "main"):
        await refused(versioned.read_version("a", unknown), StorageErrorCode.NOT_FOUND)


async def test_the_newest_are_listed_where_there_are_more(versioned: StorageProvider) -> None:
    for number in range(5):
        await versioned.write_file("a", b"%d" % number, f"Number {number}.")
    assert [version.message for version in await versioned.list_versions("a", limit=2)] == ["Number 4.", "Number 3."]
