"""The files of a job: written and read as raw bytes, under conditions, by those who may."""

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND, Scope
from jobs_app.models import AuditEntry, Project
from jobs_app.services import claims, jobs, workspaces
from jobs_app.services.claims import Claimed
from storage_app import file_storages
from storage_app.providers.errors import StorageError, StorageErrorCode
from tests.api.client import Answer, Api
from tests.factories import claim_job, make_job, make_token

pytestmark = pytest.mark.django_db
LARGE = bytes(range(256)) * 4096 * 3  # more than is read at once


@pytest.fixture(params=["local", "memory"], autouse=True)
def storage(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> str:
    options = {"root_path": str(tmp_path / "files")} if request.param == "local" else {}
    settings.FILE_STORAGES = {"default": {"provider": request.param, **options}}
    kind: str = request.param
    return kind


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project, Scope.READ, Scope.WRITE))


@pytest.fixture
def worker(project: Project) -> Api:
    return Api(make_token(project, Scope.WORK))


@pytest.fixture
def place(project: Project) -> str:
    return f"/projects/alpha/jobs/{make_job(project, name='a').id}/files"


@pytest.fixture
def claimed(project: Project) -> Claimed:
    make_job(project)
    return claim_job(project)


def held(claimed: Claimed) -> str:
    return f"/projects/alpha/jobs/{claimed.job.id}/files"


def put(api: Api, path: str, content: bytes = b"hello", **headers: str) -> Answer:
    return api.call("PUT", path, content, **{"Content-Type": "application/octet-stream", **headers})


def bytes_of(answer: Answer) -> bytes:
    return b"".join(answer) if answer.streaming else answer.content


def code(answer: Answer) -> str:
    assert answer["Content-Type"] == "application/problem+json", answer.content
    word: str = answer.json()["code"]
    return word


def test_what_was_written_is_read_back_listed_and_deleted(api: Api, place: str) -> None:
    made = put(api, f"{place}/out/report.md")
    assert (made.status_code, made["Location"]) == (201, f"/api/v1{place}/out/report.md")
    assert {name: made.json()[name] for name in ("path", "size")} == {"path": "out/report.md", "size": 5}
    assert made["ETag"] == f'"{made.json()["sha"]}"'
    changed = put(api, f"{place}/out/report.md", b"hello again")
    assert (changed.status_code, changed.has_header("Location")) == (200, False)
    read = api.get(f"{place}/out/report.md")
    assert (read.status_code, read.content, read["ETag"]) == (200, b"hello again", changed["ETag"])
    assert [item["path"] for item in api.get(place).json()["items"]] == ["out/report.md"]
    assert api.call("DELETE", f"{place}/out/report.md").status_code == 204
    assert code(api.get(f"{place}/out/report.md")) == "not_found"
    assert code(api.call("DELETE", f"{place}/out/report.md")) == "not_found"
    assert api.get(place).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("content", [b"", b"\0\xff", LARGE], ids=["empty", "binary", "large"])
def test_bytes_stay_as_they_are(api: Api, place: str, content: bytes) -> None:
    assert put(api, f"{place}/a.bin", content).json()["size"] == len(content)
    read = api.get(f"{place}/a.bin")
    assert (bytes_of(read), read["Content-Length"]) == (content, str(len(content)))
    head = api.call("HEAD", f"{place}/a.bin")
    assert (head.status_code, head.content, head["Content-Length"]) == (200, b"", str(len(content)))
    assert head["ETag"] == read["ETag"]


def test_the_list_comes_in_pages(api: Api, place: str) -> None:
    for name in ("b", "a/2", "a/1", "c", "aa"):
        put(api, f"{place}/{name}")
    seen: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"{place}?limit=2{cursor}").json()
        seen += [item["path"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["a/1", "a/2", "aa", "b", "c"]
    assert code(api.get(f"{place}?cursor=nonsense")) == "validation_error"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-3", 0, 4), ("bytes=96-96", 96, 97), ("bytes=-4", -4, 0), ("bytes=5-99999999999", 5, 0)],
)
@pytest.mark.parametrize("content", [b"0123456789" * 10, LARGE], ids=["small", "large"])
def test_a_range_is_that_part(api: Api, place: str, content: bytes, asked: str, start: int, end: int) -> None:
    put(api, f"{place}/a.bin", content)
    start, end = start % len(content), end or len(content)
    answer = api.get(f"{place}/a.bin", Range=asked)
    assert (answer.status_code, bytes_of(answer)) == (206, content[start:end])
    assert answer["Content-Range"] == f"bytes {start}-{end - 1}/{len(content)}"
    assert answer["Content-Length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=5-", "bytes=9-12", "bytes=-0"])
