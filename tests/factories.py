"""The cast: projects, people with roles, tokens, jobs, segments."""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from jobs_app.domain import job_transitions
from jobs_app.domain.access import COMMAND, Actor, Role, Scope
from jobs_app.domain.job import By, Job, Step
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.library import Kind
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.domain.new_run import NewRun
from jobs_app.domain.new_segment import NewSegment
from jobs_app.domain.operation import Action, Deed
from jobs_app.domain.segment import Segment
from jobs_app.models import Membership, Project
from jobs_app.services import (
    access,
    artifacts,
    claims,
    documents,
    files,
    job_actions,
    jobs,
    library,
    operations,
    outbox,
    pauses,
    runs,
    saved_views,
    segments,
    tokens,
)
from jobs_app.services.artifacts import NewArtifact
from jobs_app.services.claims import Claimed, ClaimRequest
from jobs_app.services.job_actions import Choice
from jobs_app.services.saved_views import ViewContent
from jobs_app.stores.job_records import JobRecords
from storage_app import file_storages
from storage_app.records.configured import record_store

PASSWORD = "correct horse battery"


def make_project(slug: str | None = None) -> Project:
    slug = slug or f"p-{secrets.token_hex(4)}"
    return Project.objects.create(slug=slug, name=f"The {slug} project")


def make_person(
    username: str | None = None, *, runs_the_server: bool = False, roles: dict[Project, Role] | None = None
) -> User:
    """Somebody whose password is PASSWORD."""
    user = User(username=username or f"u{secrets.token_hex(4)}", is_staff=runs_the_server, is_superuser=runs_the_server)
    user.set_password(PASSWORD)
    user.save()
    for project, role in (roles or {}).items():
        Membership.objects.create(project=project, user=user, role=role)
    return user


def make_actor(project: Project, role: Role) -> Actor:
    return access.actor_for_person(make_person(roles={project: role}))


def make_token(project: Project, *scopes: Scope) -> str:
    """The secret of a token with these scopes, or with all."""
    return tokens.create(COMMAND, project.slug, "a program", [scope.value for scope in scopes or tuple(Scope)])[1]


def make_job(project: Project, actor: Actor = COMMAND, **fields: Any) -> Job:
    """A pending job, made as any caller makes one."""
    return jobs.create(actor, project.slug, NewJob(**fields)).job


def claim_job(project: Project, worker_id: str = "w1", actor: Actor = COMMAND, **asked: Any) -> Claimed:
    """The next job, in the hands of a worker; there must be one."""
    (claimed,) = claims.claim(actor, project.slug, ClaimRequest(worker_id, **asked))
    return claimed


def job_in(project: Project, state: JobState, **fields: Any) -> Job:
    """A job that came to this state the way jobs do. Nothing else may be due in the project."""
    job = make_job(project, **fields)
    slug = project.slug
    if state is JobState.PENDING:
        return job
    if state is JobState.CANCELLED:
        return jobs.cancel(COMMAND, slug, job.id)
    claimed = claim_job(project)
    assert claimed.job.id == job.id
    match state:
        case JobState.COMPLETED:
            return claims.complete(COMMAND, slug, job.id, claimed.lease_token, {"pages": 3})
        case JobState.FAILED:
            failure = Failure("no such page", retryable=False)
            return claims.fail(COMMAND, slug, job.id, claimed.lease_token, failure)
        case JobState.TIMEOUT:
            records = JobRecords(record_store(), slug)

            def end(job: Job, now: datetime) -> Step | None:
                overdue = replace(job, timeout_at=now - timedelta(seconds=1))
                return job_transitions.settle(overdue, now, 3)

            return records.change(job.id, end)
    return claimed.job


