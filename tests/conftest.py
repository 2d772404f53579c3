"""Fixtures are nouns; each builds only what is asked for."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from jobs_app.domain.access import Role
from jobs_app.models import Project
from jobs_app.stores.collections import COLLECTIONS
from storage_app.records import configured, registry
from storage_app.records.base import RecordStore
from tests import databases, factories
from tests.contracts.backends import BACKENDS
from tests.durability import tallies

# A machine that is busy has no fault: no example has to come within a time. All else as it is here, and with CI=true.
# Fixtures are of the function, and say for themselves what they keep from one example to the next.
hypothesis.settings.register_profile(
    "patient",
    hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("patient")


class Clock:
    """The time that `django.utils.timezone.now` tells, moved by hand."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **step: float) -> None:
        self.now += timedelta(**step)


@pytest.hookimpl(trylast=True)  # after the order was shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tallies.print_totals(terminalreporter)


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


@pytest.fixture(autouse=True)
def records_in_memory(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test has a record store of its own; one that asks for `record_store` runs on each of them."""
    if "record_store" in request.fixturenames:
        yield
        return
    with configured.using(opened("memory")):
        yield


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """All tables and nothing in them, to be copied: making them takes seconds."""
    path = tmp_path_factory.mktemp("migrated") / "holdfast.sqlite3"
    with django_db_blocker.unblock():
        databases.migrate(databases.sqlite_settings(path))
    return path


@pytest.fixture
def prepared_data(tmp_path: Path, migrated_database: Path) -> Path:
    """The data folder of an installation whose database has its tables: making them takes longest of all."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(migrated_database, data / "holdfast.sqlite3")
    return data


@pytest.fixture(scope="session")
def sqlite_records(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> databases.Settings:
    path = tmp_path_factory.mktemp("sqlite") / "records.sqlite3"
    shutil.copy(migrated_database, path)
    return databases.sqlite_settings(path)


@pytest.fixture(scope="session")
def postgresql_records(django_db_blocker: DjangoDbBlocker) -> Iterator[databases.Settings]:
    with databases.postgresql_server() as socket_folder:
        settings = databases.postgresql_settings(socket_folder)
        with django_db_blocker.unblock():
            databases.migrate(settings)
        yield settings


@pytest.fixture(params=list(BACKENDS))
def record_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RecordStore]:
    """The store that services use, on each backend; it goes by the clock that `clock` moves."""
    backend = BACKENDS[request.param]
    with opened(backend.name, **backend.prepare(request, tmp_path)) as made, configured.using(made):
        for slug in made.projects():  # a database is shared by the tests of a run, and so are the names of projects
            made.delete_project(slug)
        yield made


def opened(name: str, **options: Any) -> RecordStore:
    return registry.open_store(name, COLLECTIONS, clock=lambda: timezone.now(), **options)


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
