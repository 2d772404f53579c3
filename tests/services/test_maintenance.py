"""Maintenance: each due run is given to one caller, its history is kept, and a consumer that dies leaves no knot."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from jobs_app.domain.access import COMMAND
from jobs_app.domain.maintenance import Counts, Deadline, MaintenanceTask, RunOutcome
from jobs_app.errors import NotFoundError, PermissionDeniedError
from jobs_app.models import Project, TaskRun
from jobs_app.services import consumers, maintenance
from jobs_app.services.task_catalogue import TASKS
from tests.conftest import Clock
from tests.factories import make_actor

pytestmark = pytest.mark.django_db


class Sweep:
    """A task whose work can be looked at, and made to fail."""

    def __init__(self) -> None:
        self.runs = 0
        self.error: BaseException | None = None

    def __call__(self, deadline: Deadline) -> Counts:
        self.runs += 1
        if self.error:
            raise self.error
        return {"swept": 3}


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """The one task there is: every minute, ten seconds at most."""
    sweep = Sweep()
    task = MaintenanceTask("sweep", "Sweeps.", timedelta(minutes=1), timedelta(seconds=10), sweep)
    monkeypatch.setattr("jobs_app.services.maintenance.TASKS", {"sweep": task})
    return sweep


def run_due() -> list[int]:
    claimed = maintenance.claim_due()
    for run_id in claimed:
        maintenance.perform(run_id, "here")
    return claimed


def test_a_task_runs_at_once_and_then_by_its_schedule(sweep: Sweep, clock: Clock) -> None:
    assert len(run_due()) == 1
    assert run_due() == []
    clock.advance(seconds=59)
    assert run_due() == []
    clock.advance(seconds=1)
    assert len(run_due()) == 1
    assert sweep.runs == 2


def test_a_run_keeps_what_it_counted(sweep: Sweep, clock: Clock) -> None:
    (run_id,) = run_due()
    run = TaskRun.objects.get(pk=run_id)
    assert (run.outcome, run.counts, run.consumer) == (RunOutcome.DONE, {"swept": 3}, "here")


def test_after_a_long_stop_it_runs_once_and_not_for_every_minute_missed(sweep: Sweep, clock: Clock) -> None:
    run_due()
    clock.advance(days=3)
    assert len(run_due()) == 1
    assert run_due() == []


def test_a_clock_that_was_set_back_stops_no_task(sweep: Sweep, clock: Clock) -> None:
    clock.advance(days=400)
    (lost,) = maintenance.claim_due()
    clock.advance(days=-400)
    assert len(run_due()) == 1
    assert run_due() == []
    clock.advance(minutes=1)
    assert len(run_due()) == 1
    assert TaskRun.objects.get(pk=lost).outcome == RunOutcome.INTERRUPTED


def test_a_failure_is_kept_with_its_reason_and_raised(sweep: Sweep, clock: Clock) -> None:
    sweep.error = ValueError("no such folder")
    with pytest.raises(ValueError, match="no such folder"):
        run_due()
    run = TaskRun.objects.get()
    assert run.outcome == RunOutcome.FAILED
    assert "no such folder" in run.error
    clock.advance(minutes=1)
    sweep.error = None
    assert len(run_due()) == 1


def test_two_runs_of_a_task_are_never_under_way_at_once(sweep: Sweep, clock: Clock) -> None:
    claimed = maintenance.claim_due()
    clock.advance(seconds=25)
    maintenance.ask_for_run(COMMAND, "sweep")
    assert maintenance.claim_due() == []
    maintenance.perform(claimed[0], "here")
    assert len(run_due()) == 1


def test_a_run_whose_consumer_went_away_is_marked_and_the_task_goes_on(sweep: Sweep, clock: Clock) -> None:
    (lost,) = maintenance.claim_due()
    clock.advance(minutes=2)
    assert len(run_due()) == 1
    assert TaskRun.objects.get(pk=lost).outcome == RunOutcome.INTERRUPTED
    maintenance.perform(lost, "back again")
    assert sweep.runs == 1
    assert TaskRun.objects.get(pk=lost).outcome == RunOutcome.INTERRUPTED


class Died(BaseException):
    """A consumer that is killed notes nothing any more."""


def dies_at_work(sweep: Sweep) -> int:
    """A consumer begins the run that is due, and is killed in the middle."""
    consumers.started("here")
    (run_id,) = maintenance.claim_due()
    sweep.error = Died()
    with pytest.raises(Died):
        maintenance.perform(run_id, "here")
    sweep.error = None
    return run_id


def test_what_a_killed_consumer_was_at_goes_on_long_before_its_hold_ends(sweep: Sweep, clock: Clock) -> None:
    lost = dies_at_work(sweep)
    clock.advance(seconds=19)
    assert run_due() == []
    clock.advance(seconds=2)
    assert len(run_due()) == 1
    assert TaskRun.objects.get(pk=lost).outcome == RunOutcome.INTERRUPTED


def test_a_run_that_takes_its_time_is_left_to_a_consumer_that_beats(sweep: Sweep, clock: Clock) -> None:
    dies_at_work(sweep)  # so it looks as long as it is under way
    clock.advance(seconds=25)
    consumers.beat("here")
    assert run_due() == []


def test_a_task_that_kills_each_consumer_goes_back_to_its_schedule(sweep: Sweep, clock: Clock) -> None:
    dies_at_work(sweep)
    clock.advance(seconds=21)
    dies_at_work(sweep)
    clock.advance(seconds=21)
    assert run_due() == []
    clock.advance(minutes=1)
    assert len(run_due()) == 1


def test_a_run_is_performed_once_though_the_queue_hands_it_out_twice(sweep: Sweep, clock: Clock) -> None:
    (run_id,) = maintenance.claim_due()
    maintenance.perform(run_id, "here")
    maintenance.perform(run_id, "there")
    assert sweep.runs == 1


def test_what_is_asked_for_twice_before_it_began_runs_once(sweep: Sweep, clock: Clock) -> None:
    run_due()
    first = maintenance.ask_for_run(COMMAND, "sweep")
    assert maintenance.ask_for_run(COMMAND, "sweep").pk == first.pk
    assert run_due() == [first.pk]
    assert run_due() == []


def test_only_those_who_run_the_server_ask_for_a_run(sweep: Sweep, project: Project) -> None:
    from jobs_app.domain.access import Role

    with pytest.raises(PermissionDeniedError):
        maintenance.ask_for_run(make_actor(project, Role.ADMIN), "sweep")
    with pytest.raises(NotFoundError):
        maintenance.ask_for_run(COMMAND, "nonsense")


@pytest.mark.django_db(transaction=True)
def test_of_many_consumers_one_gets_the_run(sweep: Sweep) -> None:
    barrier, claimed = threading.Barrier(8), []

    def claim() -> None:
        barrier.wait()
        try:
            claimed.extend(maintenance.claim_due())
        finally:
            connection.close()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 1
    assert TaskRun.objects.count() == 1


@pytest.mark.parametrize("name", sorted(TASKS))
def test_each_task_of_the_catalogue_may_run_twice(name: str) -> None:
    task = TASKS[name]
    first, second = task.run(Deadline(task.limit)), task.run(Deadline(task.limit))
    assert set(first) == set(second)
    assert all(isinstance(count, int) for count in second.values())


@pytest.mark.parametrize("name", sorted(TASKS))
def test_each_task_of_the_catalogue_stops_when_its_time_is_up(name: str) -> None:
    assert TASKS[name].run(Deadline(timedelta(0))) is not None
