"""Each operation is driven, and what comes back (status, headers, body) must be what the OpenAPI document says."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND, Role, Scope
from jobs_app.models import Project
from jobs_app.services import free_records, maintenance, quarantine, tokens, workspaces
from storage_app.records.base import RecordStore
from tests.api.client import Answer, Api
from tests.factories import (
    file_cast,
    job_cast,
    library_cast,
    make_person,
    make_project,
    make_token,
    run_cast,
    segment_cast,
)

pytestmark = pytest.mark.django_db
DESCRIBED = ("ETag", "Location", "Idempotent-Replayed", "Retry-After", "WWW-Authenticate", "X-Request-ID")


@dataclass(frozen=True)
class Call:
    """One call that succeeds with `status`; `known` makes it one that is repeated under the same conditions."""

    operation: str
    path: str
    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


KEY = (("Idempotency-Key", "k1"),)
JOBS = "/projects/alpha/jobs"
SEGMENTS = "/projects/alpha/segments"
RECORDS = "/projects/alpha/records"
OPEN = "get /projects/{p}/records/{collection}"  # takes any parameter: a field and the value it must have
LEASE = "the token of the one lease"
# What these send is no document of JSON; their own tests read it.
STREAMED = {
    *(f"get /projects/{{p}}/jobs/{{id}}/logs/{kind}" for kind in ("stream", "download")),
    *(f"{method} /projects/{{p}}/jobs/{{id}}/files/{{path}}" for method in ("get", "head")),
    *(f"{method} /projects/{{p}}/storages/{{s}}/files/{{path}}" for method in ("get", "head")),
    "get /projects/{p}/storages/{s}/pending/{id}",
    "get /projects/{p}/jobs/export",
    "get /projects/{p}/runs/{id}/documents/{doc}/content",
    "get /projects/{p}/segments/export",
    "get /projects/{p}/artifacts/{id}/content",
}
RUNS = "/projects/alpha/runs"
ARTIFACT = {"document_id": "WORKING", "job_id": "RUN_JOB", "path": "out/b.json", "content": "{}"}
STORAGE = "/projects/alpha/storages/default"
PROMPTS = "/projects/alpha/library/prompts"
BATCH = {"writes": [{"path": "x/d.txt", "content": "d"}], "deletes": ["a.txt"]}
CALLS = [
    Call("get /me", "/me", 200),
    Call("get /projects", "/projects?limit=1", 200),
    Call("post /projects", "/projects", 201, {"slug": "new"}, KEY),
    Call("get /projects/{p}", "/projects/alpha", 200),
    Call("get /projects/{p}", "/projects/alpha", 304, None, (("If-None-Match", '"v1"'),)),
    Call("patch /projects/{p}", "/projects/alpha", 200, {"name": "New"}, (("If-Match", '"v1"'),)),
    Call("delete /projects/{p}", "/projects/alpha?confirm=alpha", 204),
    Call("get /projects/{p}/members", "/projects/alpha/members", 200),
    Call("put /projects/{p}/members/{username}", "/projects/alpha/members/ben", 200, {"role": "operator"}),
    Call("delete /projects/{p}/members/{username}", "/projects/alpha/members/ben", 204),
    Call("get /projects/{p}/tokens", "/projects/alpha/tokens", 200),
    Call("post /projects/{p}/tokens", "/projects/alpha/tokens", 201, {"name": "w", "scopes": ["read"]}, KEY),
    Call("post /projects/{p}/tokens/{token_id}/rotate", "/projects/alpha/tokens/TOKEN/rotate", 201, None, KEY),
    Call("delete /projects/{p}/tokens/{token_id}", "/projects/alpha/tokens/TOKEN", 204),
    Call("get /projects/{p}/audit", "/projects/alpha/audit", 200),
    Call("get /projects/{p}/jobs", f"{JOBS}?limit=2", 200),
    Call("post /projects/{p}/jobs", JOBS, 201, {"name": "a"}, KEY),
    Call("post /projects/{p}/jobs/batch", f"{JOBS}/batch", 201, {"jobs": [{"name": "a"}]}, KEY),
    Call("post /projects/{p}/jobs/claim", f"{JOBS}/claim", 200, {"worker_id": "w2"}),
    Call("get /projects/{p}/jobs/stats", f"{JOBS}/stats?window=6h", 200),
    Call("get /projects/{p}/jobs/{id}", f"{JOBS}/PENDING", 200),
    Call("get /projects/{p}/jobs/{id}", f"{JOBS}/PENDING", 304, None, (("If-None-Match", '"v1"'),)),
    Call("patch /projects/{p}/jobs/{id}", f"{JOBS}/PENDING", 200, {"priority": 1}, (("If-Match", '"v1"'),)),
    Call("delete /projects/{p}/jobs/{id}", f"{JOBS}/PENDING", 204),
    Call("post /projects/{p}/jobs/{id}/cancel", f"{JOBS}/PENDING/cancel", 200, {"reason": "x"}),
    Call("post /projects/{p}/jobs/{id}/cancel", f"{JOBS}/HELD/cancel", 202, {"reason": "x"}),
    Call("post /projects/{p}/jobs/{id}/retry", f"{JOBS}/FAILED/retry", 200, {"reason": "x"}),
    Call("post /projects/{p}/jobs/{id}/heartbeat", f"{JOBS}/HELD/heartbeat", 200, {"lease_token": LEASE}),
    Call("post /projects/{p}/jobs/{id}/complete", f"{JOBS}/HELD/complete", 200, {"lease_token": LEASE}),
    Call("post /projects/{p}/jobs/{id}/fail", f"{JOBS}/HELD/fail", 200, {"lease_token": LEASE, "error_message": "x"}),
    Call("post /projects/{p}/jobs/{id}/release", f"{JOBS}/HELD/release", 200, {"lease_token": LEASE}),
    Call("get /projects/{p}/jobs/{id}/events", f"{JOBS}/FAILED/events", 200),
    Call("get /projects/{p}/jobs/{id}/attempts", f"{JOBS}/FAILED/attempts", 200),
    Call("get /projects/{p}/jobs/{id}/waiting", f"{JOBS}/PENDING/waiting", 200),
    Call("get /projects/{p}/jobs/{id}/logs", f"{JOBS}/HELD/logs", 200),
    Call("post /projects/{p}/jobs/{id}/logs", f"{JOBS}/HELD/logs", 201, {"entries": [{"message": "x"}]}),
    Call("get /projects/{p}/jobs/suggestions", f"{JOBS}/suggestions?q=sta", 200),
    Call(
        "post /projects/{p}/jobs/actions",
        f"{JOBS}/actions",
        200,
        {"action": "retry", "filter": {"q": "status:failed"}},
        KEY,
    ),
    Call("post /projects/{p}/jobs/actions/preview", f"{JOBS}/actions/preview", 200, {"filter": {"status": ["failed"]}}),
    Call("get /projects/{p}/jobs/failures", f"{JOBS}/failures", 200),
    Call("get /projects/{p}/jobs/failures/{fingerprint}", f"{JOBS}/failures/CAUSE", 200),
    Call(
        "post /projects/{p}/jobs/failures/{fingerprint}/actions",
        f"{JOBS}/failures/CAUSE/actions",
        200,
        {"action": "retry"},
        KEY,
    ),
    Call("get /projects/{p}/operations", "/projects/alpha/operations?open=true", 200),
    Call("get /projects/{p}/operations/{id}", "/projects/alpha/operations/OPERATION", 200),
    Call("get /projects/{p}/operations/{id}/items", "/projects/alpha/operations/UNDOABLE/items", 200),
    Call("post /projects/{p}/operations/{id}/stop", "/projects/alpha/operations/OPERATION/stop", 200),
    Call("post /projects/{p}/operations/{id}/undo", "/projects/alpha/operations/UNDOABLE/undo", 202),
    Call("get /projects/{p}/views", "/projects/alpha/views", 200),
    Call("post /projects/{p}/views", "/projects/alpha/views", 201, {"name": "Mine"}, KEY),
    Call("get /projects/{p}/views/{id}", "/projects/alpha/views/VIEW", 200),
    Call("get /projects/{p}/views/{id}", "/projects/alpha/views/VIEW", 304, None, (("If-None-Match", '"v1"'),)),
    Call("put /projects/{p}/views/{id}", "/projects/alpha/views/VIEW", 200, {"name": "New"}, (("If-Match", '"v1"'),)),
    Call("delete /projects/{p}/views/{id}", "/projects/alpha/views/VIEW", 204),
    Call("get /projects/{p}/jobs/{id}/files", f"{JOBS}/PENDING/files", 200),
    Call("put /projects/{p}/jobs/{id}/files/{path}", f"{JOBS}/PENDING/files/b.txt", 201),
    Call("put /projects/{p}/jobs/{id}/files/{path}", f"{JOBS}/PENDING/files/a.txt", 200),
    Call("delete /projects/{p}/jobs/{id}/files/{path}", f"{JOBS}/PENDING/files/a.txt", 204),
    Call("get /projects/{p}/trash", "/projects/alpha/trash", 200),
    Call("post /projects/{p}/trash/{id}/restore", "/projects/alpha/trash/DELETED/restore", 200),
    Call("delete /projects/{p}/trash/{id}", "/projects/alpha/trash/DELETED", 204),
    Call("get /projects/{p}/retention", "/projects/alpha/retention", 200),
    Call("get /projects/{p}/workers", "/projects/alpha/workers", 200),
    Call("get /projects/{p}/workers/{worker_id}", "/projects/alpha/workers/w1", 200),
    Call("post /projects/{p}/workers/{worker_id}/drain", "/projects/alpha/workers/w1/drain", 200, {"reason": "x"}),
    Call("post /projects/{p}/workers/{worker_id}/resume", "/projects/alpha/workers/w1/resume", 200),
    Call("get /projects/{p}/pauses", "/projects/alpha/pauses", 200),
    Call("post /projects/{p}/pauses", "/projects/alpha/pauses", 201, {"reason": "x"}),
    Call("delete /projects/{p}/pauses", "/projects/alpha/pauses", 204),
    Call("get /storages", "/storages", 200),
    Call("get /projects/{p}/storages", "/projects/alpha/storages", 200),
    Call("post /projects/{p}/storages/{s}/test", f"{STORAGE}/test", 200),
    Call("get /projects/{p}/storages/{s}/files", f"{STORAGE}/files?recursive=true", 200),
    Call("put /projects/{p}/storages/{s}/files/{path}", f"{STORAGE}/files/new.txt?message=x", 201),
    Call("put /projects/{p}/storages/{s}/files/{path}", f"{STORAGE}/files/a.txt", 200),
    Call("put /projects/{p}/storages/{s}/files/{path}", f"{STORAGE}/files/a.txt?deferred=true", 202),
    Call("delete /projects/{p}/storages/{s}/files/{path}", f"{STORAGE}/files/a.txt", 200),
    Call("delete /projects/{p}/storages/{s}/files/{path}", f"{STORAGE}/files/a.txt?deferred=true", 202),
    Call("post /projects/{p}/storages/{s}/batch", f"{STORAGE}/batch", 200, BATCH),
    Call("post /projects/{p}/storages/{s}/batch", f"{STORAGE}/batch", 202, {**BATCH, "deferred": True}),
    Call("get /projects/{p}/storages/{s}/versions/{path}", f"{STORAGE}/versions/a.txt", 200),
    Call("get /projects/{p}/storages/{s}/pending", f"{STORAGE}/pending", 200),
    Call("get /projects/{p}/storages/{s}/pending/sent", f"{STORAGE}/pending/sent", 200),
    Call("post /projects/{p}/storages/{s}/pending/flush", f"{STORAGE}/pending/flush", 200),
    Call("post /projects/{p}/storages/{s}/pending/{id}", f"{STORAGE}/pending/PARKED", 200),
    Call("delete /projects/{p}/storages/{s}/pending/{id}", f"{STORAGE}/pending/WAITING", 204),
    Call("get /projects/{p}/library/{kind}", PROMPTS, 200),
    Call("get /projects/{p}/library/{kind}/{name}", f"{PROMPTS}/summarise", 200),
    Call("put /projects/{p}/library/{kind}/{name}", f"{PROMPTS}/new", 201, {"content": "New.", "message": "x"}),
    Call("put /projects/{p}/library/{kind}/{name}", f"{PROMPTS}/summarise", 200, {"content": "New."}),
    Call("put /projects/{p}/library/{kind}/{name}", f"{PROMPTS}/later", 202, {"content": "New.", "deferred": True}),
    Call("delete /projects/{p}/library/{kind}/{name}", f"{PROMPTS}/summarise", 200),
    Call("delete /projects/{p}/library/{kind}/{name}", f"{PROMPTS}/summarise?deferred=true", 202),
    Call("post /projects/{p}/library/{kind}/{name}/rename", f"{PROMPTS}/summarise/rename", 200, {"name": "other"}),
    Call("get /projects/{p}/library/{kind}/{name}/versions", f"{PROMPTS}/summarise/versions", 200),
    Call("get /projects/{p}/runs", f"{RUNS}?phase=draft&q=outlines", 200),
    Call("get /projects/{p}/runs", f"{RUNS}?state=running", 200),
    Call("post /projects/{p}/runs", RUNS, 201, {"name": "Outlines", "outputs": ["main"]}, KEY),
    Call("get /projects/{p}/runs/{id}", f"{RUNS}/DRAFTED", 200),
    Call("patch /projects/{p}/runs/{id}", f"{RUNS}/DRAFTED", 200, {"name": "New"}, (("If-Match", '"v1"'),)),
    Call("delete /projects/{p}/runs/{id}", f"{RUNS}/DRAFTED", 204),
    Call("post /projects/{p}/runs/{id}/start", f"{RUNS}/DRAFTED/start", 200, {"force": True}),
    Call("post /projects/{p}/runs/{id}/cancel", f"{RUNS}/DRAFTED/cancel", 200, {"reason": "x"}),
    Call("post /projects/{p}/runs/{id}/cancel", f"{RUNS}/RUNNING/cancel", 202, {"reason": "x"}),
    Call("post /projects/{p}/runs/{id}/retry-failed", f"{RUNS}/RUNNING/retry-failed", 200, {"reason": "x"}),
    Call("post /projects/{p}/runs/{id}/clone", f"{RUNS}/RUNNING/clone", 201, {"name": "Again"}, KEY),
    Call("get /projects/{p}/runs/{id}/documents", f"{RUNS}/RUNNING/documents?state=processing", 200),
    Call("post /projects/{p}/runs/{id}/documents", f"{RUNS}/DRAFTED/documents", 201, {"path": "docs/b.md"}),
    Call("post /projects/{p}/runs/{id}/documents", f"{RUNS}/DRAFTED/documents", 200, {"path": "docs/a.md"}),
    Call("get /projects/{p}/runs/{id}/documents/{doc}", f"{RUNS}/DRAFTED/documents/ATTACHED", 200),
    Call("delete /projects/{p}/runs/{id}/documents/{doc}", f"{RUNS}/DRAFTED/documents/ATTACHED", 204),
    Call("get /projects/{p}/runs/{id}/artifacts", f"{RUNS}/RUNNING/artifacts", 200),
    Call("post /projects/{p}/runs/{id}/artifacts", f"{RUNS}/RUNNING/artifacts", 201, ARTIFACT),
    Call("post /projects/{p}/runs/{id}/artifacts", f"{RUNS}/RUNNING/artifacts", 202, {**ARTIFACT, "deferred": True}),
    Call("get /projects/{p}/artifacts", "/projects/alpha/artifacts?run_id=RUNNING", 200),
    Call("get /projects/{p}/artifacts/{id}", "/projects/alpha/artifacts/MADE", 200),
    Call("post /projects/{p}/segments", SEGMENTS, 201, {"text": "a new one"}, KEY),
    Call("post /projects/{p}/segments", SEGMENTS, 200, {"text": "one"}),
    Call("post /projects/{p}/segments/batch", f"{SEGMENTS}/batch", 201, {"segments": [{"text": "b"}]}, KEY),
    Call("post /projects/{p}/segments/batch", f"{SEGMENTS}/batch", 200, {"segments": [{"text": "one"}]}),
    Call("get /projects/{p}/segments", f"{SEGMENTS}?limit=1&type=note&tier=active", 200),
    Call("get /projects/{p}/segments/load", f"{SEGMENTS}/load?token_budget=100", 200),
    Call("get /projects/{p}/segments/search", f"{SEGMENTS}/search?q=one&facets=true", 200),
    Call("get /projects/{p}/segments/suggestions", f"{SEGMENTS}/suggestions?q=type:n", 200),
    Call("get /projects/{p}/segments/stats", f"{SEGMENTS}/stats", 200),
    Call("post /projects/{p}/segments/stash", f"{SEGMENTS}/stash", 200, {"token_budget": 1, "preview": True}),
    Call("post /projects/{p}/segments/unstash", f"{SEGMENTS}/unstash", 200, {"ids": ["STORED"]}),
    Call("post /projects/{p}/segments/import", f"{SEGMENTS}/import", 200, {"content": "{", "form": "lines"}),
    Call("get /projects/{p}/segments/trash", f"{SEGMENTS}/trash", 200),
    Call("post /projects/{p}/segments/trash/{id}/restore", f"{SEGMENTS}/trash/FORGOTTEN/restore", 200),
    Call("delete /projects/{p}/segments/trash/{id}", f"{SEGMENTS}/trash/FORGOTTEN", 204),
    Call("get /projects/{p}/segments/{id}", f"{SEGMENTS}/STORED", 200),
    Call("get /projects/{p}/segments/{id}", f"{SEGMENTS}/STORED", 304, None, (("If-None-Match", '"v2"'),)),
    Call("patch /projects/{p}/segments/{id}", f"{SEGMENTS}/STORED", 200, {"type": "x"}, (("If-Match", '"v2"'),)),
    Call("delete /projects/{p}/segments/{id}", f"{SEGMENTS}/STORED", 204),
    Call("post /projects/{p}/segments/{id}/stash", f"{SEGMENTS}/STORED/stash", 200, {"reason": "x"}),
    Call("post /projects/{p}/segments/{id}/unstash", f"{SEGMENTS}/STORED/unstash", 200, {"reason": "x"}),
    Call("get /projects/{p}/segments/{id}/history", f"{SEGMENTS}/STORED/history", 200),
    Call("get /projects/{p}/segments/{id}/versions/{version}", f"{SEGMENTS}/STORED/versions/1", 200),
    Call("post /projects/{p}/segments/{id}/revert", f"{SEGMENTS}/STORED/revert", 200, {"version": 1}),
    Call("get /projects/{p}/records", RECORDS, 200),
    Call("post /projects/{p}/records/{collection}", f"{RECORDS}/tasks", 201, {"title": "a"}, KEY),
    Call(OPEN, f"{RECORDS}/tasks?title=a&limit=1", 200),
    Call("post /projects/{p}/records/{collection}/query", f"{RECORDS}/tasks/query", 200, {"filters": {"n__gt": 1}}),
    Call("get /projects/{p}/records/{collection}/{id}", f"{RECORDS}/tasks/1", 200),
    Call("get /projects/{p}/records/{collection}/{id}", f"{RECORDS}/tasks/1", 304, None, (("If-None-Match", '"v1"'),)),
    Call("put /projects/{p}/records/{collection}/{id}", f"{RECORDS}/tasks/1", 200, {"a": 1}, (("If-Match", '"v1"'),)),
    Call("patch /projects/{p}/records/{collection}/{id}", f"{RECORDS}/tasks/1", 200, {"a": 1}),
    Call("delete /projects/{p}/records/{collection}/{id}", f"{RECORDS}/tasks/1", 200),
    Call("post /projects/{p}/agent/messages", "/projects/alpha/agent/messages", 200, {"action": "storage_list"}),
    Call("get /maintenance/tasks", "/maintenance/tasks", 200),
    Call("post /maintenance/tasks/{name}/run", "/maintenance/tasks/health/run", 202),
    Call("get /maintenance/history", "/maintenance/history", 200),
    Call("get /quarantine", "/quarantine?project=alpha", 200),
    Call("post /quarantine/{id}/restore", "/quarantine/SET_ASIDE/restore", 204, {"text": "{}"}),
    Call("delete /quarantine/{id}", "/quarantine/SET_ASIDE", 204),
]
every_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.operation} {call.status}")


@dataclass(frozen=True)
class World:
    chief: Api
    worker: Api
    token_id: int
    ids: dict[str, str]

    def path(self, call: Call) -> str:
        path = call.path.replace("TOKEN", str(self.token_id))
        for kind, id in self.ids.items():
            path = path.replace(kind.upper(), id)
        return path

    def body(self, body: Any) -> Any:
        named = {kind.upper(): id for kind, id in self.ids.items()}
        return {key: named.get(str(value), value) for key, value in body.items()} if isinstance(body, dict) else body


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = Api().get("/openapi.json").json()
    return found


@pytest.fixture
def world(project: Project, memory_store: RecordStore, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> World:
    """A project with people, tokens, a log, a history, jobs, files and a record set aside in it."""
    settings.FILE_STORAGES = {"default": {"provider": "memory"}}
    note = memory_store.insert(project.slug, "free.notes", {"text": "odd"})
    memory_store.quarantine(project.slug, "free.notes", note.id, "it makes no sense")
    (set_aside,) = quarantine.of(COMMAND, project.slug)
    for name, role in (("anna", Role.ADMIN), ("ben", Role.VIEWER)):
        make_person(name, roles={project: role})
    for run_id in maintenance.claim_due():
        maintenance.perform(run_id, "here")
    token, _ = tokens.create(COMMAND, "alpha", "existing", ["read"])
    chief = Api(tokens.create_for_server(COMMAND, "chief", list(Scope))[1])
    monkeypatch.setattr("jobs_app.domain.lease.new_token", lambda: LEASE)
    library_cast(project)
    ids = {**run_cast(project), **job_cast(project), **file_cast(project), **segment_cast(project)}
    ids["set_aside"] = set_aside.id
    workspaces.write(COMMAND, "alpha", ids["pending"], "a.txt", [b"x"], 1)
    free_records.create(COMMAND, project.slug, "tasks", {"title": "a"})
    return World(chief, Api(make_token(project, Scope.WORK)), token.pk, ids)


def test_every_operation_is_driven(document: dict[str, Any]) -> None:
    assert {call.operation for call in CALLS} | STREAMED == {name for name, _ in operations(document)}


@every_call
def test_a_success_is_as_described(call: Call, world: World, document: dict[str, Any]) -> None:
    answer = send(world.chief, call, world)
    assert answer.status_code == call.status
    check(document, call.operation, answer)
    if call.headers == KEY:
        again = send(world.chief, call, world)
        assert again["Idempotent-Replayed"] == "true"
        check(document, call.operation, again)
        other = send(world.chief, call, world, {"slug": "other", "name": "x", "scopes": ["work"]})
        assert other.status_code == 422


@every_call
def test_refusals_are_as_described(call: Call, world: World, document: dict[str, Any]) -> None:
    """Nobody, somebody who may not, a typo in the address, a stale version, and bodies that are none."""
    method, path = call.operation.split(" ")[0].upper(), world.path(call)
    body = world.body(call.body)
    join = "&" if "?" in path else "?"
    typo = "limit" if call.operation == OPEN else "typo"
    refused = [
        Api().call(method, path, body),
        Api("nonsense").call(method, path, body),
        world.worker.call(method, path, body),
        world.chief.call(method, f"{path}{join}{typo}=x", body),
        world.chief.call(method, f"{path}{join}{typo}=%00", body),
        world.chief.call(method, path.replace("alpha", "absent"), body),
        world.chief.call(method, path, body, If_Match='"v99"', If_None_Match='"v99"'),
    ]
    if call.body is not None:
        refused += [
            world.chief.call(method, path, b"{"),
            world.chief.call(method, path, b"[]"),
            world.chief.call(method, path, {**body, "typo": 1}),
            world.chief.call(method, path, body, Content_Type="text/plain"),
        ]
    for answer in refused:
        check(document, call.operation, answer)
    assert {400, 401, 422} <= {answer.status_code for answer in refused}


@pytest.mark.parametrize(
    ("operation", "path", "body", "status"),
    [
        ("post /projects", "/projects", {"slug": "alpha"}, 409),
        ("put /projects/{p}/members/{username}", "/projects/alpha/members/anna", {"role": "viewer"}, 409),
        ("delete /projects/{p}/members/{username}", "/projects/alpha/members/anna", None, 409),
        ("delete /projects/{p}/members/{username}", "/projects/alpha/members/nobody", None, 404),
        ("delete /projects/{p}/tokens/{token_id}", "/projects/alpha/tokens/9999", None, 404),
        ("delete /projects/{p}", "/projects/alpha?confirm=no", None, 422),
        ("post /maintenance/tasks/{name}/run", "/maintenance/tasks/nothing/run", None, 404),
        ("get /maintenance/history", "/maintenance/history?name=nothing", None, 404),
    ],
)
def test_what_the_state_of_things_refuses_is_as_described(
    operation: str, path: str, body: Any, status: int, world: World, document: dict[str, Any]
) -> None:
    answer = world.chief.call(operation.split(" ")[0].upper(), path, body)
    assert answer.status_code == status
    check(document, operation, answer)


def test_each_example_is_what_its_schema_allows_and_each_body_has_one(document: dict[str, Any]) -> None:
    seen = 0
    for name, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in (*bodies, *operation["responses"].values()):
            for kind, media in body.get("content", {}).items():
                if not kind.endswith("json"):
                    continue
                schema = media["schema"]
                reference = schema["$ref"] if "$ref" in schema else schema["allOf"][0]["$ref"]  # with a default
                target = document["components"]["schemas"][reference.rpartition("/")[2]]
                assert target.get("examples"), f"{name}: {schema} has no example"
                for example in target["examples"]:
                    validate(document, schema, example)
                    seen += 1
    assert seen > 50


def test_no_example_holds_what_could_be_a_secret(document: dict[str, Any]) -> None:
    assert not re.search(r"hf_[0-9A-Za-z]{20}", json.dumps(document))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path.removeprefix('/api/v1')}", operation


def send(api: Api, call: Call, world: World, body: Any = None) -> Answer:
    method = call.operation.split(" ")[0].upper()
    if body is not None and call.body is not None:
        body = {name: value for name, value in body.items() if name in call.body}
    elif body is not None:
        return api.call(method, f"{world.path(call)}?overlap_seconds=1", b" ", **dict(call.headers))
    return api.call(method, world.path(call), world.body(call.body) if body is None else body, **dict(call.headers))


def check(document: dict[str, Any], operation: str, answer: Answer) -> None:
    responses = dict(operations(document))[operation]["responses"]
    assert str(answer.status_code) in responses, f"{operation} answered {answer.status_code}: {answer.content!r}"
    described = responses[str(answer.status_code)]
    required = {name for name, header in described["headers"].items() if header["required"]}
    sent = {name for name in DESCRIBED if name in answer}
    assert required <= sent <= set(described["headers"]), f"{operation} {answer.status_code} sent {sent}"
    content = described.get("content", {})
    if not content:
        assert answer.content == b""
        return
    ((kind, media),) = content.items()
    assert answer["Content-Type"].partition(";")[0] == kind
    validate(document, media["schema"], json.loads(answer.content))


def validate(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    checker = jsonschema.Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=jsonschema.FormatChecker()
    )
    checker.validate(value)


def test_a_project_that_is_foreign_or_absent_is_described_alike(world: World, document: dict[str, Any]) -> None:
    make_project("beta")
    for slug in ("beta", "nowhere"):
        answer = world.worker.get(f"/projects/{slug}")
        assert answer.status_code == 404
        check(document, "get /projects/{p}", answer)
