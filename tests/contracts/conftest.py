"""`record_store` builds only the backend asked for. A store may be shared by tests: each has a project of its own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage_app.records.base import RecordStore
from tests.contracts.backends import BACKENDS, PERSISTENT, SHARED, Opening


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
