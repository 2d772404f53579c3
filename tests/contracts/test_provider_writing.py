"""Writing and deleting one file: conditions, conflicts, what makes no commit."""

from datetime import UTC, datetime, timedelta

import pytest

from storage_app import hashes
from storage_app.providers import StorageCapability, StorageErrorCode, StorageProvider
from tests.contracts.providers import MESSAGE, refused

pytestmark = pytest.mark.anyio


async def test_a_write_is_a_commit_that_names_the_file(provider: StorageProvider) -> None:
    commit = await provider.write_file("a/b.txt", b"content", "Why it was done.")
    assert commit.files == ["a/b.txt"]
    assert commit.changed
    assert commit.message == "Why it was done."
    assert commit.author
    assert commit.sha
    assert abs(datetime.now(UTC) - commit.timestamp) < timedelta(minutes=5)


async def test_each_commit_has_a_name_of_its_own(provider: StorageProvider) -> None:
    commits = [await provider.write_file("a", b"%d" % number, MESSAGE) for number in range(5)]
    assert len({commit.sha for commit in commits}) == 5


async def test_a_write_replaces(provider: StorageProvider) -> None:
    await provider.write_file("a", b"a long content", MESSAGE)
    await provider.write_file("a", b"short", MESSAGE)
    assert (await provider.read_file("a")).content == b"short"


async def test_text_is_written_in_its_encoding(provider: StorageProvider) -> None:
    await provider.write_file_text("a", "Grüße\n", MESSAGE)
    assert (await provider.read_file("a")).content == "Grüße\n".encode()
    await provider.write_file_text("a", "Grüße\n", MESSAGE, encoding="latin-1")
    assert (await provider.read_file("a")).content == "Grüße\n".encode("latin-1")
    await refused(provider.write_file_text("a", "", MESSAGE, overwrite=False), StorageErrorCode.ALREADY_EXISTS)


async def test_content_that_is_no_bytes_is_a_type_error(provider: StorageProvider) -> None:
    with pytest.raises(TypeError):
        await provider.write_file("a", "text", MESSAGE)  # type: ignore[arg-type]
    assert await provider.list_files() == []


async def test_without_overwrite_only_the_first_write_happens(provider: StorageProvider) -> None:
    await provider.write_file("a", b"first", MESSAGE, overwrite=False)
    for content in (b"second", b"first"):
        error = await refused(
            provider.write_file("a", content, MESSAGE, overwrite=False), StorageErrorCode.ALREADY_EXISTS
        )
        assert error.path == "a"
    assert (await provider.read_file("a")).content == b"first"


async def test_the_expected_hash_lets_a_write_through(provider: StorageProvider) -> None:
    await provider.write_file("a", b"first", MESSAGE)
    sha = await provider.get_file_hash("a")
    commit = await provider.write_file("a", b"second", MESSAGE, expected_sha=sha)
    assert commit.files == ["a"]
    assert (await provider.read_file("a")).content == b"second"


async def test_another_hash_than_expected_is_a_conflict_that_says_both(provider: StorageProvider) -> None:
    await provider.write_file("a", b"first", MESSAGE)
    stale = provider.compute_hash(b"older")
    error = await refused(provider.write_file("a", b"second", MESSAGE, expected_sha=stale), StorageErrorCode.CONFLICT)
    assert error.path == "a"
    assert error.details["expected"] == stale
    assert error.details["actual"] == provider.compute_hash(b"first")
    assert not error.retryable
    assert (await provider.read_file("a")).content == b"first"


async def test_an_expected_hash_of_what_is_gone_is_a_conflict(provider: StorageProvider) -> None:
    sha = provider.compute_hash(b"")
    for call in (
        provider.write_file("a", b"", MESSAGE, expected_sha=sha),
        provider.delete_file("a", MESSAGE, expected_sha=sha),
    ):
        error = await refused(call, StorageErrorCode.CONFLICT)
        assert error.details["actual"] is None
    assert not await provider.file_exists("a")


