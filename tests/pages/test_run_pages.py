"""The pages of runs without a browser: what they show, what a form changes, what they say of what is gone."""

import html
import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.document import DocumentState
from jobs_app.domain.job import Job
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.library import Kind
from jobs_app.domain.new_run import NewRun
from jobs_app.domain.run import RunState
from jobs_app.models import Project
from jobs_app.pages import run_parts
from jobs_app.pages import runs as run_pages
from jobs_app.services import artifacts, claims, documents, files, jobs, library, runs
from jobs_app.services.artifacts import NewArtifact
from tests.factories import claim_job, make_job, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_storage")]
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def one_storage(settings: Settings) -> None:
    settings.FILE_STORAGES = {"default": {"provider": "memory"}}


@pytest.fixture
def operator(project: Project) -> Client:
    client = Client()
    client.force_login(make_person(roles={project: Role.OPERATOR}))
    return client


def make_run(project: Project, *paths: str, name: str = "Outlines") -> str:
    id = runs.create(COMMAND, project.slug, NewRun(name=name)).run.id
    for path in paths:
        files.write(COMMAND, project.slug, "default", path, path.encode())
        documents.attach(COMMAND, project.slug, id, "default", path)
    return id


def body(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return response.content.decode()


def said(client: Client, path: str, **data: object) -> list[str]:
    response = client.post(path, data)
    assert response.status_code == 302, response.content
    return [str(message) for message in get_messages(response.wsgi_request)][-1:]


def shown(page: str) -> list[str]:
    return re.findall(r'class="job-name__text">([^<]*)<', page)


def test_an_empty_list_teaches_and_a_form_makes_the_first(operator: Client, project: Project) -> None:
    assert "http://testserver/api/v1/projects/alpha/runs" in body(operator, "/p/alpha/runs/")
    form = {
        "name": HOSTILE,
        "storage": "default",
        "priority": "0",
        "max_retries": "3",
        "options": '{"depth": 3}',
        "outputs": "a, b",
    }
    assert "Attach its documents" in said(operator, "/p/alpha/runs/new/", **form)[0]
    (view,) = runs.find(COMMAND, "alpha").items
    assert (view.run.options, list(view.run.outputs)) == ({"depth": 3}, ["a", "b"])
    for page in ("/p/alpha/runs/", f"/p/alpha/runs/{view.run.id}/"):
        assert HOSTILE not in body(operator, page)
    unknown = operator.post("/p/alpha/runs/new/", {**form, "uses": "prompts/none\nnonsense"})
    assert unknown.status_code == 422
    assert "There is no prompt &#x27;none&#x27; here" in unknown.content.decode()
    library.write(COMMAND, "alpha", Kind.PROMPTS, "outline", "Outline it.")
    said(operator, "/p/alpha/runs/new/", **form, uses="prompts/outline")
    used = runs.find(COMMAND, "alpha").items[0].run.id
    assert 'href="/p/alpha/library/prompts/outline/"' in body(operator, f"/p/alpha/runs/{used}/")
    wrong = operator.post("/p/alpha/runs/new/", {**form, "options": "{'no': 1}"})
    assert (wrong.status_code, b"This is no JSON" in wrong.content) == (422, True)


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ('prompts/outline audience="new readers" depth=3', {"audience": "new readers", "depth": 3}),
        ('prompts/outline \'audience=["a", "b c"]\'', {"audience": ["a", "b c"]}),
        ("prompts/outline audience='it is \"1\"'", {"audience": 'it is "1"'}),
        ("prompts/outline audience=", {"audience": ""}),
    ],
)
def test_variables_of_a_text_are_given_on_the_page_and_come_back_in_its_edit(
    operator: Client, project: Project, line: str, given: dict[str, object]
) -> None:
    head = "---\nvariables:\n  - name: audience\n  - name: depth\n    default: 1\n---\n"
    library.write(COMMAND, "alpha", Kind.PROMPTS, "outline", f"{head}Outline it.")
    form = {"name": "x", "storage": "default", "priority": "0", "max_retries": "3", "options": "{}"}
    refused = operator.post("/p/alpha/runs/new/", {**form, "uses": "prompts/outline"}).content.decode()
    assert "Is required." in refused
    said(operator, "/p/alpha/runs/new/", **form, uses=f"{line}\n")
    (view,) = runs.find(COMMAND, "alpha").items
    assert [use.variables for use in view.run.uses] == [given]
    place = f"/p/alpha/runs/{view.run.id}/edit/"
    written = html.unescape(re.findall(r"<textarea name=\"uses\"[^>]*>([^<]*)<", body(operator, place))[0]).strip()
    assert said(operator, place, **form, version=view.run.version, uses=written) == ["Nothing was changed."]
    touched = {**form, "name": "y", "uses": f"{written} "}
    assert said(operator, place, **touched, version=view.run.version) == ["The run is changed."]
    after = runs.get(COMMAND, "alpha", view.run.id).run
    assert (after.name, [use.variables for use in after.uses]) == ("y", [given])


