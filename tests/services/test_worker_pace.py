"""How fast a worker is, told by the last jobs it completed."""

from datetime import timedelta

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.models import Project
from jobs_app.services import claims, worker_pace
from tests.conftest import Clock
from tests.factories import claim_job, make_job

pytestmark = pytest.mark.django_db


def complete(project: Project, clock: Clock, worker_id: str, number: int, seconds: float) -> None:
    for _ in range(number):
        make_job(project)
        claimed = claim_job(project, worker_id, lease_seconds=600)
        clock.advance(seconds=seconds)
        claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token)


def test_few_jobs_are_counted_and_those_of_others_are_not(project: Project, clock: Clock) -> None:
    complete(project, clock, "w1", 1, 30)
    clock.advance(hours=2)
    complete(project, clock, "w1", 3, 10)
    complete(project, clock, "w2", 1, 10)
    paces = worker_pace.of(COMMAND, project.slug, ["w1", "w2", "idle"])
    assert (paces["w1"].an_hour, paces["w1"].is_counted) == (3, True), "the first lies more than an hour back"
    assert paces["w1"].typical == timedelta(seconds=10)
    assert paces["w2"].an_hour == 1
    assert (paces["idle"].an_hour, paces["idle"].typical) == (0, None)


def test_many_jobs_are_reckoned_from_the_last_ones(project: Project, clock: Clock) -> None:
    complete(project, clock, "w1", 30, 36)
    pace = worker_pace.of(COMMAND, project.slug, ["w1"])["w1"]
    assert not pace.is_counted
    assert 95 <= pace.an_hour <= 110, "one every 36 seconds"