@pytest.mark.parametrize("kind", hashes.HashKind)
async def test_an_expected_hash_may_be_of_another_kind(provider: StorageProvider, kind: hashes.HashKind) -> None:
    await provider.write_file("a", b"first", MESSAGE)
    wrong, right = (hashes.compute(kind, content) for content in (b"other", b"first"))
    await refused(provider.write_file("a", b"second", MESSAGE, expected_sha=wrong), StorageErrorCode.CONFLICT)
    await provider.write_file("a", b"second", MESSAGE, expected_sha=right)
    assert (await provider.read_file("a")).content == b"second"


async def test_what_is_no_hash_matches_nothing(provider: StorageProvider) -> None:
    await provider.write_file("a", b"first", MESSAGE)
    digest = (await provider.get_file_hash("a")).partition(":")[2]
    for text in ("", "*", digest, f"md5:{digest}", "sha256:", f"git:{digest.upper()}"):
        await refused(provider.write_file("a", b"second", MESSAGE, expected_sha=text), StorageErrorCode.CONFLICT)
    assert (await provider.read_file("a")).content == b"first"


async def test_the_same_content_again_makes_no_commit(provider: StorageProvider) -> None:
    await provider.write_file("a", b"content", MESSAGE)
    before = await provider.get_file_info("a")
    commit = await provider.write_file("a", b"content", MESSAGE)
    assert (commit.files, commit.changed, commit.sha) == ([], False, "")
    assert await provider.get_file_info("a") == before
    if StorageCapability.VERSIONING in provider.capabilities:
        assert len(await provider.list_versions("a")) == 1


async def test_a_condition_that_does_not_hold_is_refused_for_the_same_content_too(provider: StorageProvider) -> None:
    await provider.write_file("a", b"content", MESSAGE)
    stale = provider.compute_hash(b"older")
    await refused(provider.write_file("a", b"content", MESSAGE, expected_sha=stale), StorageErrorCode.CONFLICT)


async def test_a_deleted_file_is_gone_and_cannot_be_deleted_twice(provider: StorageProvider) -> None:
    await provider.write_file("a", b"content", MESSAGE)
    commit = await provider.delete_file("a", MESSAGE)
    assert commit.files == ["a"]
    assert commit.sha
    assert not await provider.file_exists("a")
    assert await provider.list_files() == []
    error = await refused(provider.delete_file("a", MESSAGE), StorageErrorCode.NOT_FOUND)
    assert error.path == "a"


async def test_deleting_what_never_was_is_not_found(provider: StorageProvider) -> None:
    await refused(provider.delete_file("a/b", MESSAGE), StorageErrorCode.NOT_FOUND)


async def test_a_delete_may_expect_a_hash(provider: StorageProvider) -> None:
    await provider.write_file("a", b"content", MESSAGE)
    stale = provider.compute_hash(b"older")
    await refused(provider.delete_file("a", MESSAGE, expected_sha=stale), StorageErrorCode.CONFLICT)
    assert await provider.file_exists("a")
    await provider.delete_file("a", MESSAGE, expected_sha=provider.compute_hash(b"content"))
    assert not await provider.file_exists("a")


async def test_a_deleted_file_can_be_written_again(provider: StorageProvider) -> None:
    for content in (b"one", b"two"):
        await provider.write_file("a/b", content, MESSAGE, overwrite=False)
        assert (await provider.read_file("a/b")).content == content
        await provider.delete_file("a/b", MESSAGE)


async def test_the_last_file_takes_its_folders_along(provider: StorageProvider) -> None:
    await provider.write_files_batch([("a/b/c/one", b"1"), ("a/two", b"2")], MESSAGE)
    await provider.delete_file("a/b/c/one", MESSAGE)
    assert [info.path for info in await provider.list_files("a")] == ["a/two"]
    await refused(provider.get_file_info("a/b"), StorageErrorCode.NOT_FOUND)
    await provider.delete_file("a/two", MESSAGE)
    assert await provider.list_files() == []
    await provider.write_file("a", b"a file of that name", MESSAGE)


async def test_a_name_is_a_file_or_a_folder_and_never_both(provider: StorageProvider) -> None:
    await provider.write_files_batch([("file", b""), ("folder/file", b"")], MESSAGE)
    for path in ("file/below", "file/further/below", "folder"):
        error = await refused(provider.write_file(path, b"", MESSAGE), StorageErrorCode.CONFLICT)
        assert error.reason == "in_the_way"
        assert error.path == path
    assert [info.path for info in await provider.list_files(recursive=True)] == ["file", "folder/file"]
