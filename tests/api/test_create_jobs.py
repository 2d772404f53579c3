"""Jobs over HTTP: made, found, changed."""

import json
from typing import Any

import pytest

from jobs_app.domain.access import Scope
from jobs_app.models import Project
from tests.api.client import Answer, Api
from tests.factories import make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
JOBS = "/projects/alpha/jobs"


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project))


def code(response: Answer) -> str:
    assert response["Content-Type"] == "application/problem+json"
    return str(response.json()["code"])


def made(api: Api, **fields: Any) -> dict[str, Any]:
    response = api.post(JOBS, fields)
    assert response.status_code == 201, response.content
    job: dict[str, Any] = response.json()
    return job


def test_a_job_is_made_and_found_where_the_answer_says(api: Api) -> None:
    response = api.post(JOBS, {"name": "a", "tags": ["x"], "task_options": {"lang": "de"}})
    assert response.status_code == 201
    job = response.json()
    assert response["Location"] == f"/api/v1{JOBS}/{job['id']}"
    assert response["ETag"] == f'"v{job["version"]}"'
    assert (job["status"], job["project"], job["tags"]) == ("pending", "alpha", ["x"])
    found = api.get(f"{JOBS}/{job['id']}").json()
    assert {**found, "waiting_duration": 0} == {**job, "waiting_duration": 0}


def test_numbers_come_back_exactly_as_they_went_in(api: Api) -> None:
    options = b'{"big":123456789012345678901234567890,"one":1,"point":1.0,"small":1e-7,"deep":[[9007199254740993]]}'
    response = api.call("POST", JOBS, b'{"name":"n","task_options":' + options + b"}")
    assert b'"task_options":' + options.replace(b"1e-7", b"1e-07") in response.content
    listed = api.get(JOBS)
    assert b"123456789012345678901234567890" in listed.content
    assert b"9007199254740993" in listed.content


def test_what_is_nested_as_deep_as_a_body_may_be_comes_back_in_a_list(api: Api) -> None:
    deep = b'{"name":"n","task_options":' + b'{"a":' * 62 + b"1" + b"}" * 62 + b"}"
    assert api.call("POST", JOBS, deep).status_code == 201
    assert api.get(JOBS).status_code == 200


def test_the_same_request_again_is_200_and_says_so(api: Api) -> None:
    body = {"ingestion_task_id": "t1", "name": "a"}
    first, again = api.post(JOBS, body), api.post(JOBS, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert code(api.post(JOBS, {**body, "name": "b"})) == "already_exists"


def test_the_same_idempotency_key_makes_one_job(api: Api) -> None:
    first, again = (api.post(JOBS, {"name": "a"}, Idempotency_Key="k1") for _ in range(2))
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert len(api.get(JOBS).json()["items"]) == 1
    assert code(api.post(JOBS, {"name": "b"}, Idempotency_Key="k1")) == "idempotency_key_reused"


def test_a_batch_comes_back_in_its_order(api: Api) -> None:
    known = made(api, ingestion_task_id="t1")
    response = api.post(f"{JOBS}/batch", {"jobs": [{"name": "a"}, {"ingestion_task_id": "t1"}, {"name": "b"}]})
    assert response.status_code == 201
    items = response.json()["items"]
    assert [item["name"] for item in items] == ["a", "t1", "b"]
    assert items[1]["id"] == known["id"]
    again = api.post(f"{JOBS}/batch", {"jobs": [{"ingestion_task_id": "t1"}]})
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"nmae": "a"}, "body.nmae"),
        ({"priority": 101}, "body.priority"),
        ({"priority": "5"}, "body.priority"),
        ({"priority": 5.0}, "body.priority"),
        ({"priority": True}, "body.priority"),
        ({"tags": "x"}, "body.tags"),
        ({"tags": [""]}, "body.tags.0"),
        ({"task_options": []}, "body.task_options"),
        ({"not_before": "tomorrow"}, "body.not_before"),
        ({"not_before": "2026-01-01T00:00:00"}, "body.not_before"),
        ({"not_before": 1767225600}, "body.not_before"),
        ({"timeout_at": "0001-01-01T00:00:00+14:00"}, "body.timeout_at"),
        ({"timeout_at": "9999-12-31T23:59:59-14:00"}, "body.timeout_at"),
        ({"ingestion_task_id": ""}, "body.ingestion_task_id"),
        ({"status": "completed"}, "body.status"),
        ({"id": "x"}, "body.id"),
    ],
)
def test_a_wrong_field_is_refused_with_its_place(api: Api, body: dict[str, Any], place: str) -> None:
    response = api.post(JOBS, body)
    assert code(response) == "validation_error"
    assert [error["place"] for error in response.json()["errors"]] == [place]
    in_batch = api.post(f"{JOBS}/batch", {"jobs": [{}, body]})
    assert in_batch.json()["errors"][0]["place"] == place.replace("body.", "body.jobs.1.")
    assert api.get(JOBS).json()["items"] == []


