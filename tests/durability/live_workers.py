"""Workers over HTTP in processes of their own, for loads in which they and the server are killed.

    python -m tests.durability.live_workers JOURNAL WORKER_ID URL,URL   (the token in TOKEN)

Each answer that a worker got to an end of an attempt is a line of its journal, written before anything else is done,
so what was acknowledged is known whoever is killed afterwards.
"""

import http.client
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import IO, Any, Final

LEASE_SECONDS: Final = 2
LONGEST_OUTAGE: Final = 60.0


class Line:
    """One connection, made anew whenever it broke; asks again where the server is away for a moment."""

    def __init__(self, urls: list[str], token: str) -> None:
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        deadline = time.monotonic() + LONGEST_OUTAGE
        while True:
            try:
                return self._asked(path, json.dumps(body))
            except (OSError, http.client.HTTPException):
                self._connection = None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _asked(self, path: str, body: str) -> tuple[int, Any]:
        if self._connection is None:
            host, _, base = random.choice(self._urls).removeprefix("http://").partition("/")
            self._base = f"/{base}"
            self._connection = http.client.HTTPConnection(host, timeout=30)
        self._connection.request("POST", self._base + path, body, self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())


def work(journal: IO[str], worker_id: str, line: Line) -> None:
    """Until nothing was due for a while; ends attempts in every way there is."""
    idle = 0
    while idle < 3:
        asked = {"worker_id": worker_id, "limit": random.choice([1, 1, 3]), "lease_seconds": LEASE_SECONDS}
        status, answer = line.post("/jobs/claim", {**asked, "wait_seconds": 1})
        note(journal, "claim", "", status, word=said(answer) if status != 200 else "")
        idle = idle + 1 if status == 200 and not answer["jobs"] else 0
        for job in answer.get("jobs", []):
            end(journal, line, job)


def end(journal: IO[str], line: Line, job: Any) -> None:
    lease = {"lease_token": job["lease_token"]}
    ends: list[tuple[str, dict[str, Any]]] = [
        ("complete", {"result_data": {"attempt": job["attempt"]}}),
        ("fail", {"error_message": "again", "retry_after": 0}),
        ("fail", {"error_message": "never", "retryable": False}),
        ("release", {}),
    ]
    ((call, more),) = random.choices(ends, [80, 8, 8, 4])
    if random.random() < 0.3:
        line.post(f"/jobs/{job['id']}/heartbeat", {**lease, "progress": 50})
    status, answer = line.post(f"/jobs/{job['id']}/{call}", {**lease, **more})
    note(journal, call, job["id"], status, job["attempt"], answer["status"] if status == 200 else said(answer))


def said(refusal: Any) -> str:
    """The code, and of a fault also its sentence."""
    code: str = refusal["code"]
    return code if refusal["status"] < 500 else f"{code}: {refusal['detail']}"


def note(journal: IO[str], call: str, id: str, status: int, attempt: int = 0, word: str = "") -> None:
    journal.write(json.dumps([call, id, status, attempt, word]) + "\n")
    journal.flush()


if __name__ == "__main__":
    path, worker_id, urls = sys.argv[1:]
    with Path(path).open("a") as journal:
        work(journal, worker_id, Line(urls.split(","), os.environ["TOKEN"]))
