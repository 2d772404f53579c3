"""Lists: every filter, every order, and pages that neither skip nor repeat."""

from datetime import timedelta
from typing import Any

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job_states import JobState
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import InvalidError
from jobs_app.models import Project
from jobs_app.services import jobs
from jobs_app.services.jobs import ORDERS, JobFilter
from tests.conftest import Clock
from tests.factories import claim_job, job_in, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]


@pytest.fixture
def world(project: Project, clock: Clock) -> Project:
    """Four jobs: `d` is being worked on, the others wait."""
    fields: dict[str, dict[str, Any]] = {
        "a": {"content_type": "pdf", "tags": ["x", "y"], "run_id": "r1", "priority": 1},
        "b": {"content_type": "pdf", "tags": ["y"], "source_file_path": "in/Größe_50%.pdf", "priority": 1},
        "c": {"content_type": "html", "ingestion_task_id": "t1", "run_id": "r1"},
        "d": {"content_type": "text", "priority": 100},
    }
    for name, values in fields.items():
        make_job(project, name=name, **values)
        clock.advance(seconds=1)
    claim_job(project, "w7")
    return project


def names(project: Project, order: str = "created_at", **wanted: Any) -> str:
    return "".join(job.name for job in jobs.find(COMMAND, project.slug, JobFilter(**wanted), order).jobs)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "abcd"),
        ({"statuses": [JobState.PENDING]}, "abc"),
        ({"statuses": [JobState.PROCESSING, JobState.FAILED]}, "d"),
        ({"statuses": [JobState.FAILED]}, ""),
        ({"content_type": "pdf"}, "ab"),
        ({"content_type": "pd"}, ""),
        ({"worker_id": "w7"}, "d"),
        ({"ingestion_task_id": "t1"}, "c"),
        ({"run_id": "r1"}, "ac"),
        ({"tag": "y"}, "ab"),
        ({"tag": "x", "content_type": "pdf", "statuses": [JobState.PENDING]}, "a"),
        ({"priority": 1}, "ab"),
        ({"text": "grösse"}, "b"),  # ß and ss are one to whoever searches
        ({"text": "GRÖSSE"}, "b"),
        ({"text": "größe 50%"}, "b"),
        ({"text": "IN/"}, "b"),
        ({"text": "_50% nothing"}, ""),
    ],
)
def test_a_filter_finds_what_it_names(world: Project, wanted: dict[str, Any], found: str) -> None:
    assert names(world, **wanted) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [("created_at", "abcd"), ("-created_at", "dcba"), ("priority", "cabd"), ("-priority", "dbac")],
)
def test_an_order_is_kept_with_ties_by_age(world: Project, order: str, found: str) -> None:
    assert names(world, order) == found


def test_times_bound_a_list_from_and_up_to(world: Project, clock: Clock) -> None:
    start = clock.now - timedelta(seconds=4)
    assert names(world, created_after=start + timedelta(seconds=1)) == "bcd"
    assert names(world, created_before=start + timedelta(seconds=1)) == "a"


@pytest.mark.parametrize("order", ORDERS)
def test_pages_neither_skip_nor_repeat_jobs_of_the_same_moment(project: Project, clock: Clock, order: str) -> None:
    """All made at one instant; and the row that a cursor stands on is deleted on the way."""
    made = {created.job.id for created in jobs.create_many(COMMAND, project.slug, [NewJob()] * 23)}
    seen: list[str] = []
    cursor = None
    while True:
        page = jobs.find(COMMAND, project.slug, JobFilter(), order, cursor, limit=5)
        seen += [job.id for job in page.jobs]
        if page.next_cursor is None:
            break
        jobs.delete(COMMAND, project.slug, page.jobs[-1].id)
        cursor = page.next_cursor
    assert len(seen) == len(set(seen)) == 23
    assert set(seen) == made


@pytest.mark.parametrize("order", ORDERS)
def test_a_page_goes_on_behind_jobs_that_are_gone(project: Project, clock: Clock, order: str) -> None:
    """All failed at one moment; the last row of each page is in the queue again, in the trash, or gone for good."""
    ids = [job_in(project, JobState.FAILED).id for _ in range(8)]
    slug, failed = project.slug, JobFilter(statuses=[JobState.FAILED])
    page = jobs.find(COMMAND, slug, failed, order, None, 2)
    seen = [job.id for job in page.jobs]
    for way in ("retry", "delete", "erase"):
        gone, cursor = seen[-1], page.next_cursor
        if way == "retry":
            jobs.retry(COMMAND, slug, gone)
        else:
            jobs.delete(COMMAND, slug, gone)
        if way == "erase":
            jobs.erase(COMMAND, slug, gone)
        page = jobs.find(COMMAND, slug, failed, order, cursor, 2)
        seen += [job.id for job in page.jobs]
    assert page.next_cursor is None
    assert sorted(seen) == sorted(ids)


def test_a_page_can_be_turned_back(project: Project) -> None:
    jobs.create_many(COMMAND, project.slug, [NewJob(name=str(number)) for number in range(6)])
    first = jobs.find(COMMAND, project.slug, JobFilter(), limit=2)
    second = jobs.find(COMMAND, project.slug, JobFilter(), cursor=first.next_cursor, limit=2)
    back = jobs.find(COMMAND, project.slug, JobFilter(), cursor=second.previous_cursor, limit=2)
    assert [job.id for job in back.jobs] == [job.id for job in first.jobs]


@pytest.mark.parametrize("wrong", [{"order": "name"}, {"order": ""}, {"cursor": "nonsense"}, {"cursor": ""}])
def test_an_order_or_cursor_that_is_none_is_refused(project: Project, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidError):
        jobs.find(COMMAND, project.slug, JobFilter(), **wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("field", ["content_type", "worker_id", "ingestion_task_id", "run_id", "tag"])
def test_a_nul_which_no_field_can_hold_is_refused_and_not_asked_of_the_store(project: Project, field: str) -> None:
    with pytest.raises(InvalidError, match="NUL"):
        jobs.find(COMMAND, project.slug, JobFilter(**{field: "a\0b"}))  # type: ignore[arg-type]  # a text field each


def test_a_cursor_of_another_project_is_refused(project: Project, other_project: Project) -> None:
    for owner in (project, other_project):
        jobs.create_many(COMMAND, owner.slug, [NewJob()] * 3)
    cursor = jobs.find(COMMAND, other_project.slug, JobFilter(), limit=1).next_cursor
    with pytest.raises(InvalidError):
        jobs.find(COMMAND, project.slug, JobFilter(), cursor=cursor)


def test_the_whole_history_is_searched_however_much_lies_before_what_matches(project: Project) -> None:
    old = make_job(project, name="the needle", content_type="rare", tags=["odd"])
    for _ in range(2):
        jobs.create_many(COMMAND, project.slug, [NewJob(name="hay", content_type="hay")] * 400)
    for wanted in (JobFilter(text="needle"), JobFilter(content_type="rare"), JobFilter(tag="odd")):
        page = jobs.find(COMMAND, project.slug, wanted, limit=1)
        assert [job.id for job in page.jobs] == [old.id]
