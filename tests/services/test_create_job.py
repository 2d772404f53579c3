"""Making jobs: one or many, each asked for once however often it is sent."""

import threading

import pytest
from django.db import connection

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.job_states import JobState
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import AlreadyExistsError, InvalidError, NotFoundError, PermissionDeniedError
from jobs_app.models import AuditEntry, Project
from jobs_app.services import events, jobs, projects
from jobs_app.services.jobs import JobFilter
from tests.factories import make_actor, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]


def count(project: Project) -> int:
    return len(jobs.find(COMMAND, project.slug, JobFilter(), limit=500).jobs)


def test_a_job_is_as_it_was_asked_for_and_its_story_begins(project: Project) -> None:
    actor = make_actor(project, Role.OPERATOR)
    job = make_job(project, actor, name="a", content_type="pdf", tags=["x", "x", "y"], task_options={"n": 10**30})
    found = jobs.get(COMMAND, project.slug, job.id)
    assert found == job
    assert (found.status, found.tags, found.task_options) == (JobState.PENDING, ("x", "y"), {"n": 10**30})
    ((number, event),) = events.of(COMMAND, project.slug, job.id).lines
    assert (number, event.type, event.source, event.target) == (1, "created", None, JobState.PENDING)
    assert event.by.name == actor.name == found.created_by.name
    assert AuditEntry.objects.get(action="job.create").target_id == job.id


def test_the_same_request_again_gives_the_first_job(project: Project) -> None:
    new = NewJob(ingestion_task_id="t1", name="a")
    first = jobs.create(COMMAND, project.slug, new)
    jobs.change(COMMAND, project.slug, first.job.id, {"name": "renamed"})
    again = jobs.create(COMMAND, project.slug, new)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.job.id == first.job.id
    assert again.job.name == "renamed"
    assert count(project) == 1
    assert AuditEntry.objects.filter(action="job.create").count() == 1


def test_the_same_id_with_other_content_is_a_conflict(project: Project) -> None:
    make_job(project, ingestion_task_id="t1", name="a")
    with pytest.raises(AlreadyExistsError, match="t1"):
        make_job(project, ingestion_task_id="t1", name="b")
    assert count(project) == 1


def test_the_same_id_in_another_project_is_another_job(project: Project, other_project: Project) -> None:
    one, other = make_job(project, ingestion_task_id="t1"), make_job(other_project, ingestion_task_id="t1")
    assert one.id != other.id
    with pytest.raises(NotFoundError):
        jobs.get(COMMAND, project.slug, other.id)


def test_a_batch_comes_back_in_its_order_with_the_known_ones_in_their_places(project: Project) -> None:
    known = make_job(project, ingestion_task_id="t1", name="known")
    made = jobs.create_many(
        COMMAND,
        project.slug,
        [
            NewJob(name="first"),
            NewJob(ingestion_task_id="t1", name="known"),
            NewJob(ingestion_task_id="t2", name="twice"),
            NewJob(ingestion_task_id="t2", name="twice"),
        ],
    )
    assert [created.replayed for created in made] == [False, True, False, True]
    assert made[1].job.id == known.id
    assert made[2].job.id == made[3].job.id
    assert count(project) == 3


def test_a_batch_is_whole_or_absent(project: Project) -> None:
    make_job(project, ingestion_task_id="t1", name="known")
    wrong = NewJob(ingestion_task_id="t1", name="other")
    with pytest.raises(AlreadyExistsError):
        jobs.create_many(COMMAND, project.slug, [NewJob(), wrong])
    with pytest.raises(InvalidError) as refused:
        jobs.create_many(COMMAND, project.slug, [NewJob(), NewJob(priority=101)])
    assert refused.value.extra["errors"][0]["place"] == "jobs.1.priority"
    twice = [NewJob(ingestion_task_id="t9", name="a"), NewJob(ingestion_task_id="t9", name="b")]
    with pytest.raises(AlreadyExistsError):
        jobs.create_many(COMMAND, project.slug, twice)
    for number in (0, 1001):
        with pytest.raises(InvalidError):
            jobs.create_many(COMMAND, project.slug, [NewJob()] * number)
    assert count(project) == 1


def test_a_thousand_at_once(project: Project) -> None:
    new = [NewJob(ingestion_task_id=f"t{number}") for number in range(1000)]
    made = jobs.create_many(COMMAND, project.slug, new)
    assert [created.job.ingestion_task_id for created in made] == [f"t{number}" for number in range(1000)]
    assert AuditEntry.objects.get(action="job.create").detail["jobs"] == 1000


def test_an_ingestion_id_that_was_thrown_away_is_free_again(project: Project) -> None:
    old = make_job(project, ingestion_task_id="t1", name="old")
    jobs.delete(COMMAND, project.slug, old.id)
    new = make_job(project, ingestion_task_id="t1", name="new")
    assert new.id != old.id
    with pytest.raises(AlreadyExistsError, match=new.id):
        jobs.restore(COMMAND, project.slug, old.id)


def test_a_viewer_makes_none(project: Project) -> None:
    with pytest.raises(PermissionDeniedError):
        make_job(project, make_actor(project, Role.VIEWER))


def test_jobs_go_with_their_project(project: Project) -> None:
    job = make_job(project, ingestion_task_id="t1")
    projects.delete(COMMAND, project.slug, project.slug)
    again = projects.create(COMMAND, project.slug)
    with pytest.raises(NotFoundError):
        jobs.get(COMMAND, again.slug, job.id)
    assert make_job(again, ingestion_task_id="t1", name="other").id != job.id


@pytest.mark.django_db(transaction=True)
def test_many_who_send_the_same_at_once_get_the_same_job(project: Project) -> None:
    barrier, answers = threading.Barrier(8), []

    def send() -> None:
        try:
            barrier.wait(10)
            new = [NewJob(ingestion_task_id=f"t{number}") for number in range(5)]
            answers.append([created.job.id for created in jobs.create_many(COMMAND, project.slug, new)])
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 8
    assert all(answer == answers[0] for answer in answers)
    assert count(project) == 5
