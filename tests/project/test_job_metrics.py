"""What Prometheus reads of jobs."""

from datetime import timedelta

import pytest

from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.models import Project
from jobs_app.services import job_numbers
from project import job_metrics, metrics
from tests.factories import job_in, make_job, make_project

pytestmark = pytest.mark.django_db
EVER = Deadline(timedelta(days=1))


def lines() -> list[str]:
    return [line for line in metrics.text().splitlines() if "holdfast_job" in line or "holdfast_records" in line]


def test_jobs_are_told_by_project(project: Project, other_project: Project) -> None:
    job_in(project, JobState.COMPLETED)
    make_job(project)
    job_in(other_project, JobState.FAILED)
    job_numbers.run(EVER)
    told = lines()
    for line in (
        '# TYPE holdfast_jobs gauge',
        'holdfast_jobs{project="alpha",status="pending"} 1',
        'holdfast_jobs{project="beta",status="failed"} 1',
        'holdfast_jobs_due{project="alpha"} 1',
        '# TYPE holdfast_job_attempts_ended_total counter',
        'holdfast_job_attempts_ended_total{project="alpha",outcome="completed"} 1',
        'holdfast_job_attempts_ended_total{project="beta",outcome="failed"} 1',
        '# TYPE holdfast_job_processing_seconds histogram',
        'holdfast_job_processing_seconds_bucket{project="alpha",le="+Inf"} 1',
        'holdfast_job_processing_seconds_count{project="alpha"} 1',
    ):  # fmt: skip
        assert line in told


def test_the_lines_of_a_metric_stand_together(project: Project, other_project: Project) -> None:
    job_in(project, JobState.COMPLETED)
    job_in(other_project, JobState.FAILED)
    families = [sample.family or sample.name for sample in job_metrics.samples()]
    changes = [family for before, family in zip(["", *families], families, strict=False) if family != before]
    assert len(changes) == len(set(changes)) == 7


def test_buckets_grow_and_end_with_all(project: Project) -> None:
    job_in(project, JobState.COMPLETED)
    job_numbers.run(EVER)
    buckets = [sample for sample in job_metrics.samples() if sample.name == "holdfast_job_waiting_seconds_bucket"]
    assert len(buckets) == 9
    assert [sample.value for sample in buckets] == sorted(sample.value for sample in buckets)
    assert buckets[-1].value == 1


def test_many_projects_do_not_make_many_labels(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(job_metrics, "MOST_PROJECTS", 2)
    for number in range(5):
        make_job(make_project(f"p{number}"))
    waiting = {
        sample.labels["project"]: sample.value
        for sample in job_metrics.samples()
        if sample.name == "holdfast_jobs" and sample.labels["status"] == "pending"
    }
    assert waiting == {"p0": 1, "p1": 1, "_others": 3}
