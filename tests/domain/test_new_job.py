"""When two requests ask for the same, what a job is called, what its fields may be."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from jobs_app.domain.new_job import NewJob, content_digest, faults, make
from tests.domain.test_job_states import ANNA, NOW

BASE = NewJob(ingestion_task_id="t1", name="a", task_options={"lang": "de", "pages": [1, 2]})


@pytest.mark.parametrize(
    "same",
    [
        NewJob(ingestion_task_id="t1", name="a", task_options={"pages": [1, 2], "lang": "de"}),
        NewJob(ingestion_task_id="t1", name="a", task_options={"lang": "de", "pages": [1, 2]}, priority=0, tags=[]),
        NewJob(ingestion_task_id="t2", name="a", task_options={"lang": "de", "pages": [1, 2]}),
    ],
    ids=["keys in another order", "defaults spelt out", "another id"],
)
def test_the_same_content_has_the_same_digest(same: NewJob) -> None:
    assert content_digest(same) == content_digest(BASE)


@pytest.mark.parametrize(
    "other",
    [
        NewJob(name="b", task_options={"lang": "de", "pages": [1, 2]}),
        NewJob(name="a", task_options={"lang": "de", "pages": [2, 1]}),
        NewJob(name="a", task_options={"lang": "de", "pages": [1.0, 2]}),
        NewJob(name="a", task_options={"lang": "de", "pages": [True, 2]}),
        NewJob(name="a", task_options={"lang": "de", "pages": [1, 2]}, max_retries=0),
    ],
)
def test_other_content_has_another_digest(other: NewJob) -> None:
    assert content_digest(other) != content_digest(BASE)


def test_one_instant_in_two_zones_is_the_same() -> None:
    east = timezone(timedelta(hours=2))
    utc = NewJob(not_before=datetime(2026, 1, 1, 10, tzinfo=UTC))
    assert content_digest(utc) == content_digest(NewJob(not_before=datetime(2026, 1, 1, 12, tzinfo=east)))


@pytest.mark.parametrize(
    ("new", "name"),
    [
        (NewJob(name="Report", source_file_path="a/b.pdf"), "Report"),
        (NewJob(source_file_path="in/2026/b.pdf"), "b.pdf"),
        (NewJob(source_file_path="in\\2026\\b.pdf"), "b.pdf"),
        (NewJob(ingestion_task_id="t1"), "t1"),
        (NewJob(content_type="application/pdf"), "application/pdf"),
        (NewJob(), "job"),
    ],
)
def test_a_job_without_a_name_is_called_after_what_it_works_on(new: NewJob, name: str) -> None:
    assert make(new, "j1", NOW, ANNA).job.name == name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 301),
        ("name", "a\nb"),
        ("ingestion_task_id", ""),
        ("ingestion_task_id", "x" * 129),
        ("content_type", "a\x7f"),
        ("tags", ["ok", ""]),
        ("tags", ["x"] * 51),
        ("priority", 101),
        ("priority", -101),
        ("max_retries", -1),
        ("attempt_timeout_seconds", 0),
    ],
)
def test_a_field_that_is_not_as_it_must_be_is_named(field: str, value: object) -> None:
    assert [place for place, _ in faults({field: value})] == [field]


def test_a_job_made_for_later_waits_from_then_on() -> None:
    job = make(NewJob(not_before=NOW + timedelta(hours=1)), "j1", NOW, ANNA).job
    assert job.waiting_since == NOW + timedelta(hours=1)
    assert job.waiting_duration(NOW) == timedelta(0)
    assert job.waiting_duration(NOW + timedelta(hours=3)) == timedelta(hours=2)
    assert job.processing_duration(NOW) is None
    assert not job.is_expired(NOW)
