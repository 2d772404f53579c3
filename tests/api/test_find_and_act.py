"""Queries, operations, failures, views and exports over HTTP."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from jobs_app.domain.access import COMMAND, Role, Scope
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.models import Project
from jobs_app.services import jobs, operations
from tests.api.client import Answer, Api
from tests.factories import job_in, make_job, make_token

pytestmark = pytest.mark.django_db
P = "/projects/alpha"


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project))


def streamed(answer: Answer) -> bytes:
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # what exports are


def test_a_query_finds_and_says_what_was_searched(api: Api, project: Project) -> None:
    failed = job_in(project, JobState.FAILED, name="x").id
    make_job(project)
    answer = api.get(f"{P}/jobs?q=status:failed+error:page").json()
    assert [item["id"] for item in answer["items"]] == [failed]
    assert answer["searched"] == {"complete": True, "to": None}


@pytest.mark.parametrize("path", ["jobs?q=", "jobs/export?q="])
def test_a_query_that_cannot_be_read_is_a_422_with_its_place(api: Api, path: str) -> None:
    answer = api.get(f"{P}/{path}status:faild")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_query")
    assert (problem["position"], problem["length"], problem["suggestion"]) == (7, 5, "status:failed")
    assert problem["errors"][0]["place"] == "q"


def test_suggestions_replace_the_word_at_the_cursor(api: Api, project: Project) -> None:
    make_job(project, content_type="pdf")
    answer = api.get(f"{P}/jobs/suggestions?q=-type:p").json()
    assert (answer["start"], answer["end"]) == (6, 7)
    assert [item["insert"] for item in answer["items"]] == ["pdf"]
    assert api.get(f"{P}/jobs/suggestions?q=x&position=-1").status_code == 422


def test_many_jobs_are_an_operation_that_can_be_followed_and_undone(api: Api, project: Project) -> None:
    jobs.create_many(COMMAND, project.slug, [NewJob(name=f"j{number}") for number in range(130)])
    choice: dict[str, Any] = {"filter": {"q": "j"}}
    assert api.post(f"{P}/jobs/actions/preview", choice).json()["matched"] == 130
    answer = api.post(f"{P}/jobs/actions", {"action": "delete", "reason": "all wrong", **choice})
    assert answer.status_code == 202
    path = f"{P}/operations/{answer.json()['operation_id']}"
    assert api.get(path).json()["state"] == "waiting"
    operations.run(Deadline(timedelta(minutes=1)))
    told = api.get(path).json()
    assert (told["state"], told["changed"], told["reason"], told["filter"]) == ("done", 130, "all wrong", {"q": "j"})
    page = api.get(f"{path}/items?limit=100").json()
    rest = api.get(f"{path}/items?limit=100&after={page['next_cursor']}").json()
    assert len({item["job"] for item in page["items"] + rest["items"]}) == 130
    assert api.post(f"{path}/stop").status_code == 409
    assert api.post(f"{path}/undo").status_code == 202
    operations.run(Deadline(timedelta(minutes=1)))
    assert api.post(f"{P}/jobs/actions/preview", choice).json()["matched"] == 130


def test_few_jobs_are_done_at_once(api: Api, project: Project) -> None:
    failed, done = job_in(project, JobState.FAILED).id, job_in(project, JobState.COMPLETED).id
    answer = api.post(f"{P}/jobs/actions", {"action": "retry", "ids": [failed, done]})
    assert answer.status_code == 200
    assert (answer.json()["matched"], answer.json()["changed"]) == (2, 1)
    assert answer.json()["refused"][0] | {"detail": ""} == {
        "job": done,
        "outcome": "refused",
        "code": "invalid_transition",
        "detail": "",
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "retry"},
        {"action": "explode", "ids": ["a"]},
        {"action": "retry", "ids": []},
        {"action": "retry", "ids": ["a"] * 1001},
        {"action": "retry", "ids": ["a"], "filter": {}},
        {"action": "retry", "filter": {"q": "(("}},
        {"action": "retry", "filter": {"colour": "red"}},
        {"action": "retry", "filter": {"created_after": "yesterday"}},
        {"action": "restore", "filter": {}},
    ],
)
def test_an_action_that_makes_no_sense_is_refused(api: Api, body: Any) -> None:
    assert api.post(f"{P}/jobs/actions", body).status_code == 422


def test_a_failure_is_retried_as_a_whole(api: Api, project: Project) -> None:
    failed = job_in(project, JobState.FAILED).id
    (row,) = api.get(f"{P}/jobs/failures").json()["items"]
    assert (row["standing"], row["cells"]["1h"], row["message"]) == (1, 1, "no such page")
    answer = api.post(f"{P}/jobs/failures/{row['fingerprint']}/actions", {"action": "retry"})
    assert answer.json()["changed"] == 1
    assert api.get(f"{P}/jobs/{failed}").json()["status"] == "pending"
    assert api.get(f"{P}/jobs/failures/{row['fingerprint']}").json()["standing"] == 0
    assert api.get(f"{P}/jobs/failures/nothing").status_code == 404


def test_a_reader_keeps_views_of_its_own_and_shares_none(project: Project) -> None:
    reader, writer = Api(make_token(project, Scope.READ)), Api(make_token(project, Scope.READ, Scope.WRITE))
    made = reader.post(f"{P}/views", {"name": "Mine", "query": "status:failed", "columns": ["name"]})
    assert made.status_code == 201
    path = made["Location"].removeprefix("/api/v1")
    assert reader.get(path).json()["is_mine"] is True
    assert writer.get(path).status_code == 404
    assert reader.post(f"{P}/views", {"name": "Ours", "shared": True}).status_code == 403
    assert writer.post(f"{P}/views", {"name": "Ours", "shared": True}).status_code == 201
    assert [view["name"] for view in reader.get(f"{P}/views").json()["items"]] == ["Ours", "Mine"]
    assert reader.call("PUT", path, {"name": "Mine"}, If_Match='"v9"').status_code == 412
    assert reader.call("DELETE", path).status_code == 204
    assert Role.VIEWER.scopes == {Scope.READ}


def test_an_export_is_a_file_of_everything_that_matches(api: Api, project: Project) -> None:
    job = make_job(project, name="=1+1", content_type="pdf", task_options={"n": 12345678901234567890})
    make_job(project)
    answer = api.get(f"{P}/jobs/export?q=type:pdf")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="jobs-alpha-')
    assert answer["Content-Disposition"].endswith('.csv"')
    (row,) = csv.DictReader(io.StringIO(streamed(answer).decode("utf-8-sig")))
    assert (row["id"], row["name"]) == (job.id, "'=1+1")
    lines = streamed(api.get(f"{P}/jobs/export?format=jsonl&content_type=pdf")).splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["=1+1"]
    assert b"12345678901234567890" in lines[0]
    assert api.get(f"{P}/jobs/export?format=xml").status_code == 422
    assert api.call("POST", f"{P}/jobs/export").status_code == 405
