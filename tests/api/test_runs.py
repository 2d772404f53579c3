"""Runs, documents and artifacts over HTTP: what is made, skipped, written, found, and what is left when it is gone."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND, Scope
from jobs_app.domain.library import Kind
from jobs_app.domain.maintenance import Deadline
from jobs_app.models import AuditEntry, Project
from jobs_app.services import files, library, outbox, run_steps
from tests.api.client import Answer, Api
from tests.factories import make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("two_storages")]
PROJECT = "/projects/alpha"
RUNS = f"{PROJECT}/runs"
ONE_STEP = timedelta(seconds=1)


@pytest.fixture
def two_storages(settings: Settings) -> None:
    settings.FILE_STORAGES = {"default": {"provider": "memory"}, "other": {"provider": "memory"}}


@pytest.fixture
def api(project: Project) -> Api:
    for path, text in {"docs/a.md": b"A", "docs/b.md": b"B", "docs/deep/c.md": b"C", "x.txt": b"X"}.items():
        files.write(COMMAND, project.slug, "default", path, text)
    return Api(make_token(project))


def made(api: Api, *attach: dict[str, Any], **fields: Any) -> str:
    answer = api.post(RUNS, {"name": "Outlines", "content_type": "outline", **fields})
    assert answer.status_code == 201, answer.content
    id = str(answer.json()["id"])
    for body in attach:
        assert api.post(f"{RUNS}/{id}/documents", body).status_code in (200, 201)
    return id


def claimed(api: Api) -> dict[str, Any]:
    (job,) = api.post(f"{PROJECT}/jobs/claim", {"worker_id": "w1"}).json()["jobs"]
    return dict(job)


def artifact(job: dict[str, Any], path: str = "out/a.json", **fields: Any) -> dict[str, Any]:
    return {"document_id": job["document_id"], "job_id": job["id"], "path": path, "content": "{}", **fields}


def problem(answer: Answer, status: int) -> str:
    assert answer.status_code == status, answer.content
    return str(answer.json()["detail"])


def paths(answer: Answer) -> list[str]:
    return [item["path"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"path": "docs/a.md"}, ["docs/a.md"]),
        ({"glob": "docs/*.md"}, ["docs/a.md", "docs/b.md"]),
        ({"glob": "**/*.md"}, ["docs/a.md", "docs/b.md", "docs/deep/c.md"]),
        ({"prefix": "docs"}, ["docs/a.md", "docs/b.md", "docs/deep/c.md"]),
    ],
)
def test_files_are_attached_once_by_path_glob_and_folder(api: Api, body: dict[str, Any], found: list[str]) -> None:
    run = made(api)
    first = api.post(f"{RUNS}/{run}/documents", body)
    assert (first.status_code, first.json()["new"], paths(first)) == (201, len(found), found)
    assert all(item["content_hash"].startswith("sha256:") for item in first.json()["items"])
    again = api.post(f"{RUNS}/{run}/documents", body)
    assert (again.status_code, again.json()["new"], again.json()["known"]) == (200, 0, len(found))
    assert paths(api.get(f"{RUNS}/{run}/documents")) == found


def test_content_that_is_sent_is_there_once(api: Api) -> None:
    run = made(api)
    first = api.post(f"{RUNS}/{run}/documents", {"filename": "n.md", "content": "é"})
    encoded = base64.b64encode("é".encode()).decode()
    again = api.post(f"{RUNS}/{run}/documents", {"filename": "n.md", "content_base64": encoded})
    assert (first.status_code, again.status_code) == (201, 200)
    (item,) = api.get(f"{RUNS}/{run}/documents").json()["items"]
    assert (item["inline"], item["size"], item["filename"]) == (True, 2, "n.md")
    read = api.get(f"{RUNS}/{run}/documents/{item['id']}/content")
    assert b"".join(read) == "é".encode()
    assert "attachment" in read["Content-Disposition"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"path": "docs/a.md", "glob": "*"}, 422),
        ({"path": "docs"}, 422),
        ({"path": "docs/a.md", "content": "x"}, 422),
        ({"path": "../secret"}, 422),
        ({"filename": "a/b", "content": "x"}, 422),
        ({"filename": "a", "content": "x", "content_base64": "eA=="}, 422),
        ({"filename": "a", "content_base64": "!"}, 422),
        ({"filename": "a", "content": "x", "storage": "other"}, 422),
        ({"path": "docs/none.md"}, 404),
        ({"glob": "none/**"}, 404),
        ({"path": "docs/a.md", "storage": "nowhere"}, 404),
        ({"path": "docs/a.md", "options": {"x": "y" * 300_000}}, 422),
    ],
)
def test_what_cannot_be_attached_is_refused(api: Api, body: dict[str, Any], status: int) -> None:
    run = made(api)
    problem(api.post(f"{RUNS}/{run}/documents", body), status)
    assert api.get(f"{RUNS}/{run}/documents").json()["items"] == []


@pytest.mark.parametrize(
    "field", ["name", "content_type", "options", "outputs", "uses", "storage", "priority", "tags", "max_retries"]
)
def test_nothing_is_changed_to_null(api: Api, field: str) -> None:
    problem(api.call("PATCH", f"{RUNS}/{made(api)}", {field: None}), 422)


def test_a_run_says_which_texts_its_jobs_use_and_each_job_which_content(api: Api) -> None:
    text = library.write(COMMAND, "alpha", Kind.PROMPTS, "outline", "Outline it.")[0]
    uses = [{"kind": "prompts", "name": "outline", "variables": {}}]
    run = made(api, {"path": "docs/a.md"})
    assert api.call("PATCH", f"{RUNS}/{run}", {"uses": uses}).json()["uses"] == uses
    problem(api.call("PATCH", f"{RUNS}/{run}", {"uses": [{**uses[0], "name": "none"}]}), 422)
    assert api.post(f"{RUNS}/{run}/start").status_code == 200
    assert [(use["name"], use["hash"]) for use in claimed(api)["uses"]] == [("outline", text.hash)]
    assert api.post(f"{RUNS}/{run}/clone").json()["uses"] == uses


def test_a_start_is_whole_at_once_or_goes_on_by_itself(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    small = made(api, {"prefix": "docs"}, options={"lang": "de"})
    answer = api.post(f"{RUNS}/{small}/start")
    assert (answer.status_code, answer.json()["state"], answer.json()["jobs"]) == (200, "running", {"pending": 3})
    assert claimed(api)["task_options"] == {"lang": "de"}
    problem(api.post(f"{RUNS}/{small}/start"), 409)

    large = made(api, {"prefix": "docs"})
    monkeypatch.setattr("jobs_app.services.runs.AT_ONCE", -ONE_STEP)
    answer = api.post(f"{RUNS}/{large}/start", {"force": True})
    assert (answer.status_code, answer.json()["state"], answer.json()["jobs"]) == (202, "starting", {})
    problem(api.post(f"{RUNS}/{large}/start"), 409)
    problem(api.call("PATCH", f"{RUNS}/{large}", {"tags": ["x"]}), 409)
    assert run_steps.run(Deadline(ONE_STEP * 30)) == {"documents": 3, "cancelled": 0, "removed": 0}
    assert api.get(f"{RUNS}/{large}").json()["state"] == "running"


def test_cancelled_failed_and_cloned(api: Api) -> None:
    run = made(api, {"glob": "docs/*.md", "options": {"deep": True}})
    api.post(f"{RUNS}/{run}/start")
    job = claimed(api)
    failure = {"lease_token": job["lease_token"], "error_message": "bad", "retryable": False}
    api.post(f"{PROJECT}/jobs/{job['id']}/fail", failure)
    assert api.post(f"{RUNS}/{run}/retry-failed").json() == {
        "retried": 1,
        "looked_at_anew": 0,
        "operation_id": None,
        "more": False,
    }
    claimed(api)
    cancelled = api.post(f"{RUNS}/{run}/cancel", {"reason": "not now"})
    assert (cancelled.status_code, cancelled.json()["jobs"]) == (202, {"processing": 1, "cancelled": 1})
    problem(api.post(f"{RUNS}/{run}/start"), 409)
    problem(api.post(f"{RUNS}/{run}/documents", {"path": "x.txt"}), 409)
    problem(api.call("DELETE", f"{RUNS}/{run}"), 409)
    clone = api.post(f"{RUNS}/{run}/clone").json()
    assert (clone["state"], clone["documents"]["attached"], clone["cloned_from"]) == ("draft", 2, run)
    copied = api.get(f"{RUNS}/{clone['id']}/documents").json()["items"]
    assert [item["options"] for item in copied] == [{"deep": True}] * 2


def test_documents_are_found_by_state_and_by_words_together(api: Api) -> None:
    run = made(api, {"prefix": "docs"})
    api.post(f"{RUNS}/{run}/start")
    mine = claimed(api)["source_file_path"]
    others = {"docs/a.md", "docs/b.md", "docs/deep/c.md"} - {mine}
    assert set(paths(api.get(f"{RUNS}/{run}/documents?state=pending"))) == others
    name = max(others).rpartition("/")[2]
    assert paths(api.get(f"{RUNS}/{run}/documents?state=pending&q={name}")) == [max(others)]
    assert paths(api.get(f"{RUNS}/{run}/documents?state=processing&q={name}")) == []
    assert paths(api.get(f"{RUNS}/{run}/documents?state=job_gone")) == []


def test_a_worker_writes_artifacts_of_the_job_in_its_hands_and_nothing_else(api: Api, project: Project) -> None:
    run = made(api, {"prefix": "docs"})
    api.post(f"{RUNS}/{run}/start")
    worker = Api(make_token(project, Scope.WORK))
    job = claimed(worker)
    place = f"{RUNS}/{run}/artifacts"
    assert worker.post(place, artifact(job)).status_code == 201
    assert files.read(COMMAND, "alpha", "default", "out/a.json").content == b"{}"
    entry = AuditEntry.objects.filter(action="file.write").latest("id")
    assert (entry.actor_kind, entry.actor_name) == ("token", "a program")

    problem(worker.post(place, artifact(job) | {"job_id": None}), 403)
    problem(worker.post(place, artifact(job, storage="other")), 403)
    problem(worker.post(place, artifact(job) | {"path": "../beta/x"}), 422)
    waiting = api.get(f"{PROJECT}/jobs?status=pending").json()["items"][0]
    problem(worker.post(place, artifact(waiting)), 403)
    problem(worker.post(place, artifact(job) | {"document_id": waiting["document_id"]}), 422)
    problem(worker.call("PUT", f"{PROJECT}/storages/default/files/y.txt", b"y"), 403)
    done = {"lease_token": job["lease_token"]}
    assert worker.post(f"{PROJECT}/jobs/{job['id']}/complete", done).status_code == 200
    problem(worker.post(place, artifact(job, path="out/late.json")), 403)
    problem(Api(make_token(project, Scope.READ)).post(place, artifact(job)), 403)
    assert not files.exists(COMMAND, "alpha", "default", "out/late.json")


def test_a_worker_that_lost_its_lease_writes_no_artifact(api: Api) -> None:
    run = made(api, {"path": "docs/a.md"})
    api.post(f"{RUNS}/{run}/start")
    lost, place = claimed(api), f"{RUNS}/{run}/artifacts"
    api.post(f"{PROJECT}/jobs/{lost['id']}/release", {"lease_token": lost["lease_token"]})
    held = claimed(api)
    assert held["id"] == lost["id"]
    late = api.post(place, artifact(lost, lease_token=lost["lease_token"]))
    assert (late.status_code, late.json()["code"]) == (409, "lease_lost")
    assert not files.exists(COMMAND, "alpha", "default", "out/a.json")
    problem(api.post(place, artifact(held, lease_token=held["lease_token"]) | {"job_id": None}), 422)
    assert api.post(place, artifact(held, lease_token=held["lease_token"])).status_code == 201


def test_artifacts_as_one_batch_again_and_deferred(api: Api) -> None:
    run = made(api, {"path": "docs/a.md"})
    api.post(f"{RUNS}/{run}/start")
    job, place = claimed(api), f"{RUNS}/{run}/artifacts"
    batch = {"artifacts": [artifact(job, f"out/{n}", output=f"o{n}") for n in range(3)], "message": "Three"}
    first = api.post(place, batch).json()
    again = api.post(place, batch).json()
    assert [item["id"] for item in first["items"]] == [item["id"] for item in again["items"]]
    assert (len(first["commits"]), again["commits"]) == (1, {})
    late = api.post(place, artifact(job, "out/late", content="later") | {"deferred": True})
    assert (late.status_code, late.json()["commits"]) == (202, {})
    (item,) = late.json()["items"]
    assert b"".join(api.get(f"{PROJECT}/artifacts/{item['id']}/content")) == b"later"
    outbox.flush(COMMAND, "alpha", "default")
    assert b"".join(api.get(f"{PROJECT}/artifacts/{item['id']}/content")) == b"later"
    found = api.get(f"{PROJECT}/artifacts?content_hash={item['content_hash']}").json()["items"]
    assert [each["id"] for each in found] == [item["id"]]
    assert (item["attempt"], item["source"][:7]) == (1, "sha256:")
    wrongs: tuple[dict[str, Any], ...] = (
        {"artifacts": []},
        {"artifacts": [artifact(job)] * 2},
        {**artifact(job), "artifacts": [artifact(job)]},
    )
    for wrong in wrongs:
        problem(api.post(place, wrong), 422)


def test_what_is_left_when_things_go(api: Api) -> None:
    run = made(api, {"glob": "docs/*.md"})
    api.post(f"{RUNS}/{run}/start")
    for _ in range(2):
        job = claimed(api)
        api.post(f"{PROJECT}/jobs/{job['id']}/complete", {"lease_token": job["lease_token"]})
    assert api.call("DELETE", f"{PROJECT}/jobs/{job['id']}").status_code == 204
    document = api.get(f"{RUNS}/{run}/documents/{job['document_id']}").json()
    assert (document["state"], document["job_id"]) == ("job_gone", job["id"])
    assert paths(api.get(f"{RUNS}/{run}/documents?state=job_gone")) == [document["path"]]
    view = api.get(f"{RUNS}/{run}").json()
    assert (view["state"], view["progress"]) == ("completed", 100)

    place = f"{RUNS}/{run}/documents/{document['id']}"
    assert api.call("DELETE", place).status_code == 204
    assert f"The document '{document['path']}' was deleted on" in problem(api.get(place), 404)
    assert api.call("DELETE", f"{RUNS}/{run}", If_Match='"v99"').status_code == 412
    assert len(api.get(f"{RUNS}/{run}/documents").json()["items"]) == 1
    assert api.call("DELETE", f"{RUNS}/{run}").status_code == 204
    for gone in (f"{RUNS}/{run}", place, f"{RUNS}/{run}/documents", f"{RUNS}/{run}/artifacts"):
        assert "The run 'Outlines' was deleted on" in problem(api.get(gone), 404)
    assert api.get(f"{PROJECT}/jobs?run_id={run}").json()["items"][0]["run_id"] == run


def test_how_jobs_ended_is_remembered_when_they_are_gone(api: Api) -> None:
    run = made(api, {"path": "docs/a.md"})
    api.post(f"{RUNS}/{run}/start")
    job = claimed(api)
    failure = {"lease_token": job["lease_token"], "error_message": "bad", "retryable": False}
    api.post(f"{PROJECT}/jobs/{job['id']}/fail", failure)
    assert run_steps.remember_ends(Deadline(ONE_STEP * 30)) == {"remembered": 1}
    api.call("DELETE", f"{PROJECT}/jobs/{job['id']}")
    view = api.get(f"{RUNS}/{run}").json()
    assert (view["state"], view["jobs"], view["progress"]) == ("failed", {}, 100)
