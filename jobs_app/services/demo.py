"""Living sample data for a first look: `up --demo`. Running it again adds nothing twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Final

from django.contrib.auth.models import User

from jobs_app.domain.access import COMMAND, Actor, Role, Scope
from jobs_app.domain.job_log import LogLevel, NewLogEntry
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import ConflictError
from jobs_app.models import Membership, Project, Token
from jobs_app.services import (
    access,
    claims,
    demo_content,
    job_counts,
    jobs,
    logs,
    members,
    pauses,
    projects,
    tokens,
    workers,
)
from jobs_app.services import demo_material as material
from jobs_app.services.claims import ClaimRequest
from jobs_app.services.demo_fleet import LIVE, Crew, Fleet, Pace
from storage_app.records import configured
from storage_app.records.times import now as real_now

SLUG: Final = "demo"
CAST: Final = {"olga": Role.OPERATOR, "victor": Role.VIEWER}
FEEDER, WORKER = "mail importer", "sample worker"
PROGRAMS: Final = {FEEDER: [Scope.READ, Scope.WRITE], WORKER: [Scope.READ, Scope.WORK]}
PAST: Final = timedelta(hours=12)
UNHURRIED: Final = Pace(upload=360, beat=40, idle=300, operator=1800, lease=120, most_at_once=3)
LONG_LOG: Final = 5000


def seed(past: timedelta = PAST) -> Project:
    """A project with people in each role, programs that come in, and jobs in every state."""
    project = Project.objects.filter(slug=SLUG).first()
    if project is None:
        description = "Sample data to look at. Delete it under Settings whenever you like."
        project = projects.create(COMMAND, SLUG, "Demonstration", description)
    for name, role in CAST.items():
        _member(project, name, role)
    for administrator in User.objects.filter(is_superuser=True):
        Membership.objects.get_or_create(project=project, user=administrator, defaults={"role": Role.ADMIN})
    counts = job_counts.of(COMMAND, SLUG)
    if not counts.total and not counts.trashed:
        _work_through(past)
        _add_what_is_rare()
        demo_content.fill(crew(), SLUG)
    return project


def require_lasting_records() -> None:
    """The fleet is a process of its own."""
    if configured.backend() == "memory":
        raise ConflictError(
            "Sample data needs a record store that several processes share: HOLDFAST_RECORD_STORE=file or database."
        )


def fleet(pace: Pace = LIVE, seed: int | None = None) -> Fleet:
    """To be stepped; NotFoundError where the project is gone."""
    return Fleet(SLUG, crew(), Random(seed), pace)  # noqa: S311 - chance for show, no secret


def crew() -> Crew:
    project = access.project_for(COMMAND, SLUG, Scope.ADMIN)
    olga = User.objects.filter(username="olga", is_active=True).first()
    operator = access.actor_for_person(olga) if olga else COMMAND
    return Crew(_program(project, FEEDER), _program(project, WORKER), operator)


def _member(project: Project, name: str, role: Role) -> None:
    """Nobody logs in as the cast: they have no password."""
    user, made = User.objects.get_or_create(username=name)
    if made:
        user.set_unusable_password()
        user.save()
    if not Membership.objects.filter(project=project, user=user).exists():
        members.set_role(COMMAND, project.slug, name, role)


def _program(project: Project, name: str) -> Actor:
    """Its token is as any other, but its secret is known to nobody."""
    token = Token.objects.filter(project=project, name=name, revoked_at=None).order_by("-id").first()
    if token is None:
        token, _ = tokens.create(COMMAND, SLUG, name, [scope.value for scope in PROGRAMS[name]])
    return access.actor_for_token(token)


def _work_through(past: timedelta) -> None:
    """The same fleet, at an unhurried pace and by a clock that runs through the last hours without waiting."""
    end = real_now()
    with _clock_at(end - past) as (clock, set_clock):
        working = fleet(UNHURRIED, seed=1911)
        overdue = NewJob(
            name="site-visit-0000.mp4",
            content_type=material.UNSERVED.content_type,
            timeout_at=clock() + timedelta(minutes=30),
        )
        jobs.create(crew().feeder, SLUG, overdue)
        while (moment := clock()) < end:
            working.step()
            set_clock(min(moment + max(working.rest(), timedelta(seconds=0.1)), end))
        working.stop()


@contextmanager
def _clock_at(begin: datetime) -> Iterator[tuple[Callable[[], datetime], Callable[[datetime], None]]]:
    """The configured record store by a clock of ours."""
    moment = begin

    def clock() -> datetime:
        return moment

    def set_clock(to: datetime) -> None:
        nonlocal moment
        moment = to

    store = configured.open_backend(configured.backend(), clock=clock)
    try:
        with configured.using(store):
            yield clock, set_clock
    finally:
        store.close()


def _add_what_is_rare() -> None:
    """What the fleet alone would seldom show: a paused type, a drained worker, a long log, an error without an end."""
    people = crew()
    pauses.pause(people.operator, SLUG, material.PAUSED_TYPE, "Phone photos arrive rotated; fix is on its way")
    rare = [(f"IMG_{number}.heic", material.PAUSED_TYPE) for number in (2201, 2202)]
    rare.append(("site-visit-0001.mp4", material.UNSERVED.content_type))
    jobs.create_many(people.feeder, SLUG, [NewJob(name=name, content_type=type_) for name, type_ in rare])
    claims.claim(
        people.worker, SLUG, ClaimRequest("ocr-00.rack1", ["application/postscript"], software_version="3.9.9")
    )
    workers.drain(people.operator, SLUG, "ocr-00.rack1", "moves to rack 5 on Friday")
    _long_log(people)
    _endless_error(people)


def _long_log(people: Crew) -> None:
    job = jobs.create(people.feeder, SLUG, NewJob(name="archive-2019.tar", content_type="application/x-tar")).job
    (taken,) = claims.claim(people.worker, SLUG, ClaimRequest("importer-1", ["application/x-tar"]))
    levels = (LogLevel.INFO, LogLevel.INFO, LogLevel.DEBUG, LogLevel.WARNING, LogLevel.INFO)
    for first in range(1, LONG_LOG + 1, 1000):
        lines = [
            NewLogEntry(f"unpacked archive/2019/{number:05}.eml", levels[number % len(levels)], sequence=number)
            for number in range(first, first + 1000)
        ]
        logs.append(people.worker, SLUG, job.id, lines, taken.lease_token)
    claims.complete(people.worker, SLUG, job.id, taken.lease_token, {"files": LONG_LOG})


def _endless_error(people: Crew) -> None:
    job = jobs.create(people.feeder, SLUG, NewJob(name="nested.zip", content_type="application/zip", tags=["odd"])).job
    (taken,) = claims.claim(people.worker, SLUG, ClaimRequest("importer-1", ["application/zip"]))
    frames = "".join(
        f'  File "/srv/worker/steps/unpack.py", line {40 + depth % 3}, in unpack\n    unpack(part, depth={depth})\n'
        for depth in range(120)
    )
    message = "RecursionError: " + "archive inside archive " * 220
    failure = Failure(message, f"Traceback (most recent call last):\n{frames}{message}", retryable=False)
    claims.fail(people.worker, SLUG, job.id, taken.lease_token, failure)
