"""One poller tells any number of waiters, each only what it asked for."""

import asyncio
import json
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import pytest
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.test import RequestFactory

from jobs_app import live
from jobs_app.streaming import Caller, Event, EventStream, Later

PATIENCE = 60  # seconds; only what fails needs them


class Counters:
    def __init__(self, **values: int) -> None:
        self.values = {name.replace("__", "/"): value for name, value in values.items()}
        self.reads: list[set[str]] = []
        self.broken = False

    def __call__(self, topics: Collection[str]) -> dict[str, int]:
        self.reads.append(set(topics))
        if self.broken:
            raise OSError("the database is away")
        return {topic: value for topic, value in self.values.items() if topic in topics}

    def touch(self, topic: str) -> None:
        self.values[topic] = self.values.get(topic, 0) + 1


def caller() -> Caller:
    return Caller(asyncio.to_thread)


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 2 * PATIENCE))


def test_a_change_is_told_at_the_next_look_and_only_to_those_it_concerns() -> None:
    counters = Counters(acme__jobs=1, other__jobs=1)
    hub = live.Hub(counters)

    async def scene() -> None:
        async with hub.subscribe(["acme/jobs"], caller()) as mine, hub.subscribe(["other/jobs"], caller()) as theirs:
            looks = len(counters.reads)
            counters.touch("acme/jobs")
            assert await mine.next(timeout=PATIENCE) == {"acme/jobs"}
            assert len(counters.reads) <= looks + 2, "one may have been under way"
            assert mine.values == {"acme/jobs": 2}
            assert await theirs.next(timeout=0.01) == frozenset()
            assert "acme/jobs" not in theirs.values

    play(scene)
    assert live.INTERVAL <= 0.25 / 2  # seconds; a quarter of one is promised


def test_a_topic_nobody_touched_yet_is_told_when_it_is() -> None:
    counters = Counters()

    async def scene() -> None:
        async with live.Hub(counters).subscribe(["acme/jobs"], caller()) as changes:
            counters.touch("acme/jobs")
            assert await changes.next(timeout=PATIENCE) == {"acme/jobs"}

    play(scene)


def test_many_changes_become_one_and_a_slow_subscriber_stays_small() -> None:
    counters = Counters(acme__jobs=1)
    hub = live.Hub(counters, interval=0.01)

    async def scene() -> None:
        async with hub.subscribe(["acme/jobs"], caller()) as slow, hub.subscribe(["acme/jobs"], caller()) as quick:
            for _ in range(5):
                counters.touch("acme/jobs")
                assert await quick.next(timeout=PATIENCE) == {"acme/jobs"}
            assert await slow.next(timeout=PATIENCE) == {"acme/jobs"}
            assert slow.values == {"acme/jobs": 6}
            assert await slow.next(timeout=0.01) == frozenset()

    play(scene)


def test_two_hundred_subscribers_cost_one_poll_and_none_costs_none() -> None:
    counters = Counters(acme__jobs=1)
    hub = live.Hub(counters, interval=0.01)

    async def scene() -> None:
        subscriptions = [hub.subscribe(["acme/jobs"], caller()) for _ in range(200)]
        changes = [await subscription.__aenter__() for subscription in subscriptions]
        counters.reads.clear()
        counters.touch("acme/jobs")
        told = await asyncio.gather(*(one.next(timeout=PATIENCE) for one in changes))
        assert told == [{"acme/jobs"}] * 200
        assert len(counters.reads) < 50
        for subscription in subscriptions:
            await subscription.__aexit__(None, None, None)
        assert hub._poller is None

    play(scene)


def test_a_failing_read_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    counters = Counters(acme__jobs=1)
    hub = live.Hub(counters, interval=0.01)

    async def scene() -> None:
        async with hub.subscribe(["acme/jobs"], caller()) as changes:
            counters.broken = True
            counters.reads.clear()
            while not counters.reads:
                await asyncio.sleep(0.01)
            counters.broken = False
            counters.touch("acme/jobs")
            assert await changes.next(timeout=PATIENCE) == {"acme/jobs"}

    play(scene)


