"""A simulated fleet for `up --demo`: programs that bring work, workers that do it well or badly, an operator who looks
after it. They go through the services that real ones reach over HTTP, and no other way.

It has no thread and no clock of its own: `step` does whatever is due by the store's clock, `rest` says how long nothing
is. So it runs live at its pace, and through hours of the past in seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from jobs_app.domain.access import Actor
from jobs_app.domain.job import Job
from jobs_app.domain.job_log import LogLevel, NewLogEntry
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import LeaseLostError, NotFoundError, RefusedError
from jobs_app.services import claims, job_counts, jobs, logs
from jobs_app.services import demo_material as material
from jobs_app.services.claims import Claimed, ClaimRequest
from jobs_app.services.demo_material import Hand, Kind
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_jobs import now

MOST_WAITING: Final = 60  # more is brought only when the fleet keeps up
FOLDERS: Final = 0.06  # of the uploads are whole folders, which make a queue


@dataclass(frozen=True, slots=True)
class Crew:
    """In whose names the parts of the simulation act."""

    feeder: Actor
    worker: Actor
    operator: Actor


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between one thing and the next."""

    upload: float
    beat: float
    idle: float
    operator: float
    lease: int
    most_at_once: int = 2


LIVE: Final = Pace(upload=11, beat=3, idle=2, operator=45, lease=20)


class Fleet:
    def __init__(self, slug: str, crew: Crew, chance: Random, pace: Pace = LIVE) -> None:
        begin = now()
        self._workers = [_Worker(slug, crew.worker, hand, chance, pace, begin) for hand in material.FLEET]
        feeder, operator = _Feeder(slug, crew.feeder, chance, pace), _Operator(slug, crew.operator, chance, pace)
        self._turns = [_Turn(feeder.bring, begin), _Turn(operator.look_round, begin + timedelta(seconds=pace.operator))]
        self._turns += [_Turn(worker.work, begin) for worker in self._workers]

    def step(self) -> None:
        """Everything that is due."""
        moment = now()
        for turn in self._turns:
            if turn.due <= moment:
                turn.due = moment + timedelta(seconds=max(turn.act(moment), 0.1))

    def rest(self) -> timedelta:
        """How long nothing is due."""
        return max(min(turn.due for turn in self._turns) - now(), timedelta(0))

    def stop(self) -> None:
        """Gives back what the workers hold, as a worker does that is told to end."""
        for worker in self._workers:
            worker.give_back()


@dataclass
class _Turn:
    """`act` does something and says in how many seconds it wants to be asked again."""

    act: Callable[[datetime], float]
    due: datetime


class _Feeder:
    """Programs and people who bring documents."""

    def __init__(self, slug: str, actor: Actor, chance: Random, pace: Pace) -> None:
        self._slug, self._actor, self._chance, self._pace = slug, actor, chance, pace

    def bring(self, moment: datetime) -> float:
        if job_counts.queue(self._actor, self._slug).due < MOST_WAITING:
            is_folder = self._chance.random() < FOLDERS
            number = self._chance.randint(10, 24) if is_folder else self._chance.randint(1, self._pace.most_at_once)
            jobs.create_many(self._actor, self._slug, [self._document(moment) for _ in range(number)])
        return self._chance.uniform(0.4, 1.6) * self._pace.upload

    def _document(self, moment: datetime) -> NewJob:
        kinds = (*material.KINDS, material.UNSERVED)
        kind = self._chance.choices(kinds, [kind.share for kind in kinds])[0]
        name, tags = material.name_of(kind, self._chance), list(kind.tags)
        self._chance.shuffle(tags)
        return NewJob(
            name=name,
            content_type=kind.content_type,
            source_file_path=f"{kind.folder}/{self._chance.randrange(1, 99):02}/{name}",
            document_id=f"doc-{self._chance.randrange(16**10):010x}",
            run_id=f"run-{moment:%Y-%m-%d}" if self._chance.random() < 0.4 else None,
            task_options=material.options_for(kind, self._chance),
            priority=self._chance.choice([0, 0, 0, 0, 5, 10, -10]),
            tags=tags[:2],
            attempt_timeout_seconds=kind.attempt_timeout_seconds,
            timeout_at=moment + timedelta(hours=2) if kind is material.UNSERVED else None,
            not_before=moment + timedelta(hours=self._chance.uniform(0.2, 6)) if self._chance.random() < 0.04 else None,
            max_retries=2,
        )


@dataclass
class _Task:
    """A job in hand, and what will become of it."""

    claimed: Claimed
    kind: Kind
    begin: datetime
    seconds: float
    failure: Failure | None
    is_dropped: bool

    @property
    def id(self) -> str:
        return self.claimed.job.id

    @property
    def token(self) -> str:
        return self.claimed.lease_token

    def share(self, moment: datetime) -> float:
        return min((moment - self.begin).total_seconds() / self.seconds, 1.0)


