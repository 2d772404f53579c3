"""A server that was just started, and finds everybody at the door."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobs_app.models import Project
from project import api as project_api
from tests.api.client import Api
from tests.factories import make_token


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that the description of the API was built, in a process that has none yet."""
    times: list[int] = []
    build = project_api.api.get_openapi_schema

    def counted(**options: Any) -> Any:
        times.append(threading.get_ident())
        return build(**options)

    monkeypatch.setattr(project_api.api, "get_openapi_schema", counted)
    project_api._built_query_parameters.cache_clear()
    return times


def test_many_at_once_build_the_parameters_once(built: list[int]) -> None:
    together = threading.Barrier(4)

    def ask(_: int) -> int:
        together.wait(30)
        return len(project_api._query_parameters_by_path())

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(4)))
    assert min(found) > 0
    assert len(built) == 1


@pytest.mark.django_db
def test_a_request_without_parameters_needs_none_of_it(built: list[int], project: Project) -> None:
    api = Api(make_token(project))
    assert api.post("/projects/alpha/jobs/claim", {"worker_id": "w1"}).status_code == 200
    assert built == []
    assert api.get("/projects/alpha/jobs?nonsense=1").status_code == 422
    assert len(built) == 1
