"""The hourly look at indexes and counters: what is derived is put right, what is not is told and left."""

from datetime import timedelta

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.models import Project
from jobs_app.services import index_checks, job_counts
from storage_app.records.answers import Problem, Progress, Report
from storage_app.records.base import RecordStore
from storage_app.records.database.store import DatabaseRecordStore
from storage_app.records.operations import Durability
from tests.factories import make_job

pytestmark = pytest.mark.django_db
LONG = Deadline(timedelta(days=1))


@pytest.mark.usefixtures("record_store")
def test_a_sound_store_is_left_alone(project: Project) -> None:
    make_job(project)
    counts = index_checks.run(LONG)
    assert counts["records"] > 0
    assert counts == {"projects": 1, "records": counts["records"], "faults": 0, "made_anew": 0, "unfinished": 0}


@pytest.mark.parametrize("record_store", ["sqlite"], indirect=True)
def test_a_counter_that_is_not_true_is_made_anew(project: Project, record_store: DatabaseRecordStore) -> None:
    make_job(project)
    record_store._database.write(
        lambda transaction: transaction.later("UPDATE storage_app_recordcount SET number = number + 7"),
        Durability.DURABLE,
    )
    assert job_counts.of(COMMAND, project.slug).by_state[JobState.PENDING] == 8
    assert index_checks.run(LONG)["made_anew"] == 1
    assert job_counts.of(COMMAND, project.slug).by_state[JobState.PENDING] == 1
    assert index_checks.run(LONG)["faults"] == 0


def test_what_was_edited_by_hand_is_told_and_left(
    project: Project, memory_store: RecordStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_job(project)
    edited = Problem("edited", project.slug, "jobs", "j1", "another document than the index has")
    monkeypatch.setattr(memory_store, "check", lambda *_, **__: Report(1, 0, [edited]))
    counts = index_checks.run(LONG)
    assert (counts["faults"], counts["made_anew"]) == (1, 0)
    assert "found edited in alpha/jobs j1" in caplog.text


def test_a_look_whose_time_is_over_is_broken_off(
    project: Project, other_project: Project, memory_store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (project, other_project):
        make_job(each)
    check = memory_store.check

    def long_check(slug: str, progress: Progress) -> Report:
        progress(1000, None)
        return check(slug)

    monkeypatch.setattr(memory_store, "check", long_check)
    assert index_checks.run(LONG)["projects"] == 2
    counts = index_checks.run(Deadline(timedelta(0)))
    assert (counts["projects"], counts["unfinished"]) == (0, 1)
