"""Tokens: given, read from a file, or made for an App's installation; refused, rotated, expired."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from storage_app.providers import StorageErrorCode
from storage_app.providers.github import GitHubStorageProvider
from tests.contracts.providers import refused
from tests.github_double import GitHubDouble
from tests.github_double.world import Token
from tests.storage.github import QuickClock, provider_on

pytestmark = pytest.mark.anyio

DENIED = StorageErrorCode.PERMISSION_DENIED


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_text(key: rsa.RSAPrivateKey) -> str:
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode()


def public_text(key: rsa.RSAPrivateKey) -> str:
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, info).decode()


def app_on(double: GitHubDouble, clock: QuickClock, key: rsa.RSAPrivateKey) -> GitHubStorageProvider:
    double.world.apps["12"] = public_text(key)
    options = {"app_id": "12", "app_private_key": private_text(key), "installation_id": "34"}
    return provider_on(double, clock, token=None, **options)


async def test_an_installation_gets_a_token_and_keeps_it_for_most_of_its_hour(
    double: GitHubDouble, quick_clock: QuickClock, key: rsa.RSAPrivateKey
) -> None:
    async with app_on(double, quick_clock, key) as provider:
        await provider.write_files_batch([("a", b"1"), ("b", b"2")], "By an App")
        quick_clock.advance(3000)
        await provider.list_files()
        assert sum("access_tokens" in each.path for each in double.log) == 1
        quick_clock.advance(400)
        await provider.list_files()
        assert sum("access_tokens" in each.path for each in double.log) == 2


async def test_after_the_token_rotated_the_head_is_still_asked_for_free(
    double: GitHubDouble, quick_clock: QuickClock, key: rsa.RSAPrivateKey
) -> None:
    """An ETag of anything else holds the token too and would be void."""
    async with app_on(double, quick_clock, key) as provider:
        await provider.list_files()
        quick_clock.advance(3500)
        with double.counting() as count:
            await provider.list_files()
    assert {each.status for each in count.served} == {201, 304}
    assert count.counted == 0


async def test_a_token_that_was_revoked_is_asked_for_once_more(
    double: GitHubDouble, quick_clock: QuickClock, key: rsa.RSAPrivateKey
) -> None:
    async with app_on(double, quick_clock, key) as provider:
        await provider.list_files()
        for name in [name for name in double.world.tokens if name.startswith("ghs_")]:
            double.world.tokens[name].expires_at = 0.0
        assert await provider.list_files()
        assert sum("access_tokens" in each.path for each in double.log) == 2


async def test_a_key_that_is_not_the_apps_is_refused_without_showing_it(
    double: GitHubDouble, quick_clock: QuickClock, key: rsa.RSAPrivateKey
) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    double.world.apps["12"] = public_text(key)
    for text in (private_text(other), "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----"):
        options = {"app_id": "12", "app_private_key": text, "installation_id": "34"}
        async with provider_on(double, quick_clock, token=None, **options) as provider:
            error = await refused(provider.list_files(), DENIED)
            assert "canary" not in str(error)


async def test_an_installation_that_is_gone_is_no_missing_file(
    double: GitHubDouble, quick_clock: QuickClock, key: rsa.RSAPrivateKey
) -> None:
    async with app_on(double, quick_clock, key) as provider:
        double.faults.fail("POST .*/access_tokens", 404, "Not Found", times=10)
        for call in (provider.file_exists("a"), provider.read_file_if_exists("README.md"), provider.list_files()):
            error = await refused(call, DENIED)
            assert error.reason == "bad_credentials"


async def test_an_expired_token_is_refused_once_and_said_so(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    await provider.list_files()
    double.world.tokens[double.TOKEN].expires_at = 1.0
    with double.counting() as count:
        error = await refused(provider.list_files(), DENIED)
    assert error.reason == "bad_credentials"
    assert len(count.served) == 1
    health = await provider.health_check()
    assert not health
    assert health.details["code"] == "permission_denied"


async def test_a_token_in_a_file_is_read_again_when_it_was_rotated(
    double: GitHubDouble, quick_clock: QuickClock, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{double.TOKEN}\n")
    async with provider_on(double, quick_clock, token=None, token_file=file) as provider:
        assert await provider.list_files()
        double.world.tokens = {"ghp_next": Token()}
        file.write_text("ghp_next")
        assert await provider.list_files()
        file.unlink()
        double.world.tokens = {}
        await refused(provider.list_files(), DENIED)


async def test_a_token_that_may_only_read_is_told_what_it_lacks(
    provider: GitHubStorageProvider, double: GitHubDouble
) -> None:
    double.world.tokens[double.TOKEN] = Token(contents="read")
    assert await provider.list_files()
    error = await refused(provider.write_file("a", b"1", "m"), DENIED)
    assert error.details["needed"] == "contents=write"
    await refused(provider.write_files_batch([("a", b"1"), ("b", b"2")], "m"), DENIED)
    assert (await provider.inspect())["can_push"] is False


async def test_workflows_need_a_permission_of_their_own(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    double.world.tokens[double.TOKEN] = Token(workflows=False)
    error = await refused(provider.write_file(".github/workflows/ci.yml", b"on: push", "m"), DENIED)
    assert "workflows=write" in error.details["needed"]


async def test_a_public_repository_is_read_without_a_token_and_not_written(
    double: GitHubDouble, quick_clock: QuickClock
) -> None:
    double.world.private = False
    async with provider_on(double, quick_clock, token=None) as provider:
        assert (await provider.read_file("README.md")).content == b"# Files\n"
        assert [info.path for info in await provider.list_files()] == ["README.md"]
        with double.counting() as count:
            await provider.list_files()
        assert (count.counted, count.free) == (1, 0)  # a 304 is free only to whom GitHub knows
        await refused(provider.write_file("a", b"1", "m"), DENIED)
    assert double.messages() == ["The start"]


def test_options_that_contradict_each_other_are_refused() -> None:
    for options in ({"token": "a", "token_file": "b"}, {"app_id": "1"}, {"token": "a", "app_id": "1"}):
        with pytest.raises(ValueError):
            GitHubStorageProvider("o/r", **options)  # type: ignore[arg-type]  # one kind after another


async def test_the_repository_is_inspected_on_demand(provider: GitHubStorageProvider, double: GitHubDouble) -> None:
    found = await provider.inspect()
    assert found["can_push"] is True
    assert found["protected"] is False
    assert found["clock_skew_seconds"] == 0.0
