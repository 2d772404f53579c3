"""Whatever GitHub or the way to it answers is a StorageError with the right code."""

import inspect

import httpx
import pytest

from storage_app.providers import StorageError, StorageErrorCode
from storage_app.providers.github import GitHubStorageProvider, refusals
from storage_app.providers.github.refusals import GitHubError, Kind
from tests.contracts.providers import refused
from tests.github_double import GitHubDouble
from tests.storage.github import QuickClock, provider_on

pytestmark = pytest.mark.anyio

C = StorageErrorCode
NOW = 1_800_000_000.0
HTTPX_ERRORS = [
    error
    for _, error in inspect.getmembers(httpx, inspect.isclass)
    if issubclass(error, httpx.HTTPError | httpx.InvalidURL) and error is not httpx.HTTPStatusError
]


class Failing(httpx.AsyncBaseTransport):
    """Raises, or answers the same, whatever is asked."""

    def __init__(self, error: Exception | None = None, response: httpx.Response | None = None) -> None:
        self.error, self.response, self.requests = error, response, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self.error:
            raise self.error
        assert self.response is not None
        return httpx.Response(self.response.status_code, headers=self.response.headers, content=self.response.content)


def answered(status: int, message: str = "", **headers: str) -> GitHubError:
    response = httpx.Response(
        status, json={"message": message}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    return refusals.of_response(response, NOW, "a/b")


def test_there_are_errors_to_map() -> None:
    assert len(HTTPX_ERRORS) > 15


@pytest.mark.parametrize("kind", HTTPX_ERRORS, ids=lambda kind: kind.__name__)
async def test_no_error_of_the_client_gets_through(kind: type[Exception]) -> None:
    transport = Failing(kind("not told to anyone"))
    async with GitHubStorageProvider("o/r", token="t", transport=transport, clock=QuickClock()) as provider:
        for call in (provider.read_file("a"), provider.list_files(), provider.write_file("a", b"", "m")):
            with pytest.raises(StorageError) as caught:
                await call
            assert caught.value.code in (C.NETWORK_ERROR, C.INTERNAL_ERROR)
            assert "not told" not in str(caught.value)
        assert not await provider.health_check()


@pytest.mark.parametrize("status", [100, *range(201, 600)])
async def test_no_status_gets_through(status: int) -> None:
    if status == 100 or status >= 300:
        error = answered(status)
        assert isinstance(error, StorageError)
        assert error.path == "a/b"
        assert error.details["status"] == status
    body = b"" if status in (204, 304) or status < 200 else b"<html>what is this"
    transport = Failing(response=httpx.Response(status, content=body))
    async with GitHubStorageProvider("o/r", token="t", transport=transport, clock=QuickClock()) as provider:
        for call in (provider.read_file("a"), provider.list_files(), provider.write_file("a", b"", "m")):
            with pytest.raises(StorageError):
                await call


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (answered(404), C.NOT_FOUND),
        (answered(401, "Bad credentials"), C.PERMISSION_DENIED),
        (answered(403, "Resource not accessible by integration"), C.PERMISSION_DENIED),
        (answered(403, "x", x_ratelimit_remaining="0", x_ratelimit_reset="1800000100"), C.RATE_LIMITED),
        (answered(403, "You have exceeded a secondary rate limit"), C.RATE_LIMITED),
        (answered(403, "You have triggered an abuse detection mechanism"), C.RATE_LIMITED),
        (answered(403, "", retry_after="60"), C.RATE_LIMITED),
        (answered(429), C.RATE_LIMITED),
        (answered(409, "is at abc but expected def"), C.CONFLICT),
        (answered(409, "a.md does not match 0123"), C.CONFLICT),
        (answered(409), C.CONFLICT),
        (answered(409, "Repository rule violations found\n\nChanges must be made"), C.PERMISSION_DENIED),
        (answered(422, "Update is not a fast forward"), C.CONFLICT),
        (answered(422, "Reference already exists"), C.CONFLICT),
        (answered(422, 'Invalid request.\n\n"sha" wasn\'t supplied.'), C.ALREADY_EXISTS),
        (answered(422, "path contains a malformed path component"), C.INVALID_PATH),
        (answered(422), C.INVALID_PATH),
        (answered(413), C.CONTENT_TOO_LARGE),
        (answered(400), C.INTERNAL_ERROR),
        (answered(451), C.INTERNAL_ERROR),
        (answered(500), C.NETWORK_ERROR),
        (answered(502), C.NETWORK_ERROR),
        (answered(504), C.NETWORK_ERROR),
        (refusals.of_graphql([{"type": "NOT_FOUND", "message": "x"}]), C.NOT_FOUND),
        (refusals.of_graphql([{"type": "STALE_DATA", "message": "x"}]), C.CONFLICT),
        (refusals.of_graphql([{"type": "FORBIDDEN", "message": "x"}]), C.PERMISSION_DENIED),
        (refusals.of_graphql([{"message": "Something went wrong while executing your query."}]), C.NETWORK_ERROR),
        (refusals.of_graphql([{"message": "Field 'x' doesn't exist"}]), C.INTERNAL_ERROR),
    ],
    ids=str,
)
def test_each_refusal_has_its_code(error: GitHubError, code: StorageErrorCode) -> None:
    assert error.code is code


