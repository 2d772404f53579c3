"""Who waits for a change hears of it: one poller a process reads cheap change counters and tells any number of event
streams and long polls. Two hundred streams cost one poll; nobody waiting costs none.

A topic is `<project>/<noun>`, or `/<noun>` for one of the whole server. Subscribe first and look afterwards: what
changes from then on is told, a change just before may be told as well, and several changes become one.

    async with hub.subscribe(["acme/jobs"], caller) as changes:
        while caller.is_open:
            ... look ...
            await changes.next(timeout=30)
"""

import asyncio
import contextlib
import contextvars
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Iterable, Mapping
from typing import TypeVar

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from jobs_app.services import live_counters
from jobs_app.streaming import Caller, Event, EventStream, InThread

logger = logging.getLogger("holdfast.live")

T = TypeVar("T")
ReadCounters = Callable[[Collection[str]], Mapping[str, int]]

INTERVAL = 0.1
LONGEST_INTERVAL = 2.0
MOST_TOPICS = 50
# a browser comes back by itself, and is asked again who it is: a login or a role that ended meanwhile ends here
LONGEST_STREAM = 300.0
VITAL = frozenset({"consumers", "health", "pauses"})  # what the bar and the banners of every page show
TOPIC = re.compile(r"[a-z0-9-]{0,63}/[a-z0-9][a-z0-9_:.-]{0,127}", re.ASCII)


