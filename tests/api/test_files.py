"""Files of a storage over HTTP: bytes in and out, conditions, batches, history, and what waits."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND, Scope
from jobs_app.models import AuditEntry, Project
from jobs_app.services import projects
from storage_app import file_storages
from storage_app.outbox.tables import PendingChange
from storage_app.providers import StorageError, StorageErrorCode
from tests.api.client import Answer, Api
from tests.factories import make_token
from tests.storage import hostile_paths, outbox_places
from tests.storage.outbox_places import Trouble

pytestmark = pytest.mark.django_db
STORAGE = "/projects/alpha/storages/default"
LARGE = bytes(range(256)) * 4096 * 3  # more than is read at once


@pytest.fixture(params=["local", "memory", "github"], autouse=True)
def kind(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[str]:
    with outbox_places.known_kinds(), outbox_places.place(request.param, tmp_path) as place:
        settings.FILE_STORAGES = {
            "default": place.definition,
            "theirs": {"provider": "memory", "project": "beta"},
        }
        yield request.param
        file_storages.close()


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project, Scope.READ, Scope.WRITE))


def put(api: Api, path: str, content: bytes = b"hello", query: str = "", **headers: str) -> Answer:
    headers = {"Content-Type": "application/octet-stream", **headers}
    return api.call("PUT", f"{STORAGE}/files/{quote(path)}{query}", content, **headers)


def get(api: Api, path: str, query: str = "", **headers: str) -> Answer:
    return api.get(f"{STORAGE}/files/{quote(path)}{query}", **headers)


def bytes_of(answer: Answer) -> bytes:
    return b"".join(answer) if answer.streaming else answer.content


def code(answer: Answer) -> str:
    assert answer["Content-Type"] == "application/problem+json", answer.content
    word: str = answer.json()["code"]
    return word


def listed(api: Api, query: str = "?recursive=true") -> list[str]:
    return [item["path"] for item in api.get(f"{STORAGE}/files{query}").json()["items"]]


def test_what_was_written_is_read_back_listed_and_deleted(api: Api) -> None:
    made = put(api, "out/a b ü.md", query="?message=First")
    assert made.status_code == 201
    assert made.json()["commit"]["message"] == "First"
    assert made.json()["commit"]["files"] == ["out/a b ü.md"]
    assert made["ETag"] == f'"{made.json()["sha"]}"'
    changed = put(api, "out/a b ü.md", b"hello again")
    assert (changed.status_code, changed.has_header("Location")) == (200, False)
    read = get(api, "out/a b ü.md")
    assert (read.status_code, read.content, read["ETag"]) == (200, b"hello again", changed["ETag"])
    assert listed(api, "") == ["out"]
    assert listed(api, "?prefix=out") == ["out/a b ü.md"]
    assert listed(api, "?glob=**/*.md") == ["out/a b ü.md"]
    assert code(api.get(f"{STORAGE}/files?glob=*&prefix=x")) == "validation_error"
    gone = api.call("DELETE", f"{STORAGE}/files/out/{quote('a b ü.md')}")
    assert gone.json()["files"] == ["out/a b ü.md"]
    assert code(get(api, "out/a b ü.md")) == "not_found"
    actions = AuditEntry.objects.filter(action__startswith="file.").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["file.write", "file.write", "file.delete"]


@pytest.mark.parametrize("content", [b"", b"\0\xff", LARGE], ids=["empty", "binary", "large"])
def test_bytes_stay_as_they_are_whole_and_in_parts(api: Api, content: bytes) -> None:
    put(api, "a.bin", content)
    read = get(api, "a.bin")
    assert (bytes_of(read), read["Content-Length"]) == (content, str(len(content)))
    head = api.call("HEAD", f"{STORAGE}/files/a.bin")
    assert (head.content, head["ETag"], head["Content-Length"]) == (b"", read["ETag"], read["Content-Length"])
    assert get(api, "a.bin", If_None_Match=read["ETag"]).status_code == 304
    if content:
        part = get(api, "a.bin", Range="bytes=1-")
        assert (part.status_code, bytes_of(part)) == (206, content[1:])
    told = get(api, "a.bin", Accept="application/json").json()
    assert (told["size"], f'"{told["sha"]}"') == (len(content), read["ETag"])


def test_a_stored_page_is_a_sandboxed_download(api: Api) -> None:
    put(api, "evil.html", b"<script>alert(1)</script>")
    answer = get(api, "evil.html")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_conditions_decide_whether_a_write_happens(api: Api) -> None:
    first = put(api, "a", b"1", If_None_Match="*")
    assert first.status_code == 201
    assert put(api, "a", b"2", If_None_Match="*").status_code == 412
    assert put(api, "a", b"2", If_Match=first["ETag"]).status_code == 200
    stale = put(api, "a", b"3", If_Match=first["ETag"])
    assert (stale.status_code, code(stale)) == (412, "precondition_failed")
    assert api.call("DELETE", f"{STORAGE}/files/a", If_Match=first["ETag"]).status_code == 412
    assert get(api, "a").content == b"2"


def test_a_batch_is_one_commit(api: Api, kind: str) -> None:
    put(api, "old", b"0")
    body = {
        "message": "Both",
        "writes": [
            {"path": "text", "content": "ä"},
            {"path": "bytes", "content_base64": base64.b64encode(b"\0\xff").decode()},
        ],
        "deletes": ["old"],
    }
    answer = api.post(f"{STORAGE}/batch", body)
    assert (answer.status_code, sorted(answer.json()["files"])) == (200, ["bytes", "old", "text"])
    assert (get(api, "text").content, get(api, "bytes").content) == ("ä".encode(), b"\0\xff")
    assert listed(api) == ["bytes", "text"]
    missing = api.post(f"{STORAGE}/batch", {"writes": [{"path": "x", "content": "1"}], "deletes": ["nothing"]})
    assert (missing.status_code, code(missing)) == (404, "not_found")
    assert listed(api) == ["bytes", "text"]
    for wrong in ({}, {"writes": [{"path": "x"}]}, {"writes": [{"path": "x", "content_base64": "!"}]}):
        assert api.post(f"{STORAGE}/batch", wrong).status_code == 422


def test_versions_are_told_where_there_are_any(api: Api, kind: str) -> None:
    put(api, "a", b"1", "?message=One")
    put(api, "a", b"2", "?message=Two")
    answer = api.get(f"{STORAGE}/versions/a")
    if kind == "local":
        assert (answer.status_code, code(answer)) == (409, "conflict")
        return
    two, one = answer.json()["items"]
    assert (two["message"], one["message"]) == ("Two", "One")
    assert get(api, "a", f"?version={one['version']}").content == b"1"
    assert get(api, "a", f"?version={'0' * 40}").status_code == 404


def test_a_deferred_write_waits_is_seen_and_is_sent_on_demand(api: Api) -> None:
    put(api, "gone", b"0")
    deferred = put(api, "a", b"1", "?deferred=true&message=Later")
    assert deferred.status_code == 202
    assert deferred.json()["pending"][0]["state"] == "waiting"
    assert api.call("DELETE", f"{STORAGE}/files/gone?deferred=true").status_code == 202
    assert get(api, "a").content == b"1"
    assert get(api, "a")["ETag"] == deferred["ETag"]
    assert listed(api) == ["a"]
    waiting = api.get(f"{STORAGE}/pending").json()
    assert [(item["path"], item["action"]) for item in waiting["items"]] == [("a", "write"), ("gone", "delete")]
    assert waiting["queue"]["waiting"] == 2
    flushed = api.post(f"{STORAGE}/pending/flush").json()
    assert flushed["queue"]["waiting"] == 0
    (batch,) = flushed["sent"]
    assert batch["commit"]
    assert [file["path"] for file in batch["files"]] == ["a", "gone"]
    assert api.get(f"{STORAGE}/pending/sent").json()["items"] == [batch]
    assert (get(api, "a").content, listed(api)) == (b"1", ["a"])


def test_a_parked_change_says_why_and_is_read_tried_again_or_thrown_away(api: Api) -> None:
    tag = put(api, "a", b"1")["ETag"]
    put(api, "a", b"mine", "?deferred=true", If_Match=tag)
    elsewhere("a", b"theirs")
    queue = api.post(f"{STORAGE}/pending/flush").json()["queue"]
    assert (queue["waiting"], queue["parked"]) == (0, 1)
    (row,) = api.get(f"{STORAGE}/pending").json()["items"]
    assert (row["state"], row["reason"]["code"]) == ("parked", "conflict")
    assert get(api, "a").content == b"theirs"
    place = f"{STORAGE}/pending/{row['id']}"
    assert api.get(place).content == b"mine"
    elsewhere("a", b"1")
    assert api.post(place).json()["state"] == "waiting"
    assert code(api.post(place)) == "conflict"
    api.post(f"{STORAGE}/pending/flush")
    assert get(api, "a").content == b"mine"
    assert code(api.post(place)) == "not_found"
    put(api, "b", b"1", "?deferred=true")
    (row,) = api.get(f"{STORAGE}/pending").json()["items"]
    assert api.call("DELETE", f"{STORAGE}/pending/{row['id']}").status_code == 204
    assert code(get(api, "b")) == "not_found"


def test_a_write_at_once_comes_after_what_waits_of_the_file(api: Api) -> None:
    put(api, "a", b"1", "?deferred=true")
    assert put(api, "a", b"2").status_code == 200
    assert not PendingChange.objects.exists()
    api.post(f"{STORAGE}/pending/flush")
    assert get(api, "a").content == b"2"


def test_projects_do_not_see_each_other(api: Api, project: Project, other_project: Project) -> None:
    other = Api(make_token(other_project, Scope.READ, Scope.WRITE))
    put(api, "secret", b"1")
    put(api, "waits", b"1", "?deferred=true")
    place = "/projects/beta/storages/default"
    assert other.get(f"{place}/files?recursive=true").json()["items"] == []
    assert other.get(f"{place}/pending").json()["items"] == []
    (row,) = api.get(f"{STORAGE}/pending").json()["items"]
    assert other.call("DELETE", f"{place}/pending/{row['id']}").status_code == 404
    assert other.get(f"{place}/files/{quote('../alpha/secret', safe='')}").status_code == 422
    assert [item["alias"] for item in api.get("/projects/alpha/storages").json()["items"]] == ["default"]
    assert [item["alias"] for item in other.get("/storages").json()["items"]] == ["default", "theirs"]
    assert api.get("/projects/alpha/storages/theirs/files").status_code == 404
    assert api.get("/projects/alpha/storages/nothing/files").status_code == 404


def test_a_project_that_goes_takes_its_files_along(api: Api, project: Project) -> None:
    put(api, "a", b"1")
    put(api, "b", b"1", "?deferred=true")
    projects.delete(COMMAND, "alpha", "alpha")
    assert not PendingChange.objects.exists()
    found = file_storages.run(lambda storages: storages.for_project("default", "alpha").list_files(recursive=True))
    assert found == []


def test_no_hostile_path_leaves_the_project(api: Api, kind: str, tmp_path: Path) -> None:
    """Every door: read, list, write, delete, batch, deferred, history."""
    outside = tmp_path / "files" / "outside"
    if kind == "local":
        outside.parent.mkdir(exist_ok=True)
        outside.write_bytes(b"secret")
    tried = 0
    for path in (*hostile_paths.REFUSED, "../outside"):
        for status, said in doors(api, path):
            assert status in (400, 404, 405, 422), (path, status)
            assert b"secret" not in said
            tried += 1
    assert tried > 300
    assert listed(api) == []
    if kind == "local":
        assert outside.read_bytes() == b"secret"
        assert [entry.name for entry in outside.parent.iterdir() if not entry.name.startswith(".")] == ["outside"]


def doors(api: Api, path: str) -> Iterator[tuple[int, bytes]]:
    encoded = quote(path.encode(errors="surrogatepass"), safe="")
    # What is no text cannot stand in an address, and what is empty is the address of the list.
    if path.strip("/") and len(encoded) < 8000 and not _NO_TEXT.search(path):
        for answer in (
            api.call("PUT", f"{STORAGE}/files/{encoded}", b"x", Content_Type="application/octet-stream"),
            api.get(f"{STORAGE}/files/{encoded}"),
        ):
            yield answer.status_code, bytes_of(answer)
    body = json.dumps({"writes": [{"path": path, "content": "x"}], "deferred": len(path) % 2 == 0}).encode()
    answer = api.post(f"{STORAGE}/batch", body)
    yield answer.status_code, answer.content


_NO_TEXT = re.compile("[\ud800-\udfff]")
# The folder of the project is one part of the path more.
FITTING = [path for path in hostile_paths.CONTAINED if path.count("/") < 63]


@pytest.mark.parametrize("path", FITTING)
def test_odd_names_stay_inside_under_just_that_name(api: Api, kind: str, path: str) -> None:
    if kind != "local":
        pytest.skip("names are the storage's matter; one that has real ones will do")
    assert put(api, path, b"x").status_code == 201
    assert listed(api) == [path]
    assert get(api, path).content == b"x"


def elsewhere(path: str, content: bytes) -> None:
    async def write(storages: Any) -> None:
        await storages.for_project("default", "alpha").write_file(path, content, "From elsewhere")

    file_storages.run(write)


ERRORS = [
    (StorageError(StorageErrorCode.NOT_FOUND, "No repository."), 404, "not_found"),
    (StorageError(StorageErrorCode.ALREADY_EXISTS, "x"), 409, "already_exists"),
    (StorageError(StorageErrorCode.PERMISSION_DENIED, "x"), 403, "permission_denied"),
    (StorageError(StorageErrorCode.RATE_LIMITED, "x"), 429, "rate_limited"),
    (StorageError(StorageErrorCode.NETWORK_ERROR, "x"), 502, "network_error"),
    (StorageError(StorageErrorCode.INVALID_PATH, "x"), 422, "invalid_path"),
    (StorageError(StorageErrorCode.CONTENT_TOO_LARGE, "x"), 413, "content_too_large"),
    (StorageError(StorageErrorCode.CONFLICT, "x"), 409, "conflict"),
    (StorageError(StorageErrorCode.INTERNAL_ERROR, "x"), 500, "internal_error"),
    (StorageError(StorageErrorCode.INTERNAL_ERROR, "x", None, {"reason": "storage_full"}), 507, "storage_full"),
    (StorageError(StorageErrorCode.INTERNAL_ERROR, "x", None, {"reason": "lock_timeout"}), 503, "lock_timeout"),
]


@pytest.mark.parametrize(("error", "status", "word"), ERRORS, ids=lambda value: str(value))
def test_each_error_of_a_storage_is_one_problem(
    error: StorageError, status: int, word: str, kind: str, project: Project, settings: Settings
) -> None:
    if kind != "memory":
        pytest.skip("errors made on purpose need no storage of each kind")
    trouble = Trouble(before=[error])
    settings.FILE_STORAGES = {"default": {"provider": "troubled", "trouble": trouble}}
    answer = put(Api(make_token(project, Scope.WRITE)), "a")
    assert (answer.status_code, code(answer)) == (status, word)


def test_every_error_code_is_tried() -> None:
    assert {error.code for error, _, _ in ERRORS} == set(StorageErrorCode)
