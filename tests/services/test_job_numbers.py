"""The statistics task: every end is counted once, and nothing that happens later changes what was counted."""

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job_numbers import MOST_TYPES, Outcome
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.number_spans import DAY, Tier
from jobs_app.errors import InvalidError
from jobs_app.models import Project
from jobs_app.services import claims, expiry, job_counts, job_numbers, job_statistics, jobs, retention
from jobs_app.stores.job_numbers import DEPTH, FACTS, SHEETS, SPARE, NumberRecords
from storage_app.records.base import RecordStore
from tests.conftest import Clock
from tests.factories import claim_job, job_in, make_job

pytestmark = pytest.mark.django_db
EVER = Deadline(timedelta(days=1))  # made on import, so longer than any run of the tests


def counted(project: Project, window: str = "1h") -> Mapping[Outcome, int]:
    return job_statistics.of(COMMAND, project.slug, window).total.outcomes


def last_hour(project: Project) -> Mapping[JobState, int | None]:
    return job_statistics.last_hour(COMMAND, project.slug, job_counts.of(COMMAND, project.slug))


def one_of_each(project: Project) -> dict[Outcome, int]:
    for state in JobState:
        if state.is_final:
            job_in(project, state)
    return {Outcome.COMPLETED: 1, Outcome.FAILED: 1, Outcome.TIMEOUT: 1, Outcome.CANCELLED: 1}


def test_each_end_is_counted_once_in_every_tier(project: Project, record_store: RecordStore) -> None:
    expected = one_of_each(project)
    assert record_store.count(project.slug, FACTS.name) == 4
    assert job_numbers.run(EVER)["counted"] == 4
    assert job_numbers.run(EVER)["counted"] == 0
    for window in ("1h", "6h", "24h", "7d", "30d", "90d", "1y"):
        found = job_statistics.of(COMMAND, project.slug, window)
        assert found.total.outcomes == expected
        assert sum(found.types.named.values(), found.types.others) == found.total
    assert record_store.count(project.slug, FACTS.name) == 0


def test_an_attempt_that_goes_back_is_counted_as_what_it_was(
    project: Project, record_store: RecordStore, clock: Clock
) -> None:
    slug = project.slug
    make_job(project, content_type="pdf", max_retries=5)
    first = claim_job(project)
    claims.fail(COMMAND, slug, first.job.id, first.lease_token, Failure("x"), retry_after=timedelta(0))
    second = claim_job(project, "w2")
    claims.release(COMMAND, slug, second.job.id, second.lease_token)
    claim_job(project, "w3", lease_seconds=10)
    clock.advance(seconds=10)
    expiry.run(EVER)
    last = claim_job(project, "w4")
    clock.advance(seconds=20)
    claims.complete(COMMAND, slug, last.job.id, last.lease_token)
    claims.complete(COMMAND, slug, last.job.id, last.lease_token)  # said again
    job_numbers.run(EVER)
    found = job_statistics.of(COMMAND, slug, "1h")
    assert found.total.outcomes == {Outcome.PUT_OFF: 1, Outcome.RELEASED: 1, Outcome.LOST: 1, Outcome.COMPLETED: 1}
    assert found.total.ended == 1
    assert found.total.worked.count == found.total.waited.count == 4
    assert found.total.worked.total_seconds == 30
    hour, day = job_statistics.by_worker(COMMAND, slug)
    assert {name: dict(tally.outcomes) for name, tally in hour.items()} == {
        "w1": {Outcome.PUT_OFF: 1},
        "w2": {Outcome.RELEASED: 1},
        "w3": {Outcome.LOST: 1},
        "w4": {Outcome.COMPLETED: 1},
    }
    assert day == hour


def test_retention_and_the_trash_change_nothing_that_was_or_will_be_counted(
    project: Project, record_store: RecordStore, clock: Clock
) -> None:
    expected = one_of_each(project)
    job_numbers.run(EVER)
    erased = job_in(project, JobState.COMPLETED)
    jobs.delete(COMMAND, project.slug, erased.id)
    jobs.erase(COMMAND, project.slug, erased.id)  # before it was counted
    clock.advance(days=8)
    assert sum(retention.run(EVER).values()) == 4
    job_numbers.run(EVER)
    assert counted(project, "30d") == {**expected, Outcome.COMPLETED: 2}
    assert job_statistics.of(COMMAND, project.slug, "30d").counts.total == 0


