"""Odd names, large files, links, modules, modes, and GitHubs under other addresses."""

import pytest

from storage_app.providers import StorageErrorCode
from storage_app.providers.github import GitHubStorageProvider
from tests.contracts.providers import refused
from tests.github_double import GitHubDouble
from tests.storage.github import QuickClock, provider_on

pytestmark = pytest.mark.anyio

ODD = [
    "a b/c d.md",
    "per%cent/%20.md",
    "ha#sh?/q&=+.md",
    "ünï/日本.md",
    "emoji/🎉.md",
    "dot/.hidden",
    "-x/--y",
    "'q\"/$`.md",
]
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("path", ODD)
async def test_odd_names_are_the_same_everywhere(
    provider: GitHubStorageProvider, other: GitHubStorageProvider, double: GitHubDouble, path: str, warm: bool
) -> None:
    if warm:
        await provider.list_files()
    await provider.write_file(path, b"1", "By contents")
    assert double.files()[path] == b"1"
    assert (await other.read_file(path)).content == b"1"
    await provider.write_files_batch([(path, b"2"), ("x", b"3")], "By mutation")
    assert double.files()[path] == b"2"
    assert path in [info.path for info in await other.list_files(recursive=True)]
    await provider.delete_file(path, "Gone")
    assert path not in double.files()


