"""The library over HTTP: conditions, what a lost race answers, what waits, and jobs that use texts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND, Scope
from jobs_app.models import Project
from jobs_app.services import outbox
from storage_app import file_storages
from tests.api.client import Answer, Api
from tests.factories import make_token
from tests.storage import outbox_places
from tests.storage.outbox_places import Place

pytestmark = pytest.mark.django_db
PROMPTS = "/projects/alpha/library/prompts"
SUMMARISE = f"{PROMPTS}/summarise"
JOBS = "/projects/alpha/jobs"
TEXT = "---\ntitle: Sum\nvariables:\n  - name: language\n  - name: words\n    default: 100\n---\nSummarise.\n"


@pytest.fixture(params=["local", "memory", "github"])
def place(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Place]:
    with outbox_places.known_kinds(), outbox_places.place(request.param, tmp_path) as place:
        settings.FILE_STORAGES = {"default": place.definition}
        yield place
        file_storages.close()


@pytest.fixture
def api(project: Project, place: Place) -> Api:
    return Api(make_token(project, Scope.READ, Scope.WRITE, Scope.WORK))


def put(api: Api, content: str, address: str = SUMMARISE, **headers: str) -> Answer:
    return api.call("PUT", address, {"content": content}, **headers)


def test_a_text_is_written_read_and_found_as_what_it_is(api: Api) -> None:
    made = put(api, TEXT)
    assert (made.status_code, made["Location"]) == (201, f"/api/v1{SUMMARISE}")
    value = made.json()
    assert value["variables"] == [
        {"name": "language", "required": True, "default": None, "description": ""},
        {"name": "words", "required": False, "default": 100, "description": ""},
    ]
    assert (value["title"], value["details"], value["fault"]) == ("Sum", {"title": "Sum"}, None)
    read = api.get(SUMMARISE)
    assert (read.json()["content"], read["ETag"]) == (TEXT, f'"{value["hash"]}"')
    assert api.get(SUMMARISE, If_None_Match=read["ETag"]).status_code == 304
    put(api, "Other.", f"{PROMPTS}/b")
    page = api.get(f"{PROMPTS}?limit=1").json()
    rest = api.get(f"{PROMPTS}?limit=1&cursor={page['next_cursor']}").json()
    assert [item["name"] for item in page["items"] + rest["items"]] == ["b", "summarise"]
    assert rest["next_cursor"] is None
    assert api.get("/projects/alpha/library/exercises").json()["items"] == []
    assert api.get("/projects/alpha/library/novels").status_code == 422


def test_a_lost_race_answers_with_what_is_there_by_now(api: Api) -> None:
    first = put(api, "one")["ETag"]
    assert put(api, "x", If_None_Match="*").status_code == 412
    theirs = put(api, "two", If_Match=first)
    assert theirs.status_code == 200
    lost = put(api, "three", If_Match=first)
    assert lost.status_code == 412
    assert lost.json()["current"] == {"hash": theirs.json()["hash"], "content": "two"}
    assert api.call("DELETE", SUMMARISE, If_Match=first).status_code == 412
    renamed = api.post(f"{SUMMARISE}/rename", {"name": "b"}, If_Match=first)
    assert renamed.status_code == 412
    assert api.get(SUMMARISE).json()["content"] == "two"
    assert api.call("DELETE", SUMMARISE, If_Match=theirs["ETag"]).status_code == 200
    gone = put(api, "three", If_Match=first)
    assert (gone.status_code, gone.json()["current"]) == (412, None)


def test_a_token_that_may_only_write_is_not_told_the_text(project: Project, api: Api) -> None:
    first = put(api, "one")["ETag"]
    put(api, "two")
    writer = Api(make_token(project, Scope.WRITE))
    lost = put(writer, "three", If_Match=first)
    assert lost.status_code == 412
    assert "current" not in lost.json()
    assert b"two" not in lost.content
    assert writer.post(f"{SUMMARISE}/rename", {"name": "b"}).status_code == 200
    assert writer.get(f"{PROMPTS}/b").status_code == 403


def test_a_rename_is_one_commit_and_refuses_a_name_that_is_taken(api: Api, place: Place) -> None:
    put(api, "one")
    put(api, "two", f"{PROMPTS}/b")
    before = place.commits()
    taken = api.post(f"{SUMMARISE}/rename", {"name": "b"})
    assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")
    renamed = api.post(f"{SUMMARISE}/rename", {"name": "c"})
    assert sorted(renamed.json()["files"]) == ["library/prompts/c.md", "library/prompts/summarise.md"]
    assert before is None or place.commits() == before + 1
    assert (api.get(SUMMARISE).status_code, api.get(f"{PROMPTS}/c").json()["content"]) == (404, "one")
    for name in ("../up", "a/b", "x.md", ""):
        assert api.post(f"{PROMPTS}/c/rename", {"name": name}).status_code == 422


def test_changes_that_wait_are_read_by_all_and_go_out_as_one_commit(api: Api, place: Place) -> None:
    first = put(api, "one")["ETag"]
    before = place.commits()
    waits = api.call("PUT", SUMMARISE, {"content": "two", "deferred": True}, If_Match=first)
    assert waits.status_code == 202
    assert api.call("PUT", f"{PROMPTS}/b", {"content": "b", "deferred": True}).status_code == 202
    assert api.get(SUMMARISE)["ETag"] == waits["ETag"]
    assert place.commits() == before
    assert api.call("PUT", SUMMARISE, {"content": "x", "deferred": True}, If_Match=first).status_code == 412
    outbox.flush(COMMAND, "alpha", "default")
    assert before is None or place.commits() == before + 1
    assert api.get(SUMMARISE).json()["content"] == "two"


def test_what_somebody_else_pushed_meanwhile_parks_the_change_and_keeps_both(api: Api) -> None:
    first = put(api, "one")["ETag"]
    api.call("PUT", SUMMARISE, {"content": "mine", "deferred": True}, If_Match=first)
    _write_elsewhere("library/prompts/summarise.md", b"theirs")
    outbox.flush(COMMAND, "alpha", "default")
    assert api.get(SUMMARISE).json()["content"] == "theirs"
    (parked,) = api.get("/projects/alpha/storages/default/pending").json()["items"]
    assert (parked["state"], parked["path"]) == ("parked", "library/prompts/summarise.md")


def test_the_history_is_told_where_the_storage_keeps_one(api: Api, request: pytest.FixtureRequest) -> None:
    put(api, "one")
    api.call("PUT", SUMMARISE, {"content": "two", "message": "Better"})
    told = api.get(f"{SUMMARISE}/versions")
    if told.status_code == 409:
        assert request.node.callspec.params["place"] == "local"
        return
    newest, oldest = told.json()["items"]
    assert (newest["message"], newest["deleted"]) == ("Better", False)
    assert api.get(f"{SUMMARISE}?version={oldest['version']}").json()["content"] == "one"
    assert api.get(f"{SUMMARISE}?version={oldest['version']}&hash={oldest['sha']}").status_code == 422


def test_a_job_answers_with_what_it_uses_and_its_worker_reads_exactly_that(api: Api) -> None:
    first = put(api, TEXT).json()["hash"]
    wanted = {"kind": "prompts", "name": "summarise", "variables": {"language": "de"}}
    made = api.post(JOBS, {"name": "a", "uses": [wanted]})
    assert made.status_code == 201, made.content
    put(api, TEXT + "More.\n")
    second = api.post(JOBS, {"name": "b", "uses": [wanted]}).json()
    api.call("DELETE", SUMMARISE)
    (claimed,) = api.post(f"{JOBS}/claim", {"worker_id": "w1"}).json()["jobs"]
    (use,) = claimed["uses"]
    assert (use["hash"], use["variables"]) == (first, {"language": "de", "words": 100})
    query = f"version={use['version']}" if use["version"] else f"hash={use['hash']}"
    assert api.get(f"{SUMMARISE}?{query}").json()["content"] == TEXT
    assert api.get(f"{SUMMARISE}?hash={use['hash']}").json()["content"] == TEXT

    def names(reference: str) -> list[str]:
        return [item["name"] for item in api.get(f"{JOBS}?uses={reference}").json()["items"]]

    assert names("prompts/summarise") == ["b", "a"]
    assert names(f"prompts/summarise@{second['uses'][0]['hash']}") == ["b"]


def test_what_a_job_asks_of_a_text_is_checked_and_each_fault_named(api: Api) -> None:
    put(api, TEXT)
    faults = [
        ({"kind": "prompts", "name": "absent"}, "uses.0.name"),
        ({"kind": "prompts", "name": "summarise"}, "uses.0.variables.language"),
        ({"kind": "prompts", "name": "summarise", "variables": {"language": "de", "typo": 1}}, "uses.0.variables.typo"),
        ({"kind": "novels", "name": "summarise"}, "body.uses.0.kind"),
    ]
    for use, place in faults:
        refused = api.post(JOBS, {"uses": [use]})
        assert refused.status_code == 422
        assert place in [error["place"] for error in refused.json()["errors"]], refused.json()
    assert api.get(JOBS).json()["items"] == []


def _write_elsewhere(path: str, content: bytes) -> None:
    """Past the outbox, as somebody with a clone of the repository would."""
    file_storages.run(lambda storages: storages.for_project("default", "alpha").write_file(path, content, "Theirs"))
