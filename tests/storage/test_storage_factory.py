"""Named storages from settings: what is refused before anything is opened, and whose is whose."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from project import config
from storage_app import file_storages
from storage_app.providers import StorageError, StorageErrorCode, factory
from storage_app.providers.factory import DefinitionError, Storages

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ({}, "needs a provider"),
        ({"provider": "ftp"}, "needs a provider"),
        ({"provider": "local"}, "needs the option 'root_path'"),
        ({"provider": "local", "root_path": ""}, "needs the option 'root_path'"),
        ({"provider": "local", "root_path": 5}, "'root_path' that is a int"),
        ({"provider": "local", "root_path": "/x", "create_root": "yes"}, "'create_root' that is a str"),
        ({"provider": "local", "root_path": "/x", "rootpath": "/y"}, "no option 'rootpath'"),
        ({"provider": "local", "root_path": "/x", "lock_timeout": 1}, "no option 'lock_timeout'"),
        ({"provider": "memory", "root_path": "/x"}, "no option 'root_path'"),
        ({"provider": "github", "token": "canary"}, "needs the option 'repository'"),
        ({"provider": "github", "repository": "a/b", "cache_maxsize": True}, "'cache_maxsize' that is a bool"),
        ({"provider": "object", "secret_key": "canary"}, "needs the option 'bucket'"),
        ({"provider": "object", "bucket": "a/b"}, "bucket is not a name"),
        ({"provider": "object", "bucket": "bucket", "service": "ftp"}, "service must be one of"),
        ({"provider": "object", "bucket": "bucket", "prefix": "../x"}, "prefix has the part"),
        ({"provider": "object", "bucket": "bucket", "prefix": "x" * 61}, "prefix is longer than 60"),
        ({"provider": "object", "bucket": "bucket", "secret_key": "canary"}, "belong together"),
        ({"provider": "object", "bucket": "bucket", "access_key": "canary", "anonymous": True}, "anonymous"),
        (
            {"provider": "object", "bucket": "bucket", "access_key": "a", "secret_key": "s", "anonymous": True},
            "anonymous",
        ),
        ({"provider": "object", "bucket": "bucket", "timeout": 0}, "timeout must be more"),
        ({"provider": "object", "bucket": "bucket", "service": "azure"}, "name of the storage account"),
        ({"provider": "object", "bucket": "bucket", "service": "gcs", "access_key": "canary"}, "service account's key"),
        (
            {"provider": "object", "bucket": "bucket", "endpoint": "https://u:canary@host"},
            "endpoint must be an address",
        ),
        ({"provider": "memory", "project": 5}, "'project' that is no slug"),
        ({"provider": "memory", "project": "../x"}, "'project' that is no slug"),
    ],
)
def test_a_wrong_definition_is_refused_with_the_name_and_without_values(
    definition: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DefinitionError, match=reason) as caught:
        Storages({"default": {"provider": "memory"}, "archive": definition})
    assert "'archive'" in str(caught.value)
    assert "canary" not in str(caught.value)


async def test_a_storage_is_opened_once_and_when_first_asked_for(tmp_path: Path) -> None:
    storages = Storages({"default": {"provider": "local", "root_path": str(tmp_path / "files")}})
    assert storages.aliases() == ["default"]
    assert storages.provider_name("default") == "local"
    assert not (tmp_path / "files").exists()
    provider = storages.get("default")
    assert (tmp_path / "files").is_dir()
    assert storages.get("default") is provider
    await storages.close()


async def test_an_unknown_alias_is_not_found() -> None:
    storages = Storages({"default": {"provider": "memory"}})
    for call in (storages.get, storages.owner, lambda alias: storages.for_project(alias, "alpha")):
        with pytest.raises(StorageError) as caught:
            call("missing")
        assert caught.value.code is StorageErrorCode.NOT_FOUND
        assert caught.value.reason == "unknown_storage"


async def test_projects_on_a_shared_storage_do_not_meet() -> None:
    storages = Storages({"default": {"provider": "memory"}})
    alpha, beta = storages.for_project("default", "alpha"), storages.for_project("default", "beta")
    await alpha.write_file("a.txt", b"of alpha", "m")
    await beta.write_file("b.txt", b"of beta", "m")
    assert [info.path for info in await alpha.list_files_glob("**")] == ["a.txt"]
    assert [info.path for info in await beta.list_files(recursive=True)] == ["b.txt"]
    for path in ("../beta/b.txt", "beta/b.txt", "b.txt", "/beta/b.txt", "x/../../beta/b.txt"):
        with pytest.raises(StorageError) as caught:
            await alpha.read_file(path)
        assert caught.value.code in (StorageErrorCode.NOT_FOUND, StorageErrorCode.INVALID_PATH)
        assert "alpha" not in str(caught.value)
    whole = await storages.get("default").list_files(recursive=True)
    assert [info.path for info in whole] == ["alpha/a.txt", "beta/b.txt"]
    await storages.close()


async def test_the_end_of_a_view_is_not_the_end_of_the_storage() -> None:
    storages = Storages({"default": {"provider": "memory"}})
    async with storages.for_project("default", "alpha") as view:
        await view.write_file("a", b"", "m")
    assert await storages.for_project("default", "alpha").file_exists("a")
    await storages.close()


async def test_a_storage_of_one_project_is_no_others() -> None:
    storages = Storages({"default": {"provider": "memory"}, "private": {"provider": "memory", "project": "alpha"}})
    await storages.for_project("private", "alpha").write_file("a", b"", "m")
    assert await storages.get("private").file_exists("a"), "it has the whole of it"
    assert storages.aliases("alpha") == ["default", "private"]
    assert storages.aliases("beta") == ["default"]
    with pytest.raises(StorageError) as caught:
        storages.for_project("private", "beta")
    assert (caught.value.code, caught.value.reason) == (StorageErrorCode.NOT_FOUND, "unknown_storage")
    await storages.close()


async def test_closing_closes_every_provider() -> None:
    storages = Storages({"a": {"provider": "memory"}, "b": {"provider": "memory"}})
    opened = [storages.get("a"), storages.get("b")]
    await storages.close()
    for provider in opened:
        with pytest.raises(StorageError) as caught:
            await provider.list_files()
        assert caught.value.reason == "closed"


async def test_a_project_may_have_the_name_of_a_device() -> None:
    storages = Storages({"default": {"provider": "memory"}})
    await storages.for_project("default", "con").write_file("a", b"", "m")
    assert [info.path for info in await storages.get("default").list_files(recursive=True)] == ["_con/a"]
    for slug in ("..", "", "a/b", "_con", "A"):
        with pytest.raises(ValueError, match="no slug"):
            storages.for_project("default", slug)
    await storages.close()


def test_settings_give_the_default_storage_and_the_named_ones(tmp_path: Path) -> None:
    made = config.load(
        {
            "HOLDFAST_DATA_DIR": str(tmp_path),
            "HOLDFAST_STORAGES": '{"archive": {"provider": "local", "root_path": "some/folder"},'
            ' "default": {"provider": "local", "create_root": false}}',
        }
    ).file_storages()
    assert made["default"] == {"provider": "local", "root_path": str(tmp_path / "files"), "create_root": False}
    assert made["archive"] == {"provider": "local", "root_path": str(config.ROOT / "some/folder")}
    factory.check_all(made)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"repository": "canary"}, "owner/name"),
        ({"api_url": "ftp://canary"}, "https://"),
        ({"base_path": "../canary"}, "base_path"),
        *(({"branch": branch}, "branch") for branch in ("", "a b", "a..b", "-a", "a/", ".a", "a.lock", "a~1", "@")),
        ({"timeout": 0}, "timeout"),
        ({"cache_ttl": -1}, "cache_ttl"),
        ({"cache_maxsize": 0}, "cache_maxsize"),
        ({"token": "canary", "token_file": "canary"}, "one of token, token_file"),
        ({"app_id": "canary"}, "app_private_key"),
    ],
)
def test_options_of_github_that_cannot_be_meant_are_refused_before_anything_is_opened(
    options: dict[str, object], word: str
) -> None:
    with pytest.raises(factory.DefinitionError, match=word) as caught:
        factory.check_all({"docs": {"provider": "github", "repository": "acme/files", **options}})
    assert "docs" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_options_of_github_that_can_be_meant_are_taken() -> None:
    for branch in ("main", "feature/a.b", "v1-x_y", "ünï"):
        factory.check_all({"docs": {"provider": "github", "repository": "acme/files", "branch": branch}})
    app = {"app_id": "1", "app_private_key": "k", "installation_id": "2"}
    factory.check_all({"docs": {"provider": "github", "repository": "acme/files", "cache_ttl": 0, **app}})


def test_settings_of_github_become_its_options_and_are_not_shown(tmp_path: Path) -> None:
    made = config.load(
        {
            "HOLDFAST_DATA_DIR": str(tmp_path),
            "HOLDFAST_STORAGE_PROVIDER": "github",
            "HOLDFAST_GITHUB_REPO": "owner/name",
            "HOLDFAST_GITHUB_TOKEN": "ghp_canary-of-a-token",
        }
    ).file_storages()
    factory.check_all(made)
    assert made["default"]["token"] == "ghp_canary-of-a-token"
    assert made["default"]["repository"] == "owner/name"
    assert "canary" not in repr(made)


def test_health_is_told_of_every_storage(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings.FILE_STORAGES = {
        "default": {"provider": "memory"},
        "broken": {"provider": "local", "root_path": str(tmp_path / "file")},
    }
    health = file_storages.health()
    assert list(health) == ["broken", "default"]
    assert health["default"]
    assert not health["broken"]
    assert health["broken"].message
    file_storages.close()