async def test_a_name_in_another_normal_form_is_neither_listed_nor_reached(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit({"e\u0301.md": b"decomposed"})
    assert [info.path for info in await provider.list_files()] == ["README.md"]
    await refused(provider.read_file("e\u0301.md"), StorageErrorCode.INVALID_PATH)
    assert not await provider.file_exists("\u00e9.md")


@pytest.mark.parametrize("size", [0, 1, MEGABYTE - 1, MEGABYTE, MEGABYTE + 1])
@pytest.mark.parametrize("piece", [b"x", b"\xff"], ids=["text", "binary"])
async def test_files_of_any_size_come_back(
    provider: GitHubStorageProvider, other: GitHubStorageProvider, size: int, piece: bytes
) -> None:
    await provider.write_file("file", piece * size, "m")
    assert (await other.read_file("file")).content == piece * size
    assert (await other.get_file_info("file")).size == size


async def test_a_batch_of_thirty_megabytes_goes_through_the_git_database(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    batch = [(f"{number}.bin", bytes([number, 255]) * (5 * MEGABYTE)) for number in range(3)]
    with double.counting() as count:
        await provider.write_files_batch(batch, "Large")
    assert not any("graphql" in each.path for each in count.served)
    assert count.counted == 6
    assert {path: len(content) for path, content in double.files().items() if path != "README.md"} == {
        f"{number}.bin": 10 * MEGABYTE for number in range(3)
    }


async def test_a_file_that_github_does_not_give_is_too_large(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.world.sizes.blob = double.world.sizes.graphql_text = 1000
    double.commit({"big.bin": b"\xff" * 1001})
    await refused(provider.read_file("big.bin"), StorageErrorCode.CONTENT_TOO_LARGE)


async def test_text_that_graphql_cuts_is_read_whole(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    double.world.sizes.graphql_text = 1000
    double.commit({"long.md": b"x" * 1001})
    assert (await provider.read_file("long.md")).content == b"x" * 1001


async def test_a_tree_too_large_for_one_answer_is_read_in_parts(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    files = {f"{a}/{b}/{c}": b"%d%d%d" % (a, b, c) for a in range(3) for b in range(3) for c in range(4)}
    double.commit(dict(files))
    double.world.sizes.tree_entries = 10
    assert {info.path for info in await provider.list_files(recursive=True)} == {*files, "README.md"}
    with double.counting() as count:
        assert len(await provider.list_files("1", recursive=True)) == 12
    assert (count.counted, count.free) == (0, 1)
    await provider.write_files_batch([("1/1/1", b"new"), ("new", b"x")], "m")
    assert double.files()["1/1/1"] == b"new"


async def test_a_folder_of_more_than_a_thousand_entries_is_complete(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit({f"many/{number}": b"x" for number in range(1001)})
    assert len(await provider.list_files("many")) == 1001
    assert len(await provider.list_files_glob("many/*")) == 1001


async def test_a_batch_too_large_for_one_tree_is_built_in_layers(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit({"run.sh": b"1"}, executable=True)
    double.world.sizes.tree_post_entries = 100
    await provider.list_files()
    batch = [("run.sh", b"2"), *((f"f/{number}", b"%d" % number) for number in range(700))]
    await provider.write_files_batch(batch, "Many")
    assert len(double.files()) == 702
    assert double.messages()[0] == "Many"


async def test_a_mutation_that_is_too_much_is_made_in_parts(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.faults.fail("POST /graphql mutation", 422, "Sorry, your request timed out.")
    await provider.write_files_batch([("a", b"1"), ("b", b"2")], "m")
    assert double.files() == {"README.md": b"# Files\n", "a": b"1", "b": b"2"}


async def test_the_executable_bit_is_kept(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    double.commit({"run.sh": b"1", "other.sh": b"1"}, executable=True)
    await provider.write_file("run.sh", b"2", "One")
    await provider.write_files_batch([("run.sh", b"3"), ("other.sh", b"3"), ("new.sh", b"3")], "Batch")
    tree = double.repository.tree_of(double.head())
    modes = {entry.path: entry.mode for entry in double.repository.children(tree)}
    assert modes == {"README.md": 0o100644, "new.sh": 0o100644, "other.sh": 0o100755, "run.sh": 0o100755}


async def test_a_link_is_followed_within_the_storage_and_never_written_over(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit({"docs/real.md": b"content", "outside": b"secret"})
    double.link("docs/link.md", "real.md")
    double.link("docs/up.md", "../outside")
    double.link("docs/gone.md", "nowhere")
    double.link("docs/far.md", "/etc/passwd")
    double.link("docs/round.md", "round.md")
    assert (await provider.read_file("docs/link.md")).content == b"content"
    listed = [info.path for info in await provider.list_files("docs")]
    assert listed == ["docs/link.md", "docs/real.md", "docs/up.md"]
    for gone in ("docs/gone.md", "docs/far.md", "docs/round.md"):
        await refused(provider.read_file(gone), StorageErrorCode.NOT_FOUND)
    await refused(provider.write_file("docs/link.md", b"x", "m"), StorageErrorCode.INVALID_PATH)
    await provider.delete_file("docs/link.md", "m")
    assert double.files()["docs/real.md"] == b"content"
    async with provider_on(double, base_path="docs") as below:
        await refused(below.read_file("up.md"), StorageErrorCode.NOT_FOUND)
        assert [info.path for info in await below.list_files()] == ["real.md"]


async def test_a_submodule_is_no_file(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    double.submodule("vendor/module")
    assert [info.path for info in await provider.list_files(recursive=True)] == ["README.md"]
    await refused(provider.read_file("vendor/module"), StorageErrorCode.NOT_FOUND)
    await refused(provider.delete_file("vendor/module", "m"), StorageErrorCode.NOT_FOUND)
    await refused(provider.write_file("vendor/module", b"x", "m"), StorageErrorCode.INVALID_PATH)
    await provider.write_files_batch([("a", b"1"), ("vendor/b", b"2")], "Beside it")
    tree = double.repository.tree_of(double.head())
    assert double.repository.entry(tree, "vendor/module") is not None


async def test_a_renamed_repository_is_followed(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    double.world.old_names.add("acme/files")
    double.world.name = "renamed"
    assert [info.path for info in await provider.list_files()] == ["README.md"]
    await provider.write_file("README.md", b"1", "By contents")
    await provider.write_files_batch([("a", b"1"), ("b", b"2")], "By mutation")
    assert double.messages() == ["By mutation", "By contents", "The start"]
    assert {each.status for each in double.log} >= {301, 307}


@pytest.mark.parametrize("api_url", ["https://github.example.com/api/v3", "https://api.octo.ghe.com"])
async def test_other_githubs_have_other_addresses(double: GitHubDouble, quick_clock: QuickClock, api_url: str) -> None:
    double.limits.enabled = False
    double.world.base_url = api_url
    async with provider_on(double, quick_clock, api_url=api_url) as provider:
        await provider.write_files_batch([("a", b"1"), ("b", b"2")], "m")
        assert (await provider.read_file("a")).content == b"1"
        assert len(await provider.list_files()) == 3


def test_the_address_of_graphql_follows_from_that_of_rest() -> None:
    from storage_app.providers.github.endpoints import Endpoints

    assert Endpoints.of(None, "o/r").graphql == "https://api.github.com/graphql"
    assert Endpoints.of("https://ghe.example/api/v3/", "o/r").graphql == "https://ghe.example/api/graphql"
    assert Endpoints.of("https://api.octo.ghe.com", "o/r").graphql == "https://api.octo.ghe.com/graphql"
    for wrong in ("r", "o/r/x", "o r/x", ""):
        with pytest.raises(ValueError):
            Endpoints.of(None, wrong)
    with pytest.raises(ValueError):
        Endpoints.of("ftp://x", "o/r")


async def test_a_snapshot_does_not_change(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    async with provider.snapshot() as snapshot:
        double.commit({"README.md": b"changed", "new": b"x"})
        await provider.list_files()
        assert (await snapshot.read_file("README.md")).content == b"# Files\n"
        assert not snapshot.file_exists("new")
        assert [info.path for info in snapshot.list_files()] == ["README.md"]


async def test_invalidating_lets_the_next_read_ask(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    await provider.read_file("README.md")
    double.commit({"README.md": b"changed"})
    assert (await provider.read_file("README.md")).content == b"# Files\n"
    provider.invalidate_cache("README.md")
    assert (await provider.read_file("README.md")).content == b"changed"
    double.commit({"README.md": b"again"})
    provider.invalidate_cache()
    assert (await provider.read_file("README.md")).content == b"again"


async def test_no_age_means_that_every_read_asks(double: GitHubDouble, quick_clock: QuickClock) -> None:
    async with provider_on(double, quick_clock, cache_ttl=0) as provider:
        await provider.read_file("README.md")
        with double.counting() as count:
            await provider.read_file("README.md")
        assert (count.counted, count.free) == (0, 1)
        double.commit({"README.md": b"changed"})
        assert (await provider.read_file("README.md")).content == b"changed"


async def test_a_message_is_kept_and_our_mark_is_not_shown(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    for message in ("One line", "A head\n\nand a body\nof two lines", "Tight\nbody", ""):
        await provider.write_files_batch([("a", message.encode()), ("b", message.encode() + b"x")], message)
    shown = [version.message for version in await provider.list_versions("a")]
    assert shown == ["Change 2 files", "Tight\n\nbody", "A head\n\nand a body\nof two lines", "One line"]
    assert all(
        "Batch-Id: " in double.repository.commit(sha).message.decode()
        for sha in list(double.repository.history(double.head()))[:4]
    )


async def test_history_is_complete_beyond_one_page(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    for number in range(120):
        double.commit({"a": b"%d" % number}, f"Number {number}")
    with double.counting() as count:
        found = await provider.list_versions("a", limit=110)
    assert [version.message for version in found] == [f"Number {number}" for number in range(119, 9, -1)]
    assert count.counted == 3
    assert (await provider.read_version("a", found[50].version)).content == b"69"


async def test_two_storages_in_one_repository_do_not_meet(double: GitHubDouble, quick_clock: QuickClock) -> None:
    async with provider_on(double, quick_clock, base_path="one") as one, provider_on(double, base_path="two") as two:
        await one.write_files_batch([("a", b"1"), ("b", b"1")], "m")
        await two.write_files_batch([("a", b"2"), ("b", b"2")], "m")
        assert [info.path for info in await one.list_files(recursive=True)] == ["a", "b"]
        assert (await one.read_file("a")).content == b"1"
        await refused(one.read_file("../two/a"), StorageErrorCode.INVALID_PATH)
    assert set(double.files()) == {"README.md", "one/a", "one/b", "two/a", "two/b"}
