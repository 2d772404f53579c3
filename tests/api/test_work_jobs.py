"""What a worker and those who steer do, over HTTP."""

import json
from typing import Any

import pytest

from jobs_app.models import Project
from tests.api.client import Answer, Api
from tests.conftest import Clock
from tests.factories import make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
JOBS = "/projects/alpha/jobs"


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project))


def code(response: Answer) -> str:
    assert response["Content-Type"] == "application/problem+json"
    return str(response.json()["code"])


def claimed(api: Api, **asked: Any) -> dict[str, Any]:
    """The next job, in the hands of a worker."""
    response = api.post(f"{JOBS}/claim", {"worker_id": "w1", **asked})
    assert response.status_code == 200, response.content
    (job,) = response.json()["jobs"]
    return dict(job)


def test_a_job_from_claim_to_outcome(api: Api) -> None:
    api.post(JOBS, {"name": "a", "content_type": "pdf"})
    job = claimed(api, content_types=["pdf"], worker_version="1.2", capabilities={"gpu": 1})
    assert (job["status"], job["attempt"], job["worker_id"]) == ("processing", 1, "w1")
    path, token = f"{JOBS}/{job['id']}", {"lease_token": job["lease_token"]}
    beat = api.post(f"{path}/heartbeat", {**token, "progress": 40, "message": "page 4", "lease_seconds": 120})
    assert (beat.status_code, beat.json()["cancel_requested"]) == (200, False)
    assert api.get(path).json()["progress"]["percent"] == 40
    assert "lease_token" not in api.get(path).json()
    result = {"pages": 123456789012345678901234567890}
    done = api.post(f"{path}/complete", {**token, "result_data": result})
    assert (done.status_code, done.json()["status"], done.json()["result_data"]) == (200, "completed", result)
    again = api.post(f"{path}/complete", {**token, "result_data": None})
    assert again.content == done.content
    assert code(api.post(f"{path}/heartbeat", token)) == "lease_lost"
    types = [event["type"] for event in api.get(f"{path}/events").json()["items"]]
    assert types == ["created", "claimed", "completed"]
    (attempt,) = api.get(f"{path}/attempts").json()["items"]
    assert (attempt["number"], attempt["worker_id"], attempt["outcome"]) == (1, "w1", "completed")


def test_nothing_to_do_is_an_empty_answer(api: Api) -> None:
    response = api.post(f"{JOBS}/claim", {"worker_id": "w1"})
    assert (response.status_code, response.json()) == (200, {"jobs": []})


def test_failures_are_tried_again_until_they_are_final(api: Api) -> None:
    api.post(JOBS, {"name": "a", "max_retries": 1})
    job = claimed(api)
    path = f"{JOBS}/{job['id']}"
    body = {"error_message": "boom", "traceback": "Traceback …", "retry_after": 0}
    off = api.post(f"{path}/fail", {**body, "lease_token": job["lease_token"]}).json()
    assert (off["status"], off["retry_count"], off["error_message"]) == ("pending", 1, "boom")
    assert off["not_before"] is not None
    job = claimed(api)
    failed = api.post(f"{path}/fail", {**body, "lease_token": job["lease_token"]}).json()
    assert (failed["status"], failed["can_retry"], failed["traceback"]) == ("failed", False, "Traceback …")
    refused = api.post(f"{path}/retry")
    assert (refused.status_code, code(refused)) == (409, "invalid_transition")
    assert (refused.json()["from"], refused.json()["to"]) == ("failed", "pending")


def test_cancel_is_200_where_it_ended_and_202_where_a_worker_must_agree(api: Api) -> None:
    api.post(JOBS, {"name": "a"})
    job = claimed(api)
    path = f"{JOBS}/{job['id']}"
    asked = api.post(f"{path}/cancel", {"reason": "wrong file"})
    assert (asked.status_code, asked.json()["cancel_requested"]) == (202, True)
    token = {"lease_token": job["lease_token"]}
    assert api.post(f"{path}/heartbeat", token).json()["cancel_requested"] is True
    assert api.post(f"{path}/release", token).json()["status"] == "cancelled"
    other = api.post(JOBS, {"name": "b"}).json()
    ended = api.post(f"{JOBS}/{other['id']}/cancel")
    assert (ended.status_code, ended.json()["status"]) == (200, "cancelled")


def test_deleted_jobs_come_back_or_go_for_good(api: Api) -> None:
    job = api.post(JOBS, {"name": "a"}).json()
    assert api.call("DELETE", f"{JOBS}/{job['id']}", If_Match='"v7"').status_code == 412
    assert api.call("DELETE", f"{JOBS}/{job['id']}").status_code == 204
    assert api.get(f"{JOBS}/{job['id']}").status_code == 404
    (gone,) = api.get("/projects/alpha/trash").json()["items"]
    assert (gone["id"], gone["deleted_by"]["kind"]) == (job["id"], "token")
    assert api.post(f"/projects/alpha/trash/{job['id']}/restore").json()["status"] == "pending"
    assert api.call("DELETE", f"/projects/alpha/trash/{job['id']}").status_code == 404
    api.call("DELETE", f"{JOBS}/{job['id']}")
    assert api.call("DELETE", f"/projects/alpha/trash/{job['id']}").status_code == 204
    assert api.get("/projects/alpha/trash").json()["items"] == []


def test_a_processing_job_is_not_deleted_nor_changed(api: Api) -> None:
    api.post(JOBS, {"name": "a"})
    job = claimed(api)
    for method in ("DELETE", "PATCH"):
        refused = api.call(method, f"{JOBS}/{job['id']}", {"priority": 1} if method == "PATCH" else None)
        assert (refused.status_code, code(refused)) == (409, "conflict")


