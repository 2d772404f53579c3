"""Three clocks, lost workers, cancelling, waiting to try again: what each makes of a job."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from jobs_app.domain import job_transitions, lease
from jobs_app.domain.backoff import Backoff
from jobs_app.domain.job import Job, Step
from jobs_app.domain.job_states import JobState, TransitionRefusedError
from jobs_app.domain.job_transitions import Failure
from tests.domain.test_job_states import ANNA, NOW, job_in

PENDING, PROCESSING, COMPLETED, FAILED, TIMEOUT, CANCELLED = JobState
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def settle(job: Job, after: timedelta, poison_limit: int = 3) -> Step:
    step = job_transitions.settle(job, NOW + after, poison_limit)
    assert step is not None
    return step


def test_a_lease_that_ends_puts_the_job_back_and_counts_the_worker_as_lost() -> None:
    step = settle(job_in(PROCESSING), MINUTE)
    assert step.job.status is PENDING
    assert (step.job.lost_count, step.job.retry_count) == (1, 0)
    assert (step.job.worker_id, step.job.token_digest, step.job.lease_expires_at) == (None, None, None)
    assert step.job.is_due(NOW + MINUTE)
    assert step.attempt is not None
    assert step.attempt.outcome == "lease_lost"


def test_before_its_end_no_clock_says_anything() -> None:
    assert job_transitions.settle(job_in(PROCESSING), NOW + MINUTE - timedelta(microseconds=1), 3) is None


def test_a_job_that_loses_three_workers_ends_failed() -> None:
    step = settle(replace(job_in(PROCESSING), lost_count=2), MINUTE)
    assert step.job.status is FAILED
    assert step.job.error_message == "lost 3 times"
    assert step.job.completed_at == NOW + MINUTE


def test_the_poison_limit_can_be_another() -> None:
    assert settle(job_in(PROCESSING), MINUTE, poison_limit=1).job.status is FAILED


def test_beats_move_the_lease_and_not_the_clock_of_the_attempt() -> None:
    job = replace(job_in(PROCESSING), attempt_timeout_seconds=600)
    assert job.started_at is not None
    beaten = job_transitions.beat(job, NOW, None, 10, "page 3").job
    assert beaten.lease_expires_at == NOW + MINUTE
    assert beaten.attempt_ends_at == job.attempt_ends_at == job.started_at + 10 * MINUTE
    hung = replace(beaten, lease_expires_at=NOW + timedelta(days=1))
    assert settle(hung, 5 * MINUTE).job.status is TIMEOUT


def test_the_deadline_ends_a_job_whether_it_waits_or_runs() -> None:
    for state in (PENDING, PROCESSING):
        step = settle(replace(job_in(state), timeout_at=NOW), timedelta(0))
        assert step.job.status is TIMEOUT
        assert step.job.completed_at == NOW


def test_the_alarm_is_the_first_clock_that_counts_in_a_state() -> None:
    running = replace(
        job_in(PROCESSING), timeout_at=NOW + 3 * MINUTE, attempt_timeout_seconds=7 * 60, not_before=NOW - MINUTE
    )
    assert running.next_alarm(NOW) == NOW + MINUTE  # the lease
    assert replace(running, lease_expires_at=NOW + 9 * MINUTE).next_alarm(NOW) == NOW + 2 * MINUTE  # the attempt
    waiting = replace(job_in(PENDING), timeout_at=NOW + 3 * MINUTE, not_before=NOW + MINUTE)
    assert waiting.next_alarm(NOW) == NOW + MINUTE
    assert waiting.next_alarm(NOW + MINUTE) == NOW + 3 * MINUTE
    assert job_in(PENDING).next_alarm(NOW) is None


def test_a_job_becomes_due_exactly_at_its_time() -> None:
    job = replace(job_in(PENDING), not_before=NOW)
    assert not job.is_due(NOW - timedelta(microseconds=1))
    assert job.is_due(NOW)


def test_a_failure_puts_the_job_off_as_long_as_retries_are_left() -> None:
    job = replace(job_in(PROCESSING), max_retries=1)
    step = job_transitions.fail(job, NOW, Failure("boom", "Traceback …"), 10 * SECOND)
    assert (step.job.status, step.job.retry_count, step.job.not_before) == (PENDING, 1, NOW + 10 * SECOND)
    assert step.attempt is not None
    assert (step.attempt.error_message, step.attempt.traceback) == ("boom", "Traceback …")
    last = replace(job, retry_count=1)
    assert job_transitions.fail(last, NOW, Failure("boom"), 10 * SECOND).job.status is FAILED


def test_a_program_retries_as_often_as_is_allowed_and_a_person_always() -> None:
    job = replace(job_in(FAILED), retry_count=3, lost_count=3)
    with pytest.raises(TransitionRefusedError, match="only a person"):
        job_transitions.retry(job, NOW, ANNA, "", beyond_limit=False)
    retried = job_transitions.retry(job, NOW, ANNA, "fixed", beyond_limit=True).job
    assert (retried.status, retried.retry_count, retried.lost_count) == (PENDING, 4, 0)
    assert not job.can_retry


def test_a_retry_lifts_a_deadline_that_has_passed_and_leaves_one_that_has_not() -> None:
    late, early = replace(job_in(TIMEOUT), timeout_at=NOW), replace(job_in(FAILED), timeout_at=NOW + MINUTE)
    assert job_transitions.retry(late, NOW, ANNA, "", beyond_limit=False).job.timeout_at is None
    assert job_transitions.retry(early, NOW, ANNA, "", beyond_limit=False).job.timeout_at == NOW + MINUTE


class TestCancel:
    @pytest.fixture
    def asked(self) -> Job:
        step = job_transitions.cancel(job_in(PROCESSING), NOW, ANNA, "wrong file")
        assert step is not None
        return step.job

    def test_asked_twice_is_asked_once(self, asked: Job) -> None:
        assert job_transitions.cancel(asked, NOW, ANNA, "again") is None

    def test_a_worker_that_is_told_and_beats_on_is_not_prolonged_for_ever(self, asked: Job) -> None:
        told = job_transitions.beat(asked, NOW + 30 * SECOND, None, None, None).job
        assert told.lease_expires_at == NOW + 90 * SECOND
        stubborn = job_transitions.beat(told, NOW + 60 * SECOND, 3600, None, None).job
        assert stubborn.lease_expires_at == NOW + 90 * SECOND
        assert settle(stubborn, 90 * SECOND).job.status is CANCELLED

    def test_a_worker_that_is_gone_is_not_waited_for(self, asked: Job) -> None:
        step = settle(asked, MINUTE)
        assert step.job.status is CANCELLED
        assert step.job.lost_count == 0

    def test_a_worker_that_gives_up_ends_it(self, asked: Job) -> None:
        assert job_transitions.release(asked, NOW).job.status is CANCELLED
        failed = job_transitions.fail(asked, NOW, Failure("interrupted"), SECOND).job
        assert (failed.status, failed.error_message) == (CANCELLED, "interrupted")

    def test_a_worker_that_was_done_already_keeps_its_result(self, asked: Job) -> None:
        assert job_transitions.complete(asked, NOW, {"a": 1}).job.status is COMPLETED


class TestLease:
    def test_the_token_decides_and_not_the_name(self) -> None:
        job = job_in(PROCESSING)
        assert lease.is_holder(job, "t")
        assert not lease.is_holder(job, "w1")
        assert not lease.is_holder(replace(job, token_digest=None), "t")
        assert not lease.is_holder(replace(job, status=PENDING), "t")

    def test_tokens_are_long_and_never_the_same(self) -> None:
        tokens = {lease.new_token() for _ in range(100)}
        assert len(tokens) == 100
        assert lease.TOKEN_BYTES * 8 >= 160

    @pytest.mark.parametrize("odd", ["", "é", "\ud800", "x" * 10_000])
    def test_an_odd_token_is_simply_wrong(self, odd: str) -> None:
        assert not lease.is_holder(job_in(PROCESSING), odd)


class TestBackoff:
    def test_it_doubles_up_to_the_longest(self) -> None:
        exact = Backoff(first=10 * SECOND, longest=timedelta(hours=1), jitter=0)
        waits = [exact.wait(tries, random.Random(0)).total_seconds() for tries in (0, 1, 2, 3, 4, 10, 10_000)]
        assert waits == [10, 10, 20, 40, 80, 3600, 3600]

    def test_the_jitter_spreads_within_the_last_part_and_is_the_same_for_the_same_seed(self) -> None:
        waits = [Backoff().wait(3, random.Random(seed)) for seed in range(50)]
        assert waits == [Backoff().wait(3, random.Random(seed)) for seed in range(50)]
        assert len(set(waits)) > 40
        assert all(30 * SECOND <= wait <= 40 * SECOND for wait in waits)
