"""A claim that waits, and a log that is followed: told at once, and by nobody's thread."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from django.db import connection
from django.http import HttpResponse

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job_log import NewLogEntry
from jobs_app.domain.job_states import JobState
from jobs_app.live import hub
from jobs_app.models import Project
from jobs_app.services import claims, jobs, logs, pauses, projects, workers
from jobs_app.services.project_jobs import now
from jobs_app.streaming import Caller, EventStream, Later
from storage_app.records.configured import record_store
from tests.api.client import Api
from tests.factories import claim_job, make_job, make_token

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("record_store")]
T = TypeVar("T")
JOBS = "/projects/alpha/jobs"
SOON = 15.0  # far sooner than a wait ends, on a machine however busy; what is quick is measured by the benchmark


@pytest.fixture
def api(project: Project) -> Api:
    return Api(make_token(project))


def in_thread(function: Callable[..., T], /, *arguments: object) -> Awaitable[T]:
    def run() -> T:
        try:
            return function(*arguments)
        finally:
            connection.close()

    return asyncio.to_thread(run)


def play(scene: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(scene, 30))


def waiting(api: Api, seconds: float = 20, worker_id: str = "w1", **asked: Any) -> Later:
    """A claim that found nothing and is to wait."""
    answer: object = api.post(f"{JOBS}/claim", {"worker_id": worker_id, "wait_seconds": seconds, **asked})
    assert isinstance(answer, Later), getattr(answer, "content", answer)
    return answer


def given(answer: HttpResponse) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [job["name"] for job in json.loads(answer.content)["jobs"]]


async def after_a_moment(act: Callable[[], Any], pause: float = 0.3) -> float:
    """When `act` was done, some time after the waiting began."""
    await asyncio.sleep(pause)
    await in_thread(act)
    return time.monotonic()


async def both(later: Later, act: Callable[[], Any]) -> tuple[HttpResponse, float]:
    """The answer, and how long it took after `act`."""
    answering = asyncio.ensure_future(_timed(later.final(Caller(in_thread))))
    acted_at = await after_a_moment(act)
    answer, answered_at = await answering
    return answer, answered_at - acted_at


async def _timed(answer: Awaitable[HttpResponse]) -> tuple[HttpResponse, float]:
    return await answer, time.monotonic()


def test_a_job_is_given_as_soon_as_it_is_made(api: Api, project: Project) -> None:
    answer, took = play(both(waiting(api), lambda: make_job(project, name="a")))
    assert given(answer) == ["a"]
    assert took < SOON


def test_a_job_is_given_as_soon_as_its_time_has_come(api: Api, project: Project) -> None:
    make_job(project, name="later", not_before=now() + timedelta(seconds=1))
    later = waiting(api)
    answer = play(later.final(Caller(in_thread)))
    assert given(answer) == ["later"]
    job = json.loads(answer.content)["jobs"][0]
    assert job["waiting_duration"] < SOON


def test_a_job_that_is_put_off_while_one_waits_is_given_at_its_new_time(api: Api, project: Project) -> None:
    job = make_job(project, name="a", not_before=now() + timedelta(hours=1))
    sooner = {"not_before": now() + timedelta(seconds=0.5)}
    answer, _ = play(both(waiting(api), lambda: jobs.change(COMMAND, project.slug, job.id, sooner)))
    assert given(answer) == ["a"]


def test_a_lost_workers_job_is_given_when_its_lease_ends_without_a_sweep(api: Api, project: Project) -> None:
    make_job(project, name="a")
    claim_job(project, "lost", lease_seconds=1)
    assert given(play(waiting(api).final(Caller(in_thread)))) == ["a"]


def test_the_end_of_a_pause_is_heard(api: Api, project: Project) -> None:
    make_job(project, name="a")
    pauses.pause(COMMAND, project.slug, None, "night")
    answer, took = play(both(waiting(api), lambda: pauses.resume(COMMAND, project.slug, None)))
    assert given(answer) == ["a"]
    assert took < SOON


def test_when_nothing_comes_in_time_the_answer_is_empty(api: Api) -> None:
    began = time.monotonic()
    assert given(play(waiting(api, seconds=0.5).final(Caller(in_thread)))) == []
    assert 0.5 <= time.monotonic() - began < SOON


def test_only_what_was_asked_for_is_given(api: Api, project: Project) -> None:
    answer, _ = play(
        both(waiting(api, seconds=1, content_types=["pdf"]), lambda: make_job(project, content_type="html"))
    )
    assert given(answer) == []


def test_who_hangs_up_takes_nothing(api: Api, project: Project) -> None:
    async def scene() -> HttpResponse:
        caller = Caller(in_thread)
        answering = asyncio.ensure_future(waiting_claim.final(caller))
        await asyncio.sleep(0.3)
        caller.close()
        answer = await asyncio.wait_for(answering, SOON)
        await in_thread(make_job, project)
        return answer

    waiting_claim = waiting(api)
    assert given(play(scene())) == []
    assert jobs.find(COMMAND, project.slug, jobs.JobFilter()).jobs[0].status is JobState.PENDING


def test_what_came_for_one_who_hung_up_goes_back_at_once(
    api: Api, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = claims.attempt
    caller = Caller(in_thread)

    def hang_up_when_something_came(*args: Any) -> claims.Attempt:
        made = attempt(*args)
        if made.claimed:
            caller.close()
        return made

    async def scene() -> HttpResponse:
        answering = asyncio.ensure_future(waiting_claim.final(caller))
        await after_a_moment(lambda: make_job(project))
        return await answering

    waiting_claim = waiting(api)
    monkeypatch.setattr(claims, "attempt", hang_up_when_something_came)
    assert given(play(scene())) == []
    job = jobs.find(COMMAND, project.slug, jobs.JobFilter()).jobs[0]
    assert (job.status, job.attempt, job.retry_count, job.lost_count) == (JobState.PENDING, 1, 0, 0)


def test_of_many_who_wait_one_gets_the_job_and_few_try(
    api: Api, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, attempts = claims.attempt, []
    take_turn, turns = hub.take_turn, []

    def counted(*args: Any) -> claims.Attempt:
        attempts.append(args)
        return attempt(*args)

    async def noted(*args: Any) -> Any:
        found = await take_turn(*args)
        turns.append(args)
        return found

    async def scene() -> list[HttpResponse]:
        callers = [Caller(in_thread) for _ in crowd]
        answering = [asyncio.ensure_future(later.final(caller)) for later, caller in zip(crowd, callers, strict=True)]
        while len(turns) < len(crowd):  # then all have looked, and wait
            await asyncio.sleep(0.01)
        attempts.clear()
        await in_thread(make_job, project)
        await asyncio.wait(answering, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.5)  # for the others to hear of it too
        for caller in callers:
            caller.close()
        return await asyncio.gather(*answering)

    crowd = [waiting(api, seconds=20, worker_id=f"w{number}") for number in range(20)]
    monkeypatch.setattr(claims, "attempt", counted)
    monkeypatch.setattr(hub, "take_turn", noted)
    answers = play(scene())
    assert sum(len(given(answer)) for answer in answers) == 1
    # The creation wakes all, and so does the claim: each time one or two try for everybody.
    assert len(attempts) <= 6


def test_a_drained_worker_that_waits_keeps_the_job_from_nobody(api: Api, project: Project) -> None:
    drained, ready = waiting(api, seconds=2, worker_id="drained"), waiting(api, seconds=10, worker_id="ready")
    workers.drain(COMMAND, project.slug, "drained")

    async def scene() -> tuple[HttpResponse, HttpResponse]:
        first = asyncio.ensure_future(drained.final(Caller(in_thread)))
        await asyncio.sleep(0.2)
        second = asyncio.ensure_future(ready.final(Caller(in_thread)))
        await after_a_moment(lambda: make_job(project, name="a"))
        return await first, await second

    first, second = play(scene())
    assert (given(first), given(second)) == ([], ["a"])


def test_a_project_that_went_while_one_waits_is_told_as_gone_at_the_next_look(api: Api, project: Project) -> None:
    def go_and_wake() -> None:
        projects.delete(COMMAND, project.slug, project.slug)
        record_store().insert(project.slug, "controls", {}, id="anything that moves the counter")

    answer, _ = play(both(waiting(api), go_and_wake))
    assert (answer.status_code, json.loads(answer.content)["code"]) == (404, "not_found")


class TestFollowing:
    """The stream of a log."""

    @staticmethod
    def stream(api: Api, id: str, **headers: str) -> EventStream:
        answer: object = api.get(f"{JOBS}/{id}/logs/stream", **headers)
        assert isinstance(answer, EventStream)
        return answer

    @staticmethod
    async def read(stream: EventStream, until: str, act: Callable[[], Any] | None = None) -> str:
        """What came until this text did, `act` having happened on the way."""
        caller, text, acting = Caller(in_thread), "", None
        async for piece in stream.open(caller):
            text += piece.decode()
            if act is not None and acting is None:
                acting = asyncio.ensure_future(after_a_moment(act))
            if until in text:
                break
        if acting is not None:
            await acting
        return text

    def test_lines_come_as_they_are_written_and_the_end_is_told(self, api: Api, project: Project) -> None:
        make_job(project)
        claimed = claim_job(project)
        slug, id, token = project.slug, claimed.job.id, claimed.lease_token
        logs.append(COMMAND, slug, id, [NewLogEntry("first")], token)

        def go_on() -> None:
            logs.append(COMMAND, slug, id, [NewLogEntry("second\nline")], token)
            claims.complete(COMMAND, slug, id, token)

        text = play(self.read(self.stream(api, id), "event: ended", go_on))
        assert text.index('id: 1\ndata: {"number":1') < text.index("id: 2\ndata: ") < text.index("event: ended")
        assert '"message":"second\\nline"' in text

    def test_a_reader_who_comes_back_goes_on_where_he_was(self, api: Api, project: Project) -> None:
        job = make_job(project)
        logs.append(COMMAND, project.slug, job.id, [NewLogEntry(f"line {number}") for number in range(1, 4)])
        text = play(self.read(self.stream(api, job.id, Last_Event_ID="2"), "line 3"))
        assert "line 2" not in text

    @pytest.mark.parametrize("odd", ["x", "-1", "²", "9" * 40])
    def test_an_id_that_was_never_ours_starts_at_the_beginning(self, api: Api, project: Project, odd: str) -> None:
        job = make_job(project)
        logs.append(COMMAND, project.slug, job.id, [NewLogEntry("line 1")])
        assert "line 1" in play(self.read(self.stream(api, job.id, Last_Event_ID=odd), "line 1"))

    def test_a_job_that_is_deleted_is_told_as_gone(self, api: Api, project: Project) -> None:
        job = make_job(project)
        text = play(self.read(self.stream(api, job.id), "gone", lambda: jobs.delete(COMMAND, project.slug, job.id)))
        assert "event: gone" in text