def test_logs_are_appended_read_and_downloaded(api: Api) -> None:
    api.post(JOBS, {"name": "a"})
    job = claimed(api)
    path = f"{JOBS}/{job['id']}/logs"
    entries = [{"message": f"line {n}", "sequence": n, "level": "error" if n == 3 else "info"} for n in range(1, 6)]
    body = {"entries": entries, "lease_token": job["lease_token"]}
    first, again = api.post(path, body), api.post(path, body)
    assert (first.status_code, first.json()) == (201, {"added": 5, "end": 5})
    assert again.json() == {"added": 0, "end": 5}
    page = api.get(f"{path}?limit=2").json()
    assert ([line["message"] for line in page["items"]], page["next_cursor"]) == (["line 1", "line 2"], "2")
    assert [line["number"] for line in api.get(f"{path}?after=3").json()["items"]] == [4, 5]
    assert [line["number"] for line in api.get(f"{path}?tail=true&limit=2").json()["items"]] == [4, 5]
    assert [line["number"] for line in api.get(f"{path}?level=error").json()["items"]] == [3]
    assert [line["number"] for line in api.get(f"{path}?q=LINE 4").json()["items"]] == [4]
    download = api.get(f"{path}/download")
    assert download["Content-Disposition"].startswith("attachment")
    assert [json.loads(line)["number"] for line in download.getvalue().splitlines()] == [1, 2, 3, 4, 5]
    wrong = api.post(path, {**body, "lease_token": "x"})
    assert (wrong.status_code, code(wrong)) == (409, "lease_lost")


@pytest.mark.parametrize(
    "entry",
    [{}, {"message": 5}, {"message": "a", "level": "loud"}, {"message": "a", "sequence": -1}, {"message": "a", "x": 1}],
)
def test_a_wrong_line_is_refused(api: Api, entry: dict[str, Any]) -> None:
    job = api.post(JOBS, {"name": "a"}).json()
    assert code(api.post(f"{JOBS}/{job['id']}/logs", {"entries": [entry]})) == "validation_error"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"worker_id": ""},
        {"worker_id": "a/b"},
        {"worker_id": "w", "limit": 0},
        {"worker_id": "w", "limit": "1"},
        {"worker_id": "w", "lease_seconds": 0},
        {"worker_id": "w", "wait_seconds": 61},
        {"worker_id": "w", "wait_seconds": -1},
        {"worker_id": "w", "content_types": []},
        {"worker_id": "w", "content_type": "pdf"},
    ],
)
def test_a_wrong_claim_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert code(api.post(f"{JOBS}/claim", body)) == "validation_error"


@pytest.mark.parametrize("call", ["heartbeat", "complete", "fail", "release"])
def test_a_call_without_a_token_is_refused(api: Api, call: str) -> None:
    api.post(JOBS, {"name": "a"})
    job = claimed(api)
    body = {"error_message": "x"} if call == "fail" else {}
    assert code(api.post(f"{JOBS}/{job['id']}/{call}", body)) == "validation_error"
    assert code(api.post(f"{JOBS}/{job['id']}/{call}", {**body, "lease_token": "wrong"})) == "lease_lost"


def test_workers_are_seen_drained_and_resumed(api: Api) -> None:
    api.post(JOBS, {"name": "a"})
    job = claimed(api, worker_version="1.2", content_types=[""])
    (worker,) = api.get("/projects/alpha/workers").json()["items"]
    assert (worker["id"], worker["version"], worker["content_types"]) == ("w1", "1.2", [""])
    assert [held["id"] for held in worker["holds"]] == [job["id"]]
    path = "/projects/alpha/workers/w1"
    drained = api.post(f"{path}/drain", {"reason": "new disk"}).json()
    assert (drained["drained"]["why"], drained["safe_to_stop"]) == ("new disk", False)
    api.post(f"{JOBS}/{job['id']}/complete", {"lease_token": job["lease_token"]})
    assert api.get(path).json()["safe_to_stop"] is True
    assert api.post(f"{path}/resume").json()["drained"] is None
    assert api.get("/projects/alpha/workers/nobody").status_code == 404


def test_a_pause_stops_claims_and_is_told_by_whoever_waits(api: Api) -> None:
    job = api.post(JOBS, {"name": "a", "content_type": "application/pdf"}).json()
    paused = api.post("/projects/alpha/pauses", {"content_type": "application/pdf", "reason": "broken"})
    assert (paused.status_code, paused.json()["why"]) == (201, "broken")
    assert api.post(f"{JOBS}/claim", {"worker_id": "w1"}).json() == {"jobs": []}
    waiting = api.get(f"{JOBS}/{job['id']}/waiting").json()
    assert [reason["code"] for reason in waiting["reasons"]] == ["content_type_paused"]
    assert waiting["position"] == {"place": 1, "exact": True, "of": 1}
    assert [item["content_type"] for item in api.get("/projects/alpha/pauses").json()["items"]] == ["application/pdf"]
    assert api.call("DELETE", "/projects/alpha/pauses?content_type=application/pdf").status_code == 204
    assert api.call("DELETE", "/projects/alpha/pauses").status_code == 404
    assert claimed(api)["id"] == job["id"]


def test_retention_is_previewed(api: Api, clock: Clock) -> None:
    job = api.post(JOBS, {"name": "a"}).json()
    api.post(f"{JOBS}/{job['id']}/cancel")
    clock.advance(days=7)
    counted = {item["state"]: item["jobs"] for item in api.get("/projects/alpha/retention").json()["items"]}
    assert counted == {"completed": 0, "failed": 0, "timeout": 0, "cancelled": 1, "trashed": 0}
