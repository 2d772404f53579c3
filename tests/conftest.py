"""Fixtures are nouns; each builds only what is asked for."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from jobs_app.domain.access import Role
from jobs_app.models import Project
from storage_app.records import configured, registry
from storage_app.records.base import RecordStore
from tests import factories


class Clock:
    """The time that `django.utils.timezone.now` tells, moved by hand."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **step: float) -> None:
        self.now += timedelta(**step)


@pytest.fixture(autouse=True)
def quick_hasher(settings: Settings) -> None:
    """Passwords are hashed for real where that is the point; elsewhere it would only take time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def uncollected_static_files(settings: Settings) -> None:
    """Names without hashes, so that nothing has to be collected before a page is drawn."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("django.utils.timezone.now", clock)
    return clock


@pytest.fixture
def memory_store() -> Iterator[RecordStore]:
    """What the product uses as its record store while the test runs."""
    with configured.using(registry.open_store("memory", configured.declared())) as store:
        yield store


@pytest.fixture
def project(db: None) -> Project:
    return factories.make_project("alpha")


@pytest.fixture
def other_project(db: None) -> Project:
    return factories.make_project("beta")


@pytest.fixture
def admin_client(project: Project) -> Client:
    """Somebody who is admin of `project` and runs nothing else, logged in."""
    client = Client()
    client.force_login(factories.make_person(roles={project: Role.ADMIN}))
    return client
