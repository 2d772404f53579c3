"""`GET /jobs/stats`: of this moment and of a window, and the same after retention."""

from datetime import timedelta

import pytest

from jobs_app.domain.access import Scope
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.number_spans import WINDOWS
from jobs_app.models import Project
from jobs_app.services import job_numbers
from tests.api.client import Api
from tests.factories import job_in, make_job, make_token

pytestmark = pytest.mark.django_db
EVER = Deadline(timedelta(days=1))
STATS = "/projects/alpha/jobs/stats"


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project, Scope.READ))


def test_everything_is_told_of_a_window(project: Project, api: Api) -> None:
    for state in (JobState.COMPLETED, JobState.COMPLETED, JobState.COMPLETED, JobState.FAILED):
        job_in(project, state, content_type="pdf")
    job_in(project, JobState.CANCELLED, content_type="text")
    make_job(project, content_type="text")
    job_numbers.run(EVER)
    told = api.get(f"{STATS}?window=1h").json()
    assert told["counts"]["by_status"] == {
        "pending": 1, "processing": 0, "completed": 3, "failed": 1, "timeout": 0, "cancelled": 1
    }  # fmt: skip
    assert told["counts"]["by_content_type"] == {"pdf": 4, "text": 2}
    assert (told["ended"], told["failure_rate"], told["queue"]["due"]) == (5, 0.25, 1)
    assert told["throughput_per_minute"] == pytest.approx(5 / 60, abs=0.01)
    assert told["storage"]["bytes"] > 1000
    assert {part["content_type"]: sum(part["outcomes"].values()) for part in told["by_content_type"]} == {
        "pdf": 4,
        "text": 1,
    }
    assert told["waiting"]["count"] == told["processing"]["count"] == 4
    assert told["processing"]["p50"] <= told["processing"]["p95"] <= told["processing"]["p99"]
    assert sum(sum(step["outcomes"].values()) for step in told["series"]) == 5
    assert [step["depth"]["pending"] for step in told["series"] if step["depth"]] == [1]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_has_as_many_steps_as_it_says(window: str, project: Project, api: Api) -> None:
    told = api.get(f"{STATS}?window={window}").json()
    assert (told["window"], len(told["series"])) == (window, WINDOWS[window].steps)
    assert (told["ended"], told["failure_rate"], told["waiting"]["p95"]) == (0, None, None)


def test_an_unknown_window_is_refused_by_name(project: Project, api: Api) -> None:
    answer = api.get(f"{STATS}?window=fortnight")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["place"] == "window"