def test_a_range_behind_the_end_is_refused_with_the_size(api: Api, place: str, asked: str) -> None:
    put(api, f"{place}/a.txt", b"01234")
    answer = api.get(f"{place}/a.txt", Range=asked)
    assert (answer.status_code, code(answer), answer["Content-Range"]) == (416, "range_not_satisfiable", "bytes */5")


def test_a_file_that_changes_between_look_and_read_is_never_mixed(
    api: Api, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(api, f"{place}/a.txt", b"old")
    opened, changes = workspaces.opened, iter([b"new"])

    def change_first(*args: Any) -> Any:
        for content in changes:
            put(api, f"{place}/a.txt", content)
        return opened(*args)

    monkeypatch.setattr(workspaces, "opened", change_first)
    answer = api.get(f"{place}/a.txt")
    assert answer.content == b"new"
    assert answer["ETag"] == f'"{api.get(f"{place}/a.txt", Accept="application/json").json()["sha"]}"'


@pytest.mark.parametrize("asked", ["bytes=4-2", "bytes=0-1,3-4", "bytes=-", "bytes=²-", "lines=1-2", "bytes=a-b"])
def test_a_range_that_makes_no_sense_is_none(api: Api, place: str, asked: str) -> None:
    put(api, f"{place}/a.txt", b"0123456789")
    answer = api.get(f"{place}/a.txt", Range=asked)
    assert (answer.status_code, answer.content) == (200, b"0123456789")


def test_a_range_of_an_earlier_state_gives_the_whole(api: Api, place: str) -> None:
    tag = put(api, f"{place}/a.txt", b"0123456789")["ETag"]
    assert api.get(f"{place}/a.txt", Range="bytes=0-1", If_Range=tag).content == b"01"
    put(api, f"{place}/a.txt", b"9876543210")
    assert api.get(f"{place}/a.txt", Range="bytes=0-1", If_Range=tag).content == b"9876543210"


def test_who_has_it_already_is_told_so(api: Api, place: str) -> None:
    tag = put(api, f"{place}/a.txt")["ETag"]
    for method in ("GET", "HEAD"):
        answer = api.call(method, f"{place}/a.txt", If_None_Match=f'"other", W/{tag}')
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
    assert code(api.get(f"{place}/a.txt", If_Match='"other"')) == "precondition_failed"
    assert api.get(f"{place}/a.txt", If_Match=tag).status_code == 200


def test_a_write_keeps_its_condition(api: Api, place: str) -> None:
    file = f"{place}/a.txt"
    assert put(api, file, If_Match="*").status_code == 412
    assert put(api, file, If_Match='"sha256:00"').status_code == 412
    first = put(api, file, b"one", If_None_Match="*")
    assert first.status_code == 201
    assert put(api, file, b"two", If_None_Match="*").status_code == 412
    assert put(api, file, b"two", If_None_Match='"x"').status_code == 412
    assert put(api, file, b"two", If_Match=first["ETag"]).status_code == 200
    assert put(api, file, b"three", If_Match=first["ETag"]).status_code == 412
    assert put(api, file, b"three", If_Match=f"W/{first['ETag']}").status_code == 412
    second = api.get(file)
    assert second.content == b"two"
    assert put(api, file, b"three", If_Match=f'"other", {second["ETag"]}').status_code == 200
    assert api.call("DELETE", file, If_Match=second["ETag"]).status_code == 412
    assert api.call("DELETE", file, If_Match="*").status_code == 204
    assert api.call("DELETE", file, If_Match="*").status_code == 412


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("a.html", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("a.xhtml", "application/octet-stream"),
        ("a.js", "application/octet-stream"),
        ("a.xml", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.PNG", "image/png"),
        ("a.html.json", "application/json"),
    ],
)
def test_a_download_cannot_become_a_page(api: Api, place: str, name: str, type_: str) -> None:
    put(api, f"{place}/{name}", b"<script>alert(1)</script>", Content_Type="text/html")
    answer = api.get(f"{place}/{name}")
    assert answer["Content-Type"] == type_
    assert answer["Content-Disposition"].startswith(f'attachment; filename="{name}"')
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "script-src" not in answer["Content-Security-Policy"]
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"


def test_odd_names_come_whole_in_the_header(api: Api, place: str) -> None:
    assert put(api, f"{place}/a%22%3B%20filename%3Dx.html").status_code == 201
    answer = api.get(f"{place}/a%22%3B%20filename%3Dx.html")
    assert answer["Content-Disposition"] == 'attachment; filename="a\\"; filename=x.html"'
    put(api, f"{place}/%C3%A4%E6%96%87.txt")
    assert api.get(f"{place}/%C3%A4%E6%96%87.txt")["Content-Disposition"].startswith("attachment; filename*=utf-8''")


def test_what_is_known_of_a_file_comes_as_json(api: Api, place: str) -> None:
    made = put(api, f"{place}/a.txt")
    told = api.get(f"{place}/a.txt", Accept="application/json")
    assert told.json() == made.json()
    assert told["Vary"] == "Accept"
    assert api.get(f"{place}/a.txt", Accept="*/*").content == b"hello"


@pytest.mark.parametrize(
    "path",
    [
        "../a",
        "a/../../b",
        "a//b",
        "a/./b",
        "CON",
        "a/nul.txt",
        "a:b",
        "a.",
        "a%20",
        "%01",
        ".git/config",
        "a%5C..%5Cb",
        "%EF%BC%8E%EF%BC%8E/a",
        "C%3A/x",
        "a" * 300,
        "a%CC%88",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(api: Api, place: str, path: str) -> None:
    for answer in (put(api, f"{place}/{path}"), api.get(f"{place}/{path}"), api.call("DELETE", f"{place}/{path}")):
        assert (answer.status_code, code(answer)) == (422, "invalid_path")


def test_a_name_cannot_be_a_file_and_a_folder(api: Api, place: str) -> None:
    put(api, f"{place}/a")
    assert code(put(api, f"{place}/a/b")) == "conflict"
    put(api, f"{place}/c/d")
    assert code(put(api, f"{place}/c")) == "conflict"
    assert code(api.get(f"{place}/c")) == "not_found"


def test_no_job_sees_another_ones_files_and_no_project_another(
    api: Api, place: str, project: Project, other_project: Project
) -> None:
    put(api, f"{place}/a.txt")
    other = f"/projects/alpha/jobs/{make_job(project).id}/files"
    assert api.get(other).json()["items"] == []
    foreign = make_job(other_project)
    assert code(put(api, f"/projects/alpha/jobs/{foreign.id}/files/a.txt")) == "not_found"
    assert code(api.get(f"/projects/beta/jobs/{foreign.id}/files")) == "not_found"


class TestTheHolder:
    """A worker has the scope `work` alone; the token of its lease opens the job's files."""

    def test_reads_and_writes_while_it_holds_the_job(self, worker: Api, api: Api, claimed: Claimed) -> None:
        put(api, f"{held(claimed)}/in.txt", b"input")
        mine = {"Lease_Token": claimed.lease_token}
        assert [item["path"] for item in worker.get(held(claimed), **mine).json()["items"]] == ["in.txt"]
        assert worker.get(f"{held(claimed)}/in.txt", **mine).content == b"input"
        assert put(worker, f"{held(claimed)}/out.txt", b"output", **mine).status_code == 201
        assert worker.call("DELETE", f"{held(claimed)}/out.txt", **mine).status_code == 204

    def test_needs_its_token(self, worker: Api, claimed: Claimed) -> None:
        assert code(put(worker, f"{held(claimed)}/a.txt")) == "permission_denied"
        assert code(worker.get(held(claimed))) == "permission_denied"
        assert code(put(worker, f"{held(claimed)}/a.txt", Lease_Token="guessed")) == "lease_lost"

    def test_changes_nothing_after_the_lease_was_lost(
        self, worker: Api, api: Api, claimed: Claimed, project: Project
    ) -> None:
        mine = {"Lease_Token": claimed.lease_token}
        put(worker, f"{held(claimed)}/a.txt", b"mine", **mine)
        jobs.take_back(COMMAND, "alpha", claimed.job.id)
        other = claim_job(project, "w2")
        put(worker, f"{held(claimed)}/a.txt", b"theirs", Lease_Token=other.lease_token)
        for late in (
            put(worker, f"{held(claimed)}/a.txt", b"late", **mine),
            worker.call("DELETE", f"{held(claimed)}/a.txt", **mine),
            worker.get(f"{held(claimed)}/a.txt", **mine),
        ):
            assert (late.status_code, code(late)) == (409, "lease_lost")
        assert api.get(f"{held(claimed)}/a.txt").content == b"theirs"

    def test_may_not_write_once_the_job_has_ended(self, worker: Api, claimed: Claimed) -> None:
        claims.complete(COMMAND, "alpha", claimed.job.id, claimed.lease_token)
        late = put(worker, f"{held(claimed)}/a.txt", Lease_Token=claimed.lease_token)
        assert (late.status_code, code(late)) == (409, "lease_lost")

    def test_needs_the_scope_beside_the_token(self, api: Api, claimed: Claimed) -> None:
        assert code(put(api, f"{held(claimed)}/a.txt", Lease_Token=claimed.lease_token)) == "permission_denied"


def test_what_people_and_programs_change_is_in_the_audit_log(api: Api, place: str) -> None:
    put(api, f"{place}/a.txt")
    api.call("DELETE", f"{place}/a.txt")
    kept = AuditEntry.objects.filter(action__startswith="job.file").order_by("id")
    assert [(entry.action, entry.detail) for entry in kept] == [
        ("job.file.write", {"path": "a.txt"}),
        ("job.file.delete", {"path": "a.txt"}),
    ]


def test_a_job_has_room_for_so_much(api: Api, place: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspaces, "MEGABYTE", 10)
    settings.CONFIG = settings.CONFIG.model_copy(update={"workspace_megabytes": 1})
    assert put(api, f"{place}/a", b"12345").status_code == 201
    assert code(put(api, f"{place}/b", b"123456")) == "content_too_large"
    assert put(api, f"{place}/a", b"1234567890").status_code == 200
    assert put(api, f"{place}/b", b"").status_code == 201
    monkeypatch.setattr(workspaces, "MOST_FILES", 2)
    refused = put(api, f"{place}/c", b"")
    assert (refused.status_code, code(refused)) == (413, "content_too_large")
    assert put(api, f"{place}/b", b"").status_code == 200


def test_a_deleted_job_has_no_files_until_it_is_back(api: Api, place: str) -> None:
    put(api, f"{place}/a.txt")
    job = place.split("/")[-2]
    api.call("DELETE", f"/projects/alpha/jobs/{job}")
    assert code(api.get(f"{place}/a.txt")) == "not_found"
    assert code(put(api, f"{place}/b.txt")) == "not_found"
    api.post(f"/projects/alpha/trash/{job}/restore")
    assert api.get(f"{place}/a.txt").content == b"hello"


def failure(code: StorageErrorCode, **details: str) -> StorageError:
    return StorageError(code, "It went wrong.", None, details)


INTERNAL = StorageErrorCode.INTERNAL_ERROR
FAILURES = [
    (failure(StorageErrorCode.NETWORK_ERROR), 502, "network_error"),
    (failure(INTERNAL, reason="storage_full"), 507, "storage_full"),
    (failure(INTERNAL, reason="lock_timeout"), 503, "lock_timeout"),
    (failure(INTERNAL, reason="closed"), 503, "store_unavailable"),
    (failure(INTERNAL, reason="damaged"), 503, "store_damaged"),
    (failure(StorageErrorCode.PERMISSION_DENIED, reason="read_only"), 503, "read_only"),
    (failure(StorageErrorCode.PERMISSION_DENIED), 403, "permission_denied"),
    (failure(StorageErrorCode.CONTENT_TOO_LARGE), 413, "content_too_large"),
    (failure(StorageErrorCode.CONFLICT), 409, "conflict"),
    (failure(StorageErrorCode.ALREADY_EXISTS), 409, "already_exists"),
    (failure(StorageErrorCode.RATE_LIMITED, reset_at="2000-01-01T00:00:00Z"), 429, "rate_limited"),
    (failure(StorageErrorCode.RATE_LIMITED, reset_at="soon"), 429, "rate_limited"),
]


@pytest.mark.parametrize(("error", "status", "word"), FAILURES, ids=[f"{f[0].code}-{f[0].reason}" for f in FAILURES])
def test_what_a_storage_fails_at_is_said_as_it_is(
    api: Api, place: str, monkeypatch: pytest.MonkeyPatch, error: StorageError, status: int, word: str
) -> None:
    def fail(work: Any) -> Any:
        raise error

    monkeypatch.setattr(file_storages, "run", fail)
    for answer in (put(api, f"{place}/a"), api.get(f"{place}/a"), api.get(place)):
        assert (answer.status_code, json.loads(answer.content)["code"]) == (status, word)
        if status in (429, 503):
            assert 1 <= int(answer["Retry-After"]) <= 60
