"""Answers that are shaped without a response model are exactly what the OpenAPI document promises."""

from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from jobs_app.domain.access import COMMAND
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.models import Project
from jobs_app.services import jobs, operations
from tests.api.client import Api
from tests.factories import make_token

pytestmark = pytest.mark.django_db
P = "/projects/{p}"


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project))


def test_every_answer_fits_its_schema_and_has_no_field_more(api: Api) -> None:
    document = api.get("/openapi.json").json()
    seen = set()

    def check(method: str, template: str, body: Any = None, **values: str) -> Any:
        path = template
        for name, value in {"p": "alpha", **values}.items():
            path = path.replace(f"{{{name}}}", value)
        response = api.call(method, path.replace("~", "?"), body)
        assert response.status_code < 300, response.content
        operation = document["paths"][f"/api/v1{template.partition('~')[0]}"][method.lower()]
        promised = operation["responses"][str(response.status_code)]
        seen.add((method, template))
        if response.status_code == 204:
            return None
        schema = promised["content"]["application/json"]["schema"]
        closed = {**schema, "components": _closed(document["components"])}
        Draft202012Validator(closed).validate(response.json())
        return response.json()

    waiting = check("POST", f"{P}/jobs", {"name": "w", "priority": -1, "not_before": "2999-01-01T00:00:00Z"})
    check("POST", f"{P}/jobs/batch", {"jobs": [{"task_options": {"x": [1]}}, {"name": "b"}, {"name": "c"}]})
    first, second = check("POST", f"{P}/jobs/claim", {"worker_id": "w1", "limit": 2})["jobs"]
    id, token = first["id"], {"lease_token": first["lease_token"]}
    check("POST", f"{P}/jobs/{{id}}/heartbeat", {**token, "progress": 1.5}, id=id)
    check("GET", f"{P}/jobs")
    check("GET", f"{P}/jobs/{{id}}", id=id)
    check("PATCH", f"{P}/jobs/{{id}}", {"priority": 3}, id=waiting["id"])
    check("GET", f"{P}/jobs/{{id}}/waiting", id=waiting["id"])
    check("GET", f"{P}/workers")
    check("GET", f"{P}/workers/{{worker_id}}", worker_id="w1")
    check("POST", f"{P}/workers/{{worker_id}}/drain", {}, worker_id="w1")
    check("GET", f"{P}/workers")
    check("POST", f"{P}/workers/{{worker_id}}/resume", worker_id="w1")
    check("POST", f"{P}/pauses", {"reason": "x"})
    check("GET", f"{P}/pauses")
    check("DELETE", f"{P}/pauses")
    check("POST", f"{P}/jobs/{{id}}/logs", {"entries": [{"message": "x", "data": {"a": 1}}]}, id=id)
    check("GET", f"{P}/jobs/{{id}}/logs", id=id)
    check("POST", f"{P}/jobs/{{id}}/complete", {**token, "result_data": [1, None]}, id=id)
    failure = {"lease_token": second["lease_token"], "error_message": "x", "retryable": False}
    check("POST", f"{P}/jobs/{{id}}/fail", failure, id=second["id"])
    check("POST", f"{P}/jobs/{{id}}/retry", {}, id=second["id"])
    check("POST", f"{P}/jobs/{{id}}/cancel", {"reason": "x"}, id=waiting["id"])
    third = check("POST", f"{P}/jobs/claim", {"worker_id": "w1"})["jobs"][0]
    check("POST", f"{P}/jobs/{{id}}/release", {"lease_token": third["lease_token"]}, id=third["id"])
    check("GET", f"{P}/jobs/{{id}}/events", id=id)
    check("GET", f"{P}/jobs/{{id}}/attempts", id=second["id"])
    check("DELETE", f"{P}/jobs/{{id}}", id=id)
    check("GET", f"{P}/trash")
    check("POST", f"{P}/trash/{{id}}/restore", id=id)
    check("DELETE", f"{P}/jobs/{{id}}", id=id)
    check("DELETE", f"{P}/trash/{{id}}", id=id)
    check("GET", f"{P}/retention")
    check("GET", f"{P}/jobs/stats")
    check("GET", f"{P}/jobs/suggestions~q=sta")
    check("POST", f"{P}/jobs/actions/preview", {"filter": {}})
    check("POST", f"{P}/jobs/actions", {"action": "retry", "ids": [id]})
    jobs.create_many(COMMAND, "alpha", [NewJob(name=str(number)) for number in range(130)])
    failed = check("POST", f"{P}/jobs/claim", {"worker_id": "w1"})["jobs"][0]
    broken = {"lease_token": failed["lease_token"], "error_message": "x 1", "retryable": False}
    check("POST", f"{P}/jobs/{{id}}/fail", broken, id=failed["id"])
    operation = check("POST", f"{P}/jobs/actions", {"action": "cancel", "filter": {}})["operation_id"]
    operations.run(Deadline(timedelta(minutes=1)))
    check("GET", f"{P}/operations")
    check("GET", f"{P}/operations/{{id}}", id=operation)
    assert len(check("GET", f"{P}/operations/{{id}}/items", id=operation)["items"]) == 50
    row = check("GET", f"{P}/jobs/failures")["items"][0]
    check("GET", f"{P}/jobs/failures/{{fingerprint}}", fingerprint=row["fingerprint"])
    check("POST", f"{P}/jobs/failures/{{fingerprint}}/actions", {"action": "delete"}, fingerprint=row["fingerprint"])
    everything = {"action": "delete", "filter": {"q": "-status:processing"}}
    deleted = check("POST", f"{P}/jobs/actions", everything)["operation_id"]
    check("POST", f"{P}/operations/{{id}}/stop", id=deleted)
    again = check("POST", f"{P}/jobs/actions", everything)["operation_id"]
    operations.run(Deadline(timedelta(minutes=1)))
    check("POST", f"{P}/operations/{{id}}/undo", id=again)
    view = check("POST", f"{P}/views", {"name": "a", "query": "status:failed"})
    check("GET", f"{P}/views")
    check("GET", f"{P}/views/{{id}}", id=view["id"])
    check("PUT", f"{P}/views/{{id}}", {"name": "b"}, id=view["id"])
    check("DELETE", f"{P}/views/{{id}}", id=view["id"])
    ours = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation["tags"][0] in {"Jobs", "Workers", "Logs", "Operations", "Failures", "Saved views"}
    }
    files = {("GET", f"{P}/jobs/{{id}}/logs/{kind}") for kind in ("stream", "download")} | {("GET", f"{P}/jobs/export")}
    assert ours - {(method, path.partition("~")[0]) for method, path in seen} == files


def _closed(value: Any) -> Any:
    """The same schemas, where an object has no property beside those that are named."""
    if isinstance(value, dict):
        closed = {name: _closed(item) for name, item in value.items()}
        if closed.get("type") == "object" and "properties" in closed:
            closed.setdefault("additionalProperties", False)
        return closed
    return [_closed(item) for item in value] if isinstance(value, list) else value
