"""Claims jobs and has a command carry out each, several at a time; drains when it is told to stop."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from jobs_app.errors import RefusedError
from jobs_app.management.desks import Desk, TransientError, Value
from jobs_app.management.job_run import JobRun, Rules

CLAIM_WAIT: Final = 5.0  # seconds; so long may an idle worker take to stop
LONGEST_PAUSE: Final = 30.0
DRAINING: Final = "No more jobs are taken, and what runs is finished; to give it back instead, signal once more."

# What is told of a job: its value, how it ended, and how long it took.
Tell = Callable[[Value, str, float], None]


@dataclass(frozen=True, slots=True)
class Plan:
    worker_id: str
    content_types: Sequence[str] | None
    rules: Rules
    slots: int = 1
    most: int | None = None
    until_empty: bool = False


@dataclass
class JobWorker:
    """`work` returns when there is nothing more to do, or after `drain`: no new claims, what runs is finished. After
    `hurry` what runs is ended and given back.
    """

    desk: Desk
    plan: Plan
    tell: Tell
    complain: Callable[[str], None]
    _draining: threading.Event = field(default_factory=threading.Event)
    _hurrying: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _runs: set[JobRun] = field(default_factory=set)
    _taken: int = 0
    _refusal: RefusedError | None = None

    def drain(self) -> None:
        self._draining.set()

    def hurry(self) -> None:
        self._draining.set()
        self._hurrying.set()
        for run in list(self._runs):
            run.stop()

    def work(self) -> None:
        """RefusedError where the server would not have us: wrong token, no such project."""
        slots = [threading.Thread(target=self._slot) for _ in range(self.plan.slots)]
        for slot in slots:
            slot.start()
        told = False
        for slot in slots:
            while slot.is_alive():  # a join without a limit would keep signals from being handled on some systems
                slot.join(0.5)
                if self._runs and self._finishes() and not told:
                    self.complain(DRAINING)
                    told = True
        if self._refusal is not None:
            raise self._refusal

    def _finishes(self) -> bool:
        """Whether one signal came, and not two; nor was it the server that sent us away."""
        return self._draining.is_set() and not self._hurrying.is_set() and self._refusal is None

    def _slot(self) -> None:
        try:
            while not self._draining.is_set() and self._may_take():
                job = self._claimed()
                if job is None:
                    self._give_turn_back()
                    if self.plan.until_empty:
                        return
                    continue
                self._carry_out(job)
        except RefusedError as error:
            self._refusal = error
            self._draining.set()
        finally:
            self.desk.leave()

    def _may_take(self) -> bool:
        with self._lock:
            if self.plan.most is not None and self._taken >= self.plan.most:
                return False
            self._taken += 1
            return True

    def _give_turn_back(self) -> None:
        with self._lock:
            self._taken -= 1

    def _claimed(self) -> Value | None:
        pause = 1.0
        wait = 0.0 if self.plan.until_empty else CLAIM_WAIT
        while not self._draining.is_set():
            try:
                return self.desk.claim(
                    self.plan.worker_id, self.plan.content_types, self.plan.rules.lease_seconds, wait
                )
            except TransientError as error:
                self.complain(f"No job for now, trying again in {pause:.0f} s: {error}")
                self._draining.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        return None

    def _carry_out(self, job: Value) -> None:
        run = JobRun(self.desk, job, self.plan.rules)
        began = time.monotonic()
        self._runs.add(run)
        if self._hurrying.is_set() or self._draining.is_set():
            run.stop()
        try:
            outcome = run.carry_out()
        finally:
            self._runs.discard(run)
        self.tell(job, outcome, time.monotonic() - began)
