"""Answers about segments and records are exactly what the OpenAPI document promises, and do what they say."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from jobs_app.domain.access import COMMAND, Scope
from jobs_app.models import Project
from jobs_app.services import files
from storage_app.hashes import git_hash, sha256_hash
from tests.api.client import Api
from tests.factories import make_token

pytestmark = pytest.mark.django_db
P = "/projects/{p}"


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project))


class Checker:
    def __init__(self, api: Api) -> None:
        self.api = api
        self.document = api.get("/openapi.json").json()
        components = self.document["components"]
        schemas = {
            name: {**schema, "additionalProperties": False} if schema.get("properties") else schema
            for name, schema in components["schemas"].items()
        }
        self.components = {**components, "schemas": schemas}

    def __call__(self, method: str, template: str, body: Any = None, query: str = "", **values: str) -> Any:
        path = template
        for name, value in {"p": "alpha", **values}.items():
            path = path.replace(f"{{{name}}}", value)
        response = self.api.call(method, f"{path}{query}", body)
        assert response.status_code < 300, response.content
        promised = self.document["paths"][f"/api/v1{template}"][method.lower()]["responses"][str(response.status_code)]
        if response.status_code == 204:
            return None
        schema = {**promised["content"]["application/json"]["schema"], "components": self.components}
        Draft202012Validator(schema).validate(response.json())
        return response.json()


def test_every_answer_about_segments_fits_its_schema_and_has_no_field_more(api: Api) -> None:
    check, segments = Checker(api), f"{P}/segments"
    source = {"job_id": "j1", "path": "a.py", "digest": "sha256:0"}
    made = check("POST", segments, {"text": "timed out", "tags": ["x"], "source": source, "metadata": {"n": 2**70}})
    id = made["segment_id"]
    assert made["metadata"] == {"n": 2**70}
    check("POST", segments, {"text": "timed out"})
    check("POST", f"{segments}/batch", {"segments": [{"text": "one", "tokens": 5000}, {"text": "two", "pinned": True}]})
    assert len(check("GET", segments, query="?tag=x")["items"]) == 1
    loaded = check("GET", f"{segments}/load", query="?token_budget=50")
    assert (len(loaded["items"]), loaded["left_out_count"]) == (2, 1)
    (match,) = check("GET", f"{segments}/search", query="?q=timed&facets=true")["items"]
    assert match["highlights"] == [{"start": 0, "end": 5}]
    check("GET", f"{segments}/search", query="?q=tag:x")
    check("GET", f"{segments}/stats")
    seen = check("POST", f"{segments}/stash", {"token_budget": 10, "preview": True})
    done = check("POST", f"{segments}/stash", {"token_budget": 10})
    assert seen["segment_ids"] == done["segment_ids"]
    check("POST", f"{segments}/stash", {"filter": {"q": "timed"}, "preview": True})
    check("POST", f"{segments}/unstash", {"ids": done["segment_ids"]})
    check("PATCH", f"{segments}/{{id}}", {"text": "timed in", "source": None, "expires_at": None}, id=id)
    check("GET", f"{segments}/{{id}}", id=id)
    check("GET", f"{segments}/{{id}}/history", id=id)
    assert check("GET", f"{segments}/{{id}}/versions/{{version}}", id=id, version="1")["text"] == "timed out"
    assert check("POST", f"{segments}/{{id}}/revert", {"version": 1}, id=id)["text"] == "timed out"
    check("POST", f"{segments}/{{id}}/stash", {}, id=id)
    check("POST", f"{segments}/{{id}}/unstash", {}, id=id)
    check("DELETE", f"{segments}/{{id}}", id=id)
    check("GET", f"{segments}/trash")
    check("POST", f"{segments}/trash/{{id}}/restore", id=id)
    exported = b"".join(api.get("/projects/alpha/segments/export"))
    broken = check("POST", f"{segments}/import", {"content": exported.decode()[:-60], "form": "single"})
    assert (broken["unchanged"], len(broken["faults"])) == (3, 1)


def test_every_answer_about_records_fits_its_schema_and_has_no_field_more(api: Api) -> None:
    check, records = Checker(api), f"{P}/records/{{collection}}"
    for number in range(3):
        check("POST", records, {"n": number, "state": "open" if number else "done", "id": "mine"}, collection="tasks")
    assert [one["id"] for one in check("GET", records, query="?state=open&n=1", collection="tasks")["items"]] == [2]
    assert [one["id"] for one in check("GET", records, query="?n__gt=1", collection="tasks")["items"]] == [3]
    assert len(check("GET", records, query="?n__in=0,2&limit=1", collection="tasks")["items"]) == 1
    check("POST", f"{records}/query", {"filters": {"state": "open"}, "order": "-id"}, collection="tasks")
    one = f"{records}/{{id}}"
    check("PUT", one, {"n": 7}, collection="tasks", id="1")
    assert check("PATCH", one, {"m": 8}, collection="tasks", id="1")["data"] == {"n": 7, "m": 8}
    check("GET", one, collection="tasks", id="1")
    check("DELETE", one, collection="tasks", id="1")
    check("GET", f"{P}/records")
    message = f"{P}/agent/messages"
    check("POST", message, {"action": "storage_save", "payload": {"task": {"a": 1}}})
    assert check("POST", message, {"action": "storage_get", "payload": {"task_id": 99}})["error_type"] == "not_found"


def test_a_query_that_cannot_be_read_says_where(api: Api) -> None:
    answer = api.get("/projects/alpha/segments/search?q=timed%20(out")
    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["position"]) == ("invalid_query", 6)


def test_a_token_that_only_writes_saves_by_message_and_reads_nothing(project: Project) -> None:
    api = Api(make_token(project, Scope.WRITE))
    path = "/projects/alpha/agent/messages"
    saved = api.post(path, {"action": "storage_save", "payload": {"task": {"a": 1}}})
    assert (saved.status_code, saved.json()["status"]) == (200, "success")
    assert api.post(path, {"action": "storage_list", "payload": {}}).status_code == 403


@pytest.mark.parametrize("digest", [sha256_hash(b"as it was"), git_hash(b"as it was")])
def test_a_changed_file_makes_its_segment_stale(api: Api, project: Project, digest: str) -> None:
    def stale(**source: str) -> Any:
        told = {"path": "a.py", "digest": digest, **source}
        id = api.post("/projects/alpha/segments", {"text": f"of {told}", "source": told}).json()["segment_id"]
        return api.get(f"/projects/alpha/segments/{id}").json()["stale"]

    files.write(COMMAND, project.slug, "default", "a.py", b"as it was")
    assert stale() is False
    assert stale(storage="default") is False
    assert stale(path="gone.py") is True
    assert stale(path="../outside") is None
    assert stale(storage="nowhere") is None
    assert stale(digest="no digest") is None
    files.write(COMMAND, project.slug, "default", "a.py", b"as it is")
    assert stale() is True


def test_a_caller_who_has_the_version_hears_of_a_changed_file_all_the_same(api: Api, project: Project) -> None:
    segments = "/projects/alpha/segments"
    files.write(COMMAND, project.slug, "default", "a.py", b"as it was")
    source = {"path": "a.py", "digest": git_hash(b"as it was")}
    of_file = api.post(segments, {"text": "of a file", "source": source}).json()["segment_id"]
    fresh = api.get(f"{segments}/{of_file}")["ETag"]
    assert api.get(f"{segments}/{of_file}", If_None_Match=fresh).status_code == 304
    files.write(COMMAND, project.slug, "default", "a.py", b"as it is")
    again = api.get(f"{segments}/{of_file}", If_None_Match=fresh)
    assert (again.status_code, again.json()["stale"], again.json()["version"]) == (200, True, 1)
    assert again["ETag"] != fresh
    assert api.get(f"{segments}/{of_file}", If_None_Match=again["ETag"]).status_code == 304
    changed = api.call("PATCH", f"{segments}/{of_file}", {"tags": ["x"]}, If_Match=fresh)
    assert changed.status_code == 200, "the version is still the one"
    assert api.call("PATCH", f"{segments}/{of_file}", {"tags": []}, If_Match=again["ETag"]).status_code == 412


@pytest.mark.parametrize(
    "body", [{}, {"ids": ["a"], "token_budget": 1}, {"token_budget": -1}, {"ids": []}, {"filter": {"q": "("}}]
)
def test_a_stashing_that_says_nothing_clear_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.post("/projects/alpha/segments/stash", body).status_code == 422
