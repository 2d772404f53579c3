"""A start: two at once, content known by hashes of two kinds, and artifacts that still wait to be sent."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.document import Document, DocumentState, Plan, Why
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_run import NewRun
from jobs_app.models import Project
from jobs_app.services import artifacts, claims, documents, files, jobs, outbox, run_steps, runs
from jobs_app.services.artifacts import NewArtifact
from jobs_app.services.contents import Contents, Look
from jobs_app.services.jobs import JobFilter
from storage_app import file_storages
from tests.factories import claim_job
from tests.storage import outbox_places

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("record_store", "storages")]
LONG = timedelta(minutes=1)


@pytest.fixture
def storages(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """One whose hashes are SHA-256, and GitHub."""
    with outbox_places.known_kinds(), outbox_places.place("github", tmp_path) as hub:
        local = {"provider": "local", "root_path": str(tmp_path / "default")}
        settings.FILE_STORAGES = {"default": local, "hub": hub.definition}
        yield
        file_storages.close()


def started(project: Project, storage: str = "default", *, result: str = "default") -> str:
    id = runs.create(COMMAND, project.slug, NewRun(content_type="md", storage=result)).run.id
    documents.attach_many(COMMAND, project.slug, id, storage, glob="docs/**")
    runs.start(COMMAND, project.slug, id)
    return id


def plan(project: Project, run_id: str) -> tuple[DocumentState, Why | None]:
    (view,) = documents.find(COMMAND, project.slug, run_id).items
    return view.state, view.document.why


def work(project: Project, *, deferred: bool = False) -> None:
    claimed = claim_job(project)
    job = claimed.job
    assert job.run_id
    assert job.document_id
    new = [NewArtifact(job.document_id, "out/made", b"made", job.id)]
    artifacts.write(COMMAND, project.slug, job.run_id, new, deferred=deferred)
    claims.complete(COMMAND, project.slug, job.id, claimed.lease_token)


@pytest.mark.parametrize(("first", "second"), [("default", "hub"), ("hub", "default")])
def test_content_is_the_same_under_hashes_of_two_kinds(project: Project, first: str, second: str) -> None:
    for storage in (first, second):
        files.write(COMMAND, project.slug, storage, "docs/a.md", b"the same")
    hashes = {files.info(COMMAND, project.slug, storage, "docs/a.md").sha for storage in (first, second)}
    assert {str(each).partition(":")[0] for each in hashes} == {"git", "sha256"}
    started(project, first)
    work(project)
    assert plan(project, started(project, second)) == (DocumentState.SKIPPED, Why.SERVED)
    files.write(COMMAND, project.slug, second, "docs/a.md", b"the samf")
    assert plan(project, started(project, second)) == (DocumentState.PENDING, Why.NEW)


def test_what_still_waits_to_be_sent_serves_and_goes_on_serving(project: Project) -> None:
    files.write(COMMAND, project.slug, "default", "docs/a.md", b"x")
    started(project, result="hub")
    work(project, deferred=True)
    assert len(outbox.pending(COMMAND, project.slug, "hub")) == 1
    assert plan(project, started(project)) == (DocumentState.SKIPPED, Why.SERVED)
    outbox.flush(COMMAND, project.slug, "hub")
    assert plan(project, started(project)) == (DocumentState.SKIPPED, Why.SERVED)


def test_another_that_settles_the_same_documents_in_between_makes_no_second_job(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        files.write(COMMAND, project.slug, "default", f"docs/{number}", b"%d" % number)
    plain = Contents.look_at
    entered: list[int] = []

    def look_at(self: Contents, waiting: Sequence[Document]) -> dict[str, Look]:
        looks = plain(self, waiting)
        if not entered:
            entered.append(len(waiting))
            assert run_steps.run(Deadline(LONG))["documents"] == 5
        return looks

    monkeypatch.setattr(Contents, "look_at", look_at)
    id = started(project)
    assert entered == [5]
    view = runs.get(COMMAND, project.slug, id)
    assert (view.tally.plans, view.tally.jobs) == ({Plan.QUEUED: 5}, {JobState.PENDING: 5})
    made = jobs.find(COMMAND, project.slug, JobFilter(run_id=id)).jobs
    linked = {each.document.job_id for each in documents.find(COMMAND, project.slug, id).items}
    assert {job.id for job in made} == linked
    assert len(made) == 5