def file_cast(project: Project) -> dict[str, str]:
    """The ids of a change for everything that can be done to one; and files to read. The storage keeps versions."""
    slug = project.slug
    files.write(COMMAND, slug, "default", "a.txt", b"0123456789")
    files.write(COMMAND, slug, "default", "picture.png", b"\x89PNG\r\n\x1a\n")
    expected = files.info(COMMAND, slug, "default", "a.txt").sha
    files.write(COMMAND, slug, "default", "a.txt", b"refused", expected_sha=expected, deferred=True)
    file_storages.run(lambda storages: storages.for_project("default", slug).write_file("a.txt", b"theirs", "Theirs"))
    outbox.flush(COMMAND, slug, "default")
    files.write(COMMAND, slug, "default", "b.txt", b"sent", deferred=True)
    outbox.flush(COMMAND, slug, "default")
    files.write(COMMAND, slug, "default", "c.txt", b"waits", deferred=True)
    parked, waiting = outbox.pending(COMMAND, slug, "default")
    assert (parked.state, waiting.state) == ("parked", "waiting")
    return {"parked": str(parked.pk), "waiting": str(waiting.pk)}


def library_cast(project: Project) -> None:
    """A prompt to do everything to; the storage keeps versions."""
    library.write(COMMAND, project.slug, Kind.PROMPTS, "summarise", "Summarise.\n")


def run_cast(project: Project) -> dict[str, str]:
    """The ids of a run for everything that can be done to one. Nothing else may be due in the project."""
    slug = project.slug
    files.write(COMMAND, slug, "default", "docs/a.md", b"# A")
    files.write(COMMAND, slug, "default", "docs/b.md", b"# B")

    def draft() -> tuple[str, str]:
        id = runs.create(COMMAND, slug, NewRun(name="Outlines", content_type="outline")).run.id
        return id, documents.attach(COMMAND, slug, id, "default", "docs/a.md")[0].id

    run_id, document_id = draft()
    running, worked_on = draft()
    runs.start(COMMAND, slug, running, force=True)
    claimed = claim_job(project, content_types=["outline"])
    assert claimed.job.document_id == worked_on
    new = NewArtifact(worked_on, "out/a.json", b"{}", claimed.job.id)
    (artifact,) = artifacts.write(COMMAND, slug, running, [new]).artifacts
    return {
        "drafted": run_id,
        "attached": document_id,
        "running": running,
        "working": worked_on,
        "run_job": claimed.job.id,
        "made": artifact.id,
    }


def job_cast(project: Project) -> dict[str, str]:
    """The ids of a job for everything that can be done to one, of an operation that waits and one that can be undone,
    of a cause and of a shared view; and a pause that can be ended."""
    undone = begin_operation(project, Action.DELETE, make_job(project).id)
    operations.run(Deadline(timedelta(minutes=1)))
    view = saved_views.create(COMMAND, project.slug, ViewContent("Failed", "status:failed", shared=True))
    cast = {"failed": job_in(project, JobState.FAILED).id, "held": job_in(project, JobState.PROCESSING).id}
    deleted = make_job(project)
    jobs.delete(COMMAND, project.slug, deleted.id)
    pauses.pause(COMMAND, project.slug, None, "night")
    cause = jobs.get(COMMAND, project.slug, cast["failed"]).cause
    assert cause is not None
    return {
        **cast,
        "deleted": deleted.id,
        "pending": make_job(project).id,
        "operation": begin_operation(project, Action.RETRY, cast["failed"]),
        "undoable": undone,
        "view": view.id,
        "cause": cause.fingerprint,
    }


def begin_operation(project: Project, action: Action, *ids: str) -> str:
    """The id of an operation on these jobs, which the next run does."""
    deed = Deed(action, By.actor(COMMAND), is_person=True, before=record_store().now())
    return job_actions.begin(COMMAND, project, deed, Choice(ids=ids)).id


def make_segment(project: Project, text: str, actor: Actor = COMMAND, **fields: Any) -> Segment:
    """A segment, stored as any caller stores one."""
    return segments.store_segment(actor, project.slug, NewSegment(text, **fields)).segment


def segment_cast(project: Project) -> dict[str, str]:
    """The ids of a segment that was changed once, and of one in the trash."""
    stored = make_segment(project, "one", metadata={"n": 1})
    segments.change(COMMAND, project.slug, stored.id, {"tags": ["x"]})
    forgotten = make_segment(project, "two")
    segments.delete_segment(COMMAND, project.slug, forgotten.id)
    return {"stored": stored.id, "forgotten": forgotten.id}
