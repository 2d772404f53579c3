"""Which state may follow which: every pair, through every function that could do it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobs_app.domain import job_transitions, lease
from jobs_app.domain.job import By, Job, Step
from jobs_app.domain.job_states import PHRASES, TABLE, JobState, Transition, TransitionRefusedError, next_state
from jobs_app.domain.job_transitions import Failure, StateRefusedError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANNA = By("person", "anna")
PENDING, PROCESSING, COMPLETED, FAILED, TIMEOUT, CANCELLED = JobState

# As the specification has it; the table in the code is checked against this one.
ALLOWED = {
    (PENDING, PROCESSING),
    (PENDING, CANCELLED),
    (PENDING, TIMEOUT),
    (PROCESSING, COMPLETED),
    (PROCESSING, FAILED),
    (PROCESSING, TIMEOUT),
    (PROCESSING, CANCELLED),
    (PROCESSING, PENDING),
    (FAILED, PENDING),
    (TIMEOUT, PENDING),
}

ACTIONS: dict[str, tuple[Callable[[Job], Step | None], dict[JobState, JobState]]] = {
    "claim": (lambda job: job_transitions.claim(job, NOW, "w1", "digest", 60), {PENDING: PROCESSING}),
    "complete": (lambda job: job_transitions.complete(job, NOW, {}), {PROCESSING: COMPLETED}),
    "fail for good": (
        lambda job: job_transitions.fail(job, NOW, Failure("x", retryable=False), timedelta()),
        {PROCESSING: FAILED},
    ),
    "fail for now": (
        lambda job: job_transitions.fail(job, NOW, Failure("x"), timedelta(seconds=10)),
        {PROCESSING: PENDING},
    ),
    "release": (lambda job: job_transitions.release(job, NOW), {PROCESSING: PENDING}),
    "cancel": (
        lambda job: job_transitions.cancel(job, NOW, ANNA, "no longer wanted"),
        {PENDING: CANCELLED, PROCESSING: PROCESSING},  # a worker is asked first
    ),
    "retry": (
        lambda job: job_transitions.retry(job, NOW, ANNA, "", beyond_limit=False),
        {FAILED: PENDING, TIMEOUT: PENDING},
    ),
}


def job_in(state: JobState) -> Job:
    job = Job(id="j1", version=3, name="a job", created_at=NOW - timedelta(hours=1), status=state)
    if state in (PROCESSING, COMPLETED, FAILED, TIMEOUT):
        job = replace(job, worker_id="w1", attempt=1, started_at=NOW - timedelta(minutes=5))
    if state is PROCESSING:
        lease_ends = NOW + timedelta(minutes=1)
        job = replace(job, token_digest=lease.digest("t"), lease_expires_at=lease_ends, lease_seconds=60)
    return replace(job, completed_at=NOW) if state.is_final else job


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("action", list(ACTIONS))
def test_an_action_leads_to_its_state_or_is_refused_with_both_in_the_sentence(action: str, state: JobState) -> None:
    act, leads_to = ACTIONS[action]
    if state in leads_to:
        step = act(job_in(state))
        assert step is not None
        assert step.job.status is leads_to[state]
        assert step.event is not None
        assert (step.event.source, step.event.target) == (state, leads_to[state])
    else:
        with pytest.raises(TransitionRefusedError) as refused:
            act(job_in(state))
        assert refused.value.source is state
        assert f"from {state} to {refused.value.target}" in str(refused.value)


def test_the_table_allows_what_the_specification_allows_and_nothing_else() -> None:
    pairs = {(source, rule.target) for rule in TABLE.values() for source in rule.sources}
    assert pairs == ALLOWED


@pytest.mark.parametrize("transition", list(Transition))
@pytest.mark.parametrize("state", list(JobState))
def test_every_other_pair_is_refused(state: JobState, transition: Transition) -> None:
    rule = TABLE[transition]
    if state in rule.sources:
        assert next_state(state, transition) is rule.target
    else:
        with pytest.raises(TransitionRefusedError):
            next_state(state, transition)


@pytest.mark.parametrize("state", list(JobState))
def test_the_clocks_touch_nothing_that_has_ended(state: JobState) -> None:
    job = replace(job_in(state), timeout_at=NOW, not_before=None)
    settled = job_transitions.settle(job, NOW, poison_limit=3)
    assert (settled is None) == state.is_final
    assert (job.next_alarm(NOW) is None) == state.is_final


@pytest.mark.parametrize("state", list(JobState))
def test_only_a_pending_job_can_be_changed(state: JobState) -> None:
    if state is PENDING:
        step = job_transitions.change(job_in(state), NOW, ANNA, {"priority": 5})
        assert step.job.priority == 5
    else:
        with pytest.raises(StateRefusedError, match=state.value):
            job_transitions.change(job_in(state), NOW, ANNA, {"priority": 5})


@pytest.mark.parametrize("state", list(JobState))
def test_every_job_but_a_processing_one_can_be_thrown_away_and_brought_back_as_it_was(state: JobState) -> None:
    job = replace(job_in(state), ingestion_task_id="t1")
    if state is PROCESSING:
        with pytest.raises(StateRefusedError):
            job_transitions.trash(job, NOW, ANNA, "")
        return
    gone = job_transitions.trash(job, NOW, ANNA, "").job
    assert gone.ingestion_task_id is None
    assert not gone.is_due(NOW)
    assert gone.next_alarm(NOW) is None
    assert job_transitions.restore(gone, NOW, ANNA).job == job


@pytest.mark.parametrize("state", list(JobState))
def test_every_state_has_a_phrase(state: JobState) -> None:
    assert PHRASES[state] == state.phrase
