"""Loads on real servers, with a report that counts what happened and what must never happen.

The tests run them small; `manage.py bench soak` runs them as long as one likes.
"""

import asyncio
import itertools
import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.live_server import Installation, LiveServer
from tests.project.servers import ROOT

FINAL: Final = ("completed", "failed", "timeout", "cancelled")
ENDING: Final = frozenset({"completed", "failed", "gave_up", "timed_out", "cancelled"})
LONGEST_LOAD: Final = 1200.0  # seconds
Noted = tuple[str, str, int, int, str]  # call, job, status, attempt, code or state


@dataclass
class Report:
    """`faults` must be empty; `counts` say that it could have been otherwise."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        counted = ", ".join(f"{count:,} {name}" for name, count in sorted(self.counts.items()))
        return f"{counted} in {self.seconds:.0f} s; {len(self.faults)} faults{': ' if self.faults else ''}" + "; ".join(
            self.faults[:10]
        )


def killed(
    installation: Installation, *, jobs: int, workers: int, worker_kills: int, server_kills: int, seed: int
) -> Report:
    """Workers and the server are killed, spread over all of the work, and started again, until every job has ended."""
    chance, report, began = random.Random(seed), Report(), time.monotonic()
    slug = _new_slug()
    token = installation.project(slug)
    (server,) = _serving(installation, 1)
    made = _create(server.api(token, slug), jobs)
    kills = ["workers killed"] * worker_kills + ["server killed"] * server_kills
    chance.shuffle(kills)
    apart = jobs // (len(kills) + 1)
    crew = _Crew(installation, token, f"{server.url}/api/v1/projects/{slug}", workers)
    try:
        while crew.running() and time.monotonic() - began < LONGEST_LOAD:
            time.sleep(chance.uniform(0.02, 0.1))
            if not kills or crew.ends_noted() < apart * (report.counts.total() + 1):
                continue
            what = kills.pop()
            report.counts[what] += 1
            if what == "server killed":
                server.kill()
                server.start()
            else:
                crew.kill_one(chance)
    finally:
        crew.end()
    report.seconds = time.monotonic() - began
    report.faults += crew.faults()
    with server.api(token, slug) as api:
        _judge(report, api, made, crew.journal())
    if report.faults:
        report.faults += server.errors()
    return report


def _new_slug() -> str:
    return f"load-{secrets.token_hex(4)}"


def _serving(installation: Installation, number: int) -> list[LiveServer]:
    """Those that serve already, and as many more as it takes."""
    while len(installation.servers) < number:
        installation.serve()
    return installation.servers[:number]


def _create(api: httpx.Client, jobs: int) -> list[str]:
    made: list[str] = []
    with api:
        for start in range(0, jobs, 1000):
            new = [{"name": f"job {start + number}", "max_retries": 5} for number in range(min(1000, jobs - start))]
            answer = api.post("/jobs/batch", json={"jobs": new}).raise_for_status()
            made += [job["id"] for job in answer.json()["items"]]
    return made


class _Crew:
    """So many workers at any time; one that is killed is replaced."""

    def __init__(self, installation: Installation, token: str, url: str, size: int) -> None:
        self._folder = installation.data / "journals"
        self._folder.mkdir()
        self._environ = {**os.environ, "TOKEN": token}
        self._url = url
        self._names = itertools.count(1)
        self._read_to: Counter[Path] = Counter()
        self._ends = 0
        self._workers = [self._started() for _ in range(size)]

    def _started(self) -> "subprocess.Popen[bytes]":
        name = f"w{next(self._names)}"
        command = [sys.executable, "-m", "tests.durability.live_workers", str(self._folder / name), name, self._url]
        with (self._folder.parent / "workers.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self._environ, stdout=log, stderr=log)

    def running(self) -> int:
        return sum(worker.poll() is None for worker in self._workers)

    def kill_one(self, chance: random.Random) -> None:
        at_work = [number for number, worker in enumerate(self._workers) if worker.poll() is None]
        if not at_work:
            return  # all is done; whoever asks sees that nobody runs
        number = chance.choice(at_work)
        self._workers[number].kill()
        self._workers[number].wait()
        self._workers[number] = self._started()

    def ends_noted(self) -> int:
        """How many attempts were ended; what was counted before is not read again."""
        for path in self._folder.iterdir():
            with path.open("rb") as journal:
                journal.seek(self._read_to[path])
                fresh = journal.read()
            self._read_to[path] += len(fresh)
            self._ends += fresh.count(b"\n") - fresh.count(b'["claim"')
        return self._ends

    def faults(self) -> list[str]:
        """Of those that ended by themselves."""
        codes = Counter(worker.returncode for worker in self._workers if worker.returncode > 0)
        return [f"{count} workers ended with {code}: {self._said()}" for code, count in codes.items()]

    def _said(self) -> str:
        return (self._folder.parent / "workers.log").read_text(errors="replace")[-500:]

    def end(self) -> None:
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()

    def journal(self) -> Iterator[Noted]:
        for path in sorted(self._folder.iterdir()):
            for line in path.read_text().splitlines():
                call, id, status, attempt, word = json.loads(line)
                yield call, id, status, attempt, word


def _judge(report: Report, api: httpx.Client, made: list[str], journal: Iterator[Noted]) -> None:
    """Against what the workers were told: what is acknowledged is what is kept."""
    ended: defaultdict[str, set[tuple[int, str]]] = defaultdict(set)
    for call, id, status, attempt, word in journal:
        report.counts[f"{call} answered {status}{f' {word}' if status >= 400 else ''}"] += 1
        if status >= 500 or (status >= 400 and word != "lease_lost"):
            report.faults.append(f"{call} was answered {status} {word}")
        if status == 200 and word in FINAL:
            ended[id].add((attempt, word))
    kept = {job["id"]: job for job in _all_jobs(api)}
    report.counts["jobs"] = len(kept)
    if set(kept) != set(made):
        report.faults.append(
            f"{len(set(made) - set(kept))} jobs are lost, {len(set(kept) - set(made))} were never made"
        )
    for id, job in kept.items():
        report.counts[f"ended {job['status']}"] += 1
        report.counts["leases lost"] += job["lost_count"]
        if job["status"] not in FINAL:
            report.faults.append(f"job {id} is {job['status']}")
        if len(ended[id]) > 1:
            report.faults.append(f"job {id} was acknowledged as ended {sorted(ended[id])}")
        if any(outcome != (job["attempt"], job["status"]) for outcome in ended[id]):
            report.faults.append(f"job {id} was told {sorted(ended[id])} and is {job['status']} in {job['attempt']}")
        events = api.get(f"/jobs/{id}/events", params={"limit": 500}).raise_for_status().json()["items"]
        outcomes = [event["type"] for event in events if event["type"] in ENDING]
        claims = [event["attempt"] for event in events if event["type"] == "claimed"]
        if len(outcomes) != 1:
            report.faults.append(f"job {id} has the outcomes {outcomes}")
        if claims != list(range(1, job["attempt"] + 1)):
            report.faults.append(f"job {id} has the attempts {claims}")


def _all_jobs(api: httpx.Client) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        query: dict[str, str | int] = {"limit": 500, "order": "created_at", **({"cursor": cursor} if cursor else {})}
        page = api.get("/jobs", params=query).raise_for_status().json()
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def mixed(
    installation: Installation,
    *,
    seconds: float = LONGEST_LOAD,
    requests: int = sys.maxsize,
    workers: int,
    creators: int = 4,
    seed: int = 1,
) -> Report:
    """Two servers over one store; all that is done in a day at once, for so long or so many requests; then what is
    left is worked off.
    """
    slug = _new_slug()
    token = installation.project(slug)
    urls = [f"{server.url}/api/v1/projects/{slug}" for server in _serving(installation, 2)]
    mix = _Mix(urls, token, workers, creators, random.Random(seed))
    asyncio.run(mix.run(seconds, requests))
    return mix.report


class _Mix:
    def __init__(self, urls: list[str], token: str, workers: int, creators: int, chance: random.Random) -> None:
        self.report = Report()
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {token}"}
        self._workers, self._creators, self._chance = workers, creators, chance
        self._made: list[str] = []
        self._wanted: dict[str, str] = {}
        self._given: Counter[tuple[str, int]] = Counter()
        self._ended: defaultdict[str, list[str]] = defaultdict(list)
        self._working = self._making = True

    async def run(self, seconds: float, requests: int) -> None:
        began = time.monotonic()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
        async with httpx.AsyncClient(headers=self._headers, timeout=60, limits=limits) as self._line:
            crew = [asyncio.create_task(self._work(number)) for number in range(self._workers)]
            others = [asyncio.create_task(self._create(number)) for number in range(self._creators)]
            others += [asyncio.create_task(self._steer()), asyncio.create_task(self._read())]
            while time.monotonic() < began + seconds and self.report.counts["requests"] < requests:
                await asyncio.sleep(0.02)
            self._making = False
            await asyncio.gather(*others)
            self.report.seconds = time.monotonic() - began
            self._working = False  # the crew goes on until nothing is due any more
            await asyncio.gather(*crew)
            await self._judge()

    async def _call(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        answer = await self._line.request(method, self._chance.choice(self._urls) + path, json=body, params=query)
        self.report.counts["requests"] += 1
        if answer.status_code >= 500:
            self.report.faults.append(f"{method} {path} was answered {answer.status_code}: {answer.text[:200]}")
        found = answer.json() if answer.content and "json" in answer.headers["content-type"] else {}
        if answer.status_code >= 400:
            self.report.counts[f"refused as {found.get('code')}"] += 1
        return answer.status_code, found

    async def _work(self, number: int) -> None:
        idle = 0
        while self._working or idle < 2:
            asked = {"worker_id": f"w{number}", "limit": self._chance.choice([1, 2]), "lease_seconds": 30}
            _, found = await self._call("POST", "/jobs/claim", {**asked, "wait_seconds": 1})
            jobs = found.get("jobs", [])
            idle = 0 if jobs else idle + 1
            for job in jobs:
                self._given[job["id"], job["attempt"]] += 1
                await self._end(job)

    async def _end(self, job: Any) -> None:
        lease, path = {"lease_token": job["lease_token"]}, f"/jobs/{job['id']}"
        if self._chance.random() < 0.3:
            await self._call("POST", f"{path}/logs", {**lease, "entries": [{"message": "a line", "sequence": 1}]})
        if self._chance.random() < 0.3:
            await self._call("POST", f"{path}/heartbeat", {**lease, "progress": 10})
        ends: list[tuple[str, dict[str, Any]]] = [
            ("complete", {"result_data": {"big": 2**80}}),
            ("fail", {"error_message": "again", "retry_after": 0}),
            ("fail", {"error_message": "never", "retryable": False}),
            ("release", {}),
        ]
        ((call, more),) = self._chance.choices(ends, [85, 6, 6, 3])
        status, answer = await self._call("POST", f"{path}/{call}", {**lease, **more})
        if status == 200 and answer["status"] in FINAL:
            self._ended[job["id"]].append(answer["status"])

    async def _create(self, creator: int) -> None:
        for number in itertools.count():
            if not self._making:
                return
            id = f"{creator}-{number // 2}"  # every second one is the request of before, again
            status, job = await self._call("POST", "/jobs", {"name": id, "ingestion_task_id": id, "max_retries": 5})
            if status in (200, 201):
                if self._wanted.setdefault(id, job["id"]) != job["id"]:
                    self.report.faults.append(f"{id} was made twice")
                self._made.append(job["id"])
            if number % 50 == 0:
                _, made = await self._call("POST", "/jobs/batch", {"jobs": [{"name": "of many"}] * 10})
                self._made += [job["id"] for job in made.get("items", [])]

    async def _steer(self) -> None:
        while self._making:
            if self._made:
                call = self._chance.choice(["cancel", "retry"])
                await self._call("POST", f"/jobs/{self._chance.choice(self._made)}/{call}", {"reason": "load"})
            await asyncio.sleep(0.05)

    async def _read(self) -> None:
        while self._making:
            await self._call("GET", "/jobs", limit=50)
            await self._call("GET", "/jobs", status="failed", q="many")
            await self._call("GET", "/workers")
            if self._made:
                await self._call("GET", f"/jobs/{self._chance.choice(self._made)}/logs")

    async def _judge(self) -> None:
        report = self.report
        twice = [key for key, count in self._given.items() if count > 1]
        if twice:
            report.faults.append(f"{len(twice)} attempts were given twice")
        with httpx.Client(base_url=self._urls[0], headers=self._headers, timeout=60) as api:
            kept = {job["id"]: job for job in _all_jobs(api)}
        report.counts["jobs"] = len(kept)
        if lost := set(self._made) - set(kept):
            report.faults.append(f"{len(lost)} jobs are lost")
        for id, job in kept.items():
            report.counts[f"ended {job['status']}"] += 1
            if job["status"] not in FINAL:
                report.faults.append(f"job {id} is {job['status']}")
            if sum(1 for key in self._given if key[0] == id) != job["attempt"]:
                report.faults.append(f"job {id} was given in other attempts than its {job['attempt']}")


def long_poll_latencies(installation: Installation, *, rounds: int) -> list[float]:
    """Milliseconds from the answer to a creation on one server to the answer to a claim that waits on the other."""
    slug = _new_slug()
    token = installation.project(slug)
    urls = [f"{server.url}/api/v1/projects/{slug}" for server in _serving(installation, 2)]
    return asyncio.run(_latencies(urls, token, rounds))


async def _latencies(urls: list[str], token: str, rounds: int) -> list[float]:
    found: list[float] = []
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as line:
        for number in range(rounds):
            async with _waiting(line, urls[0]) as waiting:
                await asyncio.sleep(0.1 + number % 7 * 0.01)  # at any moment of the poller's own pace
                (await line.post(f"{urls[1]}/jobs", json={"name": "now"})).raise_for_status()
                created = time.perf_counter()
                answer = await waiting
                found.append((time.perf_counter() - created) * 1000)
                job = answer.raise_for_status().json()["jobs"][0]
            await line.post(f"{urls[0]}/jobs/{job['id']}/complete", json={"lease_token": job["lease_token"]})
    return found


@asynccontextmanager
async def _waiting(line: httpx.AsyncClient, url: str) -> AsyncIterator["asyncio.Task[httpx.Response]"]:
    body = {"worker_id": "w1", "wait_seconds": 30}
    task = asyncio.create_task(line.post(f"{url}/jobs/claim", json=body))
    try:
        yield task
    finally:
        task.cancel()


def percentiles(values: list[float]) -> str:
    ranked = sorted(values)
    p99 = ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]
    return f"median {statistics.median(ranked):.0f} ms, p99 {p99:.0f} ms, worst {ranked[-1]:.0f} ms of {len(ranked)}"
