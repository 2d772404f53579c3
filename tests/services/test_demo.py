"""The sample data: there at once, in every state, never twice; and a fleet that keeps at it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job_states import JobState
from jobs_app.domain.library import Kind
from jobs_app.domain.segment import Tier
from jobs_app.domain.waiting import WaitingCode
from jobs_app.errors import ConflictError, NotFoundError
from jobs_app.models import Membership, Token
from jobs_app.services import (
    demo,
    events,
    files,
    free_records,
    job_counts,
    jobs,
    library,
    logs,
    pauses,
    projects,
    runs,
    segments,
    waiting,
    workers,
)
from jobs_app.services.demo import SLUG
from jobs_app.services.demo_fleet import Fleet
from jobs_app.services.job_counts import JobCounts
from jobs_app.services.jobs import JobFilter
from jobs_app.services.logs import LogFilter
from jobs_app.services.segments import SegmentFilter
from storage_app.records import configured
from tests.conftest import Clock

PAST = timedelta(hours=5)
SHORT_PAST = timedelta(minutes=10)
pytestmark = pytest.mark.django_db


@pytest.fixture
def lasting(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """A record store that the sample data can open a second time, with a clock of its own."""
    settings.RECORD_STORE = {"backend": "file", "options": {"file": {"root": tmp_path / "records"}}}
    settings.FILE_STORAGES = {"default": {"provider": "local", "root_path": str(tmp_path / "files")}}
    with configured.using(configured.open_backend("file")) as store:
        yield
        store.close()


@pytest.fixture
def seeded(lasting: None) -> None:
    demo.seed(PAST)


def test_the_sample_shows_everything_at_once_and_comes_only_once(seeded: None) -> None:
    """One story, as the sample takes seconds to make."""
    there_is_something_on_every_page()
    the_past_lies_in_the_past_and_is_in_order()
    what_is_rare_is_there()
    there_are_jobs_in_every_state_and_nothing_is_made_twice()


def there_are_jobs_in_every_state_and_nothing_is_made_twice() -> None:
    counts = job_counts.of(COMMAND, SLUG)
    empty = {state for state, number in counts.by_state.items() if not number}
    assert empty <= {JobState.PROCESSING}, "which is the live fleet's part"
    assert counts.trashed
    people, programs = Membership.objects.count(), Token.objects.count()
    demo.seed(PAST)
    assert job_counts.of(COMMAND, SLUG) == counts
    assert (Membership.objects.count(), Token.objects.count()) == (people, programs)


def there_is_something_on_every_page() -> None:
    drawn = {run.run.name: run for run in runs.find(COMMAND, SLUG).items}
    nightly = drawn["Wiki, nightly"]
    assert nightly.tally.documents == 24
    assert jobs.find(COMMAND, SLUG, JobFilter(run_id=nightly.run.id)).jobs
    assert {each.name for each in library.listed(COMMAND, SLUG, Kind.PROMPTS)} == {"summarise", "extract-links"}
    assert {each.tier for each in segments.find(COMMAND, SLUG, SegmentFilter()).segments} == set(Tier)
    assert [each.name for each in free_records.collections(COMMAND, SLUG)] == ["customers", "tasks"]


def test_files_stay_on_this_machine(lasting: None, settings: Settings) -> None:
    settings.FILE_STORAGES = {"default": {"provider": "memory"}}
    demo.seed(SHORT_PAST)
    assert files.listed(COMMAND, SLUG, "default") == []
    assert runs.find(COMMAND, SLUG).items == []


def the_past_lies_in_the_past_and_is_in_order() -> None:
    oldest = jobs.find(COMMAND, SLUG, JobFilter(statuses=[JobState.COMPLETED]), "created_at", limit=1).jobs[0]
    newest = jobs.find(COMMAND, SLUG, JobFilter(), "-created_at", limit=1).jobs[0]
    assert newest.created_at - oldest.created_at > PAST / 2
    assert oldest.id < newest.id
    story = [event.at for _, event in events.of(COMMAND, SLUG, oldest.id).lines]
    assert len(story) >= 3
    assert story == sorted(story)
    assert logs.read(COMMAND, SLUG, oldest.id, LogFilter()).end > 0


def what_is_rare_is_there() -> None:
    assert [pause.content_type for pause in pauses.of(COMMAND, SLUG)] == ["image/heic"]
    assert any(state.is_safe_to_stop for state in workers.of(COMMAND, SLUG).workers)
    (long,) = jobs.find(COMMAND, SLUG, JobFilter(content_type="application/x-tar")).jobs
    assert logs.tail(COMMAND, SLUG, long.id, LogFilter()).end == demo.LONG_LOG
    (unserved,) = jobs.find(COMMAND, SLUG, JobFilter([JobState.PENDING], text="site-visit-0001.mp4")).jobs
    assert [reason.code for reason in waiting.why(COMMAND, SLUG, unserved.id).reasons] == [WaitingCode.NO_WORKER]
    everything = jobs.find(COMMAND, SLUG, JobFilter(text="onerror"), limit=200).jobs
    assert everything, "names or errors that try to be more than text"


@pytest.fixture
def briefly_seeded(lasting: None) -> None:
    """For what goes on from there."""
    demo.seed(SHORT_PAST)


def test_the_fleet_brings_work_through_every_end(briefly_seeded: None, clock: Clock) -> None:
    """Until it has shown all, as chance decides which end comes when; four hours at the most, by a clock that the
    test moves.
    """
    with configured.using(configured.open_backend("file", clock=clock)) as store:
        before = after = job_counts.of(COMMAND, SLUG)
        fleet = Fleet(SLUG, demo.crew(), Random(3))
        end = clock.now.timestamp() + 4 * 3600
        seen: set[JobState] = set()
        while clock.now.timestamp() < end and not (seen == set(JobState) and _has_worked(before, after)):
            fleet.step()
            after = job_counts.of(COMMAND, SLUG)
            seen |= {state for state, number in after.by_state.items() if number}
            clock.advance(seconds=max(fleet.rest().total_seconds(), 0.1))
        held = jobs.find(COMMAND, SLUG, JobFilter([JobState.PROCESSING])).jobs
        fleet.stop()
        left = [
            job
            for job in jobs.find(COMMAND, SLUG, JobFilter([JobState.PROCESSING])).jobs
            if job.worker_id != "jonas-laptop"
        ]
        store.close()
    assert seen == set(JobState)
    assert _has_worked(before, after)
    assert held
    assert left == [], "what was held is given back; a closed laptop's job waits for its lease"


def _has_worked(before: JobCounts, after: JobCounts) -> bool:
    def more(state: JobState) -> int:
        return after.matching([state]) - before.matching([state])

    holds = after.matching([JobState.PROCESSING]) > 0
    return holds and more(JobState.COMPLETED) > 40 and more(JobState.FAILED) > 0


def test_a_worker_of_the_fleet_stops_where_an_operator_wants_it(briefly_seeded: None, clock: Clock) -> None:
    with configured.using(configured.open_backend("file", clock=clock)) as store:
        fleet = Fleet(SLUG, demo.crew(), Random(5))
        while not (running := jobs.find(COMMAND, SLUG, JobFilter([JobState.PROCESSING], worker_id="gpu-a100")).jobs):
            clock.advance(seconds=1)
            fleet.step()
        jobs.cancel(COMMAND, SLUG, running[0].id, "wrong file")
        for _ in range(40):
            clock.advance(seconds=1)
            fleet.step()
        assert jobs.get(COMMAND, SLUG, running[0].id).status in (JobState.CANCELLED, JobState.COMPLETED)
        store.close()


def test_the_fleet_of_a_deleted_project_is_told_so_and_a_revoked_token_is_made_anew(briefly_seeded: None) -> None:
    Token.objects.filter(name=demo.WORKER).delete()
    assert demo.crew().worker.name == demo.WORKER
    projects.delete(COMMAND, SLUG, SLUG)
    with pytest.raises(NotFoundError):
        demo.fleet()


def test_records_in_memory_are_refused_since_the_fleet_would_not_see_them(settings: Settings) -> None:
    settings.RECORD_STORE = {"backend": "memory", "options": {}}
    with pytest.raises(ConflictError, match="HOLDFAST_RECORD_STORE"):
        demo.require_lasting_records()