def test_a_nudge_is_quicker_than_the_next_poll() -> None:
    counters = Counters(acme__jobs=1)
    hub = live.Hub(counters, interval=10 * PATIENCE)

    async def scene() -> None:
        async with hub.subscribe(["acme/jobs"], caller()) as changes:
            await asyncio.sleep(0)
            counters.touch("acme/jobs")
            await asyncio.to_thread(hub.nudge)
            assert await changes.next(timeout=PATIENCE) == {"acme/jobs"}

    play(scene)


def test_a_crowd_that_wants_the_same_job_tries_twice_not_a_hundred_times() -> None:
    counters, jobs, attempts = Counters(acme__jobs=1), ["job"], 0
    hub = live.Hub(counters, interval=0.01)

    async def attempt() -> str | None:
        nonlocal attempts
        attempts += 1
        return jobs.pop() if jobs else None

    async def wait() -> str | None:
        async with hub.subscribe(["acme/jobs"], caller()) as changes:
            await changes.next(timeout=PATIENCE)
            return await hub.take_turn("acme pdf", changes, attempt)

    async def scene() -> None:
        waiting = [asyncio.create_task(wait()) for _ in range(100)]
        while len(hub._subscribers.get("acme/jobs", ())) < 100:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        counters.touch("acme/jobs")
        found = await asyncio.gather(*waiting)
        assert [one for one in found if one] == ["job"]
        assert attempts <= 3

    play(scene)


async def first_events(stream: EventStream, count: int) -> list[bytes]:
    pieces: list[bytes] = []
    line = stream.open(caller())
    async for piece in line:
        if b"data:" in piece:
            pieces.append(piece)
        if len(pieces) == count:
            break
    await line.aclose()  # type: ignore[attr-defined] # an async generator
    return pieces


def live_request(topics: str, **headers: str) -> HttpRequest:
    return RequestFactory(headers=headers).get("/live/", {"topics": topics})


def test_the_stream_names_the_nouns_that_changed_and_tells_what_was_missed() -> None:
    counters = Counters(acme__jobs=7, acme__workers=3)
    stream = live.view(live.Hub(counters), lambda _request, project: project == "acme")

    async def scene() -> None:
        request = live_request("acme/workers,acme/jobs", **{"Last-Event-ID": "6.3"})
        response = stream(request)
        assert isinstance(response, EventStream)
        [event] = await first_events(response, 1)
        lines = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
        assert lines["id"] == "7.3"
        assert json.loads(lines["data"]) == {"topics": ["jobs"]}

    play(scene)


def test_a_stream_ends_now_and_then_so_that_it_is_asked_anew_who_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST_STREAM", 0.05)
    stream = live.view(live.Hub(Counters(acme__jobs=1)), lambda _request, _project: True)

    async def scene() -> None:
        response = stream(live_request("acme/jobs"))
        assert isinstance(response, EventStream)
        assert [part async for part in response.open(caller())] == [b"retry: 2000\n\n"]

    play(scene)


def test_who_may_not_see_a_project_gets_no_stream_of_it() -> None:
    stream = live.view(live.Hub(Counters()), lambda _request, project: project == "acme")
    with pytest.raises(Http404):
        stream(live_request("acme/jobs,other/jobs"))


@pytest.mark.parametrize("topics", ["", "acme", "acme/", "acme/jobs,", "ACME/jobs", "a/b/c", "acme/jobs\n"])
def test_what_is_no_topic_is_refused(topics: str) -> None:
    assert live.view(live.Hub(Counters()), lambda _request, _project: True)(live_request(topics)).status_code == 400


def test_text_cannot_forge_an_event() -> None:
    event = Event("a\r\nevent: b\rdata: c", name="n\nid: 1", id="1\n2")
    assert event.encode() == b"id: 1 2\nevent: n id: 1\ndata: a\ndata: event: b\ndata: data: c\n\n"


def test_without_our_server_a_later_answer_comes_at_once_with_its_status() -> None:
    async def wait(caller: Caller) -> HttpResponse:
        return JsonResponse({"sum": await caller.in_thread(sum, [1, 2])}, status=202)

    answer = Later(wait)
    assert json.loads(answer.getvalue()) == {"sum": 3}
    assert answer.status_code == 202


def test_a_wait_ends_when_the_line_closes() -> None:
    async def scene() -> None:
        one = caller()
        asyncio.get_running_loop().call_soon(one.close)
        assert await one.waits_for(asyncio.Event().wait(), timeout=20) is None
        assert not one.is_open

    play(scene)