@pytest.mark.parametrize("jobs", [[], [{}] * 1001])
def test_a_batch_has_one_to_a_thousand(api: Api, jobs: list[Any]) -> None:
    assert code(api.post(f"{JOBS}/batch", {"jobs": jobs})) == "validation_error"


def test_a_list_is_filtered_by_what_the_address_says(api: Api) -> None:
    for name, kind, tag in (("a", "pdf", "x"), ("b", "html", "x"), ("c", "pdf", "y")):
        made(api, name=name, content_type=kind, tags=[tag])

    def names(query: str) -> list[str]:
        return [job["name"] for job in api.get(f"{JOBS}?{query}").json()["items"]]

    assert names("") == ["c", "b", "a"]
    assert names("order=created_at") == ["a", "b", "c"]
    assert names("content_type=pdf&tag=x") == ["a"]
    assert names("status=pending&status=processing") == ["c", "b", "a"]
    assert names("status=failed") == []
    assert names("q=HTM") == []
    assert names("created_after=2999-01-01T00:00:00Z") == []
    assert names("created_before=2999-01-01T00:00:00Z&limit=2") == ["c", "b"]


@pytest.mark.parametrize(
    "query",
    "status=done limit=0 limit=501 order=name cursor=x colour=red priority=x created_after=x".split(),
)
def test_a_wrong_parameter_is_refused(api: Api, query: str) -> None:
    assert code(api.get(f"{JOBS}?{query}")) == "validation_error"


def test_pages_go_on_and_back(api: Api) -> None:
    for name in "abcde":
        made(api, name=name)
    first = api.get(f"{JOBS}?limit=2").json()
    second = api.get(f"{JOBS}?limit=2&cursor={first['next_cursor']}").json()
    back = api.get(f"{JOBS}?limit=2&cursor={second['previous_cursor']}").json()
    assert [job["name"] for job in second["items"]] == ["c", "b"]
    assert [job["name"] for job in back["items"]] == ["e", "d"]


def test_a_job_that_is_known_already_is_304(api: Api) -> None:
    job = made(api)
    tag = api.get(f"{JOBS}/{job['id']}")["ETag"]
    known = api.get(f"{JOBS}/{job['id']}", If_None_Match=tag)
    assert (known.status_code, known.content) == (304, b"")


def test_a_change_is_conditional_on_the_version(api: Api) -> None:
    job = made(api, name="a", timeout_at="2999-01-01T00:00:00Z", not_before="2998-01-01T02:00:00+02:00")
    assert job["not_before"] == "2998-01-01T00:00:00.000000Z"
    path = f"{JOBS}/{job['id']}"
    changed = api.call("PATCH", path, {"priority": 9, "timeout_at": None}, If_Match='"v1"')
    assert (changed.status_code, changed["ETag"]) == (200, '"v2"')
    assert (changed.json()["priority"], changed.json()["timeout_at"], changed.json()["name"]) == (9, None, "a")
    for never_ours in ('"v1', '"v-1"', '"v²"', '"v1", "v2"', f'"v{"9" * 5000}"'):
        assert api.call("PATCH", path, {"priority": 1}, If_Match=never_ours).status_code == 412
    stale = api.call("PATCH", path, {"priority": 1}, If_Match='"v1"')
    assert (stale.status_code, code(stale), stale.json()["current_version"]) == (412, "precondition_failed", 2)
    assert code(api.call("PATCH", path, {"status": "completed"})) == "validation_error"
    assert code(api.call("PATCH", path, {"name": None})) == "validation_error"


@pytest.mark.parametrize("id", ["0190aaaa-0000-7000-8000-000000000000", "x", "%C3%A9", ".."])
def test_an_id_that_is_none_is_not_found(api: Api, id: str) -> None:
    for path in (f"{JOBS}/{id}", f"{JOBS}/{id}/events", f"{JOBS}/{id}/logs", f"{JOBS}/{id}/waiting"):
        assert code(api.get(path)) == "not_found"


def test_anothers_job_looks_like_none(project: Project, other_project: Project) -> None:
    mine, theirs = Api(make_token(project)), Api(make_token(other_project))
    job = theirs.post("/projects/beta/jobs", {"name": "secret"}).json()
    foreign = mine.get(f"{JOBS}/{job['id']}")
    absent = mine.get(f"{JOBS}/0190aaaa-0000-7000-8000-000000000000")
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert b"secret" not in foreign.content
    assert mine.get(f"/projects/beta/jobs/{job['id']}").status_code == 404


def test_a_worker_makes_no_jobs_and_a_reader_claims_none(project: Project) -> None:
    worker, reader = Api(make_token(project, Scope.WORK)), Api(make_token(project, Scope.READ))
    assert code(worker.post(JOBS, {})) == "permission_denied"
    assert code(reader.post(f"{JOBS}/claim", {"worker_id": "w1"})) == "permission_denied"


def test_a_name_full_of_markup_is_just_text(api: Api) -> None:
    name = "<img src=x onerror=alert(1)>"
    assert made(api, name=name)["name"] == name
    assert json.loads(api.get(JOBS).content)["items"][0]["name"] == name