def test_runs_are_found_by_the_state_that_follows_from_their_jobs(
    operator: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(project, name="Idle")
    for name, end in (("Good", True), ("Bad", False), ("Good too", True)):
        runs.start(COMMAND, "alpha", make_run(project, f"docs/{name}.md", name=name))
        claimed = claim_job(project)
        if end:
            claims.complete(COMMAND, "alpha", claimed.job.id, claimed.lease_token)
        else:
            claims.fail(COMMAND, "alpha", claimed.job.id, claimed.lease_token, Failure("bad", retryable=False))
    for state, names in (
        ("draft", ["Idle"]),
        ("completed", ["Good too", "Good"]),
        ("failed", ["Bad"]),
        ("running", []),
    ):
        assert shown(body(operator, f"/p/alpha/runs/?state={state}")) == names
    first = runs.find(COMMAND, "alpha", state=RunState.COMPLETED, limit=1)
    second = runs.find(COMMAND, "alpha", state=RunState.COMPLETED, limit=1, cursor=first.next_cursor)
    assert [view.run.name for view in (*first.items, *second.items)] == ["Good too", "Good"]
    monkeypatch.setattr(runs, "LONGEST_SIFTING", timedelta(seconds=-1))
    monkeypatch.setattr(run_pages, "PAGE", 1)
    assert "Not all runs were looked at yet." in body(operator, "/p/alpha/runs/?state=failed")


def test_of_a_run_that_was_started_only_the_name_is_edited_and_nobody_is_overwritten(
    operator: Client, project: Project
) -> None:
    run = make_run(project, "docs/a.md")
    runs.start(COMMAND, "alpha", run)
    place = f"/p/alpha/runs/{run}/edit/"
    page = body(operator, place)
    assert ['name="tags"' in page, 'name="options"' in page] == [True, False]
    version = runs.get(COMMAND, "alpha", run).run.version
    edit = {"name": "Mine", "tags": "a, b", "options": '{"x": 1}', "version": version}
    assert said(operator, place, **edit) == ["The run is changed."]
    after = runs.get(COMMAND, "alpha", run).run
    assert (after.name, list(after.tags), after.options) == ("Mine", ["a", "b"], {})
    stale = operator.post(place, {**edit, "name": "Late"})
    assert (stale.status_code, b"Somebody changed or started the run meanwhile" in stale.content) == (422, True)
    assert runs.get(COMMAND, "alpha", run).run.name == "Mine"


def test_documents_are_attached_from_the_page(operator: Client, project: Project) -> None:
    run = make_run(project)
    for path in ("docs/a.md", "docs/b.md", "docs/deep/c.md"):
        files.write(COMMAND, "alpha", "default", path, b"x")
    place = f"/p/alpha/runs/{run}/"
    for wanted, new in (("docs/a.md", 1), ("docs/*.md", 1), ("docs/", 1)):
        sentence = said(operator, f"{place}attach/", storage="default", paths=wanted)[0]
        assert sentence.startswith(f"{new} document attached.")
    assert shown(body(operator, place)) == ["docs/a.md", "docs/b.md", "docs/deep/c.md"]
    files.write(COMMAND, "alpha", "default", "own.md", b"x")
    said(operator, f"{place}attach/", storage="default", paths="own.md", options='{"lang": "de"}')
    assert documents.find(COMMAND, "alpha", run, text="own").items[0].document.options == {"lang": "de"}
    nothing = operator.post(f"{place}attach/", {"storage": "default", "paths": "none/**"})
    assert (nothing.status_code, b"No file matches." in nothing.content) == (422, True)
    upload = SimpleUploadedFile("mine.md", b"# Mine")
    assert said(operator, f"{place}upload/", file=upload) == ["mine.md is attached."]


def test_a_run_is_started_cancelled_cloned_and_deleted(operator: Client, project: Project) -> None:
    run = make_run(project, "docs/a.md", "docs/b.md")
    act = f"/p/alpha/runs/{run}/act/"
    assert said(operator, act, action="start") == ["The run was started."]
    assert said(operator, act, action="start") == ["No document of the run is waiting. Attach some first."]
    assert said(operator, act, action="delete") == ["The run has open jobs. Cancel it first."]
    assert said(operator, act, action="cancel") == ["The run was cancelled."]
    assert said(operator, act, action="clone") == ["This is the clone."]
    assert said(operator, act, action="delete") == ["The run was deleted."]
    gone = body(operator, f"/p/alpha/runs/{run}/", 410)
    assert "<h1>Outlines</h1>" in gone
    assert "This run was deleted" in gone
    assert f'href="/p/alpha/jobs/?q=run:{run}"' in gone
    assert ">a.md<" in body(operator, f"/p/alpha/jobs/?q=run:{run}")
    assert "This run was deleted" in body(operator, f"/p/alpha/runs/{run}/documents/any/", 410)
    body(operator, f"/p/alpha/runs/{'x' * 36}/", 404)
    (clone,) = runs.find(COMMAND, "alpha").items
    assert run in body(operator, f"/p/alpha/runs/{clone.run.id}/")


def test_documents_are_filtered_by_state_and_failures_are_grouped(operator: Client, project: Project) -> None:
    run = make_run(project, *(f"docs/{n}.md" for n in range(4)))
    runs.start(COMMAND, "alpha", run)
    for number in range(2):
        claimed = claim_job(project)
        failure = Failure(f"no page {number}", retryable=False)
        claims.fail(COMMAND, "alpha", claimed.job.id, claimed.lease_token, failure)
    page = body(operator, f"/p/alpha/runs/{run}/")
    assert re.search(r"<strong>2</strong><a [^>]*>no page …</a>", page)
    assert len(shown(page)) == 4
    failed = body(operator, f"/p/alpha/runs/{run}/?state={DocumentState.FAILED}")
    assert len(shown(failed)) == 2
    nothing = body(operator, f"/p/alpha/runs/{run}/?state=completed")
    assert ["No document matches" in nothing, "curl" in nothing] == [True, False]
    assert said(operator, f"/p/alpha/runs/{run}/act/", action="retry") == ["2 jobs went back into the queue."]


def test_a_run_of_many_documents_is_paged(operator: Client, project: Project) -> None:
    run = make_run(project, *(f"docs/{n:03}.md" for n in range(150)))
    page = body(operator, f"/p/alpha/runs/{run}/?view=list")
    (address,) = re.findall(r'href="([^"]*)" rel="next"', page)
    rest = body(operator, address.replace("&amp;", "&"))
    assert (len(shown(page)), len(shown(rest))) == (100, 50)


def test_many_documents_are_a_grid_of_states_that_says_what_each_is(
    operator: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_parts, "ROWS", 3)
    monkeypatch.setattr(run_parts, "SQUARES", 4)
    run = make_run(project, "docs/<b>.md", *(f"docs/{n}.md" for n in range(4)))
    runs.start(COMMAND, "alpha", run)
    claimed = claim_job(project)
    claims.fail(COMMAND, "alpha", claimed.job.id, claimed.lease_token, Failure("no page", retryable=False))
    place = f"/p/alpha/runs/{run}/"
    page = body(operator, place)
    squares = re.findall(r'class="run-square tone--(\w+)" href="([^"]*)" title="([^"]*)"', page)
    assert [(tone, name) for tone, _, name in squares[:2]] == [
        ("failed", "docs/&lt;b&gt;.md: Failed, no page"),
        ("pending", "docs/0.md: Pending"),
    ]
    assert len(squares) == 4
    assert "no page" in body(operator, squares[0][1])
    (address,) = re.findall(r'href="([^"]*)" rel="next"', page)
    assert body(operator, address.replace("&amp;", "&")).count("run-square") == 1
    assert body(operator, f"{place}?state=failed&view=grid").count("run-square") == 1
    assert f'href="{place}?view=list"' in page
    assert shown(body(operator, f"{place}?view=list")) == ["docs/&lt;b&gt;.md", "docs/0.md", "docs/1.md"]


def test_a_run_shows_what_was_made_what_served_and_what_went_wrong(operator: Client, project: Project) -> None:
    run = make_run(project, "docs/a.md", "docs/b.md")
    runs.start(COMMAND, "alpha", run)
    made, bad = claim_job(project), claim_job(project)
    artifacts.write(COMMAND, "alpha", run, [NewArtifact(made.job.document_id or "", "out/a", b"x", made.job.id)])
    claims.complete(COMMAND, "alpha", made.job.id, made.lease_token)
    claims.fail(COMMAND, "alpha", bad.job.id, bad.lease_token, Failure("no page 7", retryable=False))
    place = f"/p/alpha/runs/{run}/"
    listed = body(operator, place)
    assert '<p class="job-name__note">no page 7</p>' in listed
    assert f'href="/p/alpha/jobs/?q=run:{run}+status:failed,timeout"' in listed
    failed_jobs = body(operator, f"/p/alpha/jobs/?q=run:{run}+status:failed,timeout")
    assert [">b.md<" in failed_jobs, ">a.md<" in failed_jobs] == [True, False]
    of_run = body(operator, f"{place}?view=artifacts")
    assert ">out/a</span></a>" in of_run
    assert f'of <a href="{place}documents/{made.job.document_id}/">docs/a.md</a>' in of_run

    again = make_run(project, "docs/a.md", "docs/c.md", name="Again")
    files.delete(COMMAND, "alpha", "default", "docs/c.md")
    runs.start(COMMAND, "alpha", again)
    page = body(operator, f"/p/alpha/runs/{again}/")
    assert re.search(r'Served by <a href="/p/alpha/documents/[^"]*out[^"]*">out/a</a>', page)
    assert "<strong>1</strong>" in page
    assert "Refused: the file could not be had" in page
    assert "No artifacts yet" in body(operator, f"/p/alpha/runs/{again}/?view=artifacts")
    files.write(COMMAND, "alpha", "default", "docs/c.md", b"back")
    sentence = "0 jobs went back into the queue. Looked at anew: 1 document that had been refused."
    assert said(operator, f"/p/alpha/runs/{again}/act/", action="retry") == [sentence]


def test_a_document_says_what_it_is_and_what_changed(operator: Client, project: Project) -> None:
    run = make_run(project, "docs/a.md")
    runs.start(COMMAND, "alpha", run)
    document = documents.find(COMMAND, "alpha", run).items[0].document
    place = f"/p/alpha/runs/{run}/documents/{document.id}/"
    page = body(operator, place)
    assert "Nothing was made of it" in page
    assert "changed since" not in page
    files.write(COMMAND, "alpha", "default", "docs/a.md", b"other")
    assert "The file changed since the run took it" in body(operator, place)
    files.delete(COMMAND, "alpha", "default", "docs/a.md")
    assert "no longer in its storage" in body(operator, place)
    job = body(operator, f"/p/alpha/jobs/{document.job_id}/")
    assert place in job
    jobs.cancel(COMMAND, "alpha", document.job_id or "")
    jobs.delete(COMMAND, "alpha", document.job_id or "")
    assert "deleted" in body(operator, place)
    assert said(operator, f"{place}detach/") == ["The document was taken out. Its file stays."]
    gone = body(operator, place, 410)
    assert "This document was deleted" in gone
    assert f'href="/p/alpha/runs/{run}/"' in gone


def test_a_link_to_a_job_that_was_deleted_says_so_and_leads_to_the_trash_as_long_as_it_lies_there(
    operator: Client, project: Project
) -> None:
    job = make_job(project, name=HOSTILE)
    place = f"/p/alpha/jobs/{job.id}/"
    jobs.delete(COMMAND, "alpha", job.id)
    gone = body(operator, place, 410)
    assert "This job was deleted" in gone
    assert HOSTILE not in gone
    assert "from which it can come back" in gone
    jobs.restore(COMMAND, "alpha", job.id)
    assert operator.get(place).status_code == 200
    jobs.delete(COMMAND, "alpha", job.id)
    jobs.erase(COMMAND, "alpha", job.id)
    assert "from which it can come back" not in body(operator, place, 410)


def test_two_attempts_are_compared(operator: Client, project: Project) -> None:
    run = make_run(project, "docs/a.md")
    runs.start(COMMAND, "alpha", run)
    for text in (b"one\ntwo\n", b"one\n<b>2</b>\n"):
        claimed = claim_job(project)
        assert claimed.job.document_id
        path = f"out/{claimed.job.attempt}.txt"
        new = [NewArtifact(claimed.job.document_id, path, text, claimed.job.id), _same(claimed.job)]
        artifacts.write(COMMAND, "alpha", run, new)
        claims.fail(COMMAND, "alpha", claimed.job.id, claimed.lease_token, Failure("again", retryable=False))
        jobs.retry(COMMAND, "alpha", claimed.job.id)
    place = f"/p/alpha/runs/{run}/documents/{claimed.job.document_id}/"
    assert f"{place}compare/" in body(operator, place)
    page = body(operator, f"{place}compare/")
    assert "<del>-two</del>" in page
    assert "<ins>+&lt;b&gt;2&lt;/b&gt;</ins>" in page
    assert "the same" in page


def _same(job: Job) -> NewArtifact:
    return NewArtifact(job.document_id or "", "out/same.txt", b"same", job.id, "same")
