"""HEAD wherever there is a GET: the same headers, and not a byte more."""

import pytest

from jobs_app.domain.access import COMMAND, Scope
from jobs_app.domain.job_log import NewLogEntry
from jobs_app.models import Project
from jobs_app.services import logs
from tests.api.client import Api
from tests.factories import make_job, make_token

pytestmark = pytest.mark.django_db
JOBS = "/projects/alpha/jobs"


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project))


@pytest.mark.parametrize("path", ["/me", "/projects", "/projects/alpha", JOBS, f"{JOBS}/stats"])
def test_a_head_is_the_get_without_its_bytes(api: Api, path: str) -> None:
    full, head = api.get(path), api.call("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Type"] == full["Content-Type"]
    assert head.headers.get("ETag") == full.headers.get("ETag")
    assert abs(int(head["Content-Length"]) - len(full.content)) < 50  # ages in it may have grown


def test_a_head_of_a_job_is_conditional_and_counts_its_bytes(api: Api, project: Project) -> None:
    job = make_job(project, name="a")
    full = api.get(f"{JOBS}/{job.id}")
    head = api.call("HEAD", f"{JOBS}/{job.id}")
    assert (head["ETag"], head.content) == (full["ETag"], b"")
    assert api.call("HEAD", f"{JOBS}/{job.id}", If_None_Match=full["ETag"]).status_code == 304


def test_a_head_of_a_stream_ends_at_once(api: Api, project: Project) -> None:
    job = make_job(project, name="a")
    logs.append(COMMAND, project.slug, job.id, [NewLogEntry("a line")])
    for path, kind in ((f"{JOBS}/{job.id}/logs/stream", "text/event-stream"), (f"{JOBS}/export", "text/csv")):
        head = api.call("HEAD", path)
        assert (head.status_code, head.content, head.streaming) == (200, b"", False)
        assert head["Content-Type"].startswith(kind)


def test_a_head_is_refused_as_its_get_is(api: Api, project: Project) -> None:
    assert Api().call("HEAD", JOBS).status_code == 401
    assert api.call("HEAD", f"{JOBS}/nothing").status_code == 404
    assert api.call("HEAD", "/projects/beta/jobs").status_code == 404
    assert api.call("HEAD", f"{JOBS}?unknown=1").status_code == 422
    assert Api(make_token(project, Scope.WORK)).call("HEAD", JOBS).status_code == 403


def test_what_cannot_be_read_has_no_head_and_what_can_says_so(api: Api) -> None:
    refused = api.call("HEAD", f"{JOBS}/claim")
    assert (refused.status_code, refused["Allow"]) == (405, "POST")
    assert set(api.call("PUT", JOBS)["Allow"].split(", ")) == {"GET", "HEAD", "POST"}
