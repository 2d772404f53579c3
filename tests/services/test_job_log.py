"""Logs: appended in batches, each line once, read from either end."""

from datetime import timedelta

import pytest

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.job_log import LogLevel, NewLogEntry
from jobs_app.errors import InvalidError, NotFoundError, PermissionDeniedError
from jobs_app.models import Project
from jobs_app.services import claims, jobs, logs
from jobs_app.services.logs import LogFilter
from tests.conftest import Clock
from tests.factories import claim_job, make_actor, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
ALL = LogFilter()


def lines(*messages: str, first: int | None = 1) -> list[NewLogEntry]:
    return [
        NewLogEntry(message, sequence=None if first is None else first + number)
        for number, message in enumerate(messages)
    ]


def messages(project: Project, id: str, wanted: LogFilter = ALL, **span: int) -> list[str]:
    return [line.message for line in logs.read(COMMAND, project.slug, id, wanted, **span).lines]


def test_lines_keep_what_they_said_and_are_numbered(project: Project, clock: Clock) -> None:
    make_job(project)
    claimed = claim_job(project)
    said = clock.now - timedelta(seconds=3)
    entries = [
        NewLogEntry("started"),
        NewLogEntry("odd", LogLevel.WARNING, said, {"n": 10**30, "f": 1.0}),
    ]
    added = logs.append(COMMAND, project.slug, claimed.job.id, entries, claimed.lease_token)
    assert (added.added, added.end) == (2, 2)
    first, second = logs.read(COMMAND, project.slug, claimed.job.id, ALL).lines
    assert (first.number, first.level, first.time, first.data, first.attempt) == (1, LogLevel.INFO, clock.now, None, 1)
    assert (second.level, second.time, str(second.data)) == (LogLevel.WARNING, said, str({"n": 10**30, "f": 1.0}))


def test_a_batch_sent_again_whole_or_in_part_adds_nothing(project: Project) -> None:
    make_job(project)
    claimed = claim_job(project)
    id, token = claimed.job.id, claimed.lease_token
    logs.append(COMMAND, project.slug, id, lines("a", "b"), token)
    assert logs.append(COMMAND, project.slug, id, lines("a", "b"), token).added == 0
    assert logs.append(COMMAND, project.slug, id, lines("b", "c", first=2), token).added == 1
    assert messages(project, id) == ["a", "b", "c"]


def test_a_batch_of_timed_lines_without_a_sequence_sent_again_adds_nothing(project: Project, clock: Clock) -> None:
    job = make_job(project)
    batch = [NewLogEntry("a", time=clock.now), NewLogEntry("a", time=clock.now)]
    assert logs.append(COMMAND, project.slug, job.id, batch).added == 2
    assert logs.append(COMMAND, project.slug, job.id, batch).added == 0


def test_equal_lines_without_time_and_sequence_are_lines_of_their_own(project: Project) -> None:
    job = make_job(project)
    for _ in range(2):
        logs.append(COMMAND, project.slug, job.id, lines("tick", first=None))
    assert messages(project, job.id) == ["tick", "tick"]


def test_the_next_attempt_counts_from_one_again_and_loses_nothing(project: Project) -> None:
    make_job(project)
    for message in ("first", "second"):
        claimed = claim_job(project)
        logs.append(COMMAND, project.slug, claimed.job.id, lines(message), claimed.lease_token)
        claims.release(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
    assert messages(project, claimed.job.id) == ["first", "second"]


def test_a_log_is_read_on_from_where_one_was(project: Project) -> None:
    job = make_job(project)
    logs.append(COMMAND, project.slug, job.id, lines(*map(str, range(1, 11))))
    first = logs.read(COMMAND, project.slug, job.id, ALL, limit=4)
    assert ([line.message for line in first.lines], first.after, first.end) == (["1", "2", "3", "4"], 4, 10)
    assert messages(project, job.id, after=8) == ["9", "10"]
    assert logs.read(COMMAND, project.slug, job.id, ALL, after=10).after is None


def test_a_log_opens_at_its_end_and_is_read_backwards(project: Project) -> None:
    job = make_job(project)
    logs.append(COMMAND, project.slug, job.id, lines(*map(str, range(1, 11))))
    end = logs.tail(COMMAND, project.slug, job.id, ALL, limit=3)
    assert ([line.message for line in end.lines], end.end) == (["8", "9", "10"], 10)
    earlier = logs.tail(COMMAND, project.slug, job.id, ALL, before=end.before, limit=3)
    assert [line.message for line in earlier.lines] == ["5", "6", "7"]


def test_a_log_is_filtered_by_level_and_text(project: Project) -> None:
    job = make_job(project)
    for level in LogLevel:
        logs.append(COMMAND, project.slug, job.id, [NewLogEntry(f"Page {level}", level), NewLogEntry("other", level)])
    assert messages(project, job.id, LogFilter(LogLevel.WARNING, "page")) == ["Page warning", "Page error"]
    assert len(messages(project, job.id, LogFilter(LogLevel.DEBUG))) == 8


def test_a_download_has_every_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST_PAGE", 3)
    job = make_job(project)
    logs.append(COMMAND, project.slug, job.id, lines(*map(str, range(10))))
    assert [line.message for line in logs.download(COMMAND, project.slug, job.id, ALL)] == list(map(str, range(10)))


def test_without_a_token_it_takes_the_right_to_write(project: Project) -> None:
    job = make_job(project)
    with pytest.raises(PermissionDeniedError):
        logs.append(make_actor(project, Role.VIEWER), project.slug, job.id, lines("a"))
    logs.append(make_actor(project, Role.OPERATOR), project.slug, job.id, lines("a"))
    assert messages(project, job.id) == ["a"]


def test_two_who_write_from_outside_do_not_take_each_others_numbers(project: Project) -> None:
    job = make_job(project)
    for message in ("anna", "ben"):
        logs.append(make_actor(project, Role.OPERATOR), project.slug, job.id, lines(message))
    assert messages(project, job.id) == ["anna", "ben"]


@pytest.mark.parametrize(
    "wrong",
    [[], [NewLogEntry("x")] * 1001, [NewLogEntry("x" * 70_000)], [NewLogEntry("a", sequence=1), NewLogEntry("b")]],
    ids=["none", "too many", "too long", "half numbered"],
)
def test_a_batch_that_makes_no_sense_is_refused_whole(project: Project, wrong: list[NewLogEntry]) -> None:
    job = make_job(project)
    with pytest.raises(InvalidError):
        logs.append(COMMAND, project.slug, job.id, wrong)
    assert messages(project, job.id) == []


def test_a_log_goes_with_its_job_into_the_trash(project: Project) -> None:
    job = make_job(project)
    logs.append(COMMAND, project.slug, job.id, lines("a"))
    jobs.delete(COMMAND, project.slug, job.id)
    with pytest.raises(NotFoundError):
        messages(project, job.id)
    jobs.restore(COMMAND, project.slug, job.id)
    assert messages(project, job.id) == ["a"]
