"""Several writers, lost answers, and replicas that lag: what was acknowledged is in the history once."""

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage_app.providers import FileDelete, FileWrite, StorageError, StorageErrorCode
from storage_app.providers.github import GitHubStorageProvider
from tests.github_double import GitHubDouble
from tests.github_double.serving import on_a_port
from tests.storage import github
from tests.storage.github import QuickClock, provider_on

pytestmark = pytest.mark.anyio

MUTATION = "POST /graphql mutation"


async def both(*calls: object) -> list[object]:
    return await asyncio.gather(*calls, return_exceptions=True)  # type: ignore[call-overload,no-any-return]  # mixed results


async def test_two_writers_of_different_files_both_get_in(
    provider: GitHubStorageProvider, other: GitHubStorageProvider, double: GitHubDouble
) -> None:
    for number in range(10):
        one = provider.write_files_batch([(f"one/{number}", b"1"), ("one/last", b"%d" % number)], f"one {number}")
        two = other.write_files_batch([(f"two/{number}", b"2"), ("two/last", b"%d" % number)], f"two {number}")
        assert all(not isinstance(result, Exception) for result in await both(one, two))
    expected = {f"{who} {number}" for who in ("one", "two") for number in range(10)}
    messages = double.messages()
    assert set(messages) == {*expected, "The start"}
    assert len(messages) == 21
    assert len(double.files()) == 23


async def test_of_two_writers_with_one_expected_hash_one_wins(
    provider: GitHubStorageProvider, other: GitHubStorageProvider, double: GitHubDouble
) -> None:
    for number in range(10):
        expected = provider.compute_hash(double.files()["README.md"])
        results = await both(
            provider.write_file("README.md", b"one %d" % number, "one", expected_sha=expected),
            other.write_file("README.md", b"two %d" % number, "two", expected_sha=expected),
        )
        (lost,) = [result for result in results if isinstance(result, StorageError)]
        assert lost.code is StorageErrorCode.CONFLICT
        assert lost.path == "README.md"
        assert lost.details["expected"] == expected
        assert lost.details["actual"] == provider.compute_hash(double.files()["README.md"])
    assert len(double.messages()) == 11


async def test_of_two_who_create_one_file_one_wins(
    provider: GitHubStorageProvider, other: GitHubStorageProvider, double: GitHubDouble
) -> None:
    results = await both(
        provider.write_file("new", b"1", "one", overwrite=False),
        other.write_file("new", b"2", "two", overwrite=False),
    )
    (lost,) = [result for result in results if isinstance(result, StorageError)]
    assert lost.code is StorageErrorCode.ALREADY_EXISTS


