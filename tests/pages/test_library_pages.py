"""The pages of the library without a browser: what they show, what they refuse, what a form changes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from pytest_django import Settings

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.library import Kind
from jobs_app.models import Project
from jobs_app.services import jobs, library, outbox
from jobs_app.services.jobs import JobFilter
from storage_app import file_storages
from tests.browser import library_world
from tests.browser.library_world import FIRST, SECOND, THIRD, Library
from tests.factories import make_job, make_person
from tests.storage import outbox_places

pytestmark = pytest.mark.django_db
BASE = "/p/alpha/library/"
SUMMARISE = f"{BASE}prompts/summarise/"


@pytest.fixture
def world(project: Project, settings: Settings) -> Iterator[Library]:
    yield library_world.fill(project, settings)
    file_storages.close()


@pytest.fixture
def on_github(settings: Settings, tmp_path: Path) -> Iterator[outbox_places.Place]:
    with outbox_places.known_kinds(), outbox_places.place("github", tmp_path) as place:
        settings.FILE_STORAGES = {"default": place.definition}
        yield place
        file_storages.close()


@pytest.fixture
def without_versions(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.FILE_STORAGES = {"default": {"provider": "local", "root_path": str(tmp_path)}}
    yield
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


def content(name: str = "summarise") -> str:
    return library.read(COMMAND, "alpha", Kind.PROMPTS, name).content


class TestLooking:
    def test_a_viewer_reads_everything_and_is_offered_no_change(self, viewer: Client, world: Library) -> None:
        for path in (BASE, SUMMARISE, f"{SUMMARISE}?tab=history", f"{SUMMARISE}?tab=uses"):
            page = body(viewer, path).replace("</svg>", ">")
            for word in ("New prompt", "Edit", "Rename", "Delete"):
                assert f">{word}<" not in page, (path, word)
        assert ">Edit<" in body(client_of(Project.objects.get(), Role.OPERATOR), SUMMARISE).replace("</svg>", ">")

    def test_a_list_is_in_pages_and_found_by_name(self, viewer: Client, world: Library) -> None:
        first = body(viewer, f"{BASE}?kind=exercises")
        assert "100 of 130" in first
        assert "exercise-099" in first
        assert "exercise-100" not in first
        assert "exercise-117" in body(viewer, f"{BASE}?kind=exercises&q=E-117")
        assert "No name has that in it" in body(viewer, f"{BASE}?q=nowhere")
        assert viewer.get(f"{BASE}?kind=novels").status_code == 404

    def test_an_empty_list_teaches_how_to_fill_it(
        self, viewer: Client, operator: Client, project: Project, without_versions: None
    ) -> None:
        page = body(operator, BASE)
        assert "http://testserver/api/v1/projects/alpha/library/prompts/summarise" in page
        assert f'href="{BASE}new/prompts/"' in page
        assert "An operator writes the first one." in body(viewer, BASE)

    def test_the_head_declares_and_the_body_is_rendered(self, viewer: Client, world: Library) -> None:
        page = body(viewer, SUMMARISE)
        assert "<h1>Summary</h1>" in page.replace(' id="summary"', "")
        assert "default: en" in page
        assert "Summarise a report" in page
        assert world.states[2].hash in page

    def test_a_body_that_bites_is_text(self, viewer: Client, world: Library) -> None:
        page = body(viewer, f"{BASE}prompts/biting/")
        prose = page.split('class="prose')[1].split("<details>")[0]
        for bite in ("<script", "<img", "<b ", "href="):
            assert bite not in prose, bite
        assert "<img src=x" not in page
        assert "<script>alert" not in page

    def test_one_that_came_past_us_says_why_no_job_can_use_it(self, viewer: Client, world: Library) -> None:
        assert "No job can use it: line 2 has &#x27;*&#x27;" in body(viewer, f"{BASE}prompts/broken/")

    @pytest.mark.parametrize("path", ["prompts/absent/", "novels/summarise/", "prompts/a%20b/", "prompts/.hidden/"])
    def test_what_is_not_there_is_not_there(self, viewer: Client, world: Library, path: str) -> None:
        assert viewer.get(BASE + path).status_code == 404

    def test_another_projects_texts_are_not_there(
        self, project: Project, other_project: Project, world: Library
    ) -> None:
        assert client_of(other_project, Role.ADMIN).get(SUMMARISE).status_code == 404
        assert client_of(other_project, Role.ADMIN).get("/p/beta/library/prompts/summarise/").status_code == 404


class TestHistory:
    def test_each_version_is_read_compared_and_leads_to_its_jobs(self, viewer: Client, world: Library) -> None:
        page = body(viewer, f"{SUMMARISE}?tab=history")
        assert page.count("Jobs<span") == 3
        versions = library.versions(COMMAND, "alpha", Kind.PROMPTS, "summarise")
        compared = body(viewer, f"{SUMMARISE}?tab=history&changes={versions[1].version}")
        assert "1 line added, 1 line removed" in compared
        assert "in at most five sentences." in compared
        first = body(viewer, f"{SUMMARISE}?tab=history&changes={versions[2].version}")
        assert "removed" in first
        assert ", 0 lines removed" in first

    def test_an_earlier_text_says_so_and_what_changed_since(self, viewer: Client, world: Library) -> None:
        version = library.versions(COMMAND, "alpha", Kind.PROMPTS, "summarise")[2].version
        for address in (f"{SUMMARISE}?version={version}", f"{SUMMARISE}?hash={world.states[0].hash}"):
            page = body(viewer, address)
            assert "This is not the text as it is now." in page
            assert "What changed since" in page
            assert "3 lines added, 1 line removed" in page
        assert "This is not the text" not in body(viewer, f"{SUMMARISE}?hash={world.states[2].hash}")
        assert viewer.get(f"{SUMMARISE}?version=nonsense").status_code == 404
        assert viewer.get(f"{SUMMARISE}?hash=sha256:{'0' * 64}").status_code == 404

    def test_without_versions_what_a_job_used_is_still_shown(
        self, viewer: Client, project: Project, without_versions: None
    ) -> None:
        entry = library_world.write(project, "summarise", "Before.\n")
        job = make_job(project, uses=[library_world.wanted("summarise")])
        library_world.write(project, "summarise", "After.\n")
        assert "This storage keeps no versions." in body(viewer, f"{SUMMARISE}?tab=history")
        address = f"{SUMMARISE}?hash={entry.hash.replace(':', '%3A')}"
        assert address in body(viewer, f"/p/alpha/jobs/{job.id}/")
        assert "Before." in body(viewer, address)


class TestWhereUsed:
    def test_jobs_are_listed_with_the_version_they_use(self, viewer: Client, world: Library) -> None:
        page = body(viewer, f"{SUMMARISE}?tab=uses")
        assert [f"report {number}" in page for number in (1, 2, 3)] == [True] * 3
        assert page.count(">current</a>") == 1
        one = body(viewer, f"{SUMMARISE}?tab=uses&of={world.states[0].hash}")
        assert [f"report {number}" in one for number in (1, 2, 3)] == [True, False, False]
        assert "No job uses it" in body(viewer, f"{SUMMARISE}?tab=uses&of=sha256:{'0' * 64}")

    def test_a_text_that_is_gone_still_shows_what_used_it(self, viewer: Client, world: Library) -> None:
        page = body(viewer, f"{BASE}prompts/gone/")
        assert "It is gone" in page
        uses = body(viewer, f"{BASE}prompts/gone/?tab=uses")
        assert "&lt;img src=x" in uses
        (job,) = jobs.find(COMMAND, "alpha", JobFilter(uses="prompts/gone")).jobs
        version = job.uses[0].version
        assert version is not None
        assert "Once here." in body(viewer, f"{BASE}prompts/gone/?version={version}")

    def test_a_job_leads_to_the_very_text(self, viewer: Client, world: Library) -> None:
        page = body(viewer, f"/p/alpha/jobs/{world.jobs[0].id}/")
        version = world.jobs[0].uses[0].version
        assert f"{SUMMARISE}?version={version}" in page
        assert (
            "in at most five sentences"
            not in body(viewer, f"{SUMMARISE}?version={version}").split("What changed since")[0]
        )

    def test_the_empty_list_shows_how_a_job_names_it(self, viewer: Client, world: Library) -> None:
        page = body(viewer, f"{BASE}prompts/broken/?tab=uses")
        assert "http://testserver/api/v1/projects/alpha/jobs" in page


class TestWriting:
    def test_a_text_is_made_edited_renamed_and_deleted(
        self, operator: Client, project: Project, world: Library
    ) -> None:
        new = {"name": "fresh", "content": "Fresh.\r\n", "message": "x"}
        assert said(operator, f"{BASE}new/prompts/", **new) == ["The prompt fresh is there."]
        assert content("fresh") == "Fresh.\n"
        entry = library.read(COMMAND, "alpha", Kind.PROMPTS, "fresh")
        edit = {"content": "Fresher.\n", "based_on": entry.hash}
        assert said(operator, f"{BASE}prompts/fresh/edit/", **edit) == ["The prompt fresh is saved."]
        edited = library.read(COMMAND, "alpha", Kind.PROMPTS, "fresh")
        renamed = {"name": "newer", "hash": edited.hash}
        assert said(operator, f"{BASE}prompts/fresh/rename/", **renamed) == ["It is called newer now."]
        assert said(operator, f"{BASE}prompts/newer/delete/", hash=edited.hash)[0].startswith(
            "The prompt newer is deleted"
        )
        assert operator.get(f"{BASE}prompts/newer/").status_code == 404

    @pytest.mark.parametrize(
        ("before", "after"),
        [("a\r\nb\r\n", "a\r\nb\r\nc\r\n"), ("a\nb\n", "a\nb\nc\n"), ("a\r\nb\n", "a\r\nb\r\nc\r\n")],
    )
    def test_an_edit_keeps_the_line_ends_of_the_text_and_says_where_it_cannot(
        self, operator: Client, project: Project, world: Library, before: str, after: str
    ) -> None:
        entry = library_world.write(project, "ends", before)
        page = body(operator, f"{BASE}prompts/ends/edit/")
        assert ("line ends are of two kinds" in page) == (before == "a\r\nb\n")
        crlf = re.findall(r'name="crlf" value="(\w+)"', page)
        edit = {"content": "a\r\nb\r\nc\r\n", "based_on": entry.hash, "crlf": crlf[0]}  # as every browser sends it
        assert said(operator, f"{BASE}prompts/ends/edit/", **edit) == ["The prompt ends is saved."]
        assert content("ends") == after

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"name": "../up", "content": "x"}, "letters, digits"),
            ({"name": "summarise", "content": "x"}, "already"),
            ({"name": "x", "content": "---\na: *b\n---\n"}, "line 2 has"),
            ({"name": "x", "content": "x" * 300_000}, "262144"),
            ({"name": "", "content": "x"}, "required"),
        ],
    )
    def test_what_cannot_be_stored_is_told_at_the_form_with_the_text_still_in_it(
        self, operator: Client, world: Library, fields: dict[str, str], sentence: str
    ) -> None:
        response = operator.post(f"{BASE}new/prompts/", fields)
        assert response.status_code == 422
        assert sentence in response.content.decode()
        assert fields["content"][:5] in response.content.decode().split("<textarea")[1]

    def test_two_edits_show_both_texts_and_nothing_is_lost(
        self, operator: Client, project: Project, world: Library
    ) -> None:
        based_on = world.states[2].hash
        library_world.write(project, "summarise", THIRD + "Theirs.\n")
        edit = {"content": THIRD + "Mine.\n", "based_on": based_on, "message": "My edit"}
        response = operator.post(f"{SUMMARISE}edit/", edit)
        page = response.content.decode()
        assert response.status_code == 409
        assert "Somebody else saved it while you were editing." in page
        assert ["Theirs." in page, "Mine." in page, "My edit" in page] == [True] * 3
        now = library.read(COMMAND, "alpha", Kind.PROMPTS, "summarise")
        assert f'value="{now.hash}"' in page
        both = {"content": THIRD + "Theirs.\nMine.\n", "based_on": now.hash}
        assert said(operator, f"{SUMMARISE}edit/", **both) == ["The prompt summarise is saved."]

    def test_what_was_deleted_meanwhile_can_be_saved_anew(self, operator: Client, world: Library) -> None:
        library.delete(COMMAND, "alpha", Kind.PROMPTS, "summarise")
        edit = {"content": SECOND, "based_on": world.states[2].hash}
        response = operator.post(f"{SUMMARISE}edit/", edit)
        assert response.status_code == 409
        assert "Somebody deleted or renamed it" in response.content.decode()
        assert said(operator, f"{SUMMARISE}edit/", content=SECOND, based_on="") == ["The prompt summarise is saved."]
        assert content() == SECOND

    def test_only_the_text_that_was_seen_is_renamed_or_deleted(self, operator: Client, world: Library) -> None:
        for verb, data in (("rename", {"name": "other"}), ("delete", {})):
            (sentence,) = said(operator, f"{SUMMARISE}{verb}/", hash=world.states[0].hash, **data)
            assert sentence == "Somebody else changed the prompt summarise meanwhile."
        assert content() == THIRD
        assert said(operator, f"{SUMMARISE}rename/", name="biting") == ["There is a prompt 'biting' already."]
        assert "letters, digits" in said(operator, f"{SUMMARISE}rename/", name="a/b")[0]

    def test_a_preview_keeps_nothing_and_works_without_scripts(self, operator: Client, world: Library) -> None:
        shown = operator.post(f"{BASE}preview/", {"content": FIRST.replace("# Summary", "# Other")}).content.decode()
        assert "Other" in shown
        assert "audience" in shown
        broken = operator.post(f"{BASE}preview/", {"content": "---\na: *b\n---\n"}).content.decode()
        assert "The front matter cannot be read: line 2" in broken
        page = operator.post(f"{SUMMARISE}edit/", {"content": "# Mine", "based_on": "x", "preview": "1"})
        assert page.status_code == 200
        assert "Mine</h1>" in page.content.decode()
        assert content() == THIRD

    def test_where_commits_are_limited_an_edit_waits_and_says_so(
        self, operator: Client, project: Project, on_github: outbox_places.Place
    ) -> None:
        before = on_github.commits()
        assert before is not None
        form = body(operator, f"{BASE}new/prompts/")
        assert 'name="deferred"' in form
        assert "checked" in form.split('name="deferred"')[1][:80]
        said(operator, f"{BASE}new/prompts/", name="a", content="One.", deferred="on")
        assert on_github.commits() == before
        assert "waits to be sent" in body(operator, f"{BASE}prompts/a/")
        assert "No version yet" in body(operator, f"{BASE}prompts/a/?tab=history")
        outbox.flush(COMMAND, "alpha", "default")
        assert on_github.commits() == before + 1
        assert "waits to be sent" not in body(operator, f"{BASE}prompts/a/")
