"""One server for the tests that only ask it things; who stops or kills it starts one of its own."""

from collections.abc import Iterator

import pytest

from tests.project.servers import Server, running


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("served"), HOLDFAST_TRUSTED_PROXIES="127.0.0.1,10.0.0.0/8") as server:
        yield server
