"""How many requests each operation takes; the double counts as GitHub's primary limit does."""

import pytest

from storage_app.providers import FileDelete, FileWrite
from storage_app.providers.github import GitHubStorageProvider
from tests.github_double import GitHubDouble
from tests.storage.github import QuickClock, provider_on

pytestmark = pytest.mark.anyio

BATCH = [(f"notes/{number}.md", b"Note %d\n" % number) for number in range(100)]
CONTENTS: dict[str, bytes | None] = dict(BATCH)


async def test_a_cold_batch_takes_two_requests(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    with double.counting() as count:
        commit = await provider.write_files_batch(BATCH, "A hundred notes")
    assert (count.counted, count.free) == (2, 0), count.operations
    assert len(commit.files) == 100
    assert double.messages()[0] == "A hundred notes"
    assert len(double.files()) == 101


async def test_a_warm_batch_takes_one(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    await provider.list_files(recursive=True)
    with double.counting() as count:
        await provider.write_files_batch(BATCH, "A hundred notes")
    assert (count.counted, count.free) == (1, 0), count.operations


async def test_the_next_batch_is_warm_after_a_cold_one_of_the_same_files(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.write_files_batch(BATCH, "First")
    with double.counting() as count:
        await provider.write_files_batch([(path, content + b"more\n") for path, content in BATCH], "Second")
    assert (count.counted, count.free) == (1, 0), count.operations
    assert double.files()["notes/0.md"] == b"Note 0\nmore\n"


async def test_unchanged_files_take_none(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    await provider.write_files_batch(BATCH, "First")
    head = double.head()
    with double.counting() as count:
        again = await provider.write_files_batch(BATCH, "Again")
        single = await provider.write_file(*BATCH[0], "Again")
    assert (count.counted, count.free) == (0, 0), count.operations
    assert not again.changed
    assert not single.changed
    assert double.head() == head


async def test_a_recursive_listing_takes_one_and_is_free_from_then_on(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit(CONTENTS)
    with double.counting() as count:
        assert len(await provider.list_files("notes", recursive=True)) == 100
    assert (count.counted, count.free) == (1, 0), count.operations
    with double.counting() as count:
        assert len(await provider.list_files("notes", recursive=True)) == 100
        assert len(await provider.list_files_glob("notes/1*.md")) == 11
        assert await provider.file_exists("notes/7.md")
        assert not await provider.file_exists("notes/700.md")
    assert (count.counted, count.free) == (0, 4), count.operations


async def test_a_glob_takes_one_and_is_free_from_then_on(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    double.commit(CONTENTS)
    for expected in ((1, 0), (0, 1)):
        with double.counting() as count:
            assert len(await provider.list_files_glob("**/*.md")) == 101
        assert (count.counted, count.free) == expected, count.operations


async def test_where_a_branch_is_answered_by_its_tree_the_first_listing_takes_more(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.world.branch_tree_echoes_commit = False
    with double.counting() as count:
        assert [info.path for info in await provider.list_files()] == ["README.md"]
    assert (count.counted, count.free) == (3, 0), count.operations
    with double.counting() as count:
        assert [info.path for info in await provider.list_files()] == ["README.md"]
    assert (count.counted, count.free) == (0, 1), count.operations


async def test_info_and_hash_take_one_and_serve_all_later_ones(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit(CONTENTS)
    with double.counting() as count:
        for path, content in BATCH:
            assert await provider.get_file_hash(path) == provider.compute_hash(content)
    assert (count.counted, count.free) == (1, 0), count.operations


async def test_a_hundred_files_are_read_in_two_and_then_in_none(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit(CONTENTS)
    paths = list(CONTENTS)
    for expected in ((2, 0), (0, 0)):
        with double.counting() as count:
            files = await provider.read_files(paths)
            assert {path: file.content for path, file in files.items()} == CONTENTS
        assert (count.counted, count.free) == expected, count.operations


async def test_files_read_one_by_one_take_one_each_and_then_none(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit(CONTENTS)
    for expected in ((100, 0), (0, 0)):
        with double.counting() as count:
            for path, content in BATCH:
                assert (await provider.read_file(path)).content == content
        assert (count.counted, count.free) == expected, count.operations


async def test_a_binary_file_takes_one_more_when_nothing_is_known(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    content = bytes(range(256))
    double.commit({"image.png": content})
    for expected in ((2, 0), (0, 0)):
        with double.counting() as count:
            assert (await provider.read_file("image.png")).content == content
        assert (count.counted, count.free) == expected, count.operations


async def test_a_read_after_the_head_grew_old_is_free_while_nothing_moved(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    await provider.read_file("README.md")
    quick_clock.advance(301)
    with double.counting() as count:
        await provider.read_file("README.md")
    assert (count.counted, count.free) == (0, 1), count.operations
    double.commit({"README.md": b"# Changed\n"})
    assert (await provider.read_file("README.md")).content == b"# Files\n"
    quick_clock.advance(301)
    assert (await provider.read_file("README.md")).content == b"# Changed\n"


async def test_creating_a_file_that_must_not_exist_takes_one(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    with double.counting() as count:
        await provider.write_file("new.md", b"new", "New", overwrite=False)
    assert (count.counted, count.free) == (1, 0), count.operations
    assert double.files()["new.md"] == b"new"


async def test_changing_and_deleting_a_file_take_two_cold_and_one_warm(
    provider: GitHubStorageProvider, other: GitHubStorageProvider, double: GitHubDouble
) -> None:
    with double.counting() as count:
        await provider.write_file("README.md", b"1", "Cold")
    assert (count.counted, count.free) == (2, 0), count.operations
    with double.counting() as count:
        await provider.write_file("README.md", b"2", "Warm")
    assert (count.counted, count.free) == (1, 0), count.operations
    with double.counting() as count:
        await provider.delete_file("README.md", "Warm")
    assert (count.counted, count.free) == (1, 0), count.operations
    double.commit({"README.md": b"3"})
    with double.counting() as count:
        await other.delete_file("README.md", "Cold")
    assert (count.counted, count.free) == (2, 0), count.operations
    assert double.files() == {}


async def test_a_batch_of_deletes_takes_two_cold_and_one_warm(
    provider: GitHubStorageProvider, other: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit(CONTENTS)
    with double.counting() as count:
        await provider.delete_files_batch([path for path, _ in BATCH[:50]], "Cold")
    assert (count.counted, count.free) == (2, 0), count.operations
    await provider.list_files()
    with double.counting() as count:
        await provider.delete_files_batch([path for path, _ in BATCH[50:]], "Warm")
    assert (count.counted, count.free) == (1, 0), count.operations
    assert set(double.files()) == {"README.md"}


async def test_moving_files_uploads_each_content_once_in_one_request(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit(CONTENTS)
    await provider.list_files()
    changes = [FileDelete(path) for path, _ in BATCH]
    with double.counting() as count:
        await provider.apply_batch([*changes, *(FileWrite(f"moved/{p}", c) for p, c in BATCH)], "Move")
    assert (count.counted, count.free) == (1, 0), count.operations
    assert set(double.files()) == {"README.md", *(f"moved/{path}" for path, _ in BATCH)}


async def test_executable_files_go_through_the_git_database_in_three(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit({"run.sh": b"#!/bin/sh\n"}, executable=True)
    await provider.list_files()
    with double.counting() as count:
        await provider.write_files_batch([("run.sh", b"#!/bin/sh\ntrue\n"), ("a.md", b"text")], "Warm")
    assert (count.counted, count.free) == (3, 0), count.operations
    with double.counting() as count:
        await provider.write_files_batch([("run.sh", b"#!/bin/sh\n"), ("a.png", b"\xff\x00"), ("b.png", b"\xfe")], "B")
    assert (count.counted, count.free) == (5, 0), count.operations
    head = double.repository.tree_of(double.head())
    entry = double.repository.entry(head, "run.sh")
    assert entry is not None
    assert entry.mode == 0o100755


async def test_a_lost_race_on_other_files_takes_two_more(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    await provider.list_files()
    double.commit({"elsewhere.md": b"theirs"})
    with double.counting() as count:
        await provider.write_files_batch(BATCH, "Ours")
    assert (count.counted, count.free) == (3, 0), count.operations
    assert double.messages()[:2] == ["Ours", "From elsewhere"]


async def test_a_health_check_takes_one_and_is_free_from_then_on(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    for expected in ((1, 0), (0, 1)):
        with double.counting() as count:
            assert await provider.health_check()
        assert (count.counted, count.free) == expected, count.operations


async def test_one_client_serves_everything_and_is_closed(double: GitHubDouble, quick_clock: QuickClock) -> None:
    from tests.github_double.transport import DoubleTransport

    transport = DoubleTransport(double)
    async with provider_on(double, quick_clock, transport=transport) as provider:
        await provider.read_file("README.md")
        assert not transport.closed
    assert transport.closed