async def test_a_file_of_the_batch_that_changed_meanwhile_is_a_conflict(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.faults.during(MUTATION, lambda: double.commit({"README.md": b"theirs", "other": b"x"}))
    with pytest.raises(StorageError) as caught:
        await provider.write_files_batch([("a", b"1"), ("README.md", b"ours")], "Ours")
    assert caught.value.code is StorageErrorCode.CONFLICT
    assert caught.value.path == "README.md"
    assert double.files() == {"README.md": b"theirs", "other": b"x"}


async def test_other_files_that_changed_meanwhile_are_kept(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.faults.during(MUTATION, lambda: double.commit({"theirs": b"x", "README.md": None}), times=2)
    changes = [FileWrite("a", b"1"), FileWrite("b", b"2")]
    await provider.apply_batch(changes, "Ours")
    assert double.files() == {"theirs": b"x", "a": b"1", "b": b"2"}
    assert double.messages() == ["Ours", "From elsewhere", "From elsewhere", "The start"]


async def test_the_same_change_made_by_another_is_nothing_to_do(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.faults.during(MUTATION, lambda: double.commit({"a": b"1", "b": b"2"}))
    commit = await provider.write_files_batch([("a", b"1"), ("b", b"2")], "Ours")
    assert not commit.changed
    assert double.messages() == ["From elsewhere", "The start"]


async def test_a_single_write_is_the_last_word_on_its_file(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.commit({"README.md": b"theirs"})
    await provider.write_file("README.md", b"ours", "Ours")
    assert double.files() == {"README.md": b"ours"}
    assert double.messages() == ["Ours", "From elsewhere", "The start"]


async def test_a_file_deleted_meanwhile_does_not_match_its_expected_hash(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    """The contents endpoint would create it, whatever hash is given."""
    expected = await provider.get_file_hash("README.md")
    double.commit({"README.md": None, "x": b""})
    with pytest.raises(StorageError) as caught:
        await provider.write_file("README.md", b"ours", "Ours", expected_sha=expected)
    assert caught.value.code is StorageErrorCode.CONFLICT
    assert double.files() == {"x": b""}


async def test_parallel_writers_of_the_contents_endpoint_are_tried_again(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    fault = double.faults.during("PUT .*/contents/", lambda: double.commit({"theirs": b"x"}))
    await provider.write_file("ours", b"1", "Ours")
    assert fault.hits == 1
    assert double.messages() == ["Ours", "From elsewhere", "The start"]


async def test_a_branch_that_moved_under_the_git_database_is_rebuilt(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit({"run.sh": b"1"}, executable=True)
    await provider.list_files()
    double.faults.during("PATCH .*/git/refs/heads/main", lambda: double.commit({"theirs": b"x"}))
    await provider.write_files_batch([("run.sh", b"2"), ("b", b"3")], "Ours")
    assert double.files() == {"README.md": b"# Files\n", "run.sh": b"2", "theirs": b"x", "b": b"3"}
    assert double.messages()[:2] == ["Ours", "From elsewhere"]


@pytest.mark.parametrize("warm", [True, False])
async def test_a_lost_answer_of_a_batch_is_looked_for(
    provider: GitHubStorageProvider, double: GitHubDouble, warm: bool
) -> None:
    if warm:
        await provider.list_files()
    double.faults.lose_answer(MUTATION)
    commit = await provider.write_files_batch([("a", b"1"), ("b", b"2")], "Once")
    assert commit.sha == double.head()
    assert commit.files == ["a", "b"]
    assert double.messages() == ["Once", "The start"]
    assert (await provider.read_file("a")).content == b"1"


@pytest.mark.parametrize("overwrite", [True, False])
async def test_a_lost_answer_of_a_single_write_is_looked_for(
    provider: GitHubStorageProvider, double: GitHubDouble, overwrite: bool
) -> None:
    double.faults.lose_answer("PUT .*/contents/")
    commit = await provider.write_file("a", b"1", "Once", overwrite=overwrite)
    assert commit.sha == double.head()
    assert double.messages() == ["Once", "The start"]


async def test_a_lost_answer_of_a_delete_is_looked_for(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    double.commit({"a": b"1"})
    double.faults.lose_answer("DELETE .*/contents/")
    commit = await provider.delete_file("a", "Once")
    assert commit.sha == double.head()
    assert double.messages()[0] == "Once"
    assert not await provider.file_exists("a")


async def test_a_lost_answer_of_a_moved_branch_is_looked_for(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit({"run.sh": b"1"}, executable=True)
    await provider.list_files()
    double.faults.lose_answer("PATCH .*/git/refs/heads/main")
    commit = await provider.write_file("run.sh", b"2", "Once")
    assert commit.sha == double.head()
    assert double.messages() == ["Once", "From elsewhere", "The start"]


async def test_a_lost_answer_is_found_below_what_others_wrote_since(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.faults.lose_answer(MUTATION)
    double.faults.before("POST /graphql query", lambda: [double.commit({f"theirs/{n}": b"x"}) for n in range(25)])
    commit = await provider.write_files_batch([("a", b"1"), ("b", b"2")], "Once")
    assert commit.sha in double.repository.history(double.head())
    assert double.messages().count("Once") == 1


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_write_that_failed_on_the_way_is_made_once(
    provider: GitHubStorageProvider, double: GitHubDouble, status: int
) -> None:
    await provider.list_files()
    double.faults.fail(MUTATION, status)
    await provider.write_files_batch([("a", b"1"), ("b", b"2")], "Once")
    assert double.messages() == ["Once", "The start"]


async def test_a_request_lost_before_it_arrived_is_made_once(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.faults.lose_request(MUTATION)
    await provider.write_files_batch([("a", b"1"), ("b", b"2")], "Once")
    assert double.messages() == ["Once", "The start"]


async def test_a_write_whose_outcome_stays_unknown_says_so(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.faults.lose_request("POST /graphql", times=100)
    with pytest.raises(StorageError) as caught:
        await provider.write_files_batch([("a", b"1"), ("b", b"2")], "Never")
    assert caught.value.code is StorageErrorCode.NETWORK_ERROR
    assert double.messages() == ["The start"]


async def test_a_replica_that_lags_does_not_take_back_our_own_commit(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.world.replica.freeze(answers=4)
    await provider.write_file("a", b"1", "Ours")
    assert await provider.file_exists("a")
    assert [info.path for info in await provider.list_files()] == ["README.md", "a"]
    await provider.write_files_batch([("b", b"2"), ("c", b"3")], "Next")
    assert double.messages() == ["Next", "Ours", "The start"]
    assert double.world.replica.answers < 4


async def test_a_cold_own_commit_is_waited_for(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    """Its tree was never loaded, and a replica does not know it yet."""
    double.world.replica.freeze(answers=0)
    await provider.write_file("a", b"1", "Ours")
    double.world.replica.answers = 3
    assert [info.path for info in await provider.list_files()] == ["README.md", "a"]
    assert quick_clock.slept


async def test_what_a_replica_does_not_know_yet_is_waited_for_in_the_git_database(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    double.commit({"run.sh": b"1"}, executable=True)
    await provider.list_files()
    double.faults.fail("POST .*/git/commits", 422, "Tree SHA does not exist")
    double.faults.fail("POST .*/git/trees", 422, "base_tree is not a valid tree oid")
    await provider.write_files_batch([("run.sh", b"2"), ("b", b"3")], "Ours")
    assert double.messages()[0] == "Ours"
    assert quick_clock.slept == [1.0, 1.0]


async def test_two_threads_on_a_port_write_as_fast_as_they_can(double: GitHubDouble) -> None:
    """Real connections and real time: every write is in the history once, and none is refused."""
    failures: list[BaseException] = []

    def write(url: str, name: str) -> None:
        async def work() -> None:
            async with GitHubStorageProvider("acme/files", token=double.TOKEN, api_url=url) as provider:
                for number in range(8):
                    batch = [(f"{name}/{number}", b"x"), (f"{name}/last", b"%d" % number)]
                    await provider.write_files_batch(batch, f"{name} {number}")

        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    with on_a_port(double) as url:
        threads = [threading.Thread(target=write, args=(url, name)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join, 60)
    assert failures == []
    messages = double.messages()
    assert len(messages) == 17
    assert set(messages) == {"The start", *(f"{name} {n}" for name in ("one", "two") for n in range(8))}


async def test_an_empty_repository_takes_its_first_files(tmp_path: Path, quick_clock: QuickClock) -> None:
    with github.github(tmp_path, quick_clock) as empty:
        async with provider_on(empty, quick_clock) as provider:
            assert await provider.list_files() == []
            assert await provider.read_file_if_exists("a") is None
            await provider.write_files_batch([("a", b"1"), ("b", b"2"), ("c", b"3")], "First")
            assert empty.files() == {"a": b"1", "b": b"2", "c": b"3"}
            assert empty.messages() == ["First", "First"]


async def test_a_batch_that_deletes_what_another_deleted_is_refused_whole(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit({"a": b"1"})
    await provider.list_files()
    double.commit({"a": None})
    with pytest.raises(StorageError) as caught:
        await provider.apply_batch([FileDelete("a"), FileWrite("b", b"2")], "Ours")
    assert caught.value.path == "a"
    assert set(double.files()) == {"README.md"}


async def test_a_limit_after_a_lost_answer_leaves_the_outcome_unknown(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.faults.lose_answer(MUTATION)
    double.faults.fail("POST /graphql query", 403, "You have exceeded a secondary rate limit.")
    with pytest.raises(StorageError) as caught:
        await provider.write_files_batch([("a", b"1"), ("b", b"2")], "Once")
    assert caught.value.code is StorageErrorCode.NETWORK_ERROR
    assert caught.value.reason == "outcome_unknown"
    assert double.messages() == ["Once", "The start"]


@pytest.mark.parametrize("since_then", [0, 15, 130])
async def test_a_batch_said_twice_is_done_once(
    provider: GitHubStorageProvider,
    other: GitHubStorageProvider,
    double: GitHubDouble,
    quick_clock: QuickClock,
    since_then: int,
) -> None:
    """Even when others have changed the same files since, so that the contents do not tell."""
    since = datetime.fromtimestamp(quick_clock.now() - 1, UTC)
    changes = [FileWrite("a", b"1"), FileWrite("b", b"2")]
    first = await provider.apply_batch_once(changes, "Once", batch_id="batch-7", since=since)
    await other.apply_batch_once([FileWrite("c", b"3")], "Another", batch_id="batch-70", since=since)
    for number in range(since_then):
        double.commit({"a": b"theirs %d" % number})
    again = await other.apply_batch_once(changes, "Once", batch_id="batch-7", since=since)
    assert again.sha == first.sha
    assert double.messages().count("Once") == 1
    assert double.files()["a"] == (b"theirs %d" % (since_then - 1) if since_then else b"1")
