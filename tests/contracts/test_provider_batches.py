"""Several files in one call: all or nothing, each with its own conditions."""

import pytest

from storage_app.providers import (
    FileChange,
    FileDelete,
    FileWrite,
    StorageCapability,
    StorageErrorCode,
    StorageProvider,
)
from tests.contracts.providers import MESSAGE, Backend, refused

pytestmark = pytest.mark.anyio


async def contents(provider: StorageProvider) -> dict[str, bytes]:
    paths = [info.path for info in await provider.list_files(recursive=True)]
    return {path: (await provider.read_file(path)).content for path in paths}


async def test_a_batch_is_one_commit_that_names_every_file(provider: StorageProvider) -> None:
    files = [("b", b"1"), ("a/c", b"2"), ("a/d/e", b"\xff")]
    commit = await provider.write_files_batch(files, MESSAGE)
    assert commit.files == ["b", "a/c", "a/d/e"]
    assert commit.sha
    assert await contents(provider) == dict(files)


async def test_a_large_batch_is_complete(provider: StorageProvider, storage: Backend) -> None:
    files = [(f"folder {number % 7}/file {number}", b"%d" % number) for number in range(storage.many)]
    commit = await provider.write_files_batch(files, MESSAGE)
    assert commit.files == [path for path, _ in files]
    listed = await provider.list_files(recursive=True)
    assert [info.path for info in listed] == sorted(path for path, _ in files)


async def test_a_batch_leaves_out_what_is_there_already(provider: StorageProvider) -> None:
    await provider.write_files_batch([("a", b"1"), ("b", b"2")], MESSAGE)
    commit = await provider.write_files_batch([("a", b"1"), ("b", b"3"), ("c", b"4")], MESSAGE)
    assert commit.files == ["b", "c"]
    commit = await provider.write_files_batch([("a", b"1"), ("b", b"3")], MESSAGE)
    assert (commit.files, commit.sha) == ([], "")


async def test_the_last_content_of_a_path_counts(provider: StorageProvider) -> None:
    commit = await provider.write_files_batch([("a", b"1"), ("/a", b"2"), ("b\\c", b"3"), ("b/c", b"4")], MESSAGE)
    assert commit.files == ["a", "b/c"]
    assert await contents(provider) == {"a": b"2", "b/c": b"4"}


async def test_nothing_to_do_is_no_commit(provider: StorageProvider) -> None:
    for commit in (
        await provider.write_files_batch([], MESSAGE),
        await provider.delete_files_batch([], MESSAGE),
        await provider.apply_batch([], MESSAGE),
    ):
        assert (commit.files, commit.sha) == ([], "")


async def test_deletes_are_one_commit(provider: StorageProvider) -> None:
    await provider.write_files_batch([("a", b"1"), ("b/c", b"2"), ("d", b"3")], MESSAGE)
    commit = await provider.delete_files_batch(["a", "b/c", "/a"], MESSAGE)
    assert commit.files == ["a", "b/c"]
    assert await contents(provider) == {"d": b"3"}


async def test_one_missing_file_and_none_is_deleted(provider: StorageProvider) -> None:
    await provider.write_files_batch([("a", b"1"), ("b", b"2")], MESSAGE)
    error = await refused(provider.delete_files_batch(["a", "missing", "b"], MESSAGE), StorageErrorCode.NOT_FOUND)
    assert error.path == "missing"
    assert await contents(provider) == {"a": b"1", "b": b"2"}


async def test_writes_and_deletes_happen_in_one_commit(provider: StorageProvider) -> None:
    await provider.write_files_batch([("old", b"1"), ("kept", b"2"), ("changed", b"3")], MESSAGE)
    commit = await provider.apply_batch(
        [FileDelete("old"), FileWrite("new", b"1"), FileWrite("kept", b"2"), FileWrite("changed", b"4")], MESSAGE
    )
    assert commit.files == ["old", "new", "changed"]
    assert await contents(provider) == {"new": b"1", "kept": b"2", "changed": b"4"}


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (FileWrite("there", b"x", overwrite=False), StorageErrorCode.ALREADY_EXISTS),
        (FileWrite("there", b"x", expected_sha="sha256:" + "0" * 64), StorageErrorCode.CONFLICT),
        (FileWrite("missing", b"x", expected_sha="git:" + "0" * 40), StorageErrorCode.CONFLICT),
        (FileWrite("there/below", b"x"), StorageErrorCode.CONFLICT),
        (FileDelete("missing"), StorageErrorCode.NOT_FOUND),
        (FileDelete("there", expected_sha="sha256:" + "0" * 64), StorageErrorCode.CONFLICT),
        (FileWrite("../outside", b"x"), StorageErrorCode.INVALID_PATH),
        (FileWrite("new", b"x"), StorageErrorCode.INVALID_PATH),
    ],
)
@pytest.mark.parametrize("place", ["first", "last"])
async def test_one_bad_change_and_nothing_happens(
    provider: StorageProvider, bad: FileChange, code: StorageErrorCode, place: str
) -> None:
    await provider.write_files_batch([("there", b"1"), ("other", b"2")], MESSAGE)
    good: list[FileChange] = [FileWrite("new", b"3"), FileDelete("other")]
    changes = [bad, *good] if place == "first" else [*good, bad]
    error = await refused(provider.apply_batch(changes, MESSAGE), code)
    assert error.path == bad.path
    assert await contents(provider) == {"there": b"1", "other": b"2"}


async def test_conditions_are_of_the_state_before_the_batch(provider: StorageProvider) -> None:
    await provider.write_files_batch([("a", b"1"), ("b", b"2")], MESSAGE)
    one, two = provider.compute_hash(b"1"), provider.compute_hash(b"2")
    await provider.apply_batch(
        [FileWrite("a", b"2", expected_sha=one), FileWrite("b", b"1", expected_sha=two)], MESSAGE
    )
    assert await contents(provider) == {"a": b"2", "b": b"1"}


async def test_a_file_may_make_way_for_a_folder_and_back(provider: StorageProvider) -> None:
    if StorageCapability.ATOMIC_BATCH_WRITE not in provider.capabilities:
        pytest.skip("in several steps neither of the two may come first")
    await provider.write_file("a", b"1", MESSAGE)
    await provider.apply_batch([FileWrite("a/b/c", b"2"), FileDelete("a"), FileWrite("a/d", b"3")], MESSAGE)
    assert await contents(provider) == {"a/b/c": b"2", "a/d": b"3"}
    await provider.apply_batch([FileWrite("a", b"4"), FileDelete("a/b/c"), FileDelete("a/d")], MESSAGE)
    assert await contents(provider) == {"a": b"4"}


async def test_a_batch_cannot_write_a_file_and_into_it(provider: StorageProvider) -> None:
    for changes in ([FileWrite("a", b""), FileWrite("a/b", b"")], [FileWrite("a/b/c", b""), FileWrite("a", b"")]):
        error = await refused(provider.apply_batch(changes, MESSAGE), StorageErrorCode.CONFLICT)
        assert error.reason == "in_the_way"
    assert await provider.list_files() == []


async def test_a_folder_with_a_file_left_does_not_make_way(provider: StorageProvider) -> None:
    await provider.write_files_batch([("a/b", b"1"), ("a/c", b"2")], MESSAGE)
    await refused(provider.apply_batch([FileDelete("a/b"), FileWrite("a", b"")], MESSAGE), StorageErrorCode.CONFLICT)
    assert await contents(provider) == {"a/b": b"1", "a/c": b"2"}
