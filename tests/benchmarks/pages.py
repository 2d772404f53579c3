"""The list of jobs and the overview over a long history, on each store: every filter, order and search, p95 of each.

Over HTTP to a server of its own, so the times hold parsing and writing too; each against a trivial call of the round.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from tests import databases
from tests.benchmarks.choices import at_least, some_of
from tests.benchmarks.many_jobs import SLUG
from tests.live_server import DATABASE_STORE, FILE_STORE, Installation, installed
from tests.project.servers import ROOT

STORES: Final = ("file", "sqlite", "postgresql")
LONGEST: Final = 3600  # seconds, to make the history
JOBS: Final = f"/api/v1/projects/{SLUG}/jobs"
TARGETS: Final = {"overview": 200.0}
TARGET: Final = 150.0  # milliseconds, of any other
LISTS: Final[Mapping[str, Mapping[str, str]]] = {
    "newest": {},
    "oldest": {"order": "created_at"},
    "by priority": {"order": "-priority"},
    "by end": {"order": "-completed_at"},
    "failed": {"status": "failed"},
    "cancelled, by end": {"status": "cancelled", "order": "-completed_at"},
    "type": {"content_type": "pdf"},
    "worker": {"worker_id": "worker-7"},
    "unknown worker": {"worker_id": "nobody"},
    "run": {"run_id": "run-3"},
    "ingestion id": {"ingestion_task_id": "ingest-77"},
    "tag": {"tag": "t7"},
    "rare tag": {"tag": "rare"},
    "priority": {"priority": "-7"},
    "priority of none": {"priority": "99"},
    "failed, type, tag": {"status": "failed", "content_type": "pdf", "tag": "t41"},
    "long ago": {"created_before": "2000-01-01T00:00:00Z"},
    "common word": {"q": "report"},
    "words": {"q": "report 777"},
    "rare word": {"q": '"report 123456"'},
    "word of none": {"q": "xylophone"},
    "two letters": {"q": "zq"},
    "error": {"q": 'error:"timed out"'},
    "error of none": {"q": "error:segfault"},
    "path": {"q": "path:in/77/"},
    "name": {"q": "name:4242"},
    "long": {"q": "duration:>9m"},
    "longer than any": {"q": "duration:>5h"},
    "ended before": {"q": "completed:<2001-01-01"},
    "option": {"q": "options.lang:en"},
    "option of none": {"q": "options.lang:fr"},
    "number of none": {"q": "options.pages:9999"},
    "document": {"q": "document:document-7"},
    "retried": {"q": "retries:>2"},
    "either": {"q": "(type:pdf OR tag:t7) -status:completed"},
    "all but": {"q": "-type:pdf -tag:t7"},
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--stores", type=some_of(STORES), default=",".join(STORES), help=f"of {', '.join(STORES)}")
    parser.add_argument("--size", type=at_least(10), default=100_000, help="jobs (100,000; a million takes long)")
    parser.add_argument("--rounds", type=at_least(1), default=20, help="calls of each kind (20)")


def run(*, stores: Sequence[str], size: int, rounds: int) -> Iterator[str]:
    """Lines of the report; a time that misses its target is marked."""
    for store in stores:
        with _installed(store) as installation:
            began = time.perf_counter()
            token = installation.project(SLUG)
            middle = str(_inside(installation, "fill", str(size))["middle"])
            yield f"{store}: {size:,} jobs made in {time.perf_counter() - began:.0f} s"
            yield from _measured(installation, token, middle, rounds)


@contextlib.contextmanager
def _installed(store: str) -> Iterator[Installation]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-pages-")))
        environ = dict(FILE_STORE if store == "file" else DATABASE_STORE)
        if store == "postgresql":
            socket_folder = stack.enter_context(databases.postgresql_server())
            environ["HOLDFAST_DATABASE_URL"] = f"postgresql://postgres@/postgres?host={socket_folder}"
        yield stack.enter_context(installed(folder / "data", **environ))


def _inside(installation: Installation, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.many_jobs", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=installation.environ, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _measured(installation: Installation, token: str, middle: str, rounds: int) -> Iterator[str]:
    installation.manage("collectstatic", "--noinput", "--verbosity", "0")
    cookies = _inside(installation, "log-in")
    server = installation.serve()
    headers = {"Authorization": f"Bearer {token}"}
    with (
        httpx.Client(base_url=server.url, headers=headers, timeout=120) as api,
        httpx.Client(base_url=server.url, cookies=cookies, timeout=120) as person,
    ):
        calls = _calls(api, person, middle)
        trivial = statistics.median(_time(api, "/healthz") for _ in range(rounds))
        yield f"  {'trivial':<22} median {trivial:7.1f} ms"
        for name, (client, address) in calls.items():
            first = _time(client, address)
            times = sorted(_time(client, address) for _ in range(rounds))
            p95 = times[max(int(len(times) * 0.95) - 1, 0)]
            missed = "  MISSED" if p95 > TARGETS.get(name, TARGET) else ""
            yield (
                f"  {name:<22} median {statistics.median(times):7.1f} ms, p95 {p95:7.1f} ms, first {first:7.1f} ms"
                f"{_told(client, address)}{missed}"
            )


def _calls(api: httpx.Client, person: httpx.Client, middle: str) -> dict[str, tuple[httpx.Client, str]]:
    job = api.get(f"{JOBS}/{middle}").raise_for_status().json()
    page = api.get(f"{JOBS}?{urlencode({'created_before': job['created_at'], 'limit': 1})}").raise_for_status().json()
    deep = urlencode({"created_before": job["created_at"], "cursor": page["next_cursor"]})
    lists = {name: (api, f"{JOBS}?{urlencode(asked)}") for name, asked in LISTS.items()}
    return {
        **lists,
        "deep": (api, f"{JOBS}?{deep}"),
        "one": (api, f"{JOBS}/{middle}"),
        "id searched": (api, f"{JOBS}?{urlencode({'q': middle})}"),
        "id begun": (api, f"{JOBS}?{urlencode({'q': f'id:{middle[:20]}*'})}"),
        "statistics": (api, f"{JOBS}/stats"),
        "suggestions": (api, f"{JOBS}/suggestions?{urlencode({'q': 'type:'})}"),
        "overview": (person, f"/p/{SLUG}/"),
        "page": (person, f"/p/{SLUG}/jobs/"),
        "page of failed": (person, f"/p/{SLUG}/jobs/?{urlencode({'status': 'failed'})}"),
        "page of words": (person, f"/p/{SLUG}/jobs/?{urlencode({'q': 'report 777'})}"),
        "page of one": (person, f"/p/{SLUG}/jobs/{middle}/"),
        "failures": (person, f"/p/{SLUG}/failures/"),
        "workers": (person, f"/p/{SLUG}/workers/"),
        "what to retry": (person, f"/p/{SLUG}/jobs/bulk/retry/?{urlencode({'status': 'failed'})}"),
    }


def _time(client: httpx.Client, address: str) -> float:
    began = time.perf_counter()
    answer = client.get(address)
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, f"{address}: {answer.status_code} {answer.text[:300]}"
    return took


def _told(client: httpx.Client, address: str) -> str:
    """How many it found, and whether it looked at everything."""
    answer = client.get(address)
    if not answer.headers["content-type"].startswith("application/json") or "items" not in answer.json():
        return ""
    found = answer.json()
    whole = found.get("searched", {}).get("complete", True)
    return f", {len(found['items'])} found{'' if whole else ', searched in part'}"
