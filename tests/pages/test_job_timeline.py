"""A time line covers everything from the making of a job to its end, to scale."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs_app.domain.job import Attempt, Job
from jobs_app.domain.job_states import JobState
from jobs_app.pages import job_timeline

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def attempt(number: int, planned: float, started: float, ended: float, outcome: str) -> Attempt:
    return Attempt(number, "w1", at(planned), at(started), at(ended), outcome)


def job(status: JobState, **fields: object) -> Job:
    return Job("1", 1, "x", START, status=status, **fields)  # type: ignore[arg-type]  # a few of many fields


def test_waiting_running_and_gaps_lie_where_they_were() -> None:
    attempts = [attempt(1, 0, 10, 30, "put_off"), attempt(2, 50, 60, 100, "completed")]
    drawn = job_timeline.draw(job(JobState.COMPLETED, completed_at=at(100)), attempts, at(500))
    assert [(span.kind, span.tone, span.x, span.width) for span in drawn.spans] == [
        ("waiting", "pending", 0, 10),
        ("running", "failed", 10, 20),
        ("gap", "neutral", 30, 20),
        ("waiting", "pending", 50, 10),
        ("running", "completed", 60, 40),
    ]
    assert drawn.is_over
    assert [tick.label for tick in drawn.ticks] == ["0", "25 min", "50 min", "1 h 15 min", "1 h 40 min"]


def test_a_job_under_way_grows_to_now() -> None:
    running = job(
        JobState.PROCESSING, attempt=1, worker_id="w1", waiting_since=START, started_at=at(5), heartbeat_at=at(9)
    )
    drawn = job_timeline.draw(running, [], at(10))
    assert [(span.kind, span.x, span.width) for span in drawn.spans] == [("waiting", 0, 50), ("running", 50, 50)]
    assert (drawn.rows[0].outcome, drawn.rows[0].ended_at, drawn.is_over) == ("Under way", None, False)


def test_what_waits_for_its_time_is_a_gap_and_not_waiting() -> None:
    drawn = job_timeline.draw(job(JobState.PENDING, waiting_since=at(100), not_before=at(100)), [], at(50))
    assert [(span.kind, span.width) for span in drawn.spans] == [("gap", 100)]


def test_a_job_cancelled_between_attempts_is_drawn_to_its_end() -> None:
    attempts = [attempt(1, 0, 0, 50, "put_off")]
    cancelled = job(JobState.CANCELLED, completed_at=at(100), waiting_since=at(75))
    assert [(span.kind, span.x) for span in job_timeline.draw(cancelled, attempts, at(200)).spans] == [
        ("running", 0),
        ("gap", 50),
        ("waiting", 75),
    ]


@pytest.mark.parametrize("minutes", [0, 0.00001, 60 * 24 * 400])
def test_what_took_no_time_is_still_seen_and_nothing_leaves_the_frame(minutes: float) -> None:
    attempts = [attempt(1, 0, 0, 0, "failed"), attempt(2, minutes, minutes, minutes, "failed")]
    drawn = job_timeline.draw(job(JobState.FAILED, completed_at=at(minutes)), attempts, at(minutes))
    running = [span for span in drawn.spans if span.kind == "running"]
    assert len(running) == 2
    for span in drawn.spans:
        assert span.width >= job_timeline.NARROWEST
        assert span.x >= 0
        assert span.x + span.width <= 100.001


def test_only_the_last_of_many_attempts_are_drawn_from_where_they_begin() -> None:
    attempts = [attempt(51, 90, 95, 100, "failed")]
    drawn = job_timeline.draw(job(JobState.FAILED, completed_at=at(100)), attempts, at(100), left_out=50)
    assert (drawn.start, drawn.left_out, drawn.spans[0].kind) == (at(90), 50, "waiting")


def test_every_outcome_has_a_tone_and_a_word() -> None:
    ends = {"completed", "failed", "put_off", "released", "lease_lost", "gave_up", "timed_out", "cancelled"}
    assert set(job_timeline.OUTCOMES) == ends