class _Worker:
    def __init__(self, slug: str, actor: Actor, hand: Hand, chance: Random, pace: Pace, begin: datetime) -> None:
        self._slug, self._actor, self._hand, self._chance, self._pace = slug, actor, hand, chance, pace
        self._task: _Task | None = None
        self._sequence = 0

    def work(self, moment: datetime) -> float:
        if self._task is None:
            return self._ask(moment)
        try:
            return self._go_on(self._task, moment)
        except (LeaseLostError, NotFoundError):
            self._task = None  # somebody else has it now, its time was over, or it was removed for good
            return self._pace.idle

    def give_back(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        try:
            claims.release(self._actor, self._slug, task.id, task.token)
        except (LeaseLostError, NotFoundError):
            return

    def _ask(self, moment: datetime) -> float:
        request = ClaimRequest(
            self._hand.worker_id,
            self._hand.content_types,
            lease_seconds=self._pace.lease,
            software_version=self._hand.version,
            capabilities=dict(self._hand.capabilities),
        )
        taken = claims.claim(self._actor, self._slug, request)
        if not taken:
            return self._pace.idle * self._chance.uniform(0.8, 1.4)
        self._task, self._sequence = self._planned(taken[0], moment), 0
        self._log(self._task, [(LogLevel.INFO, f"took attempt {taken[0].job.attempt} of {taken[0].job.name}", None)])
        return self._until_next(self._task, moment)

    def _planned(self, claimed: Claimed, moment: datetime) -> _Task:
        kind = material.BY_TYPE.get(claimed.job.content_type, material.KINDS[0])
        fails = bool(kind.faults) and self._chance.randrange(100) < kind.fails
        failure = material.failure_of(self._chance.choice(kind.faults), self._chance) if fails else None
        seconds = self._chance.uniform(*kind.seconds)
        return _Task(claimed, kind, moment, seconds, failure, self._chance.randrange(100) < self._hand.loses)

    def _go_on(self, task: _Task, moment: datetime) -> float:
        share = task.share(moment)
        if task.is_dropped and share > 0.4:
            self._task = None  # the lid was closed: nobody is told, and the lease runs out
            return 4.0 * self._pace.lease
        if share >= 1:
            self._task = None
            self._end(task)
            return self._chance.uniform(0.2, 1) * self._pace.idle
        lines = [material.log_line(task.kind, share, self._chance) for _ in range(self._chance.randint(1, 3))]
        self._log(task, lines)
        beat = claims.heartbeat(
            self._actor, self._slug, task.id, task.token, percent=round(share * 100, 1), message=lines[-1][1]
        )
        if beat.cancel_requested:
            self._log(task, [(LogLevel.WARNING, "asked to cancel, stopping here", None)])
            self.give_back()
            return self._pace.idle
        return self._until_next(task, moment)

    def _end(self, task: _Task) -> None:
        if task.failure is None:
            self._log(task, [(LogLevel.INFO, "done", None)])
            result = material.result_of(task.kind, self._chance)
            claims.complete(self._actor, self._slug, task.id, task.token, result)
            return
        self._log(task, [(LogLevel.ERROR, task.failure.message, None)])
        claims.fail(self._actor, self._slug, task.id, task.token, task.failure)

    def _log(self, task: _Task, lines: list[tuple[LogLevel, str, dict[str, object] | None]]) -> None:
        entries = []
        for level, message, data in lines:
            entries.append(NewLogEntry(message, level, now(), data, self._sequence))
            self._sequence += 1
        logs.append(self._actor, self._slug, task.id, entries, task.token)

    def _until_next(self, task: _Task, moment: datetime) -> float:
        left = task.seconds - (moment - task.begin).total_seconds()
        return max(min(self._pace.beat * self._chance.uniform(0.8, 1.2), left), 0.1)


class _Operator:
    """Retries, cancels and throws away one job at a time."""

    def __init__(self, slug: str, actor: Actor, chance: Random, pace: Pace) -> None:
        self._slug, self._actor, self._chance, self._pace = slug, actor, chance, pace

    def look_round(self, moment: datetime) -> float:
        draw = self._chance.random()
        try:
            if draw < 0.6:
                self._do("retry", jobs.retry, JobState.FAILED, JobState.TIMEOUT)
            elif draw < 0.85:
                self._do("cancel", jobs.cancel, JobState.PENDING, JobState.PROCESSING)
            else:
                self._do("delete", jobs.delete, JobState.CANCELLED, JobState.FAILED)
        except RefusedError:
            return self._pace.idle  # a worker was quicker, or somebody took the operator's role away
        return self._chance.uniform(0.5, 1.5) * self._pace.operator

    def _do(self, verb: str, change: Callable[[Actor, str, str, str], Job], *states: JobState) -> None:
        listed = jobs.find(self._actor, self._slug, JobFilter(statuses=states), limit=20).jobs
        # what nobody takes is left to its deadline: that is one of the things to see
        found = [job for job in listed if job.content_type != material.UNSERVED.content_type]
        if found:
            job, reason = self._chance.choice(found), self._chance.choice(material.REASONS[verb])
            change(self._actor, self._slug, job.id, reason)
