"""Every refusal is one shape: a problem document for programs, a page with the same sentence for people."""

import json
import logging

import pytest
from django.test import Client

from jobs_app import errors
from jobs_app.models import Project
from project import problems
from storage_app.records import errors as record_errors
from tests.api.client import Answer, Api
from tests.factories import make_person, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project))


def problem(response: Answer) -> dict[str, object]:
    assert response["Content-Type"] == "application/problem+json"
    assert response["X-Request-ID"]
    document: dict[str, object] = response.json()
    assert {"type", "title", "status", "detail", "code"} <= set(document)
    assert document["status"] == response.status_code
    assert problems.status_of(str(document["code"])) == response.status_code
    return document


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed_json"),
        (b'{"name": NaN}', "malformed_json"),
        (b'{"name": 1e999}', "malformed_json"),
        (b'{"name": "a", "name": "b"}', "malformed_json"),
        (b'{"name": "\\ud800"}', "malformed_json"),
        (b'{"name": "\\u0000"}', "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b'{"name": ' + b"[" * 100_000, "malformed_json"),
        (b'{"name": ' + b"9" * 5000 + b"}", "malformed_json"),
        (b"[]", "validation_error"),
        (b"null", "validation_error"),
        (b'"x"', "validation_error"),
        (b'{"name": {"a": 1}}', "validation_error"),
        (b'{"name": ""}', "validation_error"),
        (b'{"naem": "x"}', "validation_error"),
        (b"", "validation_error"),
    ],
)
def test_a_wrong_body_is_refused_with_its_reason(api: Api, body: bytes, code: str) -> None:
    assert problem(api.call("PATCH", "/projects/alpha", body))["code"] == code


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
def test_json_in_another_wrapping_is_refused(api: Api, kind: str) -> None:
    refused = api.call("PATCH", "/projects/alpha", b'{"name": "x"}', **{"Content-Type": kind})
    assert problem(refused)["code"] == "unsupported_media_type"


def test_an_address_that_is_none_and_a_method_that_is_none(api: Api) -> None:
    assert problem(api.get("/nowhere"))["code"] == "not_found"
    refused = api.call("PUT", "/projects/alpha", {})
    assert problem(refused)["code"] == "method_not_allowed"
    assert "GET" in refused["Allow"]


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Basic YTpi", "nonsense", "Bearer hf_\xe9"])
def test_a_bad_token_is_401_and_tries_no_session(project: Project, header: str) -> None:
    client = Client()
    client.force_login(make_person(runs_the_server=True))
    refused = client.get("/api/v1/me", headers={"Authorization": header})
    assert problem(refused)["code"] == "unauthenticated"
    assert refused["WWW-Authenticate"].startswith("Bearer")


def test_a_session_needs_its_csrf_token_for_whatever_changes(project: Project) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_person(runs_the_server=True))
    without = client.patch("/api/v1/projects/alpha", {"name": "x"}, content_type="application/json")
    assert problem(without)["code"] == "csrf_failed"
    client.get("/account/password/")
    token = client.cookies["csrftoken"].value
    headers = {"X-CSRFToken": token}
    with_token = client.patch("/api/v1/projects/alpha", {"name": "x"}, content_type="application/json", headers=headers)
    assert with_token.status_code == 200
    headers["Sec-Fetch-Site"] = "cross-site"
    foreign = client.patch("/api/v1/projects/alpha", {"name": "y"}, content_type="application/json", headers=headers)
    assert problem(foreign)["code"] == "csrf_failed"


def test_an_unexpected_error_is_told_in_one_sentence_and_logged_whole(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("jobs_app.services.projects.get", fail)
    with caplog.at_level(logging.ERROR):
        refused = api.get("/projects/alpha")
    assert problem(refused)["code"] == "internal_error"
    assert b"secret detail" not in refused.content
    assert "secret detail" in caplog.text


def test_the_callers_request_id_comes_back_where_it_is_sane(api: Api) -> None:
    assert api.get("/me", X_Request_ID="order-4711")["X-Request-ID"] == "order-4711"
    for hostile in ("short", "x" * 65, "a b c d e f", "<script>alert"):
        assert api.get("/me", X_Request_ID=hostile)["X-Request-ID"] != hostile


def test_every_error_of_ours_has_a_row_in_the_table() -> None:
    codes = {
        code
        for module in (errors, record_errors)
        for value in vars(module).values()
        if isinstance(value, type) and isinstance(code := getattr(value, "code", None), str)
    } - {errors.RefusedError.code}
    assert len(codes) > 8
    assert codes - set(problems.PROBLEMS) == set()


@pytest.mark.parametrize("code", sorted(problems.PROBLEMS))
def test_every_code_answers_with_its_status(code: str) -> None:
    response = problems.response(code, "A sentence.")
    assert response.status_code == problems.PROBLEMS[code][0]
    assert json.loads(response.content)["code"] == code
    assert ("Retry-After" in response) == (response.status_code in (429, 503))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/nowhere/", "not_found"),
        ("/p/other/", "not_found"),
        ("/p/alpha/settings/tokens/999/revoke/", "method_not_allowed"),
        ("/logout/", "method_not_allowed"),
    ],
)
def test_pages_say_what_is_wrong_in_the_shell(project: Project, path: str, code: str) -> None:
    client = Client()
    client.force_login(make_person(runs_the_server=True))
    response = client.get(path)
    assert response.status_code == problems.status_of(code)
    assert response["Content-Type"].startswith("text/html")
    assert problems.PROBLEMS[code][1] in response.content.decode()
    assert 'id="nav"' in response.content.decode()
    assert ("Allow" in response) == (code == "method_not_allowed")


def test_the_api_documents_every_status_it_answers_with() -> None:
    document = Api().get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    operations = [op for path in document["paths"].values() for op in path.values()]
    assert len(operations) > 12
    for operation in operations:
        assert {"401", "422", "500"} <= set(map(str, operation["responses"]))
        assert operation["summary"]
    assert "x-problems" not in json.dumps(document)


def test_the_openapi_document_is_valid() -> None:
    from openapi_spec_validator import validate

    validate(Api().get("/openapi.json").json())


def test_the_docs_page_loads_nothing_from_elsewhere() -> None:
    page = Client().get("/api/v1/docs")
    assert page.status_code == 200
    assert b"https://" not in page.content
    assert b"<script>" not in page.content
