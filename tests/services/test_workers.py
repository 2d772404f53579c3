"""Workers, pauses, and why a job waits."""

from datetime import timedelta
from typing import Any

import pytest

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import ConflictError, InvalidError, NotFoundError, PermissionDeniedError
from jobs_app.models import AuditEntry, Project
from jobs_app.services import claims, expiry, jobs, pauses, waiting, workers
from jobs_app.services.claims import ClaimRequest
from storage_app.records.base import RecordStore
from tests.conftest import Clock
from tests.factories import claim_job, job_in, make_actor, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
EVER = Deadline(timedelta(days=1))  # made on import, so longer than any run of the tests


def ask(project: Project, worker_id: str = "w1", **asked: object) -> int:
    """How many jobs a claim of up to a hundred comes back with."""
    request = ClaimRequest(worker_id, **{"limit": 100, **asked})  # type: ignore[arg-type]  # each test names its own fields
    return len(claims.claim(COMMAND, project.slug, request))


class TestWorkers:
    def test_who_asks_for_work_is_known_with_what_they_said_and_hold(self, project: Project, clock: Clock) -> None:
        make_job(project)
        claimed = claim_job(project, "w1", content_types=None, software_version="2.1", capabilities={"gpu": True})
        ask(project, "idle", content_types=["pdf"])
        states = {state.worker.id: state for state in workers.of(COMMAND, project.slug).workers}
        assert states.keys() == {"w1", "idle"}
        assert [job.id for job in states["w1"].holds] == [claimed.job.id]
        assert (states["w1"].worker.software_version, states["w1"].worker.capabilities) == ("2.1", {"gpu": True})
        assert (states["idle"].holds, states["idle"].worker.content_types) == ([], ("pdf",))

    def test_what_all_of_them_hold_is_asked_for_together(
        self, project: Project, record_store: RecordStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jobs.create_many(COMMAND, project.slug, [NewJob()] * 6)
        for worker_id in ("w0", "w1", "w2", "w2", "w2"):
            claim_job(project, worker_id)
        ask(project, "idle", content_types=["none"])
        query, asked = record_store.query, []

        def noted(*question: Any, **options: Any) -> Any:
            asked.append(question)
            return query(*question, **options)

        monkeypatch.setattr(record_store, "query", noted)
        states = workers.of(COMMAND, project.slug).workers
        assert {state.worker.id: len(state.holds) for state in states} == {"w0": 1, "w1": 1, "w2": 3, "idle": 0}
        assert [collection for _, collection, *_ in asked] == ["workers", "jobs"]
        monkeypatch.setattr(workers, "_PAGE", 2)  # where very many are at work, those of other workers are left out
        assert workers.of(COMMAND, project.slug).workers == states

    def test_the_last_beat_is_that_of_what_it_holds(self, project: Project, clock: Clock) -> None:
        make_job(project)
        claimed = claim_job(project, "w1", lease_seconds=3600)
        clock.advance(seconds=20)
        claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
        assert workers.get(COMMAND, project.slug, "w1").last_beat_at == clock.now

    def test_a_drained_worker_gets_nothing_new_and_is_safe_to_stop_when_its_hands_are_empty(
        self, project: Project
    ) -> None:
        jobs.create_many(COMMAND, project.slug, [NewJob()] * 2)
        claimed = claim_job(project, "w1")
        anna = make_actor(project, Role.OPERATOR)
        drained = workers.drain(anna, project.slug, "w1", "new disk")
        assert (drained.drained and drained.drained.why, drained.is_safe_to_stop) == ("new disk", False)
        assert ask(project, "w1") == 0
        claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
        claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
        assert workers.get(COMMAND, project.slug, "w1").is_safe_to_stop
        assert ask(project, "w2", limit=1) == 1
        workers.resume(anna, project.slug, "w1")
        assert not workers.get(COMMAND, project.slug, "w1").is_safe_to_stop
        assert list(AuditEntry.objects.values_list("action", flat=True)[:2]) == ["worker.resume", "worker.drain"]

    def test_of_two_who_drain_a_worker_the_last_one_with_a_reason_is_named(self, project: Project) -> None:
        ask(project, "w1")
        for reason in ("", "new disk", "", "another disk", ""):
            workers.drain(COMMAND, project.slug, "w1", reason)
        drained = workers.get(COMMAND, project.slug, "w1").drained
        assert drained is not None
        assert drained.why == "another disk"

    def test_a_silent_worker_disappears_after_a_day_and_its_drain_with_it(self, project: Project, clock: Clock) -> None:
        ask(project, "w1")
        workers.drain(COMMAND, project.slug, "w1")
        clock.advance(hours=23, minutes=59)
        assert len(workers.of(COMMAND, project.slug).workers) == 1
        clock.advance(minutes=1)
        assert workers.of(COMMAND, project.slug).workers == []
        assert expiry.run(EVER)["workers_forgotten"] == 1
        make_job(project)
        assert ask(project, "w1") == 1

    def test_a_worker_that_holds_a_job_for_days_does_not_disappear(self, project: Project, clock: Clock) -> None:
        make_job(project)
        claimed = claim_job(project, "w1", lease_seconds=86_400)
        for _ in range(4):
            clock.advance(hours=12)
            claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
        assert [state.worker.id for state in workers.of(COMMAND, project.slug).workers] == ["w1"]

    def test_the_record_of_a_worker_that_makes_no_sense_is_made_anew(
        self, project: Project, record_store: RecordStore
    ) -> None:
        ask(project, "w1")
        record_store.update(project.slug, "workers", "w1", {"capabilities": 5})
        assert workers.of(COMMAND, project.slug).workers == []
        ask(project, "w1")
        assert workers.get(COMMAND, project.slug, "w1").worker.capabilities == {}

    def test_an_unknown_worker_and_a_viewer_are_refused(self, project: Project) -> None:
        with pytest.raises(NotFoundError):
            workers.drain(COMMAND, project.slug, "nobody")
        ask(project, "w1")
        with pytest.raises(PermissionDeniedError):
            workers.drain(make_actor(project, Role.VIEWER), project.slug, "w1")


class TestPauses:
    @pytest.fixture(autouse=True)
    def _waiting_jobs(self, project: Project, record_store: RecordStore) -> None:
        for kind in ("pdf", "html", ""):
            make_job(project, content_type=kind)

    def test_a_paused_project_gives_nothing_until_it_is_resumed(self, project: Project) -> None:
        pauses.pause(COMMAND, project.slug, None, "moving house")
        assert ask(project) == ask(project, content_types=["pdf"]) == 0
        pauses.resume(COMMAND, project.slug, None)
        assert ask(project) == 3

    def test_a_paused_content_type_is_passed_over(self, project: Project) -> None:
        pauses.pause(COMMAND, project.slug, "pdf", "parser is broken")
        assert ask(project, content_types=["pdf"]) == 0
        assert ask(project, content_types=["pdf", "html"]) == 1
        assert ask(project) == 1
        pauses.resume(COMMAND, project.slug, "pdf")
        assert ask(project) == 1

    def test_it_is_said_who_and_why(self, project: Project) -> None:
        anna = make_actor(project, Role.OPERATOR)
        pauses.pause(anna, project.slug, "pdf", "parser is broken")
        pauses.pause(anna, project.slug, None, "moving house")
        found = pauses.of(anna, project.slug)
        assert [(pause.content_type, pause.stop.by.name, pause.stop.why) for pause in found] == [
            (None, anna.name, "moving house"),
            ("pdf", anna.name, "parser is broken"),
        ]
        actions = list(AuditEntry.objects.values_list("action", "target_name")[:2])
        assert actions == [("project.pause", project.slug), ("content_type.pause", "pdf")]

    def test_what_is_held_goes_on(self, project: Project) -> None:
        claimed = claim_job(project)
        pauses.pause(COMMAND, project.slug, None, "moving house")
        claims.heartbeat(COMMAND, project.slug, claimed.job.id, claimed.lease_token)
        assert claims.complete(COMMAND, project.slug, claimed.job.id, claimed.lease_token).status is JobState.COMPLETED

    def test_what_is_not_paused_cannot_be_resumed_and_a_pause_has_a_reason(self, project: Project) -> None:
        for kind in (None, "pdf"):
            with pytest.raises(NotFoundError):
                pauses.resume(COMMAND, project.slug, kind)
            with pytest.raises(InvalidError):
                pauses.pause(COMMAND, project.slug, kind, " ")
        with pytest.raises(PermissionDeniedError):
            pauses.pause(make_actor(project, Role.VIEWER), project.slug, None, "why not")


class TestWhyItWaits:
    def codes(self, project: Project, id: str) -> list[str]:
        return [reason.code.value for reason in waiting.why(COMMAND, project.slug, id).reasons]

    def test_each_reason_is_found(self, project: Project, clock: Clock) -> None:
        job = make_job(project, content_type="pdf", priority=-1)
        assert self.codes(project, job.id) == ["no_worker"]
        ask(project, "other", content_types=["html"])
        assert self.codes(project, job.id) == ["no_worker"]
        make_job(project, content_type="pdf")
        claim_job(project, "w1", content_types=["pdf"])
        assert self.codes(project, job.id) == ["workers_busy"]
        ask(project, "w2", content_types=["csv"])
        workers.drain(COMMAND, project.slug, "w1")
        assert self.codes(project, job.id) == ["workers_drained"]
        pauses.pause(COMMAND, project.slug, "pdf", "broken")
        pauses.pause(COMMAND, project.slug, None, "night")
        jobs.change(COMMAND, project.slug, job.id, {"not_before": clock.now + timedelta(hours=1)})
        assert self.codes(project, job.id) == ["not_due", "project_paused", "content_type_paused"]
        assert waiting.why(COMMAND, project.slug, job.id).position is None

    def test_a_worker_not_heard_of_for_long_is_none(self, project: Project, clock: Clock) -> None:
        ask(project, "w1")
        job = make_job(project)
        assert self.codes(project, job.id) == ["in_queue"]
        clock.advance(minutes=3)
        assert self.codes(project, job.id) == ["no_worker"]

    def test_the_place_in_the_queue(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        made = [make_job(project, priority=priority) for priority in (0, 5, 0, 9)]
        places = []
        for job in made:
            position = waiting.why(COMMAND, project.slug, job.id).position
            assert position is not None
            places.append((position.place, position.exact, position.of))
        assert places == [(3, True, 4), (2, True, 4), (4, True, 4), (1, True, 4)]
        monkeypatch.setattr(waiting, "COUNTED", 1)
        position = waiting.why(COMMAND, project.slug, made[2].id).position
        assert position is not None
        assert (position.place, position.exact) == (4, False)

    def test_what_does_not_wait_has_no_reason(self, project: Project) -> None:
        job = job_in(project, JobState.COMPLETED)
        with pytest.raises(ConflictError, match="completed"):
            waiting.why(COMMAND, project.slug, job.id)
