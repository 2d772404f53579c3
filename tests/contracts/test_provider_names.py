"""Odd names are kept as they are; hostile ones are refused by every method, and leave no trace."""

import pytest

from storage_app.providers import FileDelete, FileWrite, StorageErrorCode, StorageProvider
from tests.contracts.providers import MESSAGE, refused
from tests.storage.hostile_paths import CONTAINED, REFUSED

pytestmark = pytest.mark.anyio


def test_there_are_enough_of_them() -> None:
    assert len({*REFUSED, *CONTAINED}) >= 300
    assert not {*REFUSED} & {*CONTAINED}


async def test_hostile_paths_are_refused_by_every_method(provider: StorageProvider) -> None:
    for path in REFUSED:
        for call in (
            provider.read_file(path),
            provider.read_file_if_exists(path),
            provider.file_exists(path),
            provider.get_file_info(path),
            provider.get_file_hash(path),
            provider.open_stream(path),
            provider.write_file(path, b"hostile", MESSAGE),
            provider.write_file_text(path, "hostile", MESSAGE),
            provider.write_files_batch([("fine", b""), (path, b"hostile")], MESSAGE),
            provider.delete_file(path, MESSAGE),
            provider.delete_files_batch(["fine", path], MESSAGE),
            provider.apply_batch([FileWrite("fine", b""), FileDelete(path)], MESSAGE),
            provider.list_versions(path),
            provider.read_version(path, "1"),
        ):
            error = await refused(call, StorageErrorCode.INVALID_PATH)
            assert str(error).isprintable(), "it goes into logs and to terminals"
            assert len(str(error)) < 400
    assert await provider.list_files(recursive=True) == []


async def test_hostile_folders_are_refused(provider: StorageProvider) -> None:
    await provider.write_file("x/y", b"", MESSAGE)
    for path in ("..", "../x", "x/..", "x//", "//", "C:", "x/../x", ".git", "x\0", "\ud800"):
        await refused(provider.list_files(path), StorageErrorCode.INVALID_PATH)


async def test_names_that_only_look_hostile_are_kept_as_they_are(provider: StorageProvider) -> None:
    """Each in a folder of its own, since some would be in each other's way."""
    chosen = {f"{number:03}/{path}": path.encode() for number, path in enumerate(CONTAINED) if path.count("/") < 60}
    assert len(chosen) > 60
    for path, content in chosen.items():
        await provider.write_file(path, content, MESSAGE)
    listed = [info.path for info in await provider.list_files(recursive=True)]
    assert listed == sorted(chosen)
    for path, content in chosen.items():
        assert (await provider.read_file(path)).content == content
    assert [info.path for info in await provider.list_files()] == sorted({path[:3] for path in chosen})
    await provider.delete_files_batch(listed, MESSAGE)
    assert await provider.list_files() == []


@pytest.mark.parametrize(
    ("given", "kept"), [("/a/b", "a/b"), ("a\\b", "a/b"), ("\\a\\b", "a/b"), ("a/b", "a/b"), ("a\\b/c", "a/b/c")]
)
async def test_a_path_has_one_spelling(provider: StorageProvider, given: str, kept: str) -> None:
    commit = await provider.write_file(given, b"content", MESSAGE)
    assert commit.files == [kept]
    assert (await provider.read_file(given)).path == kept
    assert (await provider.get_file_info(given)).path == kept
    assert [info.path for info in await provider.list_files(recursive=True)] == [kept]
    assert (await provider.delete_file(given, MESSAGE)).files == [kept]


async def test_names_are_told_apart_code_point_by_code_point(provider: StorageProvider) -> None:
    names = ["Ä", "ae", "ss", "ß", "x", "х", "i", "ı"]  # noqa: RUF001 - a Cyrillic one among them
    await provider.write_files_batch([(name, name.encode()) for name in names], MESSAGE)
    for name in names:
        assert (await provider.read_file(name)).content == name.encode()
