"""Both kinds of rate limit: respected before a request is sent, and told with the time when it can pass."""

from datetime import UTC, datetime

import httpx
import pytest

from storage_app.providers import StorageError, StorageErrorCode
from storage_app.providers.github import GitHubStorageProvider
from storage_app.providers.github.limits import RateLimits
from tests.contracts.providers import refused
from tests.github_double import GitHubDouble
from tests.storage.github import QuickClock, provider_on

pytestmark = pytest.mark.anyio

BEARER = f"Bearer {GitHubDouble.TOKEN}"


def seconds_until(error: StorageError, clock: QuickClock) -> float:
    return datetime.fromisoformat(error.details["reset_at"]).astimezone(UTC).timestamp() - clock.now()


async def test_a_used_up_limit_says_when_it_ends_and_nothing_is_sent_until_then(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    await provider.list_files()
    double.limits.exhaust(BEARER, "read")
    error = await refused(provider.list_files(), StorageErrorCode.RATE_LIMITED)
    assert error.retryable
    assert 3590 < seconds_until(error, quick_clock) < 3610
    with double.counting() as count:
        await refused(provider.list_files(), StorageErrorCode.RATE_LIMITED)
    assert count.served == []
    quick_clock.advance(3602)
    assert await provider.list_files()
    assert quick_clock.slept == []


async def test_writes_have_a_counter_of_their_own(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    await provider.list_files()
    await provider.write_file("README.md", b"1", "One")
    double.limits.exhaust(BEARER, "read")
    await refused(provider.list_files(), StorageErrorCode.RATE_LIMITED)
    await provider.write_file("README.md", b"2", "Two")
    assert double.messages()[0] == "Two"


async def test_graphql_tells_of_its_limit_with_a_success(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    await provider.list_files()
    double.limits.exhaust(BEARER, "graphql")
    batch = [("a", b"1"), ("b", b"2")]
    error = await refused(provider.write_files_batch(batch, "No"), StorageErrorCode.RATE_LIMITED)
    assert 3590 < seconds_until(error, quick_clock) < 3610
    with double.counting() as count:
        await refused(provider.write_files_batch(batch, "No"), StorageErrorCode.RATE_LIMITED)
    assert count.served == []
    assert double.messages() == ["The start"]


async def test_a_limit_in_the_middle_of_a_batch_leaves_nothing_and_the_rest_is_made_later(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    double.commit({"run.sh": b"1"}, executable=True)
    await provider.list_files()
    batch = [("run.sh", b"2"), *((f"{number}.png", b"\xff%d" % number) for number in range(10))]
    double.limits.exhaust(BEARER, "write", left=6)
    await refused(provider.write_files_batch(batch, "Pictures"), StorageErrorCode.RATE_LIMITED)
    assert double.messages() == ["From elsewhere", "The start"]
    quick_clock.advance(3800)
    commit = await provider.write_files_batch(batch, "Pictures")
    assert len(commit.files) == 11
    assert double.messages() == ["Pictures", "From elsewhere", "The start"]


@pytest.mark.parametrize(("header", "wait"), [("60", 60), ("date", 60), (None, 60), ("7", 7)])
@pytest.mark.parametrize("status", [403, 429])
async def test_a_secondary_limit_is_waited_for_by_all(
    provider: GitHubStorageProvider,
    double: GitHubDouble,
    quick_clock: QuickClock,
    header: str | None,
    wait: int,
    status: int,
) -> None:
    limits = double.limits
    limits.secondary_enabled, limits.content_per_minute = True, 1
    limits.retry_after, limits.secondary_status = header, status
    await provider.list_files()
    await provider.write_file("a", b"1", "One")
    error = await refused(provider.write_file("a", b"2", "Two"), StorageErrorCode.RATE_LIMITED)
    assert abs(seconds_until(error, quick_clock) - wait) < 1.5
    with double.counting() as count:
        await refused(provider.list_files(), StorageErrorCode.RATE_LIMITED)
    assert count.served == []
    quick_clock.advance(61)
    await provider.write_file("a", b"2", "Two")
    assert double.messages() == ["Two", "One", "The start"]
    assert quick_clock.slept == []


async def test_a_secondary_limit_without_a_time_is_waited_for_twice_as_long_each_time(
    quick_clock: QuickClock, double: GitHubDouble
) -> None:
    double.faults.fail("GET", 403, "You have exceeded a secondary rate limit.", times=3)
    async with provider_on(double, quick_clock) as provider:
        for wait in (60, 120, 240):
            error = await refused(provider.list_files(), StorageErrorCode.RATE_LIMITED)
            assert abs(seconds_until(error, quick_clock) - wait) < 1.5
            quick_clock.advance(wait + 1)
        assert await provider.list_files()


async def test_an_enterprise_server_without_limits_sends_no_headers(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.limits.enabled = False
    assert await provider.list_files()
    assert provider.statistics()["rate_limits"] == {"windows": [], "blocked_until": None, "content": []}


def answer(clock: QuickClock, remaining: int, reset: float, **headers: str) -> httpx.Response:
    known = {"x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": str(int(reset)), "x-ratelimit-limit": "5000"}
    return httpx.Response(200, headers={**known, "x-ratelimit-resource": "core", **headers})


def test_the_least_that_was_seen_counts_and_each_counter_by_its_reset(quick_clock: QuickClock) -> None:
    limits, now = RateLimits(quick_clock), quick_clock.now()
    limits.note(answer(quick_clock, 0, now + 100), "core", is_write=False)
    limits.note(answer(quick_clock, 5, now + 100), "core", is_write=False)  # overtaken on its way
    limits.note(answer(quick_clock, 4999, now + 197), "core", is_write=True)
    with pytest.raises(StorageError):
        limits.check("core", is_write=False)
    limits.check("core", is_write=True)
    assert [window["remaining"] for window in limits.state()["windows"]] == [0, 4999]


def test_a_reset_in_the_past_limits_nothing(quick_clock: QuickClock) -> None:
    limits = RateLimits(quick_clock)
    limits.note(answer(quick_clock, 0, quick_clock.now() - 5), "core", is_write=False)
    limits.check("core", is_write=False)


def test_a_wrong_clock_here_does_not_lengthen_the_wait(quick_clock: QuickClock) -> None:
    """The reset is of GitHub's clock, which every answer tells."""
    limits, skew = RateLimits(quick_clock), 3600
    there = datetime.fromtimestamp(quick_clock.now() + skew, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    limits.note(answer(quick_clock, 0, quick_clock.now() + skew + 30, date=there), "core", is_write=False)
    with pytest.raises(StorageError) as caught:
        limits.check("core", is_write=False)
    assert 25 < seconds_until(caught.value, quick_clock) < 35


def test_what_is_not_a_number_is_not_believed(quick_clock: QuickClock) -> None:
    limits = RateLimits(quick_clock)
    limits.note(httpx.Response(200, headers={"x-ratelimit-remaining": "many"}), "core", is_write=False)
    limits.check("core", is_write=False)


async def test_content_beyond_what_a_minute_allows_is_not_sent(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    """No header tells of this limit, and GitHub bans who runs against it."""
    double.limits.secondary_enabled = True
    await provider.list_files()
    for number in range(80):
        await provider.write_file("a", b"%d" % number, f"Number {number}")
    with double.counting() as count:
        error = await refused(provider.write_file("a", b"more", "More"), StorageErrorCode.RATE_LIMITED)
        assert (await provider.read_file("a")).content == b"79"
    assert count.counted == 0
    assert error.retryable
    assert 0 < seconds_until(error, quick_clock) <= 61
    quick_clock.advance(61)
    assert (await provider.write_file("a", b"more", "More")).changed
    assert double.messages()[:2] == ["More", "Number 79"]


async def test_a_batch_of_more_parts_than_a_minute_allows_waits_for_the_next(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    double.limits.secondary_enabled = True
    double.commit({"run.sh": b"1"}, executable=True)
    batch = [("run.sh", b"2"), *((f"{number}.png", b"\xff%d" % number) for number in range(150))]
    with double.counting() as count:
        await provider.write_files_batch(batch, "Pictures")
    assert double.messages()[0] == "Pictures"
    assert len([each for each in count.served if "/git/blobs" in str(each)]) == 150
    assert 55 < sum(quick_clock.slept) < 130


async def test_what_an_hour_does_not_allow_goes_up_in_two(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    double.limits.secondary_enabled = True
    double.commit({"run.sh": b"1"}, executable=True)
    batch = [("run.sh", b"2"), *((f"{number}.png", b"\xff%d" % number) for number in range(510))]
    with double.counting() as first:
        error = await refused(provider.write_files_batch(batch, "Pictures"), StorageErrorCode.RATE_LIMITED)
    assert 60 < seconds_until(error, quick_clock) <= 3601
    assert double.messages()[0] == "From elsewhere"
    quick_clock.advance(seconds_until(error, quick_clock) + 1)
    with double.counting() as second:
        await provider.write_files_batch(batch, "Pictures")
    assert double.messages()[0] == "Pictures"
    blobs = [len([each for each in count.served if "/git/blobs" in str(each)]) for count in (first, second)]
    assert blobs == [500, 10], "none went up twice"


async def test_where_nothing_is_limited_nothing_is_counted(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock
) -> None:
    double.limits.enabled = False
    for number in range(100):
        await provider.write_file("a", b"%d" % number, f"Number {number}")
    assert quick_clock.slept == []
    assert len(double.messages()) == 101