def test_two_who_count_at_once_count_nothing_twice(
    project: Project, record_store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_numbers, "BATCH", 2)
    expected = Counter[Outcome]()
    for _ in range(3):
        expected.update(one_of_each(project))
    both_read = threading.Barrier(2, timeout=20)
    really, waits = NumberRecords.count, threading.local()

    def together(self: NumberRecords, facts: Mapping[str, object]) -> bool:
        if not getattr(waits, "over", False):
            waits.over = True
            both_read.wait()  # both hold the same facts now
        return really(self, facts)  # type: ignore[arg-type]  # handed through as it came

    monkeypatch.setattr(NumberRecords, "count", together)
    told: list[int] = []
    run = lambda: told.append(job_numbers.count(record_store, project.slug, EVER))  # noqa: E731
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not both_read.broken
    assert sum(told) == 12
    assert counted(project) == expected


def test_a_clock_that_was_set_back_loses_nothing(project: Project, record_store: RecordStore, clock: Clock) -> None:
    job_in(project, JobState.COMPLETED)
    make_job(project)
    held = claim_job(project)
    job_numbers.run(EVER)
    clock.advance(hours=-3)
    claims.complete(COMMAND, project.slug, held.job.id, held.lease_token)
    job_in(project, JobState.COMPLETED)
    job_numbers.run(EVER)
    clock.advance(hours=3)
    job_in(project, JobState.COMPLETED)
    job_numbers.run(EVER)
    found = job_statistics.of(COMMAND, project.slug, "6h")
    assert found.total.outcomes == {Outcome.COMPLETED: 4}
    assert [step.tally.ended for step in found.steps if step.tally.ended] == [2, 2]
    assert found.total.worked.total_seconds == 0


def test_ends_fall_into_the_minute_they_happened_in(project: Project, record_store: RecordStore, clock: Clock) -> None:
    clock.now = clock.now.replace(minute=30, second=0, microsecond=0)
    job_in(project, JobState.COMPLETED)
    clock.advance(minutes=2)
    job_in(project, JobState.FAILED)
    job_in(project, JobState.COMPLETED)
    clock.advance(minutes=7)  # the task comes late
    job_numbers.run(EVER)
    steps = job_statistics.of(COMMAND, project.slug, "1h").steps
    assert [(number, step.tally.ended) for number, step in enumerate(steps) if step.tally.ended] == [(50, 1), (52, 2)]


def test_tiers_are_pruned_and_larger_ones_stay(project: Project, record_store: RecordStore, clock: Clock) -> None:
    job_in(project, JobState.COMPLETED)
    job_numbers.run(EVER)
    sheets = record_store.count(project.slug, SHEETS.name)
    clock.advance(days=3)
    assert job_numbers.run(EVER)["sheets_removed"] == 4  # the minutes of all aspects
    assert record_store.count(project.slug, SHEETS.name, {"tier": "hour"}) == 5
    clock.advance(days=60)
    job_numbers.run(EVER)
    assert (counted(project, "30d"), counted(project, "90d")) == ({}, {Outcome.COMPLETED: 1})
    assert record_store.count(project.slug, SHEETS.name) <= sheets + 3
    clock.advance(days=4000)
    job_numbers.run(EVER)
    assert NumberRecords(record_store, project.slug).ever(clock.now).ended == 1


def test_the_age_of_the_oldest_grows_while_the_queue_is_stuck(
    project: Project, record_store: RecordStore, clock: Clock
) -> None:
    make_job(project)
    for _ in range(3):
        clock.advance(minutes=1)
        job_numbers.run(EVER)
    found = job_statistics.of(COMMAND, project.slug, "1h")
    ages = [step.depth.oldest_seconds for step in found.steps if step.depth is not None]
    assert ages == [60, 120, 180]
    assert found.total.waited.count == 0  # which alone would say that nobody waits
    assert (found.now.due, found.now.oldest_seconds) == (1, 180)


def test_old_jobs_that_were_put_back_lately_do_not_hide_who_waits_longest(
    project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_counts, "_LOOKED_AT", 2)
    old = [job_in(project, JobState.FAILED) for _ in range(3)]
    waiting = make_job(project)
    clock.advance(minutes=5)
    for job in old:
        jobs.retry(COMMAND, project.slug, job.id)
    queue = job_counts.queue(COMMAND, project.slug)
    assert (queue.due, queue.oldest and queue.oldest.id) == (4, waiting.id)


def test_a_moment_nobody_noted_is_a_gap(project: Project, record_store: RecordStore, clock: Clock) -> None:
    clock.now = clock.now.replace(second=1)
    make_job(project)
    job_numbers.run(EVER)
    clock.advance(minutes=3)
    job_numbers.run(EVER)
    depths = [step.depth and step.depth.counts[JobState.PENDING] for step in
              job_statistics.of(COMMAND, project.slug, "1h").steps][-4:]  # fmt: skip
    assert depths == [1, None, None, 1]


