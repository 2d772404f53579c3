"""Projects over HTTP."""

import pytest

from jobs_app.domain.access import COMMAND, Scope
from jobs_app.models import AuditEntry, Project
from jobs_app.services import projects, tokens
from tests.api.client import Answer, Api
from tests.factories import make_project, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Api:
    """A program that runs the server."""
    return Api(tokens.create_for_server(COMMAND, "provisioning", list(Scope))[1])


def code(response: Answer) -> str:
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    return str(problem["code"])


def test_a_project_is_created_and_found_again(server: Api) -> None:
    made = server.post("/projects", {"slug": "reports", "name": "Quarterly reports"})
    assert made.status_code == 201
    assert made["Location"] == "/api/v1/projects/reports"
    found = server.get("/projects/reports")
    assert found.json() == made.json()
    assert AuditEntry.objects.filter(action="project.create", target_name="reports").exists()


def test_a_slug_that_is_taken_is_a_conflict(server: Api) -> None:
    make_project("reports")
    assert code(server.post("/projects", {"slug": "reports"})) == "already_exists"


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a_b", "ä", "a" * 64, "a\n", "a/b", ".."])
def test_a_slug_that_is_none_is_refused(server: Api, slug: str) -> None:
    refused = server.post("/projects", {"slug": slug})
    assert code(refused) == "validation_error"
    assert refused.json()["errors"][0]["place"] == "body.slug"
    assert not Project.objects.exists()


def test_a_typo_in_a_field_is_refused_with_its_name(server: Api) -> None:
    refused = server.post("/projects", {"slug": "reports", "nmae": "Reports"})
    assert refused.status_code == 422
    assert "nmae" in refused.json()["detail"]


def test_a_typo_in_a_query_parameter_is_refused_with_its_name(server: Api) -> None:
    refused = server.get("/projects?limt=3")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["place"] == "query.limt"


def test_the_same_key_creates_once_and_answers_the_same(server: Api) -> None:
    first = server.post("/projects", {"slug": "reports"}, Idempotency_Key="k1")
    again = server.post("/projects", {"slug": "reports"}, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert Project.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(server: Api) -> None:
    server.post("/projects", {"slug": "reports"}, Idempotency_Key="k1")
    assert code(server.post("/projects", {"slug": "other"}, Idempotency_Key="k1")) == "idempotency_key_reused"


def test_a_failed_creation_does_not_use_the_key_up(server: Api) -> None:
    make_project("reports")
    assert server.post("/projects", {"slug": "reports"}, Idempotency_Key="k1").status_code == 409
    projects.delete(COMMAND, "reports", "reports")
    assert server.post("/projects", {"slug": "reports"}, Idempotency_Key="k1").status_code == 201


def test_a_replayed_token_answer_shows_the_secret_again_but_stores_it_nowhere(server: Api, project: Project) -> None:
    from jobs_app.models import IdempotentAnswer

    first = server.post("/projects/alpha/tokens", {"name": "w", "scopes": ["read"]}, Idempotency_Key="k1")
    again = server.post("/projects/alpha/tokens", {"name": "w", "scopes": ["read"]}, Idempotency_Key="k1")
    assert again.content == first.content
    secret = first.json()["token"]
    assert secret.encode() not in bytes(IdempotentAnswer.objects.get().sealed_body)
    assert Api(secret).get("/me").status_code == 200


def test_a_change_names_the_version_it_expects(server: Api, project: Project) -> None:
    tag = server.get("/projects/alpha")["ETag"]
    changed = server.call("PATCH", "/projects/alpha", {"name": "New"}, If_Match=tag)
    assert (changed.status_code, changed["ETag"]) == (200, '"v2"')
    assert code(server.call("PATCH", "/projects/alpha", {"name": "Newer"}, If_Match=tag)) == "precondition_failed"
    assert server.get("/projects/alpha", If_None_Match='"v2"').status_code == 304


@pytest.mark.parametrize("tag", ["v1", '"1"', '"v1", "v2"', '"v²"', ""])
def test_an_if_match_that_was_never_ours_fails(server: Api, project: Project, tag: str) -> None:
    assert server.call("PATCH", "/projects/alpha", {"name": "New"}, If_Match=tag).status_code == 412


def test_a_project_is_deleted_only_when_its_slug_is_repeated(server: Api, project: Project) -> None:
    assert code(server.call("DELETE", "/projects/alpha?confirm=alph")) == "validation_error"
    assert server.call("DELETE", "/projects/alpha?confirm=alpha").status_code == 204
    assert server.get("/projects/alpha").status_code == 404


def test_pages_go_through_all_and_survive_the_deletion_of_their_own_row(server: Api) -> None:
    for number in range(5):
        make_project(f"p{number}")
    first = server.get("/projects?limit=2").json()
    Project.objects.get(slug="p1").delete()
    second = server.get(f"/projects?limit=2&cursor={first['next_cursor']}").json()
    third = server.get(f"/projects?limit=2&cursor={second['next_cursor']}").json()
    slugs = [item["slug"] for page in (first, second, third) for item in page["items"]]
    assert slugs == ["p0", "p1", "p2", "p3", "p4"]
    assert third["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "WyItaWQiLDFd", "é", "W1tbW1tbW1tbXV1dXV1dXV1d"])
def test_a_bad_cursor_is_refused(server: Api, cursor: str) -> None:
    assert code(server.get(f"/projects?cursor={cursor}")) == "validation_error"


@pytest.mark.parametrize("spelling", ["1_0", "+1", "01", "%201", "%D9%A1", "%C2%B2", "1.0", "1e1", "", "9" * 30, "0x1"])
def test_a_number_has_one_spelling(server: Api, project: Project, spelling: str) -> None:
    assert code(server.get(f"/projects?limit={spelling}")) == "validation_error"
    if spelling:
        assert code(server.call("DELETE", f"/projects/alpha/tokens/{spelling}")) == "validation_error"


def test_another_project_is_as_absent_as_none(project: Project, other_project: Project) -> None:
    mine = Api(make_token(project))
    foreign, absent = mine.get("/projects/beta"), mine.get("/projects/nowhere")
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert foreign.content.replace(b"beta", b"x") == absent.content.replace(b"nowhere", b"x")
