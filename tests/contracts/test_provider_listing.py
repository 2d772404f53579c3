"""Folders and patterns: order, completeness, what does not match."""

import pytest

from storage_app.providers import StorageCapability, StorageErrorCode, StorageProvider
from tests.contracts.providers import MESSAGE, refused

pytestmark = pytest.mark.anyio

PATHS = [
    "B.txt",
    "a-b/x.md",
    "a.txt",
    "a/b.md",
    "a/b.txt",
    "a/c/d.md",
    "a/c/e/f.md",
    "a2/b.md",
    "ü.md",
    "\U0001f600.md",
]


@pytest.fixture
async def filled(provider: StorageProvider) -> StorageProvider:
    await provider.write_files_batch([(path, path.encode()) for path in reversed(PATHS)], MESSAGE)
    return provider


async def listed(provider: StorageProvider, prefix: str = "", *, recursive: bool = False) -> list[str]:
    infos = await provider.list_files(prefix, recursive=recursive)
    return [f"{info.path}/" if info.is_directory else info.path for info in infos]


async def globbed(provider: StorageProvider, pattern: str) -> list[str]:
    return [info.path for info in await provider.list_files_glob(pattern)]


async def test_an_empty_storage_lists_nothing(provider: StorageProvider) -> None:
    assert await provider.list_files() == []
    assert await provider.list_files(recursive=True) == []
    assert await provider.list_files_glob("**") == []


async def test_a_missing_folder_is_empty(filled: StorageProvider) -> None:
    for recursive in (False, True):
        for folder in ("missing", "a/missing", "a.txt", "a.txt/below"):
            assert await filled.list_files(folder, recursive=recursive) == []


async def test_a_folder_lists_what_is_directly_in_it(filled: StorageProvider) -> None:
    expected = ["B.txt", "a/", "a-b/", "a.txt", "a2/", "ü.md", "\U0001f600.md"]
    for root in ("", "/"):
        assert await listed(filled, root) == expected
    for folder in ("a", "a/", "/a", "a\\"):
        assert await listed(filled, folder) == ["a/b.md", "a/b.txt", "a/c/"]


async def test_a_prefix_is_a_folder_and_not_the_beginning_of_names(filled: StorageProvider) -> None:
    assert await listed(filled, "a/c", recursive=True) == ["a/c/d.md", "a/c/e/f.md"]
    assert await listed(filled, "a/b", recursive=True) == []


async def test_with_all_below_come_files_only_in_the_order_of_code_points(filled: StorageProvider) -> None:
    assert await listed(filled, recursive=True) == sorted(PATHS)


async def test_a_listing_tells_sizes_and_hashes_as_far_as_they_are_known(filled: StorageProvider) -> None:
    infos = await filled.list_files(recursive=True)
    assert len(infos) == len(PATHS)
    for info in infos:
        assert info.size == len(info.path.encode())
        if StorageCapability.CONTENT_HASH_NATIVE in filled.capabilities or info.sha is not None:
            assert info.sha == filled.compute_hash(info.path.encode())


async def test_a_listing_sees_every_change_before_it(filled: StorageProvider) -> None:
    await filled.delete_file("a/b.md", MESSAGE)
    await filled.write_file("a/new/file", b"", MESSAGE)
    assert await listed(filled, "a") == ["a/b.txt", "a/c/", "a/new/"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["B.txt", "a.txt", "ü.md", "\U0001f600.md"]),
        ("*.txt", ["B.txt", "a.txt"]),
        ("?.txt", ["B.txt", "a.txt"]),
        ("?.md", ["ü.md", "\U0001f600.md"]),
        ("[a-z].txt", ["a.txt"]),
        ("[!a-z].txt", ["B.txt"]),
        ("[A-Ba]*", ["B.txt", "a.txt"]),
        ("a/*", ["a/b.md", "a/b.txt"]),
        ("a*/*.md", ["a-b/x.md", "a/b.md", "a2/b.md"]),
        ("a/**", ["a/b.md", "a/b.txt", "a/c/d.md", "a/c/e/f.md"]),
        ("a/**/*.md", ["a/b.md", "a/c/d.md", "a/c/e/f.md"]),
        ("**/b.*", ["a/b.md", "a/b.txt", "a2/b.md"]),
        ("**/c/**/f.md", ["a/c/e/f.md"]),
        ("a/c/**/d.md", ["a/c/d.md"]),
        ("/a/b.md", ["a/b.md"]),
        ("a.txt", ["a.txt"]),
        ("a", []),
        ("a/", None),
        ("A.TXT", []),
        ("*.TXT", []),
        ("missing/*", []),
        ("**", sorted(PATHS)),
        ("../*", None),
        ("", None),
        ("*" * 2000, None),
    ],
)
async def test_a_pattern_finds_what_it_says(filled: StorageProvider, pattern: str, expected: list[str] | None) -> None:
    if expected is None:
        await refused(filled.list_files_glob(pattern), StorageErrorCode.INVALID_PATH)
    else:
        assert await globbed(filled, pattern) == expected


async def test_a_bracket_that_is_never_closed_is_itself(provider: StorageProvider) -> None:
    await provider.write_files_batch([("a[b", b""), ("a]", b""), ("a-", b"")], MESSAGE)
    assert await globbed(provider, "a[b") == ["a[b"]
    assert await globbed(provider, "a[]-]") == ["a-", "a]"]
