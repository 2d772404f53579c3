"""The pages of files and storages without a browser: what they show, what they refuse, what a form changes."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.maintenance import Deadline
from jobs_app.models import Project
from jobs_app.pages import document_diff, storage_rows
from jobs_app.pages.document_places import relative_to
from jobs_app.services import files, outbox, storages
from jobs_app.services.storages import Health, StorageState
from jobs_app.templatetags import wording
from storage_app import file_storages
from tests.browser import documents_world
from tests.browser.documents_world import HOSTILE, PICTURE, Documents
from tests.factories import make_person
from tests.storage.hostile_paths import CONTAINED, REFUSED

pytestmark = pytest.mark.django_db

BASE = "/p/alpha/documents/default/"


@pytest.fixture
def world(project: Project, settings: Settings) -> Iterator[Documents]:
    yield documents_world.fill(project, settings)
    file_storages.close()


def client_of(project: Project, role: Role) -> Client:
    client = Client()
    client.force_login(make_person(roles={project: role}))
    return client


@pytest.fixture
def operator(project: Project) -> Client:
    return client_of(project, Role.OPERATOR)


@pytest.fixture
def viewer(project: Project) -> Client:
    return client_of(project, Role.VIEWER)


def body(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response
    return response.content.decode()


def said(client: Client, address: str, /, **data: object) -> list[str]:
    """What the server says after a form was sent, and nothing that it said before."""
    client.get("/projects/")
    response = client.post(address, data)
    assert response.status_code == 302, response.content
    return [str(message) for message in get_messages(response.wsgi_request)]


def content(path: str) -> bytes:
    return files.read(COMMAND, "alpha", "default", path).content


class TestLooking:
    def test_a_viewer_reads_everything_and_is_offered_no_change(self, viewer: Client, world: Documents) -> None:
        for path in (BASE, f"{BASE}?folder=docs", f"{BASE}file/?path=docs/notes.md", f"{BASE}outbox/"):
            page = body(viewer, path)
            for word in ("Upload", "New file", "Rename", "Send now", "Discard", "Delete"):
                assert f">{word}<" not in page.replace("</svg>", ">"), (path, word)
        assert ">Test<" not in body(viewer, "/p/alpha/storages/").replace("</svg>", ">")

    def test_documents_lead_to_the_default_storage(self, viewer: Client, world: Documents) -> None:
        assert viewer.get("/p/alpha/documents/").headers["Location"] == BASE

    def test_a_storage_of_another_project_is_not_there(
        self, viewer: Client, project: Project, settings: Settings
    ) -> None:
        settings.FILE_STORAGES = {
            "default": {"provider": "memory"},
            "theirs": {"provider": "memory", "project": "beta"},
        }
        body(viewer, "/p/alpha/documents/theirs/", 404)
        assert "theirs" not in body(viewer, BASE)

    def test_a_folder_asked_for_as_a_file_is_shown_as_a_folder(self, viewer: Client, world: Documents) -> None:
        assert viewer.get(f"{BASE}file/?path=docs").headers["Location"] == f"{BASE}?folder=docs"

    def test_pages_hold_a_hundred_entries_and_the_address_says_where(self, viewer: Client, world: Documents) -> None:
        page = body(viewer, f"{BASE}?folder=many")
        assert "100 of 130" in page
        assert "cursor=" in page
        body(viewer, f"{BASE}?folder=many&cursor=nonsense", 422)

    def test_names_are_found_below_the_folder(self, viewer: Client, world: Documents) -> None:
        page = body(viewer, f"{BASE}?q=file")
        assert "docs/deep/deeper/deepest" in page
        assert "1 entry" in page
        assert "2 entries" in body(viewer, f"{BASE}?folder=docs&q=*.json")
        assert "No file matches" in body(viewer, f"{BASE}?folder=docs&q=notes*.txt")

    def test_what_looks_like_a_picture_and_is_none_is_not_served_as_one(
        self, viewer: Client, world: Documents, project: Project
    ) -> None:
        response = viewer.get(f"{BASE}image/?path=docs/picture.png")
        assert (response.content, response.headers["Content-Type"]) == (PICTURE, "image/png")
        assert "sandbox" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        documents_world.write(project, "fake.png", b"<svg onload=alert(1)>", "x")
        for path in ("fake.png", "hostile/drawing.svg", "hostile/page.html", "docs/notes.md", "missing.png"):
            assert viewer.get(f"{BASE}image/?path={path}").status_code == 404

    def test_svg_and_html_are_shown_as_text(self, viewer: Client, world: Documents) -> None:
        for path, part in (("drawing.svg", "&lt;svg"), ("page.html", "&lt;script&gt;")):
            page = body(viewer, f"{BASE}file/?path=hostile/{path}")
            assert part in page
            assert "<script>alert" not in page

    def test_markdown_is_reduced_to_what_is_safe(self, viewer: Client, world: Documents) -> None:
        page = body(viewer, f"{BASE}file/?path=docs/notes.md")
        assert "<h1>Notes of the week</h1>" in page
        assert f'href="{BASE}file/?path=docs%2Fother.md"' in page
        assert f'src="{BASE}image/?path=docs%2Fpicture.png"' in page
        assert "evil.example" not in page
        assert "from outside" in page
        for part in ('href="javascript', "<script>alert", "<img src=x", '<b hx-delete="'):
            assert part not in page

    def test_what_is_not_json_says_so(self, viewer: Client, world: Documents) -> None:
        assert "This is not JSON" in body(viewer, f"{BASE}file/?path=docs/broken.json")
        assert "123456789012345678901234567890" in body(viewer, f"{BASE}file/?path=docs/data.json")

    def test_history_compares_any_two_states(self, viewer: Client, world: Documents) -> None:
        page = body(viewer, f"{BASE}file/?path=docs/notes.md&tab=history")
        assert page.index("Notes of a week, not of a day") < page.index("The first notes")
        page = body(viewer, f"{BASE}file/?path=docs/notes.md&tab=diff")
        assert "# Notes of the day" in page
        assert "1 line added, 1 line removed" in page
        body(viewer, f"{BASE}file/?path=docs/notes.md&version=nonsense", 404)

    def test_an_earlier_state_is_shown_and_cannot_be_changed(self, operator: Client, world: Documents) -> None:
        oldest = files.versions(COMMAND, "alpha", "default", "docs/notes.md")[-1].version
        page = body(operator, f"{BASE}file/?path=docs/notes.md&version={oldest}")
        assert "Notes of the day" in page
        assert "This is the file as it was" in page
        assert f"?version={oldest}" in page, "the download is of that state too"
        assert "Rename" not in page

    def test_without_versions_there_is_no_history(
        self, viewer: Client, project: Project, settings: Settings, tmp_path: Path
    ) -> None:
        settings.FILE_STORAGES = {"default": {"provider": "local", "root_path": str(tmp_path)}}
        documents_world.write(project, "a.txt", b"text", "x")
        page = body(viewer, f"{BASE}file/?path=a.txt")
        assert "History" not in page
        assert "tab=history" not in body(viewer, f"{BASE}file/?path=a.txt&tab=history")
        file_storages.close()

    def test_hostile_paths_are_refused_by_every_page(self, operator: Client, world: Documents) -> None:
        for path in [path for path in REFUSED if len(path) < 2000 and "\0" not in path][::5]:
            query = quote(path, errors="surrogatepass")
            for page in ("file/?path=", "image/?path=", "edit/?path="):
                assert operator.get(f"{BASE}{page}{query}").status_code in (302, 400, 404, 422), ascii(path)

    def test_odd_names_can_be_opened(self, viewer: Client, world: Documents, project: Project) -> None:
        for number, path in enumerate(CONTAINED[::4]):
            if path.count("/") < 60:
                documents_world.write(project, f"odd/{number}/{path}", path.encode(), "x")
                page = body(viewer, f"{BASE}file/?path={quote(f'odd/{number}/{path}')}")
                assert "sheet" in page


class TestChanging:
    def test_a_new_file_never_replaces_one(self, operator: Client, world: Documents) -> None:
        data = {"path": "docs/new.txt", "text": "one\r\ntwo\r\n", "message": "New"}
        assert said(operator, f"{BASE}new/", **data) == ["The file was made."]
        assert content("docs/new.txt") == b"one\ntwo\n", "line ends of a form are not those of a file"
        response = operator.post(f"{BASE}new/", data)
        assert response.status_code == 422
        assert "There is such a file already." in response.content.decode()
        response = operator.post(f"{BASE}new/", {**data, "path": "../x"})
        assert response.status_code == 422
        assert "has the part .." in response.content.decode()

    def test_an_edit_keeps_the_line_ends_of_the_file(
        self, operator: Client, world: Documents, project: Project
    ) -> None:
        documents_world.write(project, "dos.txt", b"one\r\ntwo\r\n", "x")
        sha = files.info(COMMAND, "alpha", "default", "dos.txt").sha
        said(operator, f"{BASE}edit/?path=dos.txt", text="one\r\nthree\r\n", sha=sha)
        assert content("dos.txt") == b"one\r\nthree\r\n"

    def test_a_text_that_begins_with_an_empty_line_keeps_it(
        self, operator: Client, world: Documents, project: Project
    ) -> None:
        documents_world.write(project, "gap.txt", b"\nafter a gap", "x")
        assert "<textarea" in (page := body(operator, f"{BASE}edit/?path=gap.txt"))
        assert ">\n\nafter a gap</textarea>" in page, "a browser takes the first line end away"

    def test_an_edit_of_what_changed_shows_both_and_a_second_one_wins(
        self, operator: Client, world: Documents, project: Project
    ) -> None:
        sha = files.info(COMMAND, "alpha", "default", "docs/sent.txt").sha
        documents_world.write(project, "docs/sent.txt", b"theirs", "x")
        response = operator.post(f"{BASE}edit/?path=docs/sent.txt", {"text": "mine", "sha": sha})
        assert response.status_code == 409
        page = response.content.decode()
        assert "theirs</textarea>" in page
        assert "mine</textarea>" in page
        assert content("docs/sent.txt") == b"theirs"
        now = files.info(COMMAND, "alpha", "default", "docs/sent.txt").sha
        assert f'value="{now}"' in page
        said(operator, f"{BASE}edit/?path=docs/sent.txt", text="mine", sha=now)
        assert content("docs/sent.txt") == b"mine"

    def test_an_edit_of_what_is_gone_says_so(self, operator: Client, world: Documents) -> None:
        sha = files.info(COMMAND, "alpha", "default", "docs/sent.txt").sha
        files.delete(COMMAND, "alpha", "default", "docs/sent.txt")
        response = operator.post(f"{BASE}edit/?path=docs/sent.txt", {"text": "mine", "sha": sha})
        assert response.status_code == 409
        assert "Somebody deleted it" in response.content.decode()
        said(operator, f"{BASE}edit/?path=docs/sent.txt", text="mine", sha="")
        assert content("docs/sent.txt") == b"mine"

    def test_a_deferred_edit_waits_and_shines_through(self, operator: Client, world: Documents) -> None:
        sha = files.info(COMMAND, "alpha", "default", "docs/sent.txt").sha
        answers = said(operator, f"{BASE}edit/?path=docs/sent.txt", text="later", sha=sha, deferred="on")
        assert answers == ["The file was saved. It waits in the outbox until it is sent."]
        assert "waits to be sent" in body(operator, f"{BASE}file/?path=docs/sent.txt")
        assert content("docs/sent.txt") == b"later"

    def test_uploads_are_each_taken_or_refused(self, operator: Client, world: Documents) -> None:
        sent = [SimpleUploadedFile(name, b"uploaded") for name in ("a.txt", "data.json", HOSTILE.replace("/", ""))]
        answers = said(operator, f"{BASE}upload/", folder="docs", files=sent)
        assert "a.txt was uploaded." in answers
        assert "data.json: There is such a file already." in answers
        assert content("docs/a.txt") == b"uploaded"
        assert content("docs/data.json") != b"uploaded"
        again = [SimpleUploadedFile("data.json", b"uploaded")]
        said(operator, f"{BASE}upload/", folder="docs", files=again, overwrite="on")
        assert content("docs/data.json") == b"uploaded"
        assert said(operator, f"{BASE}upload/", folder="docs") == ["Choose 1 to 100 files."]

    def test_a_large_upload_is_streamed(self, operator: Client, world: Documents) -> None:
        large = SimpleUploadedFile("large.bin", b"x" * 4_000_000)
        assert said(operator, f"{BASE}upload/", folder="", files=[large]) == ["large.bin was uploaded."]
        assert files.info(COMMAND, "alpha", "default", "large.bin").size == 4_000_000

    def test_a_rename_is_one_commit_and_never_replaces(self, operator: Client, world: Documents) -> None:
        url = f"{BASE}rename/"
        assert said(operator, url, path="docs/sent.txt", to="docs/data.json") == ["There is such a file already."]
        assert said(operator, url, path="docs/sent.txt", to="elsewhere/sent.txt") == ["The file was renamed."]
        assert content("elsewhere/sent.txt") == b"sent"
        assert not files.exists(COMMAND, "alpha", "default", "docs/sent.txt")
        (version,) = files.versions(COMMAND, "alpha", "default", "elsewhere/sent.txt")
        assert version.version == files.versions(COMMAND, "alpha", "default", "docs/sent.txt")[0].version

    def test_a_delete_of_what_changed_is_refused(self, operator: Client, world: Documents, project: Project) -> None:
        sha = files.info(COMMAND, "alpha", "default", "docs/sent.txt").sha
        documents_world.write(project, "docs/sent.txt", b"theirs", "x")
        assert said(operator, f"{BASE}delete/", path="docs/sent.txt", sha=sha) == ["The file has changed."]
        assert content("docs/sent.txt") == b"theirs"
        assert said(operator, f"{BASE}delete/", path="docs/sent.txt") == ["The file was deleted."]


class TestOutbox:
    def test_it_says_what_waits_when_it_goes_and_what_went(self, viewer: Client, world: Documents) -> None:
        page = body(viewer, f"{BASE}outbox/")
        assert "1 change, 5 B, goes out" in page
        assert "1 change was refused and waits for a person" in page
        assert "The file has changed." in page
        assert "Sent first" in page
        assert HOSTILE not in page

    def test_a_parked_change_is_tried_again_or_thrown_away(self, operator: Client, world: Documents) -> None:
        answers = said(operator, f"{BASE}outbox/{world.parked}/retry/")
        assert answers == ["The change goes out with the next."]
        answers = said(operator, f"{BASE}outbox/{world.waiting}/discard/")
        assert answers == ["The change was thrown away."]
        answers = said(operator, f"{BASE}outbox/{world.waiting}/discard/")
        assert "sent or discarded" in answers[0]

    def test_sending_now_says_what_went(self, operator: Client, world: Documents) -> None:
        assert said(operator, f"{BASE}outbox/flush/") == ["1 file went out."]
        assert said(operator, f"{BASE}outbox/flush/") == ["There was nothing to send."]
        assert outbox.state(COMMAND, "alpha", "default").queue.waiting == 0

    def test_what_was_refused_and_what_went_out_can_be_looked_at(self, viewer: Client, world: Documents) -> None:
        page = body(viewer, f"{BASE}outbox/")
        address = f"/api/v1/projects/alpha/storages/default/pending/{world.parked}"
        assert f'href="{address}"' in page
        assert b"".join(viewer.get(address)) == b"mine"
        assert 'href="/p/alpha/documents/default/file/?path=docs%2Fsent.txt">docs/sent.txt</a>' in page
        assert "waits</span>" not in body(viewer, BASE).split("binary.bin</a>")[1].split("</tr>")[0]

    def test_several_storages_that_are_down_are_one_banner(
        self, viewer: Client, project: Project, settings: Settings, tmp_path: Path
    ) -> None:
        away = {"provider": "local", "root_path": str(tmp_path / "none"), "create_root": False}
        settings.FILE_STORAGES = {f"away-{number}": away for number in range(7)}
        storages.check_all(Deadline(timedelta(minutes=1)))
        page = body(viewer, "/p/alpha/jobs/")
        assert "7 storages are down: away-0, away-1, away-2, away-3, away-4, 2 more." in page
        file_storages.close()

    def test_a_banner_leads_to_what_is_parked(self, viewer: Client, world: Documents) -> None:
        page = body(viewer, "/p/alpha/jobs/")
        assert "1 change was not taken by the storage default, and waits for a person." in page
        assert f'href="{BASE}outbox/"' in page


class TestStorages:
    def test_a_test_says_how_the_storage_is_and_a_banner_when_it_is_down(
        self, operator: Client, project: Project, settings: Settings
    ) -> None:
        settings.FILE_STORAGES = {
            "default": {"provider": "memory"},
            "away": {"provider": "object", "bucket": "bucket", "endpoint": "http://127.0.0.1:9", "timeout": 0.3,
                     "access_key": "canary", "secret_key": "canary"},
        }  # fmt: skip
        assert said(operator, "/p/alpha/storages/default/test/") == ["default answers."]
        assert said(operator, "/p/alpha/storages/away/test/") == [
            "away is down. The object store could not be reached."
        ]
        page = body(operator, "/p/alpha/storages/")
        assert "Whole batches" in page
        assert "canary" not in page
        assert "The storage away is down." in body(operator, "/p/alpha/jobs/")
        file_storages.close()

    def test_where_a_storage_lies_on_the_server_is_told_to_nobody_but_who_runs_it(
        self, operator: Client, project: Project, settings: Settings, tmp_path: Path
    ) -> None:
        away = {"provider": "local", "root_path": str(tmp_path / "canary"), "create_root": False}
        settings.FILE_STORAGES = {"default": {"provider": "memory"}, "away": away}
        (said_so,) = said(operator, "/p/alpha/storages/away/test/")
        assert said_so == "away is down. The root folder of the storage is not there."
        assert 'name="deferred" checked' in body(operator, "/p/alpha/documents/away/new/")
        new = {"path": "a.txt", "text": "kept", "sha": "", "message": "", "deferred": "on"}
        assert operator.post("/p/alpha/documents/away/new/", new).status_code == 302
        outbox.flush(COMMAND, "alpha", "away")
        for path in ("storages/", "documents/away/outbox/", "documents/away/file/?path=a.txt", "jobs/"):
            assert "canary" not in body(operator, f"/p/alpha/{path}")
        folder = body(operator, "/p/alpha/documents/away/", 503)
        assert "away does not answer. The root folder of the storage is not there." in folder
        assert "a.txt</a>" in folder
        assert 'name="deferred" checked' in folder
        assert "canary" not in folder
        assert "Nothing is known of this folder" in body(operator, "/p/alpha/documents/away/?folder=b", 503)
        (state,) = [state for state in storages.of_project(COMMAND, "alpha") if state.alias == "away"]
        assert {has for row in storage_rows.capabilities([state]) for has in row.has} == {None}
        boss = Client()
        boss.force_login(make_person(runs_the_server=True))
        assert "canary" in body(boss, "/p/alpha/storages/")
        file_storages.close()

    def test_limits_and_cache_hits_are_figures(self) -> None:
        now = datetime.now(UTC)
        reset = int((now + timedelta(minutes=10)).timestamp())
        statistics = {
            "requests": {"counted": 12, "free": 30},
            "cache": {"hits": 3, "misses": 1, "contents": 4},
            "rate_limits": {
                "windows": [{"resource": "core", "limit": 5000, "remaining": 4990, "reset": reset}],
                "blocked_until": now.timestamp() + 60,
                "content": [{"seconds": 60.0, "limit": 80, "remaining": 79}],
            },
        }
        health = Health(True, "", {"latency_ms": 12.5}, now, now)
        state = StorageState("docs", "github", None, ("versioning", "rate_limited"), "git", health, statistics)
        row = storage_rows.row(state, "alpha")
        assert (row.state, row.hits) == ("up", 0.75)
        assert [(limit.used, limit.most, limit.said) for limit in row.limits] == [
            (10, 5000, "4,990 of 5,000 left"),
            (1, 80, "79 of 80 left"),
        ]
        assert row.blocked_until is not None
        assert [(each.name, each.has) for each in storage_rows.capabilities([state])][:2] == [
            ("Whole batches", [False]),
            ("Versions", [True]),
        ]

    def test_the_overview_says_of_each_storage_what_is_left_of_it(self) -> None:
        now = datetime.now(UTC)

        def left(health: Health | None, statistics: dict[str, Any] | None = None) -> tuple[str, str]:
            state = StorageState("docs", "github", None, (), "git", health, statistics or {})
            room = storage_rows.room(state, "alpha")
            return room.left, room.note

        assert left(None) == (wording.ABSENT, "not asked yet")
        assert left(Health(False, "The host does not answer.", {}, now, now)) == ("Down", "The host does not answer.")
        space = {"free_bytes": 12_300_000_000, "total_bytes": 256_000_000_000}
        assert left(Health(True, "", space, now, now)) == ("12.3 GB", "free of 256.0 GB")
        windows = [
            {"resource": "core", "limit": 5000, "remaining": 4990, "reset": int(now.timestamp()) + 60},
            {"resource": "graphql", "limit": 5000, "remaining": 40, "reset": int(now.timestamp()) + 60},
        ]
        number, of = left(Health(True, "", {}, now, now), {"rate_limits": {"windows": windows}})
        assert number == "40"
        assert of.startswith("of 5,000 left: ")
        assert left(Health(True, "", {}, now, now)) == ("Up", "github")

    def test_every_capability_has_words(self, project: Project, settings: Settings) -> None:
        settings.FILE_STORAGES = {"default": {"provider": "memory"}}
        (state,) = storages.of_project(COMMAND, "alpha")
        assert set(state.capabilities) <= set(storage_rows.CAPABILITIES)
        file_storages.close()


class TestParts:
    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("b.md", "docs/b.md"),
            ("./b.md", "docs/b.md"),
            ("../b.md", "b.md"),
            ("deep/b%20c.md#part", "docs/deep/b c.md"),
            ("../../b.md", None),
            ("/b.md", None),
            ("//host/b.md", None),
            ("https://host/b.md", None),
            ("javascript:x", None),
            ("#part", None),
            ("", None),
            ("..%2f..%2fb.md", None),
            (".git/config", None),
        ],
    )
    def test_a_relative_link_names_a_file_here_or_nothing(self, address: str, expected: str | None) -> None:
        assert relative_to("docs/a.md", address) == expected

    def test_a_diff_numbers_lines_and_leaves_out_what_is_far_from_a_change(self) -> None:
        old = "\n".join(f"line {number}" for number in range(40))
        new = old.replace("line 20", "line twenty").replace("line 35\n", "")
        diff = document_diff.between(old, new)
        assert (diff.added, diff.removed, diff.same) == (1, 2, False)
        changed = [
            (line.kind, line.old, line.new, line.text) for line in diff.lines if line.kind in ("added", "removed")
        ]
        assert changed == [
            ("removed", 21, None, "line 20"),
            ("added", None, 21, "line twenty"),
            ("removed", 36, None, "line 35"),
        ]
        assert sum(line.kind == "gap" for line in diff.lines) == 2
        assert document_diff.between(old, old).same

    def test_a_diff_is_as_short_as_can_be_and_gives_both_texts_back(self) -> None:
        chance = random.Random(6)
        for _ in range(300):
            old, new = (chance.choices("abc", k=chance.randrange(12)) for _ in range(2))
            diff = document_diff.between("\n".join(old), "\n".join(new))
            kept = _longest_common(old, new)
            assert (diff.removed, diff.added) == (len(old) - kept, len(new) - kept), (old, new)

    def test_texts_of_many_equal_lines_are_compared_in_a_bounded_time(self) -> None:
        chance = random.Random(7)
        old, new = (["start", *chance.choices("ab", k=2990), "end"] for _ in range(2))
        lines = document_diff.between("\n".join(old), "\n".join(new)).lines
        assert [line.text for line in lines if line.old] == old
        assert [line.text for line in lines if line.new] == new
        changed = [*old[:1500], "changed", *old[1501:]]
        assert document_diff.between("\n".join(old), "\n".join(changed)).added == 1

    def test_texts_too_long_to_compare_are_not(self) -> None:
        long = "\n" * 3001
        assert document_diff.between(long, long + "x").too_long
        assert document_diff.between(long, long).same


def _longest_common(old: list[str], new: list[str]) -> int:
    row = [0] * (len(new) + 1)
    for line in old:
        above, row = row, [0]
        for at, other in enumerate(new):
            row.append(above[at] + 1 if line == other else max(above[at + 1], row[at]))
    return row[-1]
