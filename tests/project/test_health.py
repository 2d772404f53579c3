"""Alive, ready, and measured."""

import pytest
from django.db import DatabaseError
from django.test import Client

from jobs_app.domain.access import COMMAND, Scope
from jobs_app.models import ChangeCounter, Project
from jobs_app.services import consumers, health, tokens
from tests.conftest import Clock
from tests.factories import make_person, make_token

pytestmark = pytest.mark.django_db


def test_alive_asks_for_nothing(django_assert_num_queries: pytest.FixtureRequest) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert Client().get("/healthz").json() == {"status": "ok"}


def test_ready_names_what_it_asked() -> None:
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"]["database"] == "ok"
    assert answer.json()["checks"]["queue"] == "ok"
    assert "No consumer" in answer.json()["checks"]["consumer"]


def test_a_database_that_does_not_answer_is_not_ready_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise DatabaseError("password=hunter2 refused")

    monkeypatch.setattr(ChangeCounter.objects, "exists", broken)
    monkeypatch.setattr(consumers, "alive", broken)
    monkeypatch.setattr(health, "NEEDED", [health.database])
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "checks": {
            "database": "The database does not answer.",
            "consumer": "Whether a consumer is running is not known without the database.",
        },
    }
    assert b"hunter2" not in answer.content


def test_a_consumer_that_falls_silent_is_missed(clock: Clock) -> None:
    client = Client()
    client.force_login(make_person())
    consumers.beat("here:1")
    assert "No consumer is running" not in client.get("/projects/").content.decode()
    clock.advance(seconds=13)
    assert "No consumer is running" in client.get("/projects/").content.decode()
    consumers.beat("here:1")
    assert "No consumer is running" not in client.get("/projects/").content.decode()
    clock.advance(hours=-3)
    assert "No consumer is running" in client.get("/projects/").content.decode()


def test_metrics_are_for_a_server_token_that_may_read(project: Project) -> None:
    _, secret = tokens.create_for_server(COMMAND, "prometheus", [Scope.READ])
    Client().get("/healthz")
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    text = answer.content.decode()
    assert 'holdfast_http_requests_total{method="GET",route="healthz",status="200"' in text
    assert "holdfast_consumers_alive 0" in text
    refused = Client().get("/metrics", headers={"Authorization": f"Bearer {make_token(project)}"})
    assert refused.status_code == 403
    assert Client().get("/metrics").status_code == 401
