"""Round every request: one line in the log that says who, where and what came of it, and nothing that is secret."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from jobs_app.domain.access import COMMAND, Role
from jobs_app.models import Project
from jobs_app.services import people
from project import metrics, request_log
from project.security_headers import HEADERS
from tests.api.client import Api
from tests.factories import make_person, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    written: list[bytes] = []

    class Stderr:
        @staticmethod
        def write(_descriptor: int, line: bytes) -> int:
            written.append(line)
            return len(line)

    monkeypatch.setattr(request_log, "os", Stderr)
    return lambda: [json.loads(line) for line in written]


def test_a_programs_line_names_it_and_its_project(project: Project, lines: Callable[[], list[dict[str, Any]]]) -> None:
    Api(make_token(project)).get("/projects/alpha")
    (line,) = lines()
    assert (line["actor"], line["project"], line["status"]) == ("token:a program", "alpha", 200)


def test_a_persons_line_names_them_and_the_project(project: Project, lines: Callable[[], list[dict[str, Any]]]) -> None:
    client = Client()
    client.force_login(make_person("anna", roles={project: Role.VIEWER}))
    client.get("/p/alpha/")
    client.get("/maintenance/")
    assert [(line["actor"], line["project"]) for line in lines()] == [("person:anna", "alpha"), ("person:anna", "")]


def test_a_line_about_nobody_asks_nobody(lines: Callable[[], list[dict[str, Any]]]) -> None:
    Client().get("/healthz")
    assert lines()[0]["actor"] == ""


def test_an_invitation_is_not_given_away_by_the_log(lines: Callable[[], list[dict[str, Any]]]) -> None:
    _, path = people.invite(COMMAND, "newcomer")
    assert Client().get(path).status_code == 200
    assert Client().get(f"{path}x").status_code == 404
    for line in lines():
        assert path.split("/")[3] not in json.dumps(line)
        assert line["path"] == "/invitation/…"


def test_a_log_that_takes_nothing_fails_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "write", full)
    assert Client().get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/p/a%00b/", "/projects/?q=%00", "/api/v1/projects/a%00b", "/api/v1/me?x=%00"])
def test_an_address_with_a_nul_is_refused_whatever_the_database_takes(project: Project, path: str) -> None:
    client = Client()
    client.force_login(make_person(runs_the_server=True))
    refused = client.get(path)
    assert refused.status_code == 400
    assert ("problem+json" in refused["Content-Type"]) == path.startswith("/api/")


def test_made_up_methods_are_counted_as_one() -> None:
    for number in range(3):
        Client().generic(f"MADEUP{number}", "/healthz")
    assert "MADEUP" not in metrics.text()
    assert 'method="other"' in metrics.text()


@pytest.mark.parametrize(("path", "kind"), [("/login/", "text/html"), ("/api/v1/me", "application/problem+json")])
def test_a_host_that_is_not_ours_is_refused_in_our_shape(
    path: str, kind: str, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    refused = Client().get(path, headers={"Host": "evil.example"})
    assert refused.status_code == 400
    assert refused["Content-Type"].startswith(kind)
    assert b"evil.example" not in refused.content
    assert refused["X-Request-ID"] == lines()[0]["request_id"]
    assert {name: refused[name] for name in HEADERS} == HEADERS