def test_what_may_have_happened_is_told_apart_from_what_did_not() -> None:
    assert refusals.of_exception(httpx.ConnectError("x")).kind is Kind.OTHER
    assert refusals.of_exception(httpx.ReadError("x")).kind is Kind.UNKNOWN
    assert refusals.of_exception(httpx.ReadTimeout("x")).kind is Kind.UNKNOWN
    assert refusals.of_exception(httpx.ConnectTimeout("x")).kind is Kind.OTHER


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_read_is_tried_three_times_more(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock, status: int
) -> None:
    double.faults.fail("GET", status, times=3)
    assert await provider.list_files()
    assert quick_clock.slept == [1.0, 2.0, 4.0]


async def test_a_read_that_always_fails_ends(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    double.faults.fail("GET", 503, times=100)
    with double.counting() as count:
        error = await refused(provider.list_files(), C.NETWORK_ERROR)
    assert error.retryable
    assert len(count.served) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 451])
async def test_what_was_refused_is_not_tried_again(
    provider: GitHubStorageProvider, double: GitHubDouble, quick_clock: QuickClock, status: int
) -> None:
    double.faults.fail("GET", status, "No.", times=100)
    with double.counting() as count, pytest.raises(StorageError):
        await provider.list_files()
    assert len(count.served) == 1
    assert quick_clock.slept == []


async def test_a_slow_answer_is_a_network_error(double: GitHubDouble, quick_clock: QuickClock) -> None:
    double.faults.delay("GET", seconds=5, times=100)
    async with provider_on(double, quick_clock, timeout=0.02) as provider:
        error = await refused(provider.list_files(), C.NETWORK_ERROR)
    assert error.message == "GitHub did not answer in time."


async def test_an_answer_that_is_not_githubs_is_no_empty_storage(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.faults.garble("GET", times=100)
    await refused(provider.list_files(), C.NETWORK_ERROR)
    double.faults.garble("POST /graphql", times=100)
    await refused(provider.read_file("README.md"), C.NETWORK_ERROR)


async def test_content_that_is_not_what_its_hash_says_is_not_returned(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.commit({"image.png": b"\x00\xff"})
    double.faults.garble("GET .*/git/blobs/", b"\x00\xfe", times=100)
    await refused(provider.read_file("image.png"), C.NETWORK_ERROR)


async def test_a_missing_repository_is_no_missing_file(double: GitHubDouble, quick_clock: QuickClock) -> None:
    """Taken for an absent file it would invite to write one."""
    double.world.name = "renamed-away"
    async with provider_on(double, quick_clock) as provider:
        for call in (provider.file_exists("a"), provider.read_file_if_exists("a"), provider.list_files()):
            error = await refused(call, C.NOT_FOUND)
            assert error.reason in ("repository_missing", "branch_missing")
            assert not error.is_absence


async def test_a_missing_branch_is_no_missing_file(double: GitHubDouble, quick_clock: QuickClock) -> None:
    async with provider_on(double, quick_clock, branch="other") as provider:
        for call in (provider.file_exists("a"), provider.read_file_if_exists("a"), provider.list_files()):
            error = await refused(call, C.NOT_FOUND)
            assert error.reason in ("repository_missing", "branch_missing")
        await refused(provider.write_file("a", b"1", "m", overwrite=False), C.NOT_FOUND)
        await refused(provider.write_file("a", b"1", "m"), C.NOT_FOUND)


@pytest.mark.parametrize("many", [True, False])
async def test_a_protected_branch_is_not_tried_again(
    provider: GitHubStorageProvider, double: GitHubDouble, many: bool
) -> None:
    double.world.protected.add("main")
    await provider.list_files()
    with double.counting() as count:
        write = provider.write_files_batch([("a", b"1"), ("b", b"2")][: 2 if many else 1], "m")
        error = await refused(write, C.PERMISSION_DENIED)
    assert error.reason == "protected_branch"
    assert len(count.served) == 1


async def test_a_secret_is_in_no_error(double: GitHubDouble, quick_clock: QuickClock) -> None:
    secret = "ghp_canary0123456789"
    async with provider_on(double, quick_clock, token=secret) as provider:
        error = await refused(provider.read_file("README.md"), C.PERMISSION_DENIED)
        health = await provider.health_check()
    shown = f"{error} {error.details} {error!r} {health} {provider!r} {provider.__dict__}"
    assert secret not in shown


async def test_credentials_do_not_follow_to_another_host() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        elsewhere = httpx.Response(302, headers={"location": "https://elsewhere.example/x"})
        return elsewhere if request.url.host == "api.github.com" else httpx.Response(404)

    transport = httpx.MockTransport(answer)
    async with GitHubStorageProvider("o/r", token="canary", transport=transport, clock=QuickClock()) as provider:
        with pytest.raises(StorageError):
            await provider.list_files()
    assert [request.url.host for request in seen] == ["api.github.com", "elsewhere.example"]
    assert "canary" not in str(seen[1].headers.raw)
