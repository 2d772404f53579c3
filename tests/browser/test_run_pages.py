"""The pages of runs as a browser draws them: empty, full, of hostile names; what axe finds, and how wide they are."""

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.new_run import NewRun
from jobs_app.models import Project
from jobs_app.services import artifacts, claims, documents, files, jobs, runs
from jobs_app.services.artifacts import NewArtifact
from tests.browser.conftest import Visitor
from tests.browser.inspection import MEASURED, inspect
from tests.factories import claim_job

HOSTILE = "<img src=x onerror=alert(1)>" + "wide" * 50


@pytest.fixture
def pages(settings: Settings, project: Project) -> list[str]:
    """A draft, and a run with every state, two attempts and several causes of failure."""
    settings.FILE_STORAGES = {"default": {"provider": "memory"}}
    draft = runs.create(COMMAND, "alpha", NewRun(name=HOSTILE, tags=[HOSTILE[:60]], options={"x": HOSTILE})).run.id
    full = runs.create(COMMAND, "alpha", NewRun(name="Outlines of the handbook")).run.id
    for number in range(120):
        path = f"docs/{number:03}{'-long' * 20 if number == 3 else ''}.md"
        files.write(COMMAND, "alpha", "default", path, b"# Text\n" * number)
    documents.attach_many(COMMAND, "alpha", full, "default", prefix="docs")
    files.delete(COMMAND, "alpha", "default", "docs/119.md")
    runs.start(COMMAND, "alpha", full)
    for _ in range(2):
        claimed = claim_job(project)
        document_id = claimed.job.document_id or ""
        new = NewArtifact(document_id, f"out/{claimed.job.attempt}.txt", b"%d\n" % claimed.job.attempt, claimed.job.id)
        artifacts.write(COMMAND, "alpha", full, [new])
        claims.fail(COMMAND, "alpha", claimed.job.id, claimed.lease_token, Failure("again", retryable=False))
        jobs.retry(COMMAND, "alpha", claimed.job.id)
    for number in range(12):
        done = claim_job(project)
        claims.fail(COMMAND, "alpha", done.job.id, done.lease_token, Failure(HOSTILE + "a" * number, retryable=False))
    claim_job(project)
    gone = runs.create(COMMAND, "alpha", NewRun(name=HOSTILE)).run.id
    runs.delete(COMMAND, "alpha", gone)
    place = f"/p/alpha/runs/{full}/"
    document = f"{place}documents/{document_id}/"
    return [
        "/p/alpha/runs/",
        "/p/alpha/runs/new/",
        f"/p/alpha/runs/{draft}/",
        place,
        f"{place}?view=list",
        f"{place}?view=artifacts",
        f"{place}edit/",
        f"/p/alpha/runs/{draft}/edit/",
        f"{place}?state=failed&q=docs&view=list",
        document,
        f"{document}compare/",
        f"/p/alpha/runs/{gone}/",
    ]


def test_every_page_is_in_order(real: Visitor, pages: list[str], other_project: Project) -> None:
    opened = real("/projects/", **MEASURED)
    opened.expected.append("410 (Gone)")
    inspect(opened, [*pages, "/p/beta/runs/"])  # which has none
