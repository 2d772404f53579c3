"""A run does each piece of work once: what artifacts serve is skipped, and the run says for every document why."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.document import DocumentState, Why
from jobs_app.domain.library import Kind, Wanted
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_run import NewRun
from jobs_app.domain.run import RunState
from jobs_app.errors import InvalidError
from jobs_app.models import Project
from jobs_app.services import artifacts, claims, documents, files, jobs, library, run_steps, runs
from jobs_app.services.artifacts import NewArtifact
from jobs_app.services.jobs import JobFilter
from storage_app import file_storages

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("memory_store", "storages")]


@pytest.fixture
def storages(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.FILE_STORAGES = {
        "default": {"provider": "local", "root_path": str(tmp_path / "default")},
        "other": {"provider": "memory"},
    }
    yield
    file_storages.close()


def put(project: Project, path: str, text: str, storage: str = "default") -> None:
    files.write(COMMAND, project.slug, storage, path, text.encode())


def make_run(project: Project, **fields: Any) -> str:
    return runs.create(COMMAND, project.slug, NewRun(content_type="md", **fields)).run.id


def started(project: Project, glob: str = "docs/**", storage: str = "default", **fields: Any) -> str:
    force = fields.pop("force", False)
    run_id = make_run(project, **fields)
    documents.attach_many(COMMAND, project.slug, run_id, storage, glob=glob)
    runs.start(COMMAND, project.slug, run_id, force=force)
    return run_id


def work(project: Project, outputs: tuple[str, ...] = ("main",)) -> int:
    """A worker that takes what there is and writes an artifact an output; how many jobs it did."""
    done = 0
    while claimed := claims.claim(COMMAND, project.slug, claims.ClaimRequest("w1")):
        job = claimed[0].job
        assert job.run_id is not None
        assert job.document_id is not None
        new = [
            NewArtifact(job.document_id, f"out/{job.document_id}.{output}", output.encode(), job.id, output)
            for output in outputs
        ]
        artifacts.write(COMMAND, project.slug, job.run_id, new)
        claims.complete(COMMAND, project.slug, job.id, claimed[0].lease_token)
        done += 1
    return done


def plans(project: Project, run_id: str) -> Mapping[str, tuple[DocumentState, Why | None]]:
    found = documents.find(COMMAND, project.slug, run_id).items
    return {each.document.path: (each.state, each.document.why) for each in found}


def test_the_second_run_makes_no_job_for_what_the_first_one_made(project: Project) -> None:
    put(project, "docs/a.md", "A")
    put(project, "docs/b.md", "B")
    first = started(project)
    assert work(project) == 2
    assert runs.get(COMMAND, project.slug, first).state is RunState.COMPLETED

    put(project, "docs/b.md", "B, changed")
    second = started(project)
    assert plans(project, second) == {
        "docs/a.md": (DocumentState.SKIPPED, Why.SERVED),
        "docs/b.md": (DocumentState.PENDING, Why.NEW),
    }
    skipped = documents.find(COMMAND, project.slug, second, state=DocumentState.SKIPPED).items[0].document
    assert artifacts.get(COMMAND, project.slug, skipped.served_by[0]).run_id == first
    assert work(project) == 1
    view = runs.get(COMMAND, project.slug, second)
    assert (view.state, view.progress) == (RunState.COMPLETED, 100)


def test_the_same_content_under_another_name_and_in_another_storage_is_skipped(project: Project) -> None:
    put(project, "docs/a.md", "A")
    started(project)
    assert work(project) == 1
    put(project, "elsewhere/named.md", "A", "other")
    assert set(plans(project, started(project, "elsewhere/**", "other")).values()) == {
        (DocumentState.SKIPPED, Why.SERVED)
    }


@pytest.mark.parametrize("options", [{"lang": "en"}, {"lang": "de", "more": 1}, {"n": 1.0}])
def test_one_changed_option_is_other_work(project: Project, options: dict[str, Any]) -> None:
    put(project, "docs/a.md", "A")
    started(project, options={"lang": "de"} if "lang" in options else {"n": 1})
    assert work(project) == 1
    assert plans(project, started(project, options=options)) == {"docs/a.md": (DocumentState.PENDING, Why.NEW)}


def test_what_was_made_while_the_file_changed_serves_for_neither_content(project: Project) -> None:
    put(project, "docs/a.md", "A")
    started(project)
    put(project, "docs/a.md", "changed while the job waited")
    assert work(project) == 1
    assert [each.source for each in artifacts.find(COMMAND, project.slug).items] == [None]
    assert plans(project, started(project)) == {"docs/a.md": (DocumentState.PENDING, Why.NEW)}
    put(project, "docs/a.md", "A")
    assert plans(project, started(project)) == {"docs/a.md": (DocumentState.PENDING, Why.NEW)}


def test_an_edited_prompt_is_other_work_and_each_job_has_the_content_it_was_made_with(project: Project) -> None:
    put(project, "docs/a.md", "A")
    uses = [Wanted("prompts", "outline")]
    texts = ["Outline it.", "Outline it well."]
    hashes = []
    for text, plan in zip(texts, (DocumentState.PENDING, DocumentState.PENDING), strict=True):
        hashes.append(library.write(COMMAND, project.slug, Kind.PROMPTS, "outline", text)[0].hash)
        assert plans(project, started(project, uses=uses)) == {"docs/a.md": (plan, Why.NEW)}
        assert work(project) == 1
        assert plans(project, started(project, uses=uses)) == {"docs/a.md": (DocumentState.SKIPPED, Why.SERVED)}
    made = jobs.find(COMMAND, project.slug, JobFilter(), "created_at").jobs
    assert [[use.hash for use in job.uses] for job in made] == [[each] for each in hashes]
    library.write(COMMAND, project.slug, Kind.PROMPTS, "outline", texts[0])
    assert plans(project, started(project, uses=uses)) == {"docs/a.md": (DocumentState.SKIPPED, Why.SERVED)}
    assert plans(project, started(project)) == {"docs/a.md": (DocumentState.PENDING, Why.NEW)}


def test_a_text_that_is_not_there_is_refused_and_one_that_goes_meanwhile_refuses_the_documents(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(project, "docs/a.md", "A")
    uses = [Wanted("prompts", "outline")]
    with pytest.raises(InvalidError, match=r"there is no prompt 'outline' here"):
        make_run(project, uses=uses)
    library.write(COMMAND, project.slug, Kind.PROMPTS, "outline", "Outline it.")
    monkeypatch.setattr(runs, "AT_ONCE", timedelta())  # the task goes on with it
    late = started(project, uses=uses)
    library.delete(COMMAND, project.slug, Kind.PROMPTS, "outline")
    run_steps.run(Deadline(timedelta(minutes=1)))
    assert plans(project, late) == {"docs/a.md": (DocumentState.REFUSED, Why.TEXT_UNUSABLE)}
    assert runs.get(COMMAND, project.slug, late).state is RunState.FAILED


def test_force_runs_all(project: Project) -> None:
    put(project, "docs/a.md", "A")
    started(project)
    work(project)
    assert plans(project, started(project, force=True)) == {"docs/a.md": (DocumentState.PENDING, Why.FORCED)}


def test_a_missing_output_and_a_lost_file_are_made_again(project: Project) -> None:
    put(project, "docs/a.md", "A")
    started(project, outputs=["main", "links"])
    assert work(project, ("main",)) == 1
    incomplete = started(project, outputs=["main", "links"])
    assert plans(project, incomplete) == {"docs/a.md": (DocumentState.PENDING, Why.INCOMPLETE)}
    assert work(project, ("main", "links")) == 1
    made = artifacts.find(COMMAND, project.slug, run_id=incomplete).items
    assert {each.output for each in made} == {"main", "links"}
    for each in artifacts.find(COMMAND, project.slug).items:
        files.delete(COMMAND, project.slug, each.storage, each.path)
    lost = started(project, outputs=["main", "links"])
    assert plans(project, lost) == {"docs/a.md": (DocumentState.PENDING, Why.ARTIFACT_LOST)}


def test_a_report_sent_twice_is_one_artifact(project: Project) -> None:
    put(project, "docs/a.md", "A")
    run_id = started(project)
    document = documents.find(COMMAND, project.slug, run_id).items[0].document
    new = NewArtifact(document.id, "out/a", b"x")
    first = artifacts.write(COMMAND, project.slug, run_id, [new])
    again = artifacts.write(COMMAND, project.slug, run_id, [new])
    assert [each.id for each in first.artifacts] == [each.id for each in again.artifacts]
    assert (len(first.commits), len(again.commits)) == (1, 0)
    assert len(artifacts.find(COMMAND, project.slug, run_id=run_id).items) == 1


def test_what_changed_after_it_was_attached_is_taken_as_it_is_and_said(project: Project) -> None:
    put(project, "docs/a.md", "A")
    run_id = make_run(project)
    documents.attach_many(COMMAND, project.slug, run_id, "default", prefix="docs")
    put(project, "docs/a.md", "A, later")
    runs.start(COMMAND, project.slug, run_id)
    assert plans(project, run_id) == {"docs/a.md": (DocumentState.PENDING, Why.CHANGED)}


def test_a_file_that_went_is_refused_and_the_others_run(project: Project) -> None:
    put(project, "docs/a.md", "A")
    put(project, "docs/b.md", "B")
    run_id = make_run(project)
    documents.attach_many(COMMAND, project.slug, run_id, "default", prefix="docs")
    files.delete(COMMAND, project.slug, "default", "docs/a.md")
    runs.start(COMMAND, project.slug, run_id)
    assert plans(project, run_id) == {
        "docs/a.md": (DocumentState.REFUSED, Why.MISSING),
        "docs/b.md": (DocumentState.PENDING, Why.NEW),
    }
    assert work(project) == 1
    assert runs.get(COMMAND, project.slug, run_id).state is RunState.FAILED