def test_the_change_of_the_last_hour(project: Project, record_store: RecordStore, clock: Clock) -> None:
    make_job(project)
    make_job(project)
    job_numbers.run(EVER)
    assert last_hour(project)[JobState.PENDING] is None
    clock.advance(hours=1)
    held = claim_job(project)
    claims.complete(COMMAND, project.slug, held.job.id, held.lease_token)
    claim_job(project)
    job_numbers.run(EVER)
    assert last_hour(project) == {
        JobState.PENDING: -2,
        JobState.PROCESSING: 1,
        JobState.COMPLETED: 1,
        JobState.FAILED: 0,
        JobState.TIMEOUT: 0,
        JobState.CANCELLED: 0,
    }


def test_content_types_beyond_the_limit_are_with_the_others(project: Project, record_store: RecordStore) -> None:
    for number in range(MOST_TYPES + 3):
        job = make_job(project, content_type=f"type/{number}")
        jobs.cancel(COMMAND, project.slug, job.id)
    job_numbers.run(EVER)
    types = job_statistics.of(COMMAND, project.slug, "24h").types
    assert len(types.named) == MOST_TYPES
    assert (sum(tally.ended for tally in types.named.values()), types.others.ended) == (MOST_TYPES, 3)


def test_a_sheet_that_makes_no_sense_is_set_aside_and_counting_goes_on(
    project: Project, record_store: RecordStore, clock: Clock
) -> None:
    job_in(project, JobState.COMPLETED)
    job_numbers.run(EVER)
    damaged = [sheet for sheet in record_store.query(project.slug, SHEETS.name).records
               if sheet.document["tier"] == "minute" and sheet.document["aspect"] in ("whole", "depth")]  # fmt: skip
    assert len(damaged) == 2
    for sheet in damaged:
        cells = {start: {"odd": True} for start in sheet.document["cells"]}
        record_store.update(project.slug, SHEETS.name, sheet.id, {"cells": cells})
    job_in(project, JobState.COMPLETED)
    assert job_numbers.run(EVER)["counted"] == 1
    assert counted(project, "1h") == {Outcome.COMPLETED: 1}
    assert counted(project, "7d") == {Outcome.COMPLETED: 2}
    assert {item.record_id for item in record_store.quarantined(project.slug)} == {sheet.id for sheet in damaged}
    assert record_store.get(project.slug, SHEETS.name, f"{damaged[0].id}{SPARE}").version == 1
    for item, sheet in zip(sorted(record_store.quarantined(project.slug), key=lambda item: str(item.record_id)),
                           sorted(damaged, key=lambda sheet: str(sheet.id)), strict=True):  # fmt: skip
        record_store.quarantine_restore(project.slug, item.id)
        record_store.update(project.slug, SHEETS.name, sheet.id, {"cells": sheet.document["cells"]})
    assert counted(project, "1h") == {Outcome.COMPLETED: 2}


def test_a_fact_that_makes_no_sense_holds_up_none_of_the_others(project: Project, record_store: RecordStore) -> None:
    record_store.insert(project.slug, FACTS.name, {"at": "yesterday"})
    job_in(project, JobState.COMPLETED)
    assert job_numbers.run(EVER)["counted"] == 1
    assert [item.collection for item in record_store.quarantined(project.slug)] == [FACTS.name]


def test_projects_do_not_mix(project: Project, other_project: Project, record_store: RecordStore) -> None:
    job_in(project, JobState.COMPLETED)
    job_in(other_project, JobState.FAILED)
    job_numbers.run(EVER)
    assert counted(project) == {Outcome.COMPLETED: 1}
    assert counted(other_project) == {Outcome.FAILED: 1}


def test_a_depth_is_noted_in_every_tier_and_keeps_the_highest(
    project: Project, record_store: RecordStore, clock: Clock
) -> None:
    clock.now = clock.now.replace(hour=12, minute=0)
    made = [make_job(project) for _ in range(3)]
    job_numbers.run(EVER)
    for job in made[:2]:
        jobs.cancel(COMMAND, project.slug, job.id)
    clock.advance(minutes=5)
    job_numbers.run(EVER)
    records = NumberRecords(record_store, project.slug)
    for tier in (Tier.HOUR, Tier.DAY):
        (depth,) = records.cells(DEPTH, tier, clock.now - DAY * 1.0, clock.now).values()
        assert (depth.counts[JobState.PENDING], depth.highest_pending) == (1, 3)
        assert depth.stored_bytes


def test_an_unknown_window_is_refused(project: Project, record_store: RecordStore) -> None:
    with pytest.raises(InvalidError, match="choose one of 1h"):
        job_statistics.of(COMMAND, project.slug, "2h")
