"""Retention: by state, from the finish, with everything that belongs to a job."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job import Job
from jobs_app.domain.job_log import NewLogEntry
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import NotFoundError
from jobs_app.models import Project
from jobs_app.services import jobs, logs, projects, retention, workspaces
from jobs_app.services.jobs import JobFilter
from storage_app import file_storages
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.records.base import RecordStore
from tests.conftest import Clock
from tests.factories import job_in, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
EVER = Deadline(timedelta(days=1))  # made on import, so longer than any run of the tests
ENDED = [state for state in JobState if state.is_final]


def left(project: Project) -> int:
    return len(jobs.find(COMMAND, project.slug, JobFilter(), limit=500).jobs)


@pytest.mark.parametrize("state", ENDED)
def test_an_ended_job_goes_a_week_after_its_finish_with_all_it_had(
    state: JobState, project: Project, clock: Clock, record_store: RecordStore
) -> None:
    job = job_in(project, state)
    make_job(project, name="stays, with the one event of its making")
    logs.append(COMMAND, project.slug, job.id, [NewLogEntry("a line")])
    clock.advance(days=6, hours=23)
    assert retention.run(EVER)[state] == 0
    clock.advance(hours=1)
    assert retention.run(EVER)[state] == 1
    with pytest.raises(NotFoundError):
        jobs.get(COMMAND, project.slug, job.id)
    assert record_store.statistics(project.slug)["jobs"].entries == 1


def test_what_waits_or_runs_is_never_old(project: Project, clock: Clock) -> None:
    job_in(project, JobState.PROCESSING)
    make_job(project)
    clock.advance(days=400)
    assert sum(retention.run(EVER).values()) == 0
    assert left(project) == 2


def test_a_retried_job_counts_from_its_new_finish(project: Project, clock: Clock) -> None:
    job = job_in(project, JobState.FAILED)
    clock.advance(days=6)
    jobs.retry(COMMAND, project.slug, job.id)
    jobs.cancel(COMMAND, project.slug, job.id)
    clock.advance(days=6)
    assert sum(retention.run(EVER).values()) == 0


def test_the_trash_is_emptied_a_week_after_the_deletion(project: Project, clock: Clock) -> None:
    for name in ("old", "new"):
        jobs.delete(COMMAND, project.slug, make_job(project, name=name).id)
        clock.advance(days=4)
    assert retention.run(EVER)["trashed"] == 1
    assert [job.name for job in jobs.in_trash(COMMAND, project.slug).jobs] == ["new"]


def test_a_dry_run_says_what_would_go_in_jobs_and_bytes_and_removes_nothing(project: Project, clock: Clock) -> None:
    job = job_in(project, JobState.COMPLETED)
    clock.advance(days=7)
    without_log = {doomed.state: doomed for doomed in retention.preview(COMMAND, project.slug)}
    assert (without_log["completed"].jobs, without_log["failed"].jobs) == (1, 0)
    logs.append(COMMAND, project.slug, job.id, [NewLogEntry("x" * 1000)])
    with_log = {doomed.state: doomed for doomed in retention.preview(COMMAND, project.slug)}
    assert 1000 < with_log["completed"].bytes - without_log["completed"].bytes < 1200
    assert all(doomed.complete for doomed in with_log.values())
    assert left(project) == 1


def test_what_lies_outside_the_record_goes_too(project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[tuple[str, str]] = []
    monkeypatch.setattr(retention, "CASCADE", [lambda slug, id: gone.append((slug, id))])
    job = job_in(project, JobState.COMPLETED)
    clock.advance(days=7)
    retention.run(EVER)
    assert gone == [(project.slug, job.id)]


def test_many_go_in_batches_and_a_run_that_is_over_goes_on_next_time(
    project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for created in jobs.create_many(COMMAND, project.slug, [NewJob()] * 5):
        jobs.cancel(COMMAND, project.slug, created.job.id)
    clock.advance(days=8)
    steps = iter([0.0] * 6 + [99.0] * 50)
    some = retention.run(Deadline(timedelta(seconds=1), lambda: next(steps)))["cancelled"]
    assert 0 < some < 5
    assert some + retention.run(EVER)["cancelled"] == 5


def test_nobody_counts_days_for_a_state_that_is_kept_for_ever(
    project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    kept = settings.CONFIG.model_copy(update={"retention_days": {**settings.CONFIG.retention_days, "failed": 0}})
    monkeypatch.setattr(settings, "CONFIG", kept)
    job_in(project, JobState.FAILED)
    clock.advance(days=4000)
    assert sum(retention.run(EVER).values()) == 0
    assert "failed" not in {doomed.state for doomed in retention.preview(COMMAND, project.slug)}


class TestFiles:
    """What a job has on the storage goes with it, whatever happens in between."""

    @pytest.fixture(autouse=True)
    def storage(self, settings: Settings) -> None:
        settings.FILE_STORAGES = {"default": {"provider": "memory"}}

    @staticmethod
    def with_file(project: Project) -> Job:
        job = job_in(project, JobState.CANCELLED)
        workspaces.write(COMMAND, project.slug, job.id, "a/b.txt", [b"x"], 1)
        return job

    @staticmethod
    def kept(project: Project) -> list[str]:
        found = file_storages.run(lambda all_: all_.for_project("default", project.slug).list_files(recursive=True))
        return [info.path for info in found]

    def test_they_go_with_the_job_and_no_others(self, project: Project, clock: Clock) -> None:
        self.with_file(project)
        clock.advance(days=6)
        young = self.with_file(project)
        clock.advance(days=2)
        assert retention.run(EVER)["cancelled"] == 1
        assert self.kept(project) == [f"jobs/{young.id}/a/b.txt"]

    def test_they_go_when_the_job_is_erased_from_the_trash(self, project: Project) -> None:
        job = self.with_file(project)
        jobs.delete(COMMAND, project.slug, job.id)
        assert self.kept(project)
        jobs.erase(COMMAND, project.slug, job.id)
        assert self.kept(project) == []

    def test_they_go_with_the_project(self, project: Project) -> None:
        self.with_file(project)
        slug = project.slug
        projects.delete(COMMAND, slug, slug)
        project.slug = slug
        assert self.kept(project) == []

    def test_a_process_that_ends_in_between_leaves_them_to_the_next_run(
        self, project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch, record_store: RecordStore
    ) -> None:
        class KilledError(BaseException):
            pass

        def die(slug: str, id: str) -> None:
            raise KilledError

        self.with_file(project)
        clock.advance(days=8)
        with monkeypatch.context() as patch:
            patch.setattr(retention, "CASCADE", [die])
            with pytest.raises(KilledError):
                retention.run(EVER)
        assert left(project) == 0
        assert self.kept(project)
        retention.run(EVER)
        assert self.kept(project) == []
        assert record_store.count(project.slug, "departures") == 0

    def test_a_storage_that_does_not_answer_holds_up_no_job(
        self, project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(slug: str, id: str) -> None:
            raise StorageError(StorageErrorCode.NETWORK_ERROR, "It does not answer.")

        self.with_file(project)
        clock.advance(days=8)
        with monkeypatch.context() as patch:
            patch.setattr(retention, "CASCADE", [fail])
            assert retention.run(EVER)["cancelled"] == 1
        assert self.kept(project)
        retention.run(EVER)
        assert self.kept(project) == []

    def test_a_job_that_stayed_keeps_them(self, project: Project) -> None:
        job = self.with_file(project)
        with pytest.raises(ZeroDivisionError), retention.departing(project.slug, [job.id]):
            raise ZeroDivisionError
        retention.run(EVER)
        assert self.kept(project) == [f"jobs/{job.id}/a/b.txt"]

    def test_a_file_that_comes_while_its_job_goes_leaves_with_it(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job, run, goes = self.with_file(project), file_storages.run, iter([True])

        def run_and_lose_the_job(work: Any) -> Any:
            done = run(work)
            if next(goes, False):
                jobs.delete(COMMAND, project.slug, job.id)
                jobs.erase(COMMAND, project.slug, job.id)
                run(lambda storages: storages.for_project("default", "alpha").write_file(f"jobs/{job.id}/c", b"", "x"))
            return done

        monkeypatch.setattr(file_storages, "run", run_and_lose_the_job)
        with pytest.raises(NotFoundError):
            workspaces.write(COMMAND, project.slug, job.id, "late.txt", [b"x"], 1)
        assert self.kept(project) == []
