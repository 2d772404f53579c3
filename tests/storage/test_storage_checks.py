"""What `manage.py check` says of storages that are wrong only together."""

from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from pytest_django import Settings

REPOSITORY = {"provider": "github", "repository": "acme/files", "token": "canary"}
BUCKET = {"provider": "object", "bucket": "files", "access_key": "canary", "secret_key": "canary"}


def local(path: Path) -> dict[str, Any]:
    return {"provider": "local", "root_path": str(path)}


def said(settings: Settings, **definitions: dict[str, Any]) -> list[str]:
    settings.FILE_STORAGES = definitions
    found = [each for each in checks.run_checks() if str(each.id).startswith("storage_app.")]
    for each in found:
        assert each.hint
        assert "canary" not in str(each)
    return [str(each.id) for each in found]


def test_storages_that_lie_apart_are_fine(settings: Settings, tmp_path: Path) -> None:
    assert not said(
        settings,
        default=local(tmp_path / "a"),
        beside=local(tmp_path / "ab"),
        main=REPOSITORY,
        draft={**REPOSITORY, "branch": "draft"},
        bucket={**BUCKET, "prefix": "a"},
        further={**BUCKET, "prefix": "ab"},
        elsewhere={**BUCKET, "endpoint": "https://minio.example.org"},
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (REPOSITORY, REPOSITORY),
        (REPOSITORY, {**REPOSITORY, "branch": "main", "base_path": "docs"}),
        ({**REPOSITORY, "base_path": "docs/a"}, {**REPOSITORY, "base_path": "docs"}),
        (BUCKET, {**BUCKET, "prefix": "a", "service": "s3"}),
        ({**BUCKET, "prefix": "a/b"}, {**BUCKET, "prefix": "a"}),
        (
            {"provider": "local", "root_path": "/srv/x/files"},
            {"provider": "local", "root_path": "/srv/x/files/archive"},
        ),
        (local(Path("/srv/x/files/../y")), local(Path("/srv/x/y"))),
    ],
)
def test_storages_that_lie_in_each_other_are_an_error(
    settings: Settings, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert said(settings, one=one, other=other) == ["storage_app.E002"]
    assert said(settings, one=other, other=one) == ["storage_app.E002"]


def test_a_storage_that_holds_the_data_folder_is_an_error(settings: Settings) -> None:
    assert said(settings, default=local(settings.CONFIG.data)) == ["storage_app.E001"]
    assert said(settings, default=local(settings.CONFIG.data.parent)) == ["storage_app.E001"]
    assert not said(settings, default=local(settings.CONFIG.data / "files"))


def test_memory_is_a_warning_outside_of_development(settings: Settings) -> None:
    assert said(settings, default={"provider": "memory"}) == ["storage_app.W001"]
    settings.DEBUG = True
    assert not said(settings, default={"provider": "memory"})


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://minio.internal:9000", ["storage_app.W002"]),
        ("http://10.0.0.5", ["storage_app.W002"]),
        ("http://127.0.0.1:9000", []),
        ("http://localhost", []),
        ("https://minio.example.org", []),
    ],
)
def test_an_address_without_encryption_is_a_warning(settings: Settings, endpoint: str, expected: list[str]) -> None:
    assert said(settings, default={**BUCKET, "endpoint": endpoint}) == expected


def test_what_this_test_run_is_configured_with_is_fine(settings: Settings) -> None:
    assert not said(settings, **settings.FILE_STORAGES)