class Changes:
    """One subscriber's view: which of its topics changed since it last asked. Bounded by the number of its topics."""

    def __init__(self, topics: frozenset[str], values: dict[str, int]) -> None:
        self.topics = topics
        self.values = values
        self._changed: set[str] = set()
        self._wake = asyncio.Event()

    async def next(self, timeout: float | None = None) -> frozenset[str]:
        """The topics that changed; empty when the time is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), timeout)
        changed = frozenset(self._changed)
        self._changed.clear()
        self._wake.clear()
        return changed

    def tell(self, topic: str, value: int) -> None:
        self.values[topic] = value
        self._changed.add(topic)
        self._wake.set()


class Hub:
    """`read_counters` is given the topics somebody waits for, and gives their values; one not there yet counts as 0."""

    def __init__(self, read_counters: ReadCounters, *, interval: float = INTERVAL) -> None:
        self._read_counters = read_counters
        self._interval = interval
        self._values: dict[str, int] = {}
        self._subscribers: dict[str, set[Changes]] = {}
        self._poller: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._nudged = asyncio.Event()
        self._turns: dict[tuple[frozenset[str], Hashable], _Turn] = {}

    @contextlib.asynccontextmanager
    async def subscribe(self, topics: Iterable[str], caller: Caller) -> AsyncIterator[Changes]:
        changes = Changes(frozenset(topics), {})
        for topic in changes.topics:
            self._subscribers.setdefault(topic, set()).add(changes)
        try:
            await self._know(changes, caller.in_thread)
            self._start(caller.in_thread)
            yield changes
        finally:
            self._forget(changes)

    def nudge(self) -> None:
        """From any thread: something changed just now in this process, so look at once."""
        loop = self._loop
        if loop is not None and self._poller is not None:
            with contextlib.suppress(RuntimeError):  # the loop closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(self._nudged.set)

    async def take_turn(self, key: Hashable, changes: Changes, attempt: Callable[[], Awaitable[T | None]]) -> T | None:
        """For many who wait for the same scarce thing: tries in the order of arrival, one after the other, and tries
        no more once somebody found nothing and nothing changed since. A thousand waiting claims and one new job make
        two attempts, not a thousand."""
        turn = self._turns.setdefault((changes.topics, key), _Turn())
        async with turn.lock:
            seen = dict(changes.values)
            if turn.empty_at == seen:
                return None
            found = await attempt()
            turn.empty_at = seen if found is None else None
            return found

    async def _know(self, changes: Changes, in_thread: InThread) -> None:
        """Where its topics stand before anything more can change unseen."""
        unknown = changes.topics - self._values.keys()
        read = await in_thread(self._read_counters, unknown) if unknown else {}
        for topic in unknown:
            # a poll may have been quicker; its value is older, so that at worst a change is told twice
            self._values.setdefault(topic, read.get(topic, 0))
        changes.values.update({topic: self._values[topic] for topic in changes.topics})

    def _start(self, in_thread: InThread) -> None:
        if self._poller is None or self._poller.done():
            self._loop = asyncio.get_running_loop()
            self._nudged = asyncio.Event()
            # it outlives the caller who was first, so what it logs is not that caller's
            self._poller = self._loop.create_task(self._poll(in_thread), name="live", context=contextvars.Context())

    def _forget(self, changes: Changes) -> None:
        for topic in changes.topics:
            remaining = self._subscribers[topic]
            remaining.discard(changes)
            if not remaining:
                del self._subscribers[topic]
                self._values.pop(topic, None)
        # whoever is in a turn subscribes to its topics, so no turn goes while it is used
        self._turns = {place: turn for place, turn in self._turns.items() if place[0] <= self._subscribers.keys()}
        if not self._subscribers and self._poller is not None:
            self._poller.cancel()
            self._poller = None

    async def _poll(self, in_thread: InThread) -> None:
        pause = self._interval
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), pause)
            self._nudged.clear()
            began = time.monotonic()
            try:
                values = await in_thread(self._read_counters, list(self._subscribers))
            except Exception:
                logger.exception("The change counters cannot be read; trying again.")
                pause = min(max(pause, self._interval) * 2, LONGEST_INTERVAL)
                continue
            self._tell(values)
            pause = max(self._interval - (time.monotonic() - began), self._interval / 4)

    def _tell(self, values: Mapping[str, int]) -> None:
        for topic, value in values.items():
            known = self._values.get(topic)
            self._values[topic] = value
            if known is not None and known != value:
                for changes in self._subscribers.get(topic, ()):
                    changes.tell(topic, value)


class _Turn:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.empty_at: dict[str, int] | None = None


hub = Hub(live_counters.read)  # the one of this process: pages that live and calls that wait share its poller


def view(hub: Hub, authorise: Callable[[HttpRequest, str], bool]) -> Callable[[HttpRequest], HttpResponseBase]:
    """The page `/live/?topics=acme/jobs,acme/workers`: an event for each change, with its noun. `authorise` is
    asked about every project once, when the stream opens; who may not see one learns only that it is not there."""

    @require_GET
    def stream(request: HttpRequest) -> HttpResponseBase:
        topics = frozenset(request.GET.get("topics", "").split(","))
        if len(topics) > MOST_TOPICS or not all(TOPIC.fullmatch(topic) for topic in topics):
            return _bad_topics()
        if not all(authorise(request, project) for project in {topic.partition("/")[0] for topic in topics}):
            raise Http404
        last = _values_of(request.headers.get("Last-Event-ID", ""), topics)
        return EventStream(lambda caller: _follow(hub, topics, last, caller))

    return stream


async def _follow(hub: Hub, topics: frozenset[str], last: Mapping[str, int], caller: Caller) -> AsyncIterator[Event]:
    ends_at = time.monotonic() + LONGEST_STREAM
    async with hub.subscribe(topics, caller) as changes:
        # what changed while the line was down
        missed = {topic for topic, value in last.items() if changes.values[topic] != value}
        for event in _events(missed, changes):
            yield event
        while (left := ends_at - time.monotonic()) > 0:
            for event in _events(await changes.next(left), changes):
                yield event


def _events(changed: Collection[str], changes: Changes) -> list[Event]:
    """What `static/js/live.js` reads: the nouns that changed. How many rows are new depends on what a page shows of
    them, so each page asks for its own number."""
    nouns = {topic.partition("/")[2] for topic in changed}
    id_ = ".".join(str(changes.values[topic]) for topic in sorted(changes.topics))
    events = [Event(json.dumps({"topics": sorted(nouns)}), id=id_)] if nouns else []
    return [*events, Event("{}", name="vitals", id=id_)] if nouns & VITAL else events


def _values_of(id_: str, topics: frozenset[str]) -> dict[str, int]:
    """The counters a caller last heard of; none when the id is not one of ours for these topics."""
    numbers = id_.split(".")
    if len(numbers) != len(topics) or not all(re.fullmatch("[0-9]{1,20}", number, re.ASCII) for number in numbers):
        return {}
    return dict(zip(sorted(topics), map(int, numbers), strict=True))


def _bad_topics() -> HttpResponse:
    return HttpResponseBadRequest(
        f"Topics are 1 to {MOST_TOPICS} of the form project/noun, with commas between.", content_type="text/plain"
    )
