"""Runs under way meet what comes in between: deletes, cancels, storages that are away or gone, documents taken out."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.document import DocumentState, Plan, Why
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_run import NewRun
from jobs_app.domain.run import Phase, Run, RunState
from jobs_app.errors import ConflictError, GoneError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import (
    artifacts,
    claims,
    documents,
    files,
    job_actions,
    jobs,
    operations,
    run_departures,
    run_failures,
    run_steps,
    runs,
)
from jobs_app.services.artifacts import NewArtifact
from jobs_app.services.contents import Contents
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_runs import ProjectRuns
from storage_app import file_storages
from storage_app.outbox.reading import PendingView
from storage_app.providers import StorageError, StorageErrorCode
from storage_app.records.base import RecordStore
from tests.factories import claim_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("storages")]
LONG = timedelta(minutes=1)
LATER = timedelta(seconds=-1)  # no time at all: everything is left to the clock


@pytest.fixture
def storages(settings: Settings, tmp_path: Path, memory_store: RecordStore) -> Iterator[None]:
    settings.FILE_STORAGES = {
        "default": {"provider": "local", "root_path": str(tmp_path)},
        "other": {"provider": "memory"},
    }
    yield
    file_storages.close()


def drafted(project: Project, *paths: str, storage: str = "default") -> str:
    id = runs.create(COMMAND, project.slug, NewRun(name="Outlines")).run.id
    for path in paths:
        files.write(COMMAND, project.slug, storage, path, path.encode())
        documents.attach(COMMAND, project.slug, id, storage, path)
    return id


def started(project: Project, *paths: str) -> str:
    id = drafted(project, *paths)
    runs.start(COMMAND, project.slug, id)
    return id


def go_on() -> dict[str, int]:
    return dict(run_steps.run(Deadline(LONG)))


def shown(project: Project, id: str) -> dict[str, tuple[DocumentState, Why | None]]:
    found = documents.find(COMMAND, project.slug, id).items
    return {each.document.path: (each.state, each.document.why) for each in found}


def left_of(memory_store: RecordStore, project: Project, id: str) -> int:
    counts = [memory_store.count(project.slug, each, {"run_id": id}) for each in ("documents", "artifacts")]
    return sum(counts)


def once_before(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, happens: Callable[[], object]) -> list[bool]:
    """Something that happens just before this is called for the first time; filled when it did."""
    plain, done = getattr(owner, name), list[bool]()

    def call(*args: Any, **options: Any) -> Any:
        if not done:
            done.append(True)
            happens()
        return plain(*args, **options)

    monkeypatch.setattr(owner, name, call)
    return done


def failed(project: Project) -> str:
    claimed = claim_job(project)
    failure = Failure("bad", retryable=False)
    claims.fail(COMMAND, project.slug, claimed.job.id, claimed.lease_token, failure)
    return claimed.job.document_id or ""


def test_a_run_that_starts_while_it_is_deleted_stays(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    id = drafted(project, "a", "b")
    done = once_before(monkeypatch, run_departures, "plan", lambda: runs.start(COMMAND, project.slug, id))
    with pytest.raises(ConflictError, match="open jobs"):
        runs.delete(COMMAND, project.slug, id)
    assert done
    assert runs.get(COMMAND, project.slug, id).tally.plans == {Plan.QUEUED: 2}


def test_a_run_that_is_cancelled_while_it_starts_makes_no_further_job(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = drafted(project, "a", "b")
    done = once_before(monkeypatch, Contents, "look_at", lambda: runs.cancel(COMMAND, project.slug, id))
    view = runs.start(COMMAND, project.slug, id)
    assert done
    assert (view.run.phase, view.state) == (Phase.CANCELLED, RunState.CANCELLED)
    assert jobs.find(COMMAND, project.slug, JobFilter(run_id=id)).jobs == []


def test_what_is_attached_or_written_while_the_run_goes_is_refused_and_leaves_nothing(
    project: Project, memory_store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = drafted(project, "a")
    document = documents.find(COMMAND, project.slug, id).items[0].document
    done = once_before(monkeypatch, PendingView, "list_files", lambda: runs.delete(COMMAND, project.slug, id))
    with pytest.raises(NotFoundError):
        documents.attach_many(COMMAND, project.slug, id, "default", prefix="")
    assert done
    assert left_of(memory_store, project, id) == 0

    id = drafted(project, "a")
    document = documents.find(COMMAND, project.slug, id).items[0].document
    done = once_before(monkeypatch, PendingView, "get_file_infos", lambda: runs.delete(COMMAND, project.slug, id))
    with pytest.raises(GoneError, match="was deleted"):
        artifacts.write(COMMAND, project.slug, id, [NewArtifact(document.id, "out", b"x")])
    assert done
    assert left_of(memory_store, project, id) == 0


def test_a_large_run_goes_at_once_and_what_is_left_of_it_by_itself(
    project: Project, memory_store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = drafted(project, *"abc")
    monkeypatch.setattr(runs, "AT_ONCE", LATER)
    runs.delete(COMMAND, project.slug, id)
    with pytest.raises(GoneError):
        runs.get(COMMAND, project.slug, id)
    assert left_of(memory_store, project, id) == 3
    assert go_on()["removed"] == 3
    assert left_of(memory_store, project, id) == 0
    assert memory_store.count(project.slug, "departures") == 0


def test_a_clone_that_was_given_up_half_way_leaves_nothing(
    project: Project, memory_store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = drafted(project, *"abc")
    monkeypatch.setattr(runs, "LONGEST_CLONING", timedelta())
    plain, given_up = run_steps.copy_documents, list[str]()

    def killed(ours: ProjectRuns, source: Run, target: Run) -> None:
        plain(ours, source, target)
        given_up.append(target.id)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_steps, "copy_documents", killed)
        with pytest.raises(KeyboardInterrupt):
            runs.clone(COMMAND, project.slug, id)
    assert left_of(memory_store, project, given_up[0]) == 3
    whole = runs.clone(COMMAND, project.slug, id)
    assert go_on()["removed"] == 3
    assert left_of(memory_store, project, given_up[0]) == 0
    assert runs.get(COMMAND, project.slug, whole.run.id).tally.documents == 3


def test_a_cancelled_run_is_looked_at_until_its_last_job_ended(project: Project) -> None:
    id = started(project, "a", "b")
    claimed = claim_job(project)
    assert runs.cancel(COMMAND, project.slug, id).run.phase is Phase.CANCELLING
    go_on()
    assert runs.get(COMMAND, project.slug, id).state is RunState.RUNNING
    claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
    go_on()
    view = runs.get(COMMAND, project.slug, id)
    assert (view.run.phase, view.state) == (Phase.CANCELLED, RunState.CANCELLED)


def test_a_start_does_not_wait_behind_runs_that_were_cancelled(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_steps, "BATCH", 2)
    monkeypatch.setattr(runs, "AT_ONCE", LATER)
    id = started(project, *"abcde")
    for _ in range(3):
        runs.cancel(COMMAND, project.slug, drafted(project, "x"))
    assert go_on()["documents"] == 5
    assert runs.get(COMMAND, project.slug, id).run.phase is Phase.STARTED


def test_a_storage_that_is_gone_refuses_its_documents_and_no_others(project: Project, settings: Settings) -> None:
    id = drafted(project, "a")
    files.write(COMMAND, project.slug, "other", "b", b"b")
    documents.attach(COMMAND, project.slug, id, "other", "b")
    settings.FILE_STORAGES = {"default": settings.FILE_STORAGES["default"]}
    runs.start(COMMAND, project.slug, id)
    assert shown(project, id) == {
        "a": (DocumentState.PENDING, Why.NEW),
        "b": (DocumentState.REFUSED, Why.UNREADABLE),
    }


def test_documents_wait_for_a_storage_that_is_away_and_the_others_go_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_steps, "BATCH", 2)
    id = drafted(project, *"abc", storage="other")
    for path in "xyz":
        files.write(COMMAND, project.slug, "default", path, path.encode())
    documents.attach_many(COMMAND, project.slug, id, "default", prefix="")
    plain = PendingView.get_file_infos

    def away(self: PendingView, wanted: Sequence[str]) -> Any:
        if self.alias == "other":
            raise StorageError(StorageErrorCode.NETWORK_ERROR, "The storage does not answer.")
        return plain(self, wanted)

    with monkeypatch.context() as patch:
        patch.setattr(PendingView, "get_file_infos", away)
        view = runs.start(COMMAND, project.slug, id)
        assert (view.state, view.tally.plans) == (RunState.STARTING, {Plan.ATTACHED: 3, Plan.QUEUED: 3})
        waiting = documents.find(COMMAND, project.slug, id, state=DocumentState.ATTACHED).items[0].document
        assert (waiting.why, waiting.detail) == (Why.STORAGE_AWAY, "The storage does not answer.")
        go_on()
        again = documents.find(COMMAND, project.slug, id, state=DocumentState.ATTACHED).items[0].document
        assert again.version == waiting.version  # the same is not written again and again
    assert go_on()["documents"] == 3
    view = runs.get(COMMAND, project.slug, id)
    assert (view.state, view.tally.plans) == (RunState.RUNNING, {Plan.QUEUED: 6})
    assert {why for _, why in shown(project, id).values()} == {Why.NEW}


def test_what_was_refused_is_looked_at_anew_with_what_failed(project: Project) -> None:
    id = drafted(project, "a", "b")
    files.delete(COMMAND, project.slug, "default", "a")
    runs.start(COMMAND, project.slug, id)
    failed(project)
    files.write(COMMAND, project.slug, "default", "a", b"a")
    done = runs.retry_failed(COMMAND, project.slug, id)
    assert (done.jobs, done.documents, done.more) == (1, 1, False)
    view = runs.get(COMMAND, project.slug, id)
    assert (view.run.phase, view.tally.plans, view.tally.open_jobs) == (Phase.STARTED, {Plan.QUEUED: 2}, 2)


def test_many_failed_jobs_are_retried_by_an_operation(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    id = started(project, *"abc")
    for _ in range(3):
        failed(project)
    monkeypatch.setattr(runs, "AT_ONCE", LATER)
    monkeypatch.setattr(job_actions, "AT_ONCE", 2)
    done = runs.retry_failed(COMMAND, project.slug, id)
    assert (done.jobs, done.more, done.operation is not None) == (0, False, True)
    operations.run(Deadline(LONG))
    assert runs.get(COMMAND, project.slug, id).tally.open_jobs == 3


def test_a_document_that_was_taken_out_counts_no_more_whatever_becomes_of_its_job(project: Project) -> None:
    id = started(project, "a", "b")
    out = failed(project)
    claimed = claim_job(project)
    claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
    run_steps.remember_ends(Deadline(LONG))
    assert runs.get(COMMAND, project.slug, id).state is RunState.FAILED
    job_id = documents.get(COMMAND, project.slug, id, out).document.job_id or ""
    documents.detach(COMMAND, project.slug, id, out)
    assert run_failures.of(COMMAND, project.slug, id).groups == []
    for step in (lambda: None, lambda: jobs.retry(COMMAND, project.slug, job_id), lambda: failed(project)):
        step()
        view = runs.get(COMMAND, project.slug, id)
        assert (view.state, view.progress, view.tally.documents) == (RunState.COMPLETED, 100, 1)
        assert runs.retry_failed(COMMAND, project.slug, id).jobs == 0
    jobs.delete(COMMAND, project.slug, job_id)
    jobs.delete(COMMAND, project.slug, claimed.job.id)
    assert runs.get(COMMAND, project.slug, id).state is RunState.COMPLETED
