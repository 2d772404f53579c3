"""The commands of the first steps: for people a sentence, for scripts JSON, for what is refused exit code 1."""

import io
import json
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jobs_app.models import Membership, Project
from tests.api.client import Api

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_from_nothing_to_a_working_token() -> None:
    assert "alpha is there" in run("projects", "create", "alpha", "--name", "Alpha")
    answer = run_json("tokens", "create", "--project", "alpha", "--scope", "read", "--scope", "work")
    me = Api(answer["token"]).get("/me").json()
    assert me["projects"] == [{"slug": "alpha", "name": "Alpha", "scopes": ["read", "work"]}]


def test_lists_are_tables_for_people_and_json_for_scripts(project: Project) -> None:
    token = run_json("tokens", "create", "--project", "alpha", "--name", "w1")
    assert run("projects", "list").splitlines()[1].startswith("alpha")
    assert [row["slug"] for row in run_json("projects", "list")] == ["alpha"]
    (row,) = run_json("tokens", "list", "--project", "alpha")
    assert (row["name"], row["scopes"], row["state"]) == ("w1", "read", "live")
    assert token["token"] not in run("tokens", "list", "--project", "alpha")


def test_a_token_is_revoked(project: Project) -> None:
    token = run_json("tokens", "create", "--project", "alpha")
    run("tokens", "revoke", "--project", "alpha", str(token["id"]))
    assert Api(token["token"]).get("/me").status_code == 401


@pytest.mark.parametrize(
    "arguments",
    [
        ("projects", "create", "alpha"),
        ("projects", "create", "No Slug"),
        ("projects", "delete", "nowhere", "--yes"),
        ("tokens", "create", "--project", "nowhere"),
        ("tokens", "revoke", "--project", "alpha", "4711"),
        ("people", "role", "nobody", "viewer", "--project", "alpha"),
        ("people", "disable", "nobody"),
    ],
)
def test_what_is_refused_is_one_sentence_and_exit_code_1(project: Project, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert refused.value.returncode == 1
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("days", ["-1", "0", "999999999", "x"])
def test_a_life_that_is_none_is_refused(project: Project, days: str) -> None:
    with pytest.raises(CommandError, match="--days"):
        run("tokens", "create", "--project", "alpha", "--days", days)


def test_the_secret_stands_alone_so_that_a_shell_can_take_it(project: Project) -> None:
    assert Api(run("tokens", "create", "--project", "alpha")).get("/me").status_code == 200


def test_a_project_is_deleted_after_its_slug_is_typed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _question: "no")
    with pytest.raises(CommandError):
        run("projects", "delete", "alpha")
    monkeypatch.setattr("builtins.input", lambda _question: "alpha")
    run("projects", "delete", "alpha")
    assert not Project.objects.exists()


def test_people_are_made_invited_and_given_roles(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(run_json("people", "create", "anna", "--generate")["password"]) >= 12
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long enough password\n"))
    run("people", "create", "ben", "--server")
    assert run_json("people", "invite", "carl")["link"].startswith("http://127.0.0.1:8000/invitation/")
    run("people", "role", "anna", "operator", "--project", "alpha")
    assert Membership.objects.get().role == "operator"
    assert {row["name"]: row["roles"] for row in run_json("people", "list")}["anna"] == "alpha:operator"
    run("people", "disable", "anna")


def test_text_from_outside_cannot_steer_the_terminal(project: Project) -> None:
    Project.objects.update(name="\x1b[31mred\x1b[0m\nforged")
    assert "\x1b" not in run("projects", "list")
    assert len(run("projects", "list").splitlines()) == 2
