"""`record_store` and `provider` build only the backend asked for. A record store may be shared by tests: each has a
project of its own. A provider is empty.
"""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from storage_app.providers import StorageProvider
from storage_app.records.base import RecordStore
from tests import databases
from tests.contracts import providers
from tests.contracts.backends import BACKENDS, COLLECTIONS, PERSISTENT, SHARED, Opening
from tests.storage.s3 import S3, s3_server


@pytest.fixture(scope="session")
def sqlite_records(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> databases.Settings:
    settings = databases.sqlite_settings(tmp_path_factory.mktemp("sqlite") / "records.sqlite3")
    with django_db_blocker.unblock():
        databases.make(settings, COLLECTIONS)
    return settings


@pytest.fixture(scope="session")
def postgresql_records(django_db_blocker: DjangoDbBlocker) -> Iterator[databases.Settings]:
    with databases.postgresql_server() as socket_folder:
        settings = databases.postgresql_settings(socket_folder)
        with django_db_blocker.unblock():
            databases.make(settings, COLLECTIONS)
        yield settings


@pytest.fixture(params=list(BACKENDS))
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    return _opening(request, tmp_path)


@pytest.fixture(params=PERSISTENT)
def persistent_opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    return _opening(request, tmp_path)


@pytest.fixture(params=SHARED)
def shared_opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    return _opening(request, tmp_path)


@pytest.fixture
def record_store(opening: Opening) -> Iterator[RecordStore]:
    with opening.open() as store:
        yield store


@pytest.fixture
def project() -> str:
    return f"p-{uuid.uuid4().hex}"


@pytest.fixture
def other_project() -> str:
    return f"q-{uuid.uuid4().hex}"


def _opening(request: pytest.FixtureRequest, folder: Path) -> Opening:
    backend = BACKENDS[request.param]
    return Opening(backend.name, backend.prepare(request, folder))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=list(providers.BACKENDS))
def storage(request: pytest.FixtureRequest) -> providers.Backend:
    return providers.BACKENDS[request.param]


@pytest.fixture
async def provider(
    anyio_backend: str, storage: providers.Backend, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[StorageProvider]:
    async with storage.open(request, tmp_path) as provider:
        yield provider
