"""What counts as an end, how numbers add up, and where they are kept."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs_app.domain import job_transitions, new_job
from jobs_app.domain.job import By, Step
from jobs_app.domain.job_numbers import Depth, Fact, Named, Outcome, Tally, by_type, by_worker, facts_of, tally_of
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.new_job import NewJob
from jobs_app.domain.number_spans import WINDOWS, Tier, floor, place, sheets_between

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
ANNA = By("person", "anna")
MOMENTS = st.datetimes(min_value=datetime(2005, 1, 1), max_value=datetime(2090, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
FACTS = st.builds(
    Fact,
    at=MOMENTS,
    outcome=st.sampled_from(Outcome),
    content_type=st.sampled_from(["pdf", "text", "", "other"]),
    worker_id=st.none() | st.sampled_from(["w1", "w2"]),
    waited_microseconds=st.none() | st.integers(0, 10**12),
    worked_microseconds=st.none() | st.integers(0, 10**12),
)
DEPTHS = st.builds(
    Depth.sample,
    at=MOMENTS,
    counts=st.dictionaries(st.sampled_from(JobState), st.integers(0, 100)),
    due=st.integers(0, 100),
    oldest=st.none() | st.timedeltas(timedelta(0), timedelta(days=9)),
    stored=st.none() | st.integers(0, 10**9),
)


def waiting() -> Step:
    return new_job.make(NewJob(content_type="pdf"), "j1", NOON, ANNA)


def held(seconds: float = 5) -> Step:
    return job_transitions.claim(waiting().job, NOON + timedelta(seconds=seconds), "w1", "digest", 60)


def test_making_claiming_and_beating_are_no_ends() -> None:
    beat = job_transitions.beat(held().job, NOON + timedelta(seconds=6), 60, 10, "on it")
    assert [facts_of(step) for step in (waiting(), held(), beat)] == [[], [], []]


def test_an_end_tells_how_long_it_had_waited_and_took() -> None:
    end = NOON + timedelta(seconds=12)
    assert facts_of(job_transitions.complete(held().job, end, None)) == [
        Fact(end, Outcome.COMPLETED, "pdf", "w1", 5_000_000, 7_000_000)
    ]


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        (job_transitions.fail(held().job, NOON, Failure("x"), timedelta(1)), Outcome.PUT_OFF),
        (job_transitions.fail(held().job, NOON, Failure("x", retryable=False), timedelta(1)), Outcome.FAILED),
        (job_transitions.release(held().job, NOON), Outcome.RELEASED),
        (job_transitions.settle(held().job, NOON + timedelta(hours=1), 3), Outcome.LOST),
        (job_transitions.settle(held().job, NOON + timedelta(hours=1), 1), Outcome.FAILED),
        (job_transitions.take_back(held().job, NOON, ANNA, ""), Outcome.RELEASED),
    ],
)
def test_each_way_to_end_an_attempt_has_its_outcome(step: Step, outcome: Outcome) -> None:
    (fact,) = facts_of(step)
    assert (fact.outcome, fact.worker_id) == (outcome, "w1")


def test_what_no_worker_had_ends_without_durations() -> None:
    cancelled = job_transitions.cancel(waiting().job, NOON, ANNA, "")
    assert cancelled is not None
    assert facts_of(cancelled) == [Fact(NOON, Outcome.CANCELLED, "pdf")]


def test_throwing_an_ended_job_away_and_bringing_it_back_are_no_ends() -> None:
    done = job_transitions.complete(held().job, NOON, None)
    gone = job_transitions.trash(done.job, NOON, ANNA, "")
    back = job_transitions.restore(gone.job, NOON, ANNA)
    again = job_transitions.cancel(waiting().job, NOON, ANNA, "")
    assert again is not None
    assert len(facts_of(done)) == len(facts_of(again)) == 1
    assert facts_of(gone) == facts_of(back) == []


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    (fact,) = facts_of(job_transitions.complete(held().job, NOON - timedelta(hours=1), None))
    assert (fact.waited_microseconds, fact.worked_microseconds) == (5_000_000, 0)


@given(st.lists(FACTS, max_size=30), st.lists(FACTS, max_size=30))
def test_parts_add_up_to_the_whole(first: list[Fact], second: list[Fact]) -> None:
    both = first + second
    assert tally_of(first) + tally_of(second) == tally_of(second) + tally_of(first) == tally_of(both)
    assert by_type(first) + by_type(second) == by_type(both)
    assert sum(by_type(both).named.values(), Tally()) == tally_of(both)
    assert by_worker(both).named.keys() <= {"w1", "w2"}


@given(st.lists(FACTS, min_size=1, max_size=30), st.integers(0, 3))
def test_names_beyond_the_limit_are_counted_with_the_others(facts: list[Fact], most: int) -> None:
    bounded = Named()
    for fact in facts:
        bounded = bounded.plus(by_type([fact]), most)
    assert len(bounded.named) <= most
    assert sum(bounded.named.values(), bounded.others) == tally_of(facts)
    fewer = by_type(facts).largest(most)
    assert len(fewer.named) <= most
    assert sum(fewer.named.values(), fewer.others) == tally_of(facts)


@given(DEPTHS, DEPTHS, DEPTHS)
def test_depths_merge_alike_in_any_order_and_however_often(one: Depth, two: Depth, three: Depth) -> None:
    whole = one.merged(two).merged(three)
    assert three.merged(one).merged(two).highest_pending == whole.highest_pending
    assert two.merged(three.merged(one)).counts == whole.counts
    assert whole.merged(whole) == whole
    assert one.merged(two) == two.merged(one)
    assert whole.at == max(one.at, two.at, three.at)


def test_the_failure_rate_is_of_those_that_were_judged() -> None:
    outcomes = {Outcome.COMPLETED: 6, Outcome.FAILED: 1, Outcome.TIMEOUT: 1, Outcome.CANCELLED: 50, Outcome.PUT_OFF: 9}
    assert Tally(outcomes).failure_rate == 0.25
    assert Tally(outcomes).ended == 58
    assert Tally({Outcome.CANCELLED: 3}).failure_rate is None


@given(MOMENTS, st.sampled_from(Tier))
def test_a_moment_lies_in_its_cell_and_the_cell_in_its_sheet(moment: datetime, tier: Tier) -> None:
    at = place(tier, moment)
    assert at.sheet <= at.cell <= moment < at.cell + tier.length
    assert list(sheets_between(tier, moment, moment)) == [at.sheet]
    assert place(tier, at.cell) == at


@given(MOMENTS, st.sampled_from([tier for tier in Tier if tier is not Tier.EVER]), st.integers(0, 400))
def test_every_cell_of_a_span_lies_in_one_of_its_sheets(first: datetime, tier: Tier, cells: int) -> None:
    sheets = list(sheets_between(tier, first, first + tier.length * cells))
    assert sheets == sorted(set(sheets))
    assert {place(tier, first + tier.length * number).sheet for number in range(cells + 1)} == set(sheets)


@given(MOMENTS, st.sampled_from(list(WINDOWS.values())))
def test_a_window_ends_with_the_step_under_way(now: datetime, window: object) -> None:
    assert window in WINDOWS.values()
    for shown in WINDOWS.values():
        starts = shown.starts(now)
        assert len(starts) == shown.steps
        assert starts[-1] <= now < starts[-1] + shown.step
        assert all(floor(start, shown.step) == start for start in starts)
        assert shown.step % shown.tier.length == timedelta(0)
        kept = shown.tier.kept
        assert kept is not None
        assert kept >= now - starts[0]
